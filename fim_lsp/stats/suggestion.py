"""One suggestion, followed through the edits of its document until its fate is known.

What became of it is read from the text alone, because many editors tell nothing: several of its
characters that come in one edit were accepted, single ones were typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from os.path import commonprefix
from typing import Literal

from fim_lsp.document import Change, Document

Fate = Literal["accepted", "partly", "typed", "dismissed"]

_PAIRS = frozenset({"()", "[]", "{}", '""', "''", "``", "<>"})
"""What an editor inserts for one key: nobody has accepted it."""


@dataclass(slots=True, kw_only=True)
class Suggestion:
    """A suggestion at ``line`` and ``column``; further candidates are in ``others``."""

    line: int
    column: int
    text: str
    others: tuple[str, ...] = ()
    present: int = 0
    """How many of its first characters stand in the document."""
    taken: int = 0
    """How many of these came by an accept."""

    def goes_on(self, line: int, column: int, text: str) -> bool:
        """Whether what is shown now is the rest of this; takes over what it has gained."""
        rest = self.text[self.present :]
        here = self.text[: self.present].rpartition("\n")
        is_here = line == self.line + self.text.count("\n", 0, self.present) and (
            here[1] or column == self.column + self.present
        )
        if not (rest and is_here and (rest.startswith(text) or text.startswith(rest))):
            return False
        if len(text) > len(rest):
            self.text = self.text[: self.present] + text
        return True

    def edited(self, document: Document, change: Change) -> Fate | None:
        """Its fate, where an edit that is in the document already has decided it."""
        if change.start is None or change.end is None:
            return "partly" if self.taken else "dismissed"
        if change.end.line < self.line:
            self.line = shifted(self.line, change)
            return None
        is_insertion = len(change.text.strip()) >= 2 and change.text not in _PAIRS
        if is_insertion:
            self._choose(document)
        before, self.present = self.present, standing(document, self.line, self.column, self.text)
        has_jumped = is_insertion and self.present - before >= 2
        if has_jumped:
            self.taken += self.present - before
        if self.present < len(self.text):
            return None
        return "accepted" if has_jumped else self.fate_when_left("typed")

    def fate_when_left(self, otherwise: Fate = "dismissed") -> Fate:
        """What became of it where it is shown no more."""
        return "partly" if self.taken else otherwise

    def _choose(self, document: Document) -> None:
        """Take the candidate that stands in the document whole, if it is another than the first."""
        for other in self.others:
            if standing(document, self.line, self.column, other) == len(other):
                self.text = other
                return


@dataclass(slots=True, kw_only=True, eq=False)
class Kept:
    """A text that was accepted, and where it is now, to see how much of it stays."""

    line: int
    text: str

    def edited(self, change: Change) -> None:
        """Move with the lines above it."""
        self.line = shifted(self.line, change)

    def chars(self, document: Document) -> tuple[int, int]:
        """How many characters of its lines are still there, and how many there were."""
        wanted = [line.strip() for line in self.text.split("\n")]
        first, last = max(0, self.line - 2), min(document.line_count, self.line + len(wanted) + 3)
        near = [document.line(number) for number in range(first, last)]
        there = sum(len(one) for one in wanted if any(one in line for line in near))
        return there, sum(map(len, wanted))


def shifted(line: int, change: Change) -> int:
    """Where a line is behind an edit that began above it."""
    if change.start is None or change.end is None or change.start.line >= line:
        return line
    return max(0, line + change.text.count("\n") - (min(change.end.line, line) - change.start.line))


def standing(document: Document, line: int, column: int, text: str) -> int:
    """How many of the text's first characters stand at a place.

    Editors indent further lines in their own way: blanks at their beginning are not compared.
    """
    count = held = 0
    for number, wanted in enumerate(text.split("\n"), start=line):
        if number >= document.line_count:
            break
        here = document.line(number)
        if number == line:
            here = here[column:]
        else:
            held += 1 + len(wanted) - len(wanted.lstrip())
            here, wanted = here.lstrip(), wanted.lstrip()  # noqa: PLW2901 - the same without blanks
        same = len(commonprefix([here, wanted]))  # noqa: RUF071 - by characters, truly
        if same:
            count, held = count + held + same, 0
        if same < len(wanted):
            break
    return count
