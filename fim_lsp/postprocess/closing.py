"""Where the text closes what was open at the cursor, and the text below closes it too."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from fim_lsp.line import Line
from fim_lsp.place import Opener, Place
from fim_lsp.postprocess.draft import Draft, Row
from fim_lsp.postprocess.reading import CLOSED_BELOW, LEAVES, End, Reading, read

_TOO_LONG_TO_SAY_TWICE = 12


def closed_string(reading: Reading) -> End | None:
    """Where the string or comment around the cursor ends that the text below ends too."""
    place, text = reading.draft.place, reading.draft.text
    ending = place.inside
    if len(ending) < 2 or ending not in text or not _ends_below(place, ending):
        return None
    return reading.before_line(text.index(ending)), CLOSED_BELOW, True


def _ends_below(place: Place, ending: str) -> bool:
    below = place.context.suffix
    if place.rules.heredocs and ending[1:].isidentifier():
        first = below.find(ending)
        return first >= 0 and not re.search(rf"<<[^\n]{{0,3}}{ending[1:]}\b", below[:first])
    for opening, closing in (*place.rules.block_comments, *place.rules.long_quotes):
        if closing == ending and opening != closing:
            first = below.find(closing)
            return first >= 0 and not -1 < below.find(opening) < first
    return below.count(ending) % 2 == 1


def closed_bracket(reading: Reading, otherwise: End | None) -> End | None:
    """Before the first bracket that the text below closes; else behind the block that is closed."""
    place = reading.draft.place
    for index, closer in enumerate(reading.skimmed.closers):
        if place.joins(index) and not (index == 0 and _goes_through(reading, closer.at, otherwise)):
            return _before_copy(reading, reading.before_line(closer.at)), CLOSED_BELOW, True
        if closer.char == "}" and _closes_block(reading, index, closer.at):
            return _end_behind(reading, closer.at)
    return None


def _before_copy(reading: Reading, at: int) -> int:
    """The end of the line before an offset if what stands between begins that line too."""
    for before, row in pairwise(reading.rows):
        said = reading.draft.text[row.start : at].strip()
        copies = said and before.text.startswith(said) and row.columns == before.columns
        if row.start < at <= reading.line_end(row.start):
            return row.start - 1 if copies and len(said) >= _TOO_LONG_TO_SAY_TWICE else at
    return at


def _goes_through(reading: Reading, at: int, otherwise: End | None) -> bool:
    """Whether a text that begins with a closing bracket is, in the end, what both sides miss."""
    draft = reading.draft
    before = draft.text[:at].strip()
    if (before and not Line(text=before, columns=0).only_closes) or draft.place.rest.strip():
        return False
    if _is_below(reading):
        if not draft.ended:
            return True
        cut_off = draft.cut_off and not draft.whole
        return otherwise is None and not cut_off and _ends_fitting(reading)
    if otherwise is None:
        unended = not draft.ended or (draft.cut_off and len(reading.rows) > 1)
        return unended or _ends_fitting(reading)
    return _ends_fitting(read(replace(draft, text=draft.text[: otherwise[0]], whole=True)))


def _is_below(reading: Reading) -> bool:
    """Whether the text begins with nothing but what the line below closes."""
    below = reading.draft.place.below
    closes = bool(below) and below[0].only_closes
    return closes and not _reopens(reading.rows[0], reading.draft)


def _reopens(row: Row, draft: Draft) -> bool:
    """Whether a line that closes a block opens the next one, such as ``} else {``."""
    return row.text.endswith("{") if row.ended or draft.ended else True


def _ends_fitting(reading: Reading) -> bool:
    """Whether the whole text, brackets and all, fits between what is above and below."""
    draft, skimmed = reading.draft, reading.skimmed
    if not draft.ended:
        return False
    own = tuple(Opener(char=one.char, columns=reading.columns(one)) for one in skimmed.openers)
    touched = bool(skimmed.openers or skimmed.closers)
    return touched and draft.place.fits(len(skimmed.closers), own)


def needs_more(reading: Reading, at: int) -> bool:
    """Whether a text that ended here would lack brackets that its whole has."""
    popped = sum(closer.at < at for closer in reading.skimmed.closers)
    if reading.draft.place.fits(popped):
        return False
    return not reading.draft.ended or _ends_fitting(reading)


def _closes_block(reading: Reading, index: int, at: int) -> bool:
    """Whether a bracket ends the cursor's block, unless the text begins with that."""
    place = reading.draft.place
    if index >= len(place.open) or place.rules.blocks != "brackets":
        return False
    return bool(reading.rows) and at >= reading.line_end(reading.rows[0].start)


def _end_behind(reading: Reading, at: int) -> End | None:
    """The end of the line on which the closed block's statement ends."""
    end = reading.line_end(at)
    while reading.level(end) and end < len(reading.draft.text):
        end = reading.line_end(end + 1)
    if end == len(reading.draft.text):
        return None
    return end, LEAVES, True
