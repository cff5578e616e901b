"""Where the text ends by the structure of code: one statement, or up to the end of the block."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from fim_lsp.indent import comparable
from fim_lsp.language import CLOSERS, Bracket, Skim, skim
from fim_lsp.line import FLAT, Line, head_columns, is_free, is_pattern, opens_block
from fim_lsp.place import Opener, Place
from fim_lsp.postprocess.draft import Draft, Row, rows

_DEFINES = re.compile(
    r"(?:(?:export|default|public|private|protected|static|async|abstract|final|pub(?:\([\w ]+\))?"
    r"|unsafe|extern|inline|override)\s+)*"
    r"(?:def|class|func|fn|function|impl|struct|enum|interface|trait|module|namespace|mod)"
    r"\b(?![.:=])|@(?!(?:end|property|optional|required)\b)\w"
)
_STATEMENT = re.compile(r"(?:if|unless|for|while|until|case)\b")
"""What goes on in a script as often as it begins something else."""
_BRANCH = re.compile(r"case\b|default\b")
"""Stands as deep as its switch in some styles."""
_BEGINS_BODY = re.compile(r"(?:then|do)\b|\{")
"""Stands as deep as the line that it belongs to in some styles."""
_TOO_LONG_TO_SAY_TWICE = 12
_ACCESS = re.compile(r"(?:public|private|protected)(?: slots)?:")
_CLASS = re.compile(r"\b(?:class|struct|union)\b|^(?:[:,]|public|protected|private)")
_FIRST_WORD = re.compile(r"\w*:*")
"""All that has come of a line while its first word, or what makes that a label, still comes."""
_ANOTHER = "it begins another definition"
_OWN = "it leaves the block"
_CLOSED = "it closes what is closed below"
_ONE = "one line is wanted here"


def end_with_block(draft: Draft) -> Draft:
    """End where the cursor's block does, or with the statement where one line is wanted."""
    if draft.swallowed_chars:
        return draft
    reading = _read(draft)
    structure = _one_statement if draft.one_line else _block
    rules = (_closed_string, _left_comment, _left_own_bracket, _left_own_words, structure)
    ends = [end for end in (rule(reading) for rule in rules) if end]
    first = min(ends, default=None)
    if bracket := _closed_bracket(reading, first):
        first = min(bracket, first) if first else bracket
    if first is None:
        return draft
    at, reason, over = first
    return draft.cut(at, reason, over=over)


def _read(draft: Draft) -> _Reading:
    skimmed = skim(draft.text, draft.place.rules, draft.place.inside)
    return _Reading(
        draft=draft,
        skimmed=skimmed,
        rows=rows(draft),
        offsets=[level.at for level in skimmed.levels],
    )


_End = tuple[int, str, bool]
"""An offset, why, and whether nothing behind it can be of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
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


def _closed_string(reading: _Reading) -> _End | None:
    """Where the string or comment around the cursor ends that the text below ends too."""
    place, text = reading.draft.place, reading.draft.text
    ending = place.inside
    if len(ending) < 2 or ending not in text or not _ends_below(place, ending):
        return None
    return reading.before_line(text.index(ending)), _CLOSED, True


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


def _closed_bracket(reading: _Reading, otherwise: _End | None) -> _End | None:
    """Before the first bracket that the text below closes; else behind the block that is closed."""
    place = reading.draft.place
    for index, closer in enumerate(reading.skimmed.closers):
        if place.joins(index) and not (index == 0 and _goes_through(reading, closer.at, otherwise)):
            return _before_copy(reading, reading.before_line(closer.at)), _CLOSED, True
        if closer.char == "}" and _closes_block(reading, index, closer.at):
            return _end_behind(reading, closer.at)
    return None


def _before_copy(reading: _Reading, at: int) -> int:
    """The end of the line before an offset if what stands between begins that line too."""
    for before, row in pairwise(reading.rows):
        said = reading.draft.text[row.start : at].strip()
        copies = said and before.text.startswith(said) and row.columns == before.columns
        if row.start < at <= reading.line_end(row.start):
            return row.start - 1 if copies and len(said) >= _TOO_LONG_TO_SAY_TWICE else at
    return at


def _goes_through(reading: _Reading, at: int, otherwise: _End | None) -> bool:
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
    return _ends_fitting(_read(replace(draft, text=draft.text[: otherwise[0]], whole=True)))


def _is_below(reading: _Reading) -> bool:
    """Whether the text begins with nothing but what the line below closes."""
    below = reading.draft.place.below
    closes = bool(below) and below[0].only_closes
    return closes and not _reopens(reading.rows[0], reading.draft)


def _reopens(row: Row, draft: Draft) -> bool:
    """Whether a line that closes a block opens the next one, such as ``} else {``."""
    return row.text.endswith("{") if row.ended or draft.ended else True


def _ends_fitting(reading: _Reading) -> bool:
    """Whether the whole text, brackets and all, fits between what is above and below."""
    draft, skimmed = reading.draft, reading.skimmed
    if not draft.ended:
        return False
    own = tuple(Opener(char=one.char, columns=reading.columns(one)) for one in skimmed.openers)
    touched = bool(skimmed.openers or skimmed.closers)
    return touched and draft.place.fits(len(skimmed.closers), own)


def _needs_more(reading: _Reading, at: int) -> bool:
    """Whether a text that ended here would lack brackets that its whole has."""
    popped = sum(closer.at < at for closer in reading.skimmed.closers)
    if reading.draft.place.fits(popped):
        return False
    return not reading.draft.ended or _ends_fitting(reading)


def _left_comment(reading: _Reading) -> _End | None:
    """Before the first line without a star, where the comment around the cursor has stars."""
    place = reading.draft.place
    if place.inside != "*/" or not place.above or not _has_stars(reading):
        return None
    for row in reading.rows:
        if "*/" in reading.draft.text[: row.start]:
            return None
        if row.number and not row.text.startswith("*"):
            return row.start - 1, _OWN, True
    return None


def _has_stars(reading: _Reading) -> bool:
    """Whether the lines of the comment around the cursor begin with stars."""
    place = reading.draft.place
    if not place.above[0].text.startswith("/*"):
        return place.above[0].text.startswith("*")
    further = next((row for row in reading.rows if row.number or place.blank), None)
    lines = (line.text for line in (*place.below[:1], further) if line)
    return any(line.startswith("*") and not line.startswith("*/") for line in lines)


def _left_own_bracket(reading: _Reading) -> _End | None:
    """Before a line that stands no deeper than the bracket of the text's own that is around it."""
    for row in reading.rows:
        opener = reading.innermost(row.start)
        if opener is None or not reading.in_code(row.start) or row.number == 0:
            continue
        if _may_change(reading, row):
            continue
        number = reading.number(opener.line_at)
        head = reading.rows[number] if number is not None else row
        if FLAT.match(head.text) or not comparable(head.blanks, row.blanks):
            continue
        columns = reading.columns(opener)
        closes = CLOSERS.get(row.text[0]) == opener.char or _ends_block(row, reading.draft.place)
        apart = reading.draft.text[: row.start].endswith("\n\n")
        outside = columns if (opener.char == "{" or apart) and not closes else columns - 1
        branches = row.columns == columns and _BRANCH.match(row.text)
        if row.columns <= outside and not branches and not _is_free(row, reading.draft.place):
            return row.start - 1, _OWN, True
    return None


def _left_own_words(reading: _Reading) -> _End | None:
    """Before a line behind a blank one that steps out of a block of the text without ending it."""
    place = reading.draft.place
    if place.rules.blocks != "words" or place.inside:
        return None
    heads: list[Row] = []
    for row in reading.rows:
        if row.number and (is_free(row.text, place.rules) or not _is_judged(reading, row)):
            continue
        if is_pattern(row.text, place.rules):
            continue
        apart = reading.draft.text[: row.start].endswith("\n\n")
        while heads and row.columns <= heads[-1].columns:
            head = heads.pop()
            if apart and comparable(head.blanks, row.blanks) and not place.steps_out(row.text):
                return row.start - 1, _OWN, True
        if opens_block(row.text, place.rules) and not row.text.endswith(("{", "(", "[")):
            heads.append(row)
    return None


def _may_change(reading: _Reading, row: Row) -> bool:
    """Whether a line's first word still comes, which may be a label, a closing word or a tag."""
    blocks = reading.draft.place.rules.blocks
    if row.ended or reading.draft.ended or blocks == "indent":
        return False
    return blocks == "tags" or bool(_FIRST_WORD.fullmatch(row.text))


def _is_free(row: Row, place: Place) -> bool:
    pattern = place.rules.free_lines
    return bool(pattern and re.match(pattern, row.text))


def _closes_block(reading: _Reading, index: int, at: int) -> bool:
    """Whether a bracket ends the cursor's block, unless the text begins with that."""
    place = reading.draft.place
    if index >= len(place.open) or place.rules.blocks != "brackets":
        return False
    return bool(reading.rows) and at >= reading.line_end(reading.rows[0].start)


def _end_behind(reading: _Reading, at: int) -> _End | None:
    """The end of the line on which the closed block's statement ends."""
    end = reading.line_end(at)
    while reading.level(end) and end < len(reading.draft.text):
        end = reading.line_end(end + 1)
    if end == len(reading.draft.text):
        return None
    return end, _OWN, True


def _block(reading: _Reading) -> _End | None:
    """Before the first line that stands outside the cursor's block."""
    place, found = reading.draft.place, reading.rows
    base = _base(reading)
    blanks = found[0].blanks if found and found[0].number else place.indent
    closers = [closer.at for closer in reading.skimmed.closers]
    if place.open and place.open[-1].char in _enclosing(place):
        base = min(base, place.open[-1].columns + 1)
    for row in found:
        if row.number == 0 or not _is_judged(reading, row):
            continue
        if row.columns >= base:
            another = row.columns == base and _is_another(reading, row)
            if another and not _needs_more(reading, row.start):
                return row.start - 1, _ANOTHER, True
            continue
        if any(row.start <= at < row.start + row.columns + 2 for at in closers):
            continue
        if not comparable(blanks, row.blanks):
            continue
        if _ends_block(row, place):
            return _closing_line(reading, row)
        return row.start - 1, _OWN, True
    return None


def _is_another(reading: _Reading, row: Row) -> bool:
    """Whether a line behind a blank one begins a definition of its own."""
    place = reading.draft.place
    before = reading.draft.text[: row.start - 1]
    said = any(map(str.isalnum, before)) if place.rules.small_blocks else before.strip()
    if not said or before.rstrip(" \t")[-1:] != "\n":
        return False
    if place.inside and not reading.in_code(row.start):
        return not row.columns and row.text.endswith("{")  # no words for people end so
    if place.below and place.below[0].columns > row.columns:
        return False  # something in this text must open what stands below
    if FLAT.match(row.text) or (row.text.startswith("@") and not _decorates(reading, row)):
        return False
    if row.columns:
        return not place.opens and all(map(_DEFINES.match, (reading.rows[0].text, row.text)))
    return bool(_DEFINES.match(row.text)) or _is_block_apart(reading, row)


def _is_block_apart(reading: _Reading, row: Row) -> bool:
    """Whether a line without indentation begins a block, and no mere statement of a script."""
    rules = reading.draft.place.rules
    if rules.blocks == "tags" or not (row.ended or reading.draft.ended):
        return False
    scripted = rules.blocks == "words" and _STATEMENT.match(row.text)
    return opens_block(row.text, rules) and not scripted


def _decorates(reading: _Reading, row: Row) -> bool:
    """Whether a decorator is that of a definition in the text, not of the one below."""
    further = (one for one in reading.rows if one.start > row.start)
    if any(not one.text.startswith(("@", ")")) for one in further):
        return True
    below = reading.draft.place.below
    return reading.draft.ended and not (below and below[0].columns == row.columns)


def _enclosing(place: Place) -> str:
    """Open brackets within which indentation says nothing."""
    return "([{" if place.rules.blocks == "indent" else "(["


def _base(reading: _Reading) -> int:
    """The least indentation of the cursor's block."""
    place = reading.draft.place
    if place.blank or reading.draft.text.startswith("\n"):
        first = reading.rows[0] if reading.rows else None
        if first is None:
            return 0
        inner = not place.blank and place.opens and not _BRANCH.match(first.text)
        inner = inner and not _BEGINS_BODY.match(first.text)
        inner = inner and not FLAT.match(place.context.line_prefix.strip())
        return max(first.columns, _head_columns(place) + 1) if inner else first.columns
    return place.columns


def _head_columns(place: Place) -> int:
    """The indentation of the block's head that the cursor's line ends."""
    ends = place.context.line_prefix.rstrip()[-1:]
    return place.open[-1].columns if place.open and ends == place.open[-1].char else place.columns


def _is_judged(reading: _Reading, row: Row) -> bool:
    """Whether a line's indentation means anything."""
    rules, inside = reading.draft.place.rules, reading.draft.place.inside
    if reading.level(row.start) or not (inside or reading.in_code(row.start)):
        return False
    if _may_change(reading, row):
        return False
    free = _is_free(row, reading.draft.place) and not _is_outside(row, reading.draft.place)
    return rules.blocks != "none" and not free


def _is_outside(row: Row, place: Place) -> bool:
    """Whether a class's label stands where the cursor's block is not that of a class."""
    if not _ACCESS.match(row.text):
        return False
    opener = place.open[-1] if place.open else None
    return not opener or row.columns < opener.columns or not _CLASS.search(opener.head)


def _ends_block(row: Row, place: Place) -> bool:
    """Whether a line is the closing word or tag of the cursor's block."""
    if place.rules.blocks == "tags":
        return row.text.startswith("</")
    return bool(re.match(rf"(?:{'|'.join(place.rules.closing_words) or '(?!)'})\b", row.text))


def _closing_line(reading: _Reading, row: Row) -> _End | None:
    place = reading.draft.place
    if place.below and _closes_the_same(row, place.below[0], place):
        return row.start - 1, _CLOSED, True
    return (reading.line_end(row.start), _OWN, True) if row.ended else None


def _closes_the_same(row: Row, line: Line, place: Place) -> bool:
    """Whether a closing line is the one below, which may say more: where a loop reads from."""
    if row.columns != line.columns:
        return False
    word = re.match(r"\w+", row.text)
    by_word = place.rules.blocks == "words" and word and re.match(rf"{word[0]}\b", line.text)
    return bool(by_word) or row.text == line.text


def _one_statement(reading: _Reading) -> _End | None:
    """The end of the first line, or of the brackets and the block that it opens."""
    draft, place = reading.draft, reading.draft.place
    if not reading.rows:
        return None
    first = reading.line_end(reading.rows[0].start)
    if first == len(draft.text):
        return None
    head = place.context.line_prefix + draft.text[:first]
    if _has_body_below(place) or draft.text.startswith("\n"):
        return first, _ONE, False
    end = first
    while reading.level(end) or _awaits(reading, end):
        if end == len(draft.text):
            unended = not draft.ended or _left_own_bracket(reading)
            return None if unended else (first, _ONE, False)
        end = reading.line_end(end + 1)
    if end == first and opens_block(head, place.rules) and not place.rest.strip():
        return _body(reading, first)
    return (end, _ONE, False) if end < len(draft.text) else None


def _has_body_below(place: Place) -> bool:
    return bool(place.below) and place.below[0].columns > place.columns


def _awaits(reading: _Reading, at: int) -> bool:
    """Whether a bracket of the cursor's statement that nothing below closes is still open."""
    place = reading.draft.place
    closed = sum(closer.at < at for closer in reading.skimmed.closers)
    if closed >= len(place.open) or place.joins(closed):
        return False
    return closed < place.own_openers or place.open[-1 - closed].char in "(["


def _body(reading: _Reading, first: int) -> _End | None:
    """The end of the deeper lines behind a line that opens a block."""
    place = reading.draft.place
    end = first
    for row in reading.rows:
        if row.start <= first:
            continue
        if row.columns <= place.columns and _is_judged(reading, row):
            return end, _ONE, False
        end = reading.line_end(row.start)
    return None
