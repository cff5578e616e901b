"""Everything of some files that might be sent for one place: signatures, lines, and names alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import replace

from fim_lsp.snippets.declarations import Declaration
from fim_lsp.snippets.likely import Knowledge, Near
from fim_lsp.snippets.packing import Origin, Piece
from fim_lsp.snippets.source import Source
from fim_lsp.snippets.words import known_to_all, names_in

MAX_PIECE_CHARS = 160
_LONG_HEAD_CHARS = 40
"""A longer signature may also go in as the name alone."""
_NAMED = re.compile(r"[^(<=:]*[\w$]")
_RECENT_LINES = 3
"""So many lines above and below an edited one are taken with it."""
_SIMILAR_FROM, _SIMILAR_PLACES = 0.25, 10
_LEAST_NAME_CHARS = 3
"""A shorter name alone tells nothing."""
_STEP = 50
_DERIVES = re.compile(r"[(<]| extends | implements ")


def lines_of(key: str, own: Source, window: Collection[str]) -> Generator[None, None, list[Piece]]:
    """Each line with names of the document itself that its window does not show."""
    pieces: list[Piece] = []
    for number, names in enumerate(own.words):
        if names and own.lines[number] not in window:
            text = own.lines[number].strip()[:MAX_PIECE_CHARS]
            pieces.append(_piece(key, own, number, text, names, "this file"))
        if not number % _STEP:
            yield
    return pieces


def signatures(key: str, source: Source, origin: Origin) -> Generator[None, None, list[Piece]]:
    """What a file declares, each as its signature; a long one also as its name."""
    pieces: list[Piece] = []
    around: list[Declaration] = []
    for number, head in enumerate(source.heads):
        while around and around[-1].depth >= head.depth:
            around.pop()
        under = _short(around[-1].head) if around else ""
        text = (" " * 4 if under else "") + head.head[:MAX_PIECE_CHARS]
        names = names_in(text, source.language)
        pieces.append(_piece(key, source, head.line, text, names, origin, under))
        if len(text) > _LONG_HEAD_CHARS and (short := _NAMED.match(text)):
            called = "(...)" if text[short.end() :].startswith("(") else ""
            names = names_in(short[0], source.language)
            piece = _piece(key, source, head.line, short[0] + called, names, origin, under)
            pieces.append(replace(piece, full=text))
        if " class " in f" {head.head} " or head.depth == 0:
            around.append(head)
        if not number % _STEP:
            yield
    return pieces


def _short(head: str) -> str:
    """A class's head without what it derives from."""
    return _DERIVES.split(head, maxsplit=1)[0]


def similar_code(key: str, source: Source, near: Near) -> list[Piece]:
    """The lines at and behind the places that are most like the cursor's, each as a piece."""
    score: dict[int, float] = {}
    count: dict[int, int] = {}
    for name, weight in near.weights.items():
        for line in {at + more for at in source.at.get(name, ())[-30:] for more in (0, 1, 2)}:
            score[line] = score.get(line, 0.0) + weight
            count[line] = count.get(line, 0) + 1
    alike = [line for line in score if score[line] >= _SIMILAR_FROM and count[line] > 1]
    declared = {head.line for head in source.heads}  # these are pieces already
    alike.sort(key=lambda line: -score[line])
    return [
        _piece(
            key,
            source,
            line,
            source.lines[line].strip()[:MAX_PIECE_CHARS],
            source.words[line],
            "similar code",
        )
        for line in sorted({at + more for at in alike[:_SIMILAR_PLACES] for more in range(4)})
        if line < len(source.words) and source.words[line] and line not in declared
    ]


def recent_edits(key: str, source: Source, edited: Sequence[int]) -> list[Piece]:
    """What stands around the lines last edited."""
    pieces: list[Piece] = []
    for line in edited:
        first, end = max(0, line - _RECENT_LINES), line + _RECENT_LINES + 1
        numbers = [n for n in range(first, min(end, len(source.words))) if source.lines[n].strip()]
        if numbers:
            text = "\n".join(source.lines[n][:MAX_PIECE_CHARS] for n in numbers)
            names = [name for n in numbers for name in source.words[n]]
            pieces.append(_piece(key, source, numbers[0], text, names, "recent edit"))
    return pieces


def names_alone(
    key: str,
    own: Source | None,
    related: Mapping[str, tuple[Source, Origin]],
    known: Collection[str],
    facts: Knowledge,
) -> Generator[None, None, list[Piece]]:
    """Each name that may be wanted, once: where it is declared, else here, else where it is used.

    ``key`` is the document's, ``own`` what it holds; ``related`` are the files that are looked at,
    by URI or path, each with why; ``known`` are the names that the window shows.
    """
    named: dict[str, Piece] = {}

    def add(key: str, source: Source, origin: Origin, name: str, line: int) -> None:
        told = name in known or name in named or name in known_to_all(source.language)
        if not told and len(name) >= _LEAST_NAME_CHARS:
            piece = _piece(key, source, line, name, (name,), origin)
            named[name] = replace(piece, is_name=True)

    for other, (source, origin) in related.items():
        for head in source.heads:
            add(other, source, origin, head.name, head.line)
        yield
    if own:
        for name, lines in own.at.items():
            add(key, own, "this file", name, lines[0])
        yield
    for other, (source, origin) in related.items():
        for name, lines in source.at.items():
            if facts.speaks_for(name):
                add(other, source, origin, name, lines[0])
        yield
    return list(named.values())


def _piece(
    key: str,
    source: Source,
    line: int,
    text: str,
    names: Collection[str],
    origin: Origin,
    under: str = "",
) -> Piece:
    return Piece(
        key=key,
        path=source.path,
        line=line,
        text=text,
        names=frozenset(names),
        origin=origin,
        under=under,
    )
