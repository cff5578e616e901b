"""Which files are looked at for one place: those open, those like it, and those that it needs."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from fim_lsp.context import CursorContext
from fim_lsp.snippets.index import Index
from fim_lsp.snippets.likely import MAX_PLACES, Near
from fim_lsp.snippets.packing import Origin
from fim_lsp.snippets.source import Source

MAX_RELATED = 18
"""At most so many other files are looked at for one place."""
_MAX_DEPTH = 1_000
_LAST_SEEN = 3
"""So many of the other open documents are looked at whatever they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another document that is open."""

    uri: str
    source: Source
    edited: tuple[int, ...] = ()
    """The lines last edited in it, the last first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cursor's place, with all that the editor has told about it."""

    context: CursorContext
    path: str
    """Relative to its workspace folder."""
    line: int
    own: Source | None
    """The document as it was when it was last read."""
    others: tuple[Other, ...]
    """The other open documents, the last seen first."""
    window_chars: int
    """What the document's own text may take."""
    max_chars: int
    """What snippets may take."""
    anchor: str = ""


@dataclass(slots=True)
class Related:
    """The files that are looked at for a place, each once, with why."""

    files: dict[str, tuple[Source, Origin]] = field(
        default_factory=dict[str, tuple[Source, Origin]]
    )
    alike: list[Source] = field(default_factory=list[Source])
    """Those that are most like the place's own."""

    @property
    def is_full(self) -> bool:
        """Whether no more files are taken in."""
        return len(self.files) >= MAX_RELATED

    def add(self, key: str, source: Source | None, origin: Origin) -> None:
        """Take a file in, if there is room and it is new."""
        if source and source.lines and key not in self.files and not self.is_full:
            self.files[key] = (source, origin)


def related_files(
    place: Place, names: Sequence[str], near: Near, index: Index | None
) -> Generator[None, None, Related]:
    """The open documents, and what the workspace has of use for the place."""
    related = Related()
    for other in place.others[: None if index is None else _LAST_SEEN]:
        related.add(other.uri, other.source, "open document")
    if index is None:
        return related
    open_by_path = {other.source.path: other for other in place.others}
    alike = yield from index.neighbours(place.path, near.weights)
    for path, origin in _wanted(place, names, near, alike, index).items():
        relative = index.relative_of(path)
        if relative is None or relative == place.path or related.is_full:
            continue
        other = open_by_path.get(relative)
        source = other.source if other else (yield from index.source(path))
        related.add(other.uri if other else path, source, origin)
        if path in alike and source:
            related.alike.append(source)
        yield
    return related


def _wanted(
    place: Place, names: Sequence[str], near: Near, alike: Sequence[str], index: Index
) -> dict[str, Origin]:
    """The paths of a file's tests or header, of those like it, and of what it needs."""
    imports = place.own.imports if place.own else ()
    nearest_first = sorted(imports, key=lambda one: near.weights.keys().isdisjoint(one.names))
    found = [index.imported(one, place.path) for one in nearest_first]
    imported = [path for path in found if path]
    wanted: dict[str, Origin] = dict.fromkeys(index.siblings(place.path), "sibling")
    for path in alike:
        wanted.setdefault(path, "import" if path in imported else "neighbour")
    for path in imported:
        wanted.setdefault(path, "import")
    for name in names:
        for path in index.declaring(name)[:2]:
            wanted.setdefault(path, "definition")
    return wanted


def types_around(place: Place, near: Near) -> tuple[str, ...]:
    """The names on the heads around the cursor, and of what the last name before it is given."""
    own = place.own
    if own is None:
        return ()
    found: list[str] = []
    depth = _MAX_DEPTH
    for head in reversed(own.heads):
        if head.line < place.line and head.depth < depth:
            depth = head.depth
            found += own.words[head.line] if head.line < len(own.words) else ()
    gets = re.compile(rf"\b{re.escape(near.last)}\s*[:=][^=]")
    for line in own.at.get(near.last, ())[-MAX_PLACES:]:
        if gets.search(own.lines[line]):
            found += own.words[line]
    return tuple(dict.fromkeys(found))
