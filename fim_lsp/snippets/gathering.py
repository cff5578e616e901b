"""Finds what the project can tell about one place, in small steps for a background thread."""

from __future__ import annotations

from collections.abc import Container, Generator, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from fim_lsp import prompt
from fim_lsp.context import CursorContext
from fim_lsp.snippets.index import Index
from fim_lsp.snippets.likely import (
    NEAR_LINES_AFTER,
    NEAR_LINES_BEFORE,
    Knowledge,
    Near,
    evidence,
    near_names,
)
from fim_lsp.snippets.packing import Pack, Piece, pack
from fim_lsp.snippets.pieces import (
    lines_of,
    names_alone,
    recent_edits,
    signatures,
    similar_code,
)
from fim_lsp.snippets.related import Place, Related, related_files, types_around
from fim_lsp.snippets.source import Source
from fim_lsp.snippets.words import WORD, names_in

_STEP = 50


def gather(place: Place, index: Index | None, before: Pack) -> Generator[None, None, Pack]:
    """The pack for a place; ``index`` is None where only open documents count."""
    windows = prompt.cut(place.context, max_chars=place.window_chars, anchor=place.anchor)
    shown = f"{windows.prompt}\n{windows.suffix}"
    known = names_in(shown, place.context.language)
    yield
    rarity = index.rarity if index else _same
    near = near_names(windows.prompt, windows.suffix, place.context.language, rarity)
    yield
    types = types_around(place, near)
    related = yield from related_files(place, (*near.weights, *types), near, index)
    facts = yield from _knowledge(place, near, types, index, related)
    pieces = yield from _pieces(place, index, related, near, shown)
    own = place.own if index else None
    pieces += yield from names_alone(place.context.uri, own, related.files, known, facts)
    worth = yield from _worth(pieces, known, near, facts)
    return (yield from pack(pieces, worth, place.max_chars, before))


def _same(_: str) -> float:
    return 1.0


def _knowledge(
    place: Place, near: Near, types: Sequence[str], index: Index | None, related: Related
) -> Generator[None, None, Knowledge]:
    own = place.own
    here = yield from evidence(near, [own] if own else [])
    sources = [source for source, _ in related.files.values()]
    elsewhere = yield from evidence(near, sources)
    members: set[str] = set()
    modules = _spoken_of(place.context)
    classes = {*near.weights, *types}
    for source in (own, *sources) if own else sources:
        members.update(_members(source, classes, modules))
        yield
    return Knowledge(
        here=here,
        elsewhere=elsewhere,
        distance=_distances(own, place.line),
        imported=frozenset(_imported(related)),
        members=frozenset(members),
        neighbours=_users(near, related.alike),
        used_by=index.used_by if index else _unknown,
    )


def _imported(related: Related) -> Iterator[str]:
    for source, origin in related.files.values():
        if origin == "import":
            yield from (head.name for head in source.heads if head.depth == 0)


def _members(source: Source, classes: Container[str], modules: Container[str]) -> Iterator[str]:
    """What a file declares in some classes; all of its top where it is one of some modules."""
    is_named = PurePosixPath(source.path).name.partition(".")[0] in modules
    inside = False
    for head in source.heads:
        if head.depth == 0:
            inside = head.name in classes
        if is_named if head.depth == 0 else inside:
            yield head.name


def _users(near: Near, neighbours: Sequence[Source]) -> dict[str, float]:
    """Each name of the neighbours, and the share of them that use it, by how alike they are."""
    users: dict[str, float] = {}
    alike = [sum(w for name, w in near.weights.items() if name in one.at) for one in neighbours]
    total = sum(alike) or 1.0
    for share, source in zip(alike, neighbours, strict=True):
        for name in source.at:
            users[name] = users.get(name, 0.0) + share / total
    return users


def _spoken_of(context: CursorContext) -> set[str]:
    """All words near the cursor, in strings too: a module's name may stand there."""
    before = context.prefix.rsplit("\n", NEAR_LINES_BEFORE)[1:]
    after = context.suffix.split("\n", NEAR_LINES_AFTER)[:NEAR_LINES_AFTER]
    return set(WORD.findall("\n".join((*before, *after))))


def _unknown(_: str) -> float:
    return 0.5


def _distances(own: Source | None, line: int) -> dict[str, int]:
    if own is None:
        return {}
    return {name: min(abs(one - line) for one in lines) for name, lines in own.at.items()}


def _pieces(
    place: Place, index: Index | None, related: Related, near: Near, shown: str
) -> Generator[None, None, list[Piece]]:
    """Everything but single names that might be sent."""
    pieces: list[Piece] = []
    if place.own and index:
        pieces += yield from lines_of(place.context.uri, place.own, set(shown.split("\n")))
    for key, (source, origin) in related.files.items():
        pieces += yield from signatures(key, source, origin)
        pieces += similar_code(key, source, near)
        yield
    for other in place.others:
        if other.uri in related.files:
            pieces += recent_edits(other.uri, other.source, other.edited)
            yield
    return pieces


def _worth(
    pieces: Sequence[Piece], known: set[str], near: Near, facts: Knowledge
) -> Generator[None, None, Mapping[str, float]]:
    worth: dict[str, float] = {}
    for number, piece in enumerate(pieces):
        for name in piece.names:
            if name not in worth and name not in known:
                worth[name] = facts.likelihood(name, near)
        if not number % _STEP:
            yield
    return worth
