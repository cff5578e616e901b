"""Where the text ends by the structure of code: one statement, or up to the end of the block."""

from __future__ import annotations

import re

from fim_lsp.indent import comparable
from fim_lsp.language import CLOSERS
from fim_lsp.line import FLAT, Line, is_free, is_pattern, opens_block
from fim_lsp.place import Place
from fim_lsp.postprocess.closing import closed_bracket, closed_string, needs_more
from fim_lsp.postprocess.draft import Draft, Row
from fim_lsp.postprocess.reading import CLOSED_BELOW, LEAVES, End, Reading, read

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
_ACCESS = re.compile(r"(?:public|private|protected)(?: slots)?:")
_CLASS = re.compile(r"\b(?:class|struct|union)\b|^(?:[:,]|public|protected|private)")
_FIRST_WORD = re.compile(r"\w*:*")
"""All that has come of a line while its first word, or what makes that a label, still comes."""
_ANOTHER = "it begins another definition"
_ONE = "one line is wanted here"


def end_with_block(draft: Draft) -> Draft:
    """End where the cursor's block does, or with the statement where one line is wanted."""
    if draft.swallowed_chars:
        return draft
    reading = read(draft)
    structure = _one_statement if draft.one_line else _block
    rules = (closed_string, _left_comment, _left_own_bracket, _left_own_words, structure)
    ends = [end for end in (rule(reading) for rule in rules) if end]
    first = min(ends, default=None)
    if bracket := closed_bracket(reading, first):
        first = min(bracket, first) if first else bracket
    if first is None:
        return draft
    at, reason, over = first
    return draft.cut(at, reason, over=over)


def _left_comment(reading: Reading) -> End | None:
    """Before the first line without a star, where the comment around the cursor has stars."""
    place = reading.draft.place
    if place.inside != "*/" or not place.above or not _has_stars(reading):
        return None
    for row in reading.rows:
        if "*/" in reading.draft.text[: row.start]:
            return None
        if row.number and not row.text.startswith("*"):
            return row.start - 1, LEAVES, True
    return None


def _has_stars(reading: Reading) -> bool:
    """Whether the lines of the comment around the cursor begin with stars."""
    place = reading.draft.place
    if not place.above[0].text.startswith("/*"):
        return place.above[0].text.startswith("*")
    further = next((row for row in reading.rows if row.number or place.blank), None)
    lines = (line.text for line in (*place.below[:1], further) if line)
    return any(line.startswith("*") and not line.startswith("*/") for line in lines)


def _left_own_bracket(reading: Reading) -> End | None:
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
            return row.start - 1, LEAVES, True
    return None


def _left_own_words(reading: Reading) -> End | None:
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
                return row.start - 1, LEAVES, True
        if opens_block(row.text, place.rules) and not row.text.endswith(("{", "(", "[")):
            heads.append(row)
    return None


def _may_change(reading: Reading, row: Row) -> bool:
    """Whether a line's first word still comes, which may be a label, a closing word or a tag."""
    blocks = reading.draft.place.rules.blocks
    if row.ended or reading.draft.ended or blocks == "indent":
        return False
    return blocks == "tags" or bool(_FIRST_WORD.fullmatch(row.text))


def _is_free(row: Row, place: Place) -> bool:
    pattern = place.rules.free_lines
    return bool(pattern and re.match(pattern, row.text))


def _block(reading: Reading) -> End | None:
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
            if another and not needs_more(reading, row.start):
                return row.start - 1, _ANOTHER, True
            continue
        if any(row.start <= at < row.start + row.columns + 2 for at in closers):
            continue
        if not comparable(blanks, row.blanks):
            continue
        if _ends_block(row, place):
            return _closing_line(reading, row)
        return row.start - 1, LEAVES, True
    return None


def _is_another(reading: Reading, row: Row) -> bool:
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


def _is_block_apart(reading: Reading, row: Row) -> bool:
    """Whether a line without indentation begins a block, and no mere statement of a script."""
    rules = reading.draft.place.rules
    if rules.blocks == "tags" or not (row.ended or reading.draft.ended):
        return False
    scripted = rules.blocks == "words" and _STATEMENT.match(row.text)
    return opens_block(row.text, rules) and not scripted


def _decorates(reading: Reading, row: Row) -> bool:
    """Whether a decorator is that of a definition in the text, not of the one below."""
    further = (one for one in reading.rows if one.start > row.start)
    if any(not one.text.startswith(("@", ")")) for one in further):
        return True
    below = reading.draft.place.below
    return reading.draft.ended and not (below and below[0].columns == row.columns)


def _enclosing(place: Place) -> str:
    """Open brackets within which indentation says nothing."""
    return "([{" if place.rules.blocks == "indent" else "(["


def _base(reading: Reading) -> int:
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


def _is_judged(reading: Reading, row: Row) -> bool:
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


def _closing_line(reading: Reading, row: Row) -> End | None:
    place = reading.draft.place
    if place.below and _closes_the_same(row, place.below[0], place):
        return row.start - 1, CLOSED_BELOW, True
    return (reading.line_end(row.start), LEAVES, True) if row.ended else None


def _closes_the_same(row: Row, line: Line, place: Place) -> bool:
    """Whether a closing line is the one below, which may say more: where a loop reads from."""
    if row.columns != line.columns:
        return False
    word = re.match(r"\w+", row.text)
    by_word = place.rules.blocks == "words" and word and re.match(rf"{word[0]}\b", line.text)
    return bool(by_word) or row.text == line.text


def _one_statement(reading: Reading) -> End | None:
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


def _awaits(reading: Reading, at: int) -> bool:
    """Whether a bracket of the cursor's statement that nothing below closes is still open."""
    place = reading.draft.place
    closed = sum(closer.at < at for closer in reading.skimmed.closers)
    if closed >= len(place.open) or place.joins(closed):
        return False
    return closed < place.own_openers or place.open[-1 - closed].char in "(["


def _body(reading: Reading, first: int) -> End | None:
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
