"""A model that has got stuck says the same again and again."""

from __future__ import annotations

import re

from fim_lsp.postprocess.draft import Draft, Row, rows

_LINES_ALIKE = 4
"""So many like lines in a row are no accident; rows of data are the price."""
_GROUPS_ALIKE = 3
_LONGEST_PERIOD = 8
_IN_LINE = re.compile(r"(\S[^\n]{2,19}?)\1{5,}[^\n]*|(\S[^\n]{9,80}?)\2{3,}[^\n]*")
_REASON = "it repeats itself"


def end_at_repetition(draft: Draft) -> Draft:
    """Keep the first of lines, groups of lines or pieces of a line that come over and over."""
    found = rows(draft)
    for period in range(1, min(_LONGEST_PERIOD, len(found) // _GROUPS_ALIKE) + 1):
        at = _stuck(found, period)
        if at is not None:
            if at == 2 and draft.text[: found[1].start].strip() == found[1].text:
                at = 1  # the first copy went on from what stands left of the cursor
            return draft.cut(found[at].start - 1, _REASON)
    return _stuck_in_line(draft)


def _stuck(found: list[Row], period: int) -> int | None:
    """The index of the first row that says again what stood ``period`` rows before."""
    run = 0
    enough = period * ((_LINES_ALIKE if period == 1 else _GROUPS_ALIKE) - 1)
    for index in range(period, len(found)):
        one, other = found[index], found[index - period]
        alike = one.columns == other.columns and one.text == other.text
        run = run + 1 if alike else 0
        if run >= enough:
            start = index - run + 1
            letters = sum(map(str.isalnum, "".join(row.text for row in found[start : index + 1])))
            return start if letters or period == 1 else None
    return None


def _stuck_in_line(draft: Draft) -> Draft:
    found = _IN_LINE.search(draft.text)
    if not found or not any(map(str.isalpha, found[1] or found[2])):
        return draft
    return draft.cut(found.start() + len(found[1] or found[2]), _REASON)
