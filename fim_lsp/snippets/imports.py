"""What a file imports, and which file of the workspace that is.

Patterns, no resolver: a module's name is compared with the ends of the workspace's paths, so that
source roots, aliases and build files need not be known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from fim_lsp.workspace import family_of

MAX_IMPORTS = 100
"""At most this many of one file are looked at."""
_HEAD_CHARS = 30_000
"""Imports stand at a file's beginning."""
_INDEX_NAMES = frozenset({"__init__", "index", "mod", "lib", "init"})
"""A file of this name stands for its folder."""


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a file imports."""

    parts: tuple[str, ...]
    """The module's path."""
    up: int | None = None
    """For one named from the file's own place: 0 is its folder, 1 the one above."""
    names: tuple[str, ...] = ()
    """What is taken from it, by the names that it has there."""


_NAMES = re.compile(r"(?:\btype\s+)?([A-Za-z_$][\w$]*)(?:\s+as\s+[\w$]+)?")
_PYTHON = re.compile(
    r"^[ \t]*(?:from[ ]+(?P<dots>\.*)[ ]*(?P<module>[\w.]*)[ ]+import[ ]+"
    r"(?:\((?P<many>[^)]*)\)|(?P<some>[^\n#]*))|import[ ]+(?P<plain>[\w., ]+))",
    re.MULTILINE,
)
_SCRIPT = re.compile(
    r"""(?:\b(?:import|export)\b(?P<names>[^;'"()=]{0,2000}?)\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)"""
    r"""['"](?P<module>[^'"\n]+)['"]"""
)
_PLAIN = MappingProxyType(
    {
        "go": re.compile(r'^(?:import[ ]+|\t)(?:[\w.]+[ ]+)?"(?P<module>[\w./-]+)"', re.MULTILINE),
        "rust": re.compile(
            r"^[ \t]*(?:pub[ ]+)?(?:use[ ]+(?P<module>\w+(?:::\w+)*)(?:::\{(?P<names>[^}]*)\})?"
            r"|mod[ ]+(?P<mod>\w+);)",
            re.MULTILINE,
        ),
        "c": re.compile(r'^[ \t]*#[ \t]*include[ \t]+"(?P<module>[^"\n]+)"', re.MULTILINE),
        "ruby": re.compile(
            r"^[ \t]*require(?:_relative)?[ (]+['\"](?P<module>[^'\"\n]+)['\"]", re.MULTILINE
        ),
        "php": re.compile(r"^use[ ]+(?:function[ ]+)?(?P<module>[\w\\]+)", re.MULTILINE),
        "dart": re.compile(
            r"^(?:import|export|part)[ ]+['\"](?:package:)?(?P<module>[^'\"\n]+)['\"]", re.MULTILINE
        ),
        "lua": re.compile(r"\brequire[ (]*['\"](?P<module>[\w./]+)['\"]"),
        "java": re.compile(
            r"^[ \t]*(?:import|using)[ ]+(?:static[ ]+)?(?P<module>[\w.]+)", re.MULTILINE
        ),
    }
)
_LIKE_JAVA = frozenset({"kotlin", "csharp", "scala", "groovy", "swift"})
_SOURCE_ENDINGS = re.compile(r"\.(?:[cm]?[jt]sx?|d|h|hh|hpp|hxx|vue|svelte|rb|lua|dart)$")


def imports(text: str, language: str) -> list[Import]:
    """What a text imports, in its order."""
    found: list[Import] = []
    for one in _found(text[:_HEAD_CHARS], language):
        if one.parts or one.up is not None:
            found.append(one)
        if len(found) == MAX_IMPORTS:
            break
    return found


def _found(text: str, language: str) -> Iterator[Import]:
    family = family_of(language)
    if family == "python":
        yield from _python(text)
    elif family in {"typescript", "vue", "svelte"}:
        yield from _script(text)
    else:
        yield from _plain(text, "java" if family in _LIKE_JAVA else family)


def _python(text: str) -> Iterator[Import]:
    for one in _PYTHON.finditer(text):
        if one["plain"] is not None:
            for module in one["plain"].split(","):
                yield Import(tuple(module.split(" as ")[0].strip().split(".")))
            continue
        names = tuple(_NAMES.findall(re.sub(r"#.*", "", one["many"] or one["some"] or "")))
        up = len(one["dots"]) - 1 if one["dots"] else None
        parts = tuple(filter(None, one["module"].split(".")))
        yield Import(parts, up, names)
        for name in names:  # it may be a module
            if name.islower():
                yield Import((*parts, name), up)


def _script(text: str) -> Iterator[Import]:
    for one in _SCRIPT.finditer(text):
        names = tuple(name for name in _NAMES.findall(one["names"] or "") if name != "type")
        yield _by_path(one["module"], names)


def _by_path(module: str, names: tuple[str, ...]) -> Import:
    """A module named by a path, with or without its ending."""
    steps = [step for step in _SOURCE_ENDINGS.sub("", module).split("/") if step]
    up: int | None = None
    while steps and steps[0] in {".", ".."}:
        up = (up or 0) + (steps.pop(0) == "..")
    if steps and steps[-1] in _INDEX_NAMES:
        steps.pop()
    return Import(tuple(steps), up, names)


def _plain(text: str, family: str) -> Iterator[Import]:
    pattern = _PLAIN.get(family)
    for one in pattern.finditer(text) if pattern else ():
        groups = one.groupdict()
        module = groups["module"] or groups.get("mod") or ""
        names = tuple(_NAMES.findall(groups.get("names") or ""))
        if family in {"c", "ruby", "dart"}:
            yield _by_path(module, names)
        else:
            parts = tuple(filter(None, re.split(r"::|[.\\/]", module)))
            yield Import(
                tuple(p for p in parts if p not in {"crate", "self", "super"}), None, names
            )


def module_path(path: str) -> tuple[str, ...]:
    """The parts by which a file is imported: no ending, and its folder's for an index file."""
    pure = PurePosixPath(_SOURCE_ENDINGS.sub("", path) if path.endswith(".d.ts") else path)
    stem = pure.name.split(".")[0] if pure.suffix not in {".ts", ".js"} else pure.stem
    parts = pure.parent.parts
    return parts if stem in _INDEX_NAMES and parts else (*parts, stem)


def resolve(
    one: Import, importer: str, called: Callable[[str], Iterator[tuple[str, ...]]]
) -> tuple[str, ...] | None:
    """The module path that an import means, or None where the workspace has none.

    ``called`` gives the module paths whose last part is a name.
    """
    own = PurePosixPath(importer).parent.parts
    if one.up is not None:
        wanted = (*own[: len(own) - one.up], *one.parts)
        if not wanted or one.up > len(own):
            return None
        return wanted if wanted in called(wanted[-1]) else None
    for parts in (one.parts, one.parts[:-1]):
        if parts and (found := _nearest(parts, own, called(parts[-1]))):
            return found
    return None


def _nearest(
    parts: tuple[str, ...], own: tuple[str, ...], called: Iterator[tuple[str, ...]]
) -> tuple[str, ...] | None:
    """The module path that ends most like ``parts``, then the one nearest to the importer."""
    best: tuple[tuple[int, int], tuple[str, ...]] | None = None
    for path in called:
        same = _shared(reversed(parts), reversed(path))
        if same < min(len(parts), len(path), 2):
            continue
        rank = (same, _shared(iter(own), iter(path)))
        if best is None or rank > best[0]:
            best = (rank, path)
    return best[1] if best else None


def _shared(one: Iterator[str], other: Iterator[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            return count
        count += 1
    return count
