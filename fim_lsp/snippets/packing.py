"""Which pieces of the project go into the prompt: the most new, likely names for each character.

A piece's worth is what its names are likely to be of use, without those that the window or a piece
chosen before shows already, over its length. The order of what is sent is that of the last time,
with what is new behind it, because a changed beginning costs the endpoint its cached prompt.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fim_lsp.providers import Snippet
from fim_lsp.secrets import cut_secrets

Origin = Literal[
    "this file", "open document", "recent edit", "import", "definition", "sibling", "similar code"
]
HEADING_CHARS = 9
"""What a file's heading takes beside its path."""
LOYALTY = 1.3
"""What was sent last time counts for so much more: prompts that change cost more than they gain."""
_WORTHLESS = 1e-5
_STEP = 40
_SHOWN_LEFT_OUT = 20
_LEAST_ROOM = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some lines of a file that might be sent."""

    key: str
    """The file's URI or path, by which it is forgotten."""
    path: str
    """The file's path as the model sees it."""
    line: int
    """From 0."""
    text: str
    names: frozenset[str]
    origin: Origin
    under: str = ""
    """The class that it belongs to; shown above the first piece of it."""
    full: str = ""
    """What is shown in its place where there is room left in the end."""

    @property
    def place(self) -> tuple[str, int, str]:
        """What makes it the same piece as one of another time."""
        return self.key, self.line, self.full or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A piece that is sent."""

    piece: Piece
    worth: float
    """Expected new names for each character when it was chosen."""
    chars: int
    """What it takes, with its heading where it is its file's first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A piece that is not sent, and why, in a few words."""

    piece: Piece
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What is sent for one place, best first, and what the model gets to read."""

    chosen: tuple[Chosen, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    chars: int = 0
    left_out: tuple[LeftOut, ...] = ()
    """The best of those that are not sent."""

    def without(self, key: str) -> Pack:
        """The same without one file."""
        if all(one.piece.key != key for one in self.chosen):
            return self
        kept = [one for one in self.chosen if one.piece.key != key]
        return laid_out(kept, [snippet.path for snippet in self.snippets])

    def halved(self) -> Pack:
        """The best of it, in half the room."""
        kept: list[Chosen] = []
        left = self.chars // 2
        for one in self.chosen:
            left -= one.chars
            if left < 0:
                break
            kept.append(one)
        return laid_out(kept, [snippet.path for snippet in self.snippets])


def pack(
    pieces: Sequence[Piece], worth: Mapping[str, float], max_chars: int, before: Pack
) -> Generator[None, None, Pack]:
    """Choose what fits; a generator that returns the pack. ``worth`` is each name's likelihood."""
    loyal = {one.piece.place for one in before.chosen}
    choice = _Choice(worth, max_chars)
    heap: list[tuple[float, int]] = []
    for number, piece in enumerate(pieces):
        value = choice.value(piece)
        if value > _WORTHLESS:
            heap.append((-value * (LOYALTY if piece.place in loyal else 1.0), number))
        if not number % _STEP:
            yield
    heapq.heapify(heap)
    left: list[LeftOut] = []
    steps = 0
    while heap and choice.room > _LEAST_ROOM:
        steps += 1
        if not steps % _STEP:
            yield
        _, number = heapq.heappop(heap)
        piece = pieces[number]
        value = choice.value(piece) * (LOYALTY if piece.place in loyal else 1.0)
        if value <= _WORTHLESS:
            left.append(LeftOut(piece=piece, why="names nothing that is not there already"))
        elif heap and value < -heap[0][0]:
            heapq.heappush(heap, (-value, number))  # its names are there already: try it later
        elif choice.cost(piece) > choice.room:
            left.append(LeftOut(piece=piece, why="too long for the room that is left"))
        else:
            choice.take(piece, value)
    choice.spell_out()
    for _, number in heapq.nsmallest(_SHOWN_LEFT_OUT, heap):
        left.append(LeftOut(piece=pieces[number], why="no room: the others promise more"))
    return laid_out(choice.taken, _order(before), left[:_SHOWN_LEFT_OUT])


class _Choice:
    """What has been chosen so far, and what that makes of the rest."""

    def __init__(self, worth: Mapping[str, float], max_chars: int) -> None:
        self.room = max_chars
        self.taken: list[Chosen] = []
        self._worth = worth
        self._covered: set[str] = set()
        self._paths: set[str] = set()
        self._classes: set[tuple[str, str]] = set()
        self._lines: set[tuple[str, int]] = set()

    def cost(self, piece: Piece) -> int:
        """What the piece would take, in characters."""
        cost = len(piece.text) + 1
        if piece.path not in self._paths:
            cost += len(piece.path) + HEADING_CHARS
        if piece.under and (piece.path, piece.under) not in self._classes:
            cost += len(piece.under) + 1
        return cost

    def value(self, piece: Piece) -> float:
        """Its likely names that nothing shows yet, for each character."""
        if (piece.path, piece.line) in self._lines:
            return 0.0  # the same declaration, in full or by its name
        worth, covered = self._worth, self._covered
        gain = sum(worth.get(name, 0.0) for name in piece.names if name not in covered)
        return gain / self.cost(piece)

    def take(self, piece: Piece, value: float) -> None:
        """Choose the piece."""
        cost = self.cost(piece)
        self.taken.append(Chosen(piece=piece, worth=value, chars=cost))
        self.room -= cost
        self._covered |= piece.names
        self._paths.add(piece.path)
        self._lines.add((piece.path, piece.line))
        self._classes.add((piece.path, piece.under))

    def spell_out(self) -> None:
        """Use the room that is left for what was taken by its name alone, the best first."""
        for number, one in enumerate(self.taken):
            more = len(one.piece.full) - len(one.piece.text)
            if 0 < more <= self.room:
                self.room -= more
                piece = replace(one.piece, text=one.piece.full)
                self.taken[number] = replace(one, piece=piece, chars=one.chars + more)


def laid_out(
    chosen: Sequence[Chosen], order: Iterable[str], left_out: Sequence[LeftOut] = ()
) -> Pack:
    """The pieces as the model reads them: by file, each file's in its lines' order."""
    by_path: dict[str, list[Piece]] = {path: [] for path in order}
    for one in chosen:
        by_path.setdefault(one.piece.path, []).append(one.piece)
    snippets = tuple(
        Snippet(path=path, text=_text(pieces)) for path, pieces in by_path.items() if pieces
    )
    chars = sum(len(one.path) + len(one.text) + HEADING_CHARS for one in snippets)
    return Pack(chosen=tuple(chosen), snippets=snippets, chars=chars, left_out=tuple(left_out))


def _order(before: Pack) -> list[str]:
    return [snippet.path for snippet in before.snippets]


def _text(pieces: Sequence[Piece]) -> str:
    lines: list[str] = []
    shown = ""
    for piece in sorted(pieces, key=lambda one: one.line):
        if piece.under and piece.under != shown and piece.under not in lines:
            lines.append(piece.under)
        shown = piece.under
        lines.append(piece.text)
    return cut_secrets("\n".join(lines))
