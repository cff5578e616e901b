"""The workspace's files as the snippets need them: what each declares, and how often names occur.

Built in the background and kept up with changes. It holds names, not text: a file's text is read
when it is near enough to the cursor to matter, and only so many of these stay in memory.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from sys import intern

from fim_lsp.background import Job
from fim_lsp.snippets.declarations import declared, is_known
from fim_lsp.snippets.imports import Import, module_path, resolve
from fim_lsp.snippets.source import Source, read_source
from fim_lsp.snippets.words import WORD
from fim_lsp.workspace import FoundFile, Workspace, family_of, language_of, path_of, read_text

MAX_INDEXED_BYTES = 64_000_000
"""At most so much text is read for the index."""
MAX_READ_CHARS = 200_000
"""Of one file at most so much: what is longer was hardly written by hand."""
MAX_KEPT_LINES = 20_000
"""So many lines of files near the cursor stay in memory, in all."""
MAX_FILES_OF_A_NAME = 8
"""A name that more files declare says nothing of where it comes from."""
MAX_AROUND = 600
"""So many files around one are compared with it."""
MAX_NEIGHBOURS = 4
_LEAST_SHARED = 0.3
"""A neighbour uses names of so much weight, of one for all."""
_STEP_FILES = 20
_SIBLING_NAMES = ("{}", "test_{}", "{}_test", "{}Test", "{}_spec", "{}.test", "{}.spec")
"""What a file of the same thing is called, without its ending."""
_BUCKETS = 1 << 16
_STEP_CHARS = 8_000


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    relative: str
    language: str
    stamp: tuple[int, int]
    """Time of change in ns, and size in bytes."""
    module: tuple[str, ...]
    names: tuple[str, ...]
    """What it declares."""
    words: array[int]
    """The buckets of the names that it uses, in order."""

    @property
    def folder(self) -> str:
        """Its folder's path relative to the workspace folder."""
        return self.relative.rpartition("/")[0]

    def uses(self, bucket: int) -> bool:
        """Whether it uses a name of this bucket; one in a hundred answers is wrong."""
        at = bisect_left(self.words, bucket)
        return at < len(self.words) and self.words[at] == bucket


class Index:
    """What is known of a workspace's files. Reading is safe while a job writes."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.is_complete = False
        """All files have been seen once."""
        self.size_bytes = 0
        self._files: dict[str, _File] = {}
        self._declaring: dict[str, tuple[str, ...]] = {}
        self._modules: dict[str, tuple[_File, ...]] = {}
        self._folders: dict[str, dict[str, _File]] = {}
        self._uses = array("I", bytes(4 * _BUCKETS))
        self._sources: OrderedDict[str, Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._files)

    # -- building ------------------------------------------------------------------------------

    def build(self) -> Job:
        """Read what is new or has changed; forget what has gone. May be ended and begun anew."""
        seen: set[str] = set()
        for found in self.workspace.files():
            yield
            if not is_known(found.language):
                continue
            path = str(found.path)
            seen.add(path)
            before = self._files.get(path)
            if before is None or before.stamp != (found.modified_ns, found.size_bytes):
                yield from self._read(found)
        for path in [path for path in self._files if path not in seen]:
            self._remove(path)
            yield
        self.is_complete = True

    def refresh(self, uri: str) -> Job:
        """Take in that a file was written, made or deleted; a changed ignore file changes all."""
        yield
        path = path_of(uri)
        if path is None:
            return
        if path.name == ".gitignore":
            self._sources.clear()
            yield from self.build()
            return
        relative = self.workspace.relative(path)
        if relative is None or not is_known(language_of(relative)):
            return
        yield
        if not self.workspace.allowed(path):
            self._remove(str(path))
            return
        info = path.stat()
        found = FoundFile(
            path=path,
            relative=relative,
            language=language_of(relative),
            size_bytes=info.st_size,
            modified_ns=info.st_mtime_ns,
        )
        yield from self._read(found)

    def _read(self, found: FoundFile) -> Job:
        if self.size_bytes + found.size_bytes > MAX_INDEXED_BYTES:
            return
        text = found.read()
        path = str(found.path)
        self._remove(path)
        if text is None:
            return
        text = text[:MAX_READ_CHARS]
        yield
        names: dict[str, None] = {}
        for number, one in enumerate(declared(text, found.language)):
            names[intern(one.name)] = None
            if not number % 20:
                yield
        words: set[str] = set()
        for start in range(0, len(text), _STEP_CHARS):
            words.update(WORD.findall(text, start, start + _STEP_CHARS))
            yield
        self._add(
            _File(
                path=path,
                relative=found.relative,
                language=found.language,
                stamp=(found.modified_ns, found.size_bytes),
                module=module_path(found.relative),
                names=tuple(names),
                words=array("H", sorted({hash(word) % _BUCKETS for word in words})),
            )
        )

    def _add(self, file: _File) -> None:
        self._files[file.path] = file
        self.size_bytes += file.stamp[1]
        for name in file.names:
            known = self._declaring.get(name, ())
            if len(known) <= MAX_FILES_OF_A_NAME:
                self._declaring[name] = (*known, file.path)
        self._folders.setdefault(file.folder, {})[file.path] = file
        last = file.module[-1]
        self._modules[last] = (*self._modules.get(last, ()), file)
        for word in file.words:
            self._uses[word] += 1

    def _remove(self, path: str) -> None:
        self._sources.pop(path, None)
        file = self._files.pop(path, None)
        if file is None:
            return
        self.size_bytes -= file.stamp[1]
        for name in file.names:
            _drop(self._declaring, name, path)
        self._folders[file.folder].pop(path)
        last = file.module[-1]
        self._modules[last] = tuple(one for one in self._modules[last] if one.path != path)
        for word in file.words:
            self._uses[word] -= 1

    # -- asking --------------------------------------------------------------------------------

    def declaring(self, name: str) -> tuple[str, ...]:
        """The paths of the files that declare a name; none where too many do."""
        paths = self._declaring.get(name, ())
        return paths if len(paths) <= MAX_FILES_OF_A_NAME else ()

    def used_by(self, name: str) -> float:
        """How many files use a name: 0 for none, 1 for all, logarithmic in between."""
        return math.log1p(self._uses[hash(name) % _BUCKETS]) / math.log(2 + len(self._files))

    def rarity(self, name: str) -> float:
        """How much a name tells: more where few files use it; positive."""
        uses = self._uses[hash(name) % _BUCKETS]
        return math.log(1 + (1 + len(self._files)) / (uses + 1)) + 0.3

    def imported(self, one: Import, importer: str) -> str | None:
        """The path of the file that an import means; ``importer`` is relative to its folder."""
        module = resolve(one, importer, self._called)
        if module is None:
            return None
        files = [file for file in self._modules.get(module[-1], ()) if file.module == module]
        return files[0].path if files else None

    def siblings(self, relative: str) -> tuple[str, ...]:
        """The paths of a file's tests, of what it tests, or of its header."""
        pure = PurePosixPath(relative)
        stem = pure.name.split(".")[0]
        bare = stem.removeprefix("test_").removesuffix("_test").removesuffix("Test")
        bare = bare.removesuffix("_spec") or stem
        names = dict.fromkeys(form.format(bare) for form in _SIBLING_NAMES)
        family = family_of(language_of(relative))
        found: list[tuple[int, str]] = []
        for name in names:
            for file in self._modules.get(name, ()):
                is_same = file.relative == relative or family_of(file.language) != family
                if not is_same and (name != stem or _is_beside(file.relative, pure)):
                    shared = _shared_folders(file.relative, relative)
                    found.append((-shared, file.path))
        return tuple(path for _, path in sorted(found)[:2])

    def neighbours(
        self, relative: str, weights: Mapping[str, float]
    ) -> Generator[None, None, list[str]]:
        """The paths of the files around one that use most of some names, the best first."""
        family = family_of(language_of(relative))
        buckets = [(hash(name) % _BUCKETS, weight) for name, weight in weights.items()]
        scored: list[tuple[float, str]] = []
        for number, file in enumerate(self._around(relative)):
            if family_of(file.language) == family and file.relative != relative:
                score = sum(weight for bucket, weight in buckets if file.uses(bucket))
                if score >= _LEAST_SHARED:
                    scored.append((-score, file.path))
            if not number % _STEP_FILES:
                yield
        return [path for _, path in sorted(scored)[:MAX_NEIGHBOURS]]

    def _around(self, relative: str) -> list[_File]:
        """The files of a folder, of those beside it and of those in it, up to a bound."""
        own = relative.rpartition("/")[0]
        beside = own.rpartition("/")[0]
        found = list(self._folders.get(own, {}).values())
        for folder, files in list(self._folders.items()):
            if len(found) >= MAX_AROUND:
                break
            if folder != own and (
                folder == beside or folder.startswith(f"{beside}/" if beside else "")
            ):
                found.extend(list(files.values()))
        return found[:MAX_AROUND]

    def relative_of(self, path: str) -> str | None:
        """A known file's path relative to its workspace folder."""
        file = self._files.get(path)
        return file.relative if file else None

    def source(self, path: str) -> Generator[None, None, Source | None]:
        """A file read for its names, from memory or from the disk, where it may be read."""
        if (kept := self._sources.get(path)) is not None:
            self._sources.move_to_end(path)
            return kept
        file = self._files.get(path)
        if file is None:
            return None
        yield
        if not self.workspace.allowed(path):
            self._remove(path)
            return None
        text = read_text(Path(path))
        if text is None:
            return None
        yield
        source = yield from read_source(file.relative, file.language, text[:MAX_READ_CHARS])
        if path in self._files:  # it may have gone meanwhile
            self._sources[path] = source
            self._let_go()
        return source

    def _called(self, name: str) -> Iterator[tuple[str, ...]]:
        return iter([file.module for file in self._modules.get(name, ())])

    def _let_go(self) -> None:
        lines = sum(len(source.lines) for source in list(self._sources.values()))
        while lines > MAX_KEPT_LINES and len(self._sources) > 1:
            _, gone = self._sources.popitem(last=False)
            lines -= len(gone.lines)


def _drop(table: dict[str, tuple[str, ...]], name: str, path: str) -> None:
    left = tuple(one for one in table.get(name, ()) if one != path)
    if left:
        table[name] = left
    else:
        table.pop(name, None)


def _is_beside(relative: str, other: PurePosixPath) -> bool:
    """Whether a file of the same name is another part of the same thing: ``a.h`` and ``a.c``."""
    pure = PurePosixPath(relative)
    return pure.name != other.name and (pure.parent == other.parent or pure.suffix != other.suffix)


def _shared_folders(one: str, other: str) -> int:
    pairs = zip(PurePosixPath(one).parts[:-1], PurePosixPath(other).parts[:-1], strict=False)
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count
