"""What passes through the filters: the text so far, where it goes, and why it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from fim_lsp.indent import indent_of, width
from fim_lsp.place import Place
from fim_lsp.trigger import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A text on its way through the filters."""

    text: str
    place: Place
    lines: Lines
    complete: bool = True
    """The stream has ended."""
    cut_off: bool = False
    """It ended before the model was done."""
    swallows: bool = False
    """The editor can draw a text that contains the rest of the line."""
    swallowed_chars: int = 0
    whole: bool = False
    """A rule has ended the text: more of the stream cannot change it."""
    over: bool = False
    """And nothing that follows in the stream can be of use."""
    reason: str = ""

    def cut(self, at: int, reason: str, *, over: bool = True) -> Draft:
        """End the text at an offset; what a person reads first stays the reason."""
        return replace(self, text=self.text[:at], whole=True, over=over, reason=reason)

    def without_head(self, chars: int) -> Draft:
        """Leave out the first characters."""
        return replace(self, text=self.text[chars:]) if chars else self

    @property
    def ended(self) -> bool:
        """Whether no more can come: the stream has ended, or a rule has ended the text."""
        return self.complete or self.whole

    @property
    def one_line(self) -> bool:
        """Whether one statement is wanted, now that the text's beginning is known."""
        if self.place.rest.strip():
            spreads = self.place.opens and only_closes(self.place.rest)
            return not (spreads and self.text.startswith("\n"))
        return self.lines == "one" and not self.text.startswith("\n")


class Row(NamedTuple):
    """One line of a draft that is not blank."""

    number: int
    start: int
    """Its offset in the draft's text."""
    text: str
    """Without blanks at both ends, but with what stands left of the cursor."""
    blanks: str
    """Those it begins with."""
    columns: int
    ended: bool
    """A line end follows."""


def rows(draft: Draft) -> tuple[Row, ...]:
    """The draft's lines that are not blank, as they would stand in the document."""
    place = draft.place
    return _rows(draft.text, place.context.line_prefix, place.style.tab_size)


@lru_cache(maxsize=8)  # several filters look at the same text
def _rows(text: str, line_prefix: str, tab_size: int) -> tuple[Row, ...]:
    found: list[Row] = []
    start = 0
    pieces = text.split("\n")
    for number, piece in enumerate(pieces):
        if stripped := piece.strip():
            line = piece if number else line_prefix + piece
            blanks = indent_of(line)
            found.append(
                Row(
                    number=number,
                    start=start,
                    text=stripped if number else line.strip(),
                    blanks=blanks,
                    columns=width(blanks, tab_size),
                    ended=number < len(pieces) - 1,
                )
            )
        start += len(piece) + 1
    return tuple(found)


def only_closes(text: str) -> bool:
    """Whether a rest of a line holds closing brackets, quotes and separators alone."""
    return not text.strip(" \t)]}>\"'`;,")


Filter = Callable[[Draft], Draft]
