"""A model that has got stuck says the same again and again."""

from __future__ import annotations

from collections.abc import Sequence

from fim_lsp.postprocess.draft import Draft, Row, rows

_LINES_ALIKE = 4
"""So many like lines in a row are no accident; rows of data are the price."""
_GROUPS_ALIKE = 3
_LONGEST_PERIOD = 8
_SHORTEST_PIECE, _LONG_PIECE, _LONGEST_PIECE = 3, 10, 80
"""How long a piece of a line is that comes again; six copies of a short one, four of a long one."""
_SHORTEST_LINE = 20
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


def _stuck(found: Sequence[Row], period: int) -> int | None:
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
    """End within a line whose end comes over and over, behind its first copy."""
    start = 0
    for line in draft.text.split("\n"):
        at = _first_copy_ends(line) if len(line) >= _SHORTEST_LINE else None
        if at is not None:
            return draft.cut(start + at, _REASON)
        start += len(line) + 1
    return draft


def _first_copy_ends(line: str) -> int | None:
    for period in range(_SHORTEST_PIECE, min(_LONGEST_PIECE, len(line) // 4) + 1):
        if line[-period:] != line[-2 * period : -period]:
            continue
        start = len(line) - period
        while start and line[start - 1] == line[start - 1 + period]:
            start -= 1
        copies = 6 if period < _LONG_PIECE else 4
        if len(line) - start >= copies * period and any(map(str.isalpha, line[start:])):
            return start + period
    return None
