"""How far a suggestion is trusted on this line: what the person typed instead decides.

At first a suggestion is shown up to a name that stands nowhere around, which is where a model makes
things up; who types or takes what is before it is shown it, and all up to the next such name. After
one from which the person has departed, the model has shown that it does not know where this line
goes: the next call waits for some more characters, more after each further failure, and what it
brings is shown a word at a time, until it proves right; an unfamiliar name is not shown at all
until then. A slip of the finger that is taken back is no departure.

Where lines begin, as many are offered as belong together, until somebody types into them rather
than take them: from then on plain lines come one at a time, because after an accept the next one is
known already and follows at once, and three of which the last is wrong cannot be accepted at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from os.path import commonprefix

from fim_lsp.context import CursorContext
from fim_lsp.names import unfamiliar
from fim_lsp.postprocess import Shaped
from fim_lsp.trigger import Lines

_FIRST_WAIT_CHARS = 2
_LONGEST_WAIT_CHARS = 8
_GROWTH = 1.5
_PAUSED_WORDS = 1
_WORDS_A_STEP = 4
_PROOF_CHARS = 6
"""Of answers behind a departure that name something unfamiliar, one in three is right at first,
and four in five once so much of them has been typed."""
_LEAST_CHARS = 1_000
"""In less text around the cursor most names are new, right or wrong."""
_OPENS = ("{", "(", "[", ":", "=>", "->", '"""', "'''", " do", " then", "*/")
"""What ends a line behind which a block's first line comes."""
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")


@dataclass(slots=True)
class Habits:
    """What a person does with suggestions, in all documents."""

    takes: bool = False
    """What they did last with a suggestion was to take it."""
    passed_over: int = 0
    """How often they have typed a newline themselves since they last took anything, though the
    line behind it was offered."""
    prefers_lines: bool = False
    """They typed into the last block that was offered, rather than take it."""


@dataclass(slots=True)
class _Departure:
    """A suggestion that the person did not follow."""

    line: str
    """The line before the cursor where they left it."""
    rest: str
    """What was still shown there."""
    proven: int


class Trust:
    """One document's record on the line that is being typed."""

    def __init__(self, habits: Habits | None = None) -> None:
        self._habits = habits or Habits()
        self.failures = 0
        """Departures and empty answers in a row on this line."""
        self._proven = 0
        self._line = ""
        self._shown = ""
        self._failed_at = 0
        self._last: _Departure | None = None
        self._has_departed = False
        """From something that they saw; a call that failed unseen tells less."""
        self._answer = ""
        self._answered_at = 0
        self.has_accepted = False
        """What was shown last stands before the cursor, and nothing was typed behind it."""

    def typed(self, context: CursorContext, *, edits: int = 1) -> None:
        """Compare what is before the cursor now with what was shown, ``edits`` edits ago."""
        line = context.line_prefix
        at_once = 0 < edits < len(self._shown)
        self.has_accepted = at_once and context.prefix.endswith(self._line + self._shown)
        if "\n" in self._shown.lstrip("\n"):
            self._note_block(line, edits)
        if self.has_accepted:
            self._habits.takes, self._habits.passed_over = True, 0
        elif self._shown.startswith("\n") and not line.strip():
            self._habits.passed_over += 1
        if not line.strip():
            self.forgive()
        elif self._last and self._last.line.startswith(line):
            self._take_back(self._last)
        elif self._shown and line.startswith(self._line):
            self._follow(line)
        elif line.startswith(self._line) or self._line.startswith(line):
            self._shown = ""
        else:
            self.forgive()  # the cursor is on another line

    def waits(self, context: CursorContext) -> bool:
        """Whether it is too early on this line to ask again by itself."""
        if not self.failures:
            return False
        wait = min(_FIRST_WAIT_CHARS * _GROWTH ** (self.failures - 1), _LONGEST_WAIT_CHARS)
        return len(context.line_prefix) - self._failed_at < wait

    def lines(self, wanted: Lines, context: CursorContext, *, invoked: bool) -> Lines:
        """One line or many: many come by themselves only to those who take what is offered.

        Who types into a block rather than take it gets the next one where a block or a paragraph
        begins; who types the newline themselves is served better line by line there, too.
        """
        if wanted == "one" or invoked:
            return wanted
        if context.line_prefix.strip() or self._habits.passed_over:
            return "one"
        above = context.prefix.rpartition("\n")[0].rpartition("\n")[2].rstrip()
        begins = not above or above.endswith(_OPENS)
        return "many" if begins or not self._habits.prefers_lines else "one"

    def shown(
        self,
        context: CursorContext,
        item: Shaped | None,
        *,
        paused: bool,
        invoked: bool = False,
        elsewhere: str = "",
    ) -> Shaped | None:
        """What to show of an item, which is then what the next keys are compared with.

        ``elsewhere`` is what the model has read of other files: its names are familiar, too.
        """
        if item is not None and not invoked:
            item = self._allowed(item, context, elsewhere, paused=paused)
        self._line = context.line_prefix
        self._shown = item.text if item else ""
        return item

    def _allowed(
        self, item: Shaped, context: CursorContext, elsewhere: str, *, paused: bool
    ) -> Shaped | None:
        """As much as is trusted: a word or two where they have departed, else up to a new name."""
        if item.text.startswith("\n") and not self._goes_on(context):
            return None  # it is remembered, and comes with the newline
        followed = self._followed(item, context)
        if self.failures:
            words = _words(item, 1 + self._proven // _WORDS_A_STEP + paused * _PAUSED_WORDS)
            hides_new = self._has_departed and followed < _PROOF_CHARS and not paused
            new = unfamiliar(item.text, context, elsewhere) if hides_new else ()
            return words if words.text and not any(at < len(words.text) for at in new) else None
        item = _first_line(item) if self._habits.passed_over else item
        if len(context.prefix) + len(context.suffix) < _LEAST_CHARS:
            return item
        return _up_to_new_name(item, context, elsewhere)

    def _followed(self, item: Shaped, context: CursorContext) -> int:
        """How many characters of this answer stand on the line since it was there first."""
        whole = context.line_prefix + item.text.partition("\n")[0]
        if whole != self._answer:
            self._answer, self._answered_at = whole, len(context.line_prefix)
        return len(context.line_prefix) - self._answered_at

    def _goes_on(self, context: CursorContext) -> bool:
        """Whether the next line may be shown where this one might end: somebody who types is busy.

        It follows an accept at once, and stands behind what opens a block for those who use it.
        """
        if self.has_accepted:
            return True
        return context.line_prefix.rstrip().endswith(_OPENS) and not self._habits.passed_over

    def failed(self, context: CursorContext) -> None:
        """Note that a call brought nothing that could be shown here."""
        self.failures += 1
        self._failed_at = len(context.line_prefix)

    def forgive(self) -> None:
        """Start over: another line, or an explicit wish."""
        self.failures = self._proven = 0
        self._has_departed = False
        self._shown, self._last = "", None

    def _note_block(self, line: str, edits: int) -> None:
        """Note whether several lines were taken, or typed into by hand: a key is one character."""
        if self.has_accepted:
            self._habits.prefers_lines = False
        elif line.startswith(self._line) and 0 < len(line) - len(self._line) <= edits:
            self._habits.prefers_lines = True

    def _follow(self, line: str) -> None:
        typed = line[len(self._line) :]
        if self._shown.startswith(typed):
            self._proven += len(_WORD.findall(typed)) if self.failures else 0
            self._line, self._shown = line, self._shown[len(typed) :]
            return
        followed = len(commonprefix([typed, self._shown]))  # noqa: RUF071 - by characters, truly
        line, rest = self._line + typed[:followed], self._shown[followed:]
        self._last = _Departure(line=line, rest=rest, proven=self._proven)
        self.failures += 1
        self._has_departed = True
        self._habits.takes = False
        self._failed_at = len(line)
        self._proven, self._shown = 0, ""

    def _take_back(self, last: _Departure) -> None:
        self.failures -= 1
        self._proven, self._line, self._shown = last.proven, last.line, last.rest
        self._last = None


def _first_line(item: Shaped) -> Shaped:
    """The item without its further lines."""
    first, newline, _ = item.text.partition("\n")
    return replace(item, text=first, swallowed_chars=0) if newline and first.strip() else item


def _words(item: Shaped, count: int) -> Shaped:
    """The item's first words, on one line; whole where that is all of it."""
    first = item.text.partition("\n")[0]
    end = 0
    for _ in range(count):
        match = _WORD.match(first, end)
        if match is None:
            return item if len(item.text) == len(first) else replace(item, text=first)
        end = match.end()
    return replace(item, text=first[:end], swallowed_chars=0)


def _up_to_new_name(item: Shaped, context: CursorContext, elsewhere: str) -> Shaped:
    """The item up to its first unfamiliar name, but for one that it begins with."""
    new = unfamiliar(item.text, context, elsewhere)
    end = next((at for at in new if item.text[:at].strip()), None)
    if end is None:
        return item
    return replace(item, text=item.text[:end].rstrip(), swallowed_chars=0)
