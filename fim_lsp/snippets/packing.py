"""Which pieces of the project go into the prompt: the most new, likely names for each character.

A piece's worth is what its names are likely to be of use, without those that the window or a piece
chosen before shows already, over its length. The order of what is sent is that of the last time,
with what is new behind it, because a changed beginning costs the endpoint its cached prompt.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fim_lsp.language import language
from fim_lsp.providers import Snippet
from fim_lsp.secrets import cut_secrets
from fim_lsp.workspace import language_of

Origin = Literal[
    "this file",
    "open document",
    "recent edit",
    "import",
    "definition",
    "sibling",
    "neighbour",
    "similar code",
]
HEADING_CHARS = 9
"""What a file's heading takes beside its path."""
LOYALTY = 1.3
"""What was sent last time counts for so much more: prompts that change cost more than they gain."""
NAMES_SHARE = 0.4
"""So much of the room is for names alone."""
_LIST_CHARS, _BETWEEN = 10, ", "
"""What a list of names takes beside them, and what stands between two."""
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
    is_name: bool = False
    """It is a name alone, shown with others of its file on one line."""

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
    """Choose what fits; a generator that returns the pack. ``worth`` is each name's likelihood.

    First signatures and lines, which tell how a thing is used; then names alone, which are many.
    """
    loyal = {one.piece.place for one in before.chosen}
    for_names = int(max_chars * NAMES_SHARE)
    choice, left = yield from _choose(pieces, worth, max_chars, for_names, loyal)
    unused = max_chars - choice.chars
    if unused > for_names // 4:  # there are few names: leave more to signatures
        fewer = max(0, for_names - unused)
        choice, left = yield from _choose(pieces, worth, max_chars, fewer, loyal)
    choice.spell_out()
    return laid_out(choice.taken, _order(before), left)


def _choose(
    pieces: Sequence[Piece],
    worth: Mapping[str, float],
    max_chars: int,
    for_names: int,
    loyal: Container[tuple[str, int, str]],
) -> Generator[None, None, tuple[_Choice, list[LeftOut]]]:
    """Fill all but ``for_names`` with what is no single name, and then the rest with names."""
    choice = _Choice(worth, max_chars)
    longer = [piece for piece in pieces if not piece.is_name]
    left = yield from _fill(choice, longer, loyal, max_chars - for_names)
    yield from _fill(choice, [piece for piece in pieces if piece.is_name], loyal, max_chars)
    return choice, left


def _fill(
    choice: _Choice, pieces: Sequence[Piece], loyal: Container[tuple[str, int, str]], limit: int
) -> Generator[None, None, list[LeftOut]]:
    """Take the best of some pieces until so many characters are taken; returns the rest's best."""
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
    while heap and limit - choice.chars > _LEAST_ROOM:
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
        elif choice.cost(piece) > limit - choice.chars:
            left.append(LeftOut(piece=piece, why="too long for the room that is left"))
        else:
            choice.take(piece, value)
    for _, number in heapq.nsmallest(_SHOWN_LEFT_OUT, heap):
        left.append(LeftOut(piece=pieces[number], why="no room: the others promise more"))
    return left[:_SHOWN_LEFT_OUT]


class _Choice:
    """What has been chosen so far, and what that makes of the rest."""

    def __init__(self, worth: Mapping[str, float], max_chars: int) -> None:
        self.chars = 0
        self._max_chars = max_chars
        self.taken: list[Chosen] = []
        self._worth = worth
        self._covered: set[str] = set()
        self._paths: set[str] = set()
        self._listed: set[str] = set()
        self._classes: set[tuple[str, str]] = set()
        self._lines: set[tuple[str, int]] = set()

    def cost(self, piece: Piece) -> int:
        """What the piece would take, in characters."""
        cost = len(piece.text) + (len(_BETWEEN) if piece.is_name else 1)
        if piece.is_name and piece.path not in self._listed:
            cost += _LIST_CHARS
        if piece.path not in self._paths:
            cost += len(piece.path) + HEADING_CHARS
        if piece.under and (piece.path, piece.under) not in self._classes:
            cost += len(piece.under) + 1
        return cost

    def value(self, piece: Piece) -> float:
        """Its likely names that nothing shows yet, for each character."""
        if not piece.is_name and (piece.path, piece.line) in self._lines:
            return 0.0  # the same declaration, in full or by its name
        worth, covered = self._worth, self._covered
        gain = sum(worth.get(name, 0.0) for name in piece.names if name not in covered)
        return gain / self.cost(piece)

    def take(self, piece: Piece, value: float) -> None:
        """Choose the piece."""
        cost = self.cost(piece)
        self.taken.append(Chosen(piece=piece, worth=value, chars=cost))
        self.chars += cost
        self._covered |= piece.names
        self._paths.add(piece.path)
        if piece.is_name:
            self._listed.add(piece.path)
        self._lines.add((piece.path, piece.line))
        self._classes.add((piece.path, piece.under))

    def spell_out(self) -> None:
        """Use the room that is left for what was taken by its name alone, the best first."""
        for number, one in enumerate(self.taken):
            more = len(one.piece.full) - len(one.piece.text)
            if 0 < more <= self._max_chars - self.chars:
                self.chars += more
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
    in_order = sorted(pieces, key=lambda one: one.line)
    lines: list[str] = []
    shown = ""
    for piece in in_order:
        if piece.is_name:
            continue
        if piece.under and piece.under != shown and piece.under not in lines:
            lines.append(piece.under)
        shown = piece.under
        lines.append(piece.text)
    if names := [piece.text for piece in in_order if piece.is_name]:
        lines.append(_list_start(pieces[0].path) + _BETWEEN.join(names))
    return cut_secrets("\n".join(lines))


def _list_start(path: str) -> str:
    """What is in front of a list of names: a comment, for the model reads code."""
    mark = (*language(language_of(path)).line_comments, "#")[0]
    return f"{mark} also: "
