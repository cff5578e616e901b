"""A draft with its brackets paired: how deep each line is in what the text itself opens."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain

from fim_lsp.language import Bracket, Skim, skim
from fim_lsp.line import head_columns
from fim_lsp.postprocess.draft import Draft, Row, rows

End = tuple[int, str, bool]
"""An offset, why the text ends there, and whether nothing behind it can be of use."""

LEAVES = "it leaves the block"
CLOSED_BELOW = "it closes what is closed below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The draft, and what is asked of it again and again."""

    draft: Draft
    skimmed: Skim
    rows: tuple[Row, ...]
    offsets: list[int]
    """Where the text's own depth changes."""

    def level(self, at: int) -> int:
        """How many of the text's own brackets are open before an offset."""
        index = bisect_left(self.offsets, at)
        return self.skimmed.levels[index - 1].depth if index else 0

    def innermost(self, at: int) -> Bracket | None:
        """Which of the text's own brackets is the innermost open one before an offset."""
        index = bisect_left(self.offsets, at)
        return self.skimmed.levels[index - 1].innermost if index else None

    def in_code(self, at: int) -> bool:
        """Whether an offset is outside strings and comments that run over lines."""
        return not any(start < at < end for start, end in self.skimmed.spans)

    def columns(self, opener: Bracket) -> int:
        """The indentation of what a bracket of the text's own opens."""
        place = self.draft.place
        number = self.number(opener.line_at)
        if number is None:
            return 0
        row = self.rows[number]
        if opener.char != "{" or place.rules.blocks != "brackets" or not row.columns:
            return row.columns
        earlier = chain(reversed(self.rows[:number]), place.above)
        line = self.draft.text[row.start : opener.at + 1].strip()
        return head_columns(line, row.columns, earlier, place.rules)

    def number(self, at: int) -> int | None:
        """Which of the lines holds an offset."""
        return next((n for n in reversed(range(len(self.rows))) if self.rows[n].start <= at), None)

    def line_end(self, at: int) -> int:
        """The end of the line that holds an offset."""
        end = self.draft.text.find("\n", at)
        return end if end >= 0 else len(self.draft.text)

    def before_line(self, at: int) -> int:
        """The end of the line before an offset if nothing stands between, else the offset.

        What is there already right of the cursor keeps the line that it is to stand on.
        """
        if self.draft.place.rest.strip():
            return at
        start = self.draft.text.rfind("\n", 0, at)
        return start if start >= 0 and not self.draft.text[start:at].strip() else at


def read(draft: Draft) -> Reading:
    """Pair the brackets of a draft, from where the cursor is in the document."""
    skimmed = skim(draft.text, draft.place.rules, draft.place.inside)
    return Reading(
        draft=draft,
        skimmed=skimmed,
        rows=rows(draft),
        offsets=[level.at for level in skimmed.levels],
    )
