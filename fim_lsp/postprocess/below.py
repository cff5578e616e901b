"""What stands below the cursor is not typed again, whole or in part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fim_lsp.context import SUFFIX_CHARS
from fim_lsp.line import Line
from fim_lsp.postprocess.draft import Draft, Row, rows

_Evidence = Literal["", "likely", "sure"]
_REASON = "it comes to the lines below"
_FIRST_LETTERS = 12
"""More than a few must be alike where nothing would be left to show."""
_TELLING_LETTERS = 18
"""So many alike are no accident, in several lines, or in one that is not said above."""
_LIKENESS = 0.9
_CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|endif)", re.MULTILINE)
_ENDS_CONDITION = re.compile(r"#[ \t]*endif\b.*")


def end_at_lines_below(draft: Draft) -> Draft:
    """End before the lines that follow the cursor already."""
    below = draft.place.below
    if not below:
        return draft
    found, beginnings = rows(draft), _beginnings(below)
    for index, row in enumerate(found):
        if row.number == 0 and not draft.place.blank:
            continue
        for skipped in beginnings:
            if row.text[0] != below[skipped].text[0] or (skipped and not index):
                continue
            if _is_in_run(found, index, below[skipped], draft) or _is_missing(row, draft):
                continue
            evidence = _arrives(found[index:], below[skipped:], draft)
            if evidence == "sure" or (evidence and draft.ended):
                return draft.cut(max(row.start - 1, 0), _REASON)
            if evidence:
                return replace(draft, text=draft.text[: max(row.start - 1, 0)])
    return draft


def _is_in_run(found: Sequence[Row], index: int, line: Line, draft: Draft) -> bool:
    """Whether a line is one of several alike, above as below: one more may be meant."""
    row, above = found[index], draft.place.above
    if row.text != line.text or row.columns != line.columns or not line.letters:
        return False
    if index:
        return found[index - 1].text == row.text
    return bool(above) and above[0] == line


def _is_missing(row: Row, draft: Draft) -> bool:
    """Whether more conditions of a preprocessor are open above than are ended below."""
    context = draft.place.context
    if not _ENDS_CONDITION.fullmatch(row.text) or len(context.suffix) >= SUFFIX_CHARS:
        return False
    above = Counter(_CONDITION.findall(context.prefix + draft.text[: row.start]))
    below = Counter(_CONDITION.findall(context.suffix))
    return above["if"] - above["endif"] > below["endif"] - below["if"]


def _beginnings(below: Sequence[Line]) -> list[int]:
    """Which lines below the text may come to: the first, or one behind mere closers."""
    starts = [0]
    while below[starts[-1]].only_closes and starts[-1] + 1 < len(below):
        starts.append(starts[-1] + 1)
    return [start for start in starts if start == 0 or below[start].letters >= 6]


def _arrives(found: Sequence[Row], below: Sequence[Line], draft: Draft) -> _Evidence:
    """Whether these rows are the lines below, as far as both go."""
    same = 0
    for row, line in zip(found, below, strict=False):
        if row.text != line.text or row.columns != line.columns:
            break
        same += 1
    letters = sum(line.letters for line in below[:same])
    ends = same in (len(found), len(below))
    if letters >= _TELLING_LETTERS and (found[same - 1].ended or draft.ended):
        new = below[0].text not in draft.place.context.prefix
        if new or same >= min(3, len(below)) or (ends and same > 1):
            return "sure"
    return "likely" if ends or _arrives_in(found, below, same, letters) else ""


def _arrives_in(found: Sequence[Row], below: Sequence[Line], same: int, letters: int) -> bool:
    """Whether the row behind the like ones is an unfinished or slightly different line below."""
    row, line = found[same], below[same]
    if row.ended or not _begins(row, line, same):
        return same == 0 and _nearly(found, below)
    if found[0].start == 0:
        return letters + sum(map(str.isalnum, row.text)) >= _FIRST_LETTERS
    return same > 0 or row.columns == line.columns


def _begins(row: Row, line: Line, same: int) -> bool:
    """Whether an unfinished row is the beginning of a line; one letter will do behind like rows."""
    return line.text.startswith(row.text) and (same > 0 or sum(map(str.isalnum, row.text)) >= 3)


def _nearly(found: Sequence[Row], below: Sequence[Line]) -> bool:
    """Whether the first row is almost the first line, and the next one is the next one."""
    if len(found) < 2 or len(below) < 2 or found[1].text != below[1].text:
        return False
    return below[1].letters >= 4 and _alike(found[0].text, below[0].text)


def _alike(one: str, other: str) -> bool:
    """Whether two lines share their beginning and end but for a tenth."""
    longest = max(len(one), len(other))
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    left = min(len(one), len(other)) - shared
    tail = 0
    while tail < left and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    return shared + tail >= _LIKENESS * longest
