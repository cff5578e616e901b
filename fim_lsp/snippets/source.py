"""One file as the ranking reads it: the names of each line, and what it declares and imports."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from sys import intern

from fim_lsp.secrets import cut_key_blocks, cut_secrets
from fim_lsp.snippets.declarations import Declaration, declared
from fim_lsp.snippets.imports import Import, imports
from fim_lsp.snippets.words import WORD, code_of, keywords

MAX_LINES = 3_000
"""Of a longer file only so many lines are read."""
_CHUNK_LINES = 40
_GOES_ON = ("=", ":", "(", "[", "{", ",", ">", "\\")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text, read for its names. What is in ``lines`` and ``heads`` holds no secrets."""

    path: str
    """Relative to the workspace, with forward slashes."""
    language: str
    lines: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    """The names of each line, in order."""
    at: dict[str, list[int]]
    """Name to the lines that it stands on."""
    heads: tuple[Declaration, ...]
    imports: tuple[Import, ...]


def read_source(path: str, language: str, text: str) -> Generator[None, None, Source]:
    """Read a text in small steps: a generator that returns the source."""
    text = yield from _cleaned(text)
    heads: list[Declaration] = []
    for one in declared(text, language):
        heads.append(one)
        if not len(heads) % _CHUNK_LINES:
            yield
    yield
    found = tuple(imports(text, language))
    yield
    code = code_of(text, language).split("\n")
    yield
    words: list[tuple[str, ...]] = []
    at: dict[str, list[int]] = {}
    no_names = keywords(language)
    for number, line in enumerate(code):
        names = tuple(intern(word) for word in WORD.findall(line) if word not in no_names)
        words.append(names)
        for name in set(names):
            at.setdefault(name, []).append(number)
        if not number % _CHUNK_LINES:
            yield
    return Source(
        path=path,
        language=language,
        lines=tuple(text.split("\n")),
        words=tuple(words),
        at=at,
        heads=tuple(heads),
        imports=found,
    )


def _cleaned(text: str) -> Generator[None, None, str]:
    """The text without secrets; lines stay in place."""
    lines = cut_key_blocks(text).split("\n")[:MAX_LINES]
    pieces: list[str] = []
    start = 0
    for number, line in enumerate(lines, 1):
        # a value may stand on the line below its name
        is_end = number - start >= _CHUNK_LINES and not line.rstrip().endswith(_GOES_ON)
        if is_end or number == len(lines):
            pieces.append(cut_secrets("\n".join(lines[start:number])))
            start = number
            yield
    return "\n".join(pieces)
