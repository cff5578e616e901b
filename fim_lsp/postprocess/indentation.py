"""The one thing that may change rather than shorten: the blanks at the start of further lines."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from fim_lsp.indent import indent_of
from fim_lsp.language import skim
from fim_lsp.line import OPENING_TAG, Line, code_of, continues, opens_block
from fim_lsp.place import Place
from fim_lsp.postprocess.draft import Draft

_LEANS = re.compile(
    r"[.&|?:+=<>,)\]}]|[*/-] |-[a-z]+-|->|(?:(?:private|protected|internal) )?(?:get|set)\b|where\b"
)
_BRACELESS = re.compile(
    r"(?:\}\s*)?(?:if|guard|else|for|while|switch|do|foreach|try|case|@\w|#|template|where"
    r"|(?:public|private|protected)$)"
)
_READ_LINES = 60
_LIKELY_STEP = 4
_WIDEST = 8
"""Nobody writes wider tabs."""
_VENDOR = re.compile(r"-[a-z]+-[\w-]+ *:")
"""A property of one browser's, below whose end that of the others may stand."""
_ITEM = re.compile(r"(?:- +)+(?=\S)")
"""What begins an item of a list, whose further lines stand below its text."""
_ASSIGNS_BLOCK = re.compile(r"= *(?:case|if|unless|begin)\b")


def use_document_blanks(draft: Draft) -> Draft:
    """Indent with tabs or spaces as the document does."""
    place = draft.place
    if "\t" not in draft.text if place.style.unit != "\t" else "  " not in draft.text:
        return draft
    lines = draft.text.split("\n")
    first = 0 if place.blank and not place.indent else 1
    indents = [indent_of(line) for line in lines[first:] if line.strip()]
    foreign = "\t" if place.style.unit != "\t" else " "
    if not any(indents) or not _is_foreign(lines[first:], foreign) or not _tells_blanks(place):
        return draft
    convert = (_to_spaces if foreign == "\t" else _to_tabs)(place, draft.text, indents)
    if convert is None:
        return draft
    lines[first:] = [
        convert(blanks := indent_of(line)) + line[len(blanks) :] for line in lines[first:]
    ]
    return replace(draft, text="\n".join(lines))


def _is_foreign(lines: list[str], blank: str) -> bool:
    """Whether all lines are indented with it, but for stars: else the text has a way of its own."""
    indented = [line for line in lines if line.strip() and line[0] in " \t"]
    return any(line[0] == blank for line in indented) and all(
        line[0] == blank or line.lstrip(" ").startswith("*") for line in indented
    )


def _tells_blanks(place: Place) -> bool:
    """Whether it is certain which blanks the document uses."""
    return place.style.uniform and place.style.tells_blanks and not place.style.mixed


def _expected(place: Place, text: str) -> tuple[int | None, bool]:
    """The columns that the first indented line has, if that can be said.

    And whether it may as well step out of blocks.
    """
    first, _, further = text.partition("\n")
    if place.blank and (not place.indent or not first.strip()):
        if not place.above:
            return 0, True
        line, columns, whole = place.above[0].text, place.block_columns, text.lstrip()
        earlier = place.above[1:2]
    else:
        line, whole = place.context.line_prefix + first, further.lstrip()
        columns, earlier = place.width(indent_of(line)), place.above[:1]
    if line.endswith("\\"):
        return None, False
    opens = opens_block(line, place.rules)
    columns = max(columns + place.step * (opens - place.steps_out(whole)), 0)
    return columns, not opens and _ends_unseen(place, columns, earlier)


def _ends_unseen(place: Place, columns: int, earlier: tuple[Line, ...]) -> bool:
    """Whether a block can end without a sign: by indentation, or behind one without brackets."""
    if place.rules.blocks in ("indent", "words"):
        return not (place.open and place.open[-1].char in "([{")
    return any(
        columns > line.columns and not opens_block(line.text, place.rules) for line in earlier
    )


def _to_spaces(place: Place, text: str, indents: list[str]) -> Callable[[str], str]:
    after_tabs = max(len(indent) - len(indent.rstrip(" ")) for indent in indents if "\t" in indent)
    sizes = [size for size in (place.step, place.style.tab_size, 4, 8, 2) if size > after_tabs]
    tabs = indents[0].count("\t")
    expected, may_end = _expected(place, text)
    plausible = sizes[:1] if may_end and tabs * place.step in place.levels else sizes
    size = next((size for size in plausible if tabs * size == expected), (*sizes, place.step)[0])
    return lambda blanks: blanks.expandtabs(size)


def _to_tabs(place: Place, text: str, indents: list[str]) -> Callable[[str], str] | None:
    deep = [len(indent) for indent in indents if indent and "\t" not in indent]
    if not deep or min(deep) < 2:
        return None  # one blank before the star of a comment is no indentation
    size = _columns_of_tab(place, text, deep)
    return lambda blanks: (
        blanks if "\t" in blanks else "\t" * (len(blanks) // size) + " " * (len(blanks) % size)
    )


def _columns_of_tab(place: Place, text: str, deep: list[int]) -> int:
    """How many spaces of an answer stand for a tab, from the depth that is expected first."""
    expected, _ = _expected(place, text)
    common = math.gcd(*deep)
    sizes = (place.style.tab_size, 4, 8, 2, common)
    least = min((b - a for a, b in pairwise(deep) if b > a), default=0)
    least = least if least <= _LIKELY_STEP else 0  # nothing steps in by two tabs at once
    possible = [size for size in sizes if size > 1 and common % size == 0 and size >= least]
    if expected is None:
        return next(iter(possible), min(deep))
    first, depth = deep[0], expected // place.style.tab_size
    fits = [size for size in possible if first == depth * size]
    steps_out = [size for size in possible if first < depth * size and size <= _WIDEST]
    steps_in = [size for size in possible if first == (depth + 1) * size]
    either = (*steps_in, *steps_out) if _begins_braceless(place, text) else (*steps_out, *steps_in)
    return next(iter((*fits, *either, *possible)), min(deep))


def _begins_braceless(place: Place, text: str) -> bool:
    """Whether the line before the first indented one may be a head without brackets."""
    line = (place.context.line_prefix + text.partition("\n")[0]).strip()
    if line and place.blank and not place.indent and place.above:
        line = place.above[0].text
    return bool(_BRACELESS.match(line)) and not line.endswith((";", "{"))


def lift_further_lines(draft: Draft) -> Draft:
    """Bring back lines that stand deeper than what is before them opens."""
    place, text = draft.place, draft.text
    if place.inside == "*/" and place.above:
        return _lifted_stars(draft, place.above[0])
    if place.inside or _is_unsure(place, text):
        return draft
    first, newline, _ = text.partition("\n")
    wanted = _wanted_in_markup if place.rules.blocks == "tags" else _wanted
    if place.blank and not place.indent and first.strip():
        if not place.above or not newline:
            return draft
        return _lifted(draft, 0, wanted(place.above[0].text, place.block_columns, place))
    start = place.context.line_prefix + first
    if not newline or not start.strip():
        return draft
    return _lifted(draft, 1, wanted(start, place.width(indent_of(start)), place))


def _is_unsure(place: Place, text: str) -> bool:
    """Whether it cannot be said how deep a line stands, or what a tab is worth."""
    if place.rules.blocks == "none" or not place.style.uniform:
        return True
    return "\t" in text and place.style.unit != "\t" and not place.style.mixed


def _lifted_stars(draft: Draft, above: Line) -> Draft:
    """The stars of a comment's lines brought below one another."""
    wanted = above.columns + above.text.startswith("/*")
    first, *further = draft.text.split("\n")
    stars = [line for line in further if line.lstrip(" \t").startswith("*")]
    if not above.text.startswith(("*", "/*")) or not stars:
        return draft
    if draft.place.width(indent_of(stars[0])) <= wanted:
        return draft
    moved = [draft.place.indented(line, wanted) if line in stars else line for line in further]
    return replace(draft, text="\n".join([first, *moved]))


def _wanted(line: str, columns: int, place: Place) -> int | None:
    """The deepest that the line behind this one may stand; None where that cannot be said."""
    code = code_of(line, place.rules)
    skimmed = skim(code, place.rules)
    if skimmed.inside or _may_be_aligned(code, columns, place):
        return None
    if place.rules.blocks == "indent" and (item := _ITEM.match(code)):
        columns += item.end()
    opens = code.endswith(("{", ":", "=>")) and not code.endswith("::")
    if place.rules.blocks == "words" and opens_block(code, place.rules):
        opens = True
    openers = skimmed.openers
    if opens and len(openers) <= code.endswith("{") and place.style.tells_step:
        return columns + place.step
    return None if opens or openers or _goes_on(code, place) else columns


def _may_be_aligned(code: str, columns: int, place: Place) -> bool:
    """Whether what follows may stand below any word of the line, or of those before it."""
    if code.startswith(":") or _VENDOR.match(code) or (code.endswith(",") and columns % place.step):
        return True
    is_value = re.search(r"[\w>\]]\{$", code)
    return bool(is_value or (place.rules.blocks == "words" and _ASSIGNS_BLOCK.search(code)))


def _goes_on(code: str, place: Place) -> bool:
    """Whether the line behind this one may be a part of its statement."""
    decorates = place.rules.blocks == "indent" and code.startswith("@")
    if _BRACELESS.match(code) and not decorates:
        return True
    if code.endswith(","):
        return not place.open
    if opens_block(code, place.rules) or continues(code, place.rules):
        return True
    unended = place.rules.blocks == "brackets" and code and not code.endswith((";", "}"))
    if unended and any(line.text.endswith(";") for line in place.above):
        return True  # where statements end with a sign, this one has not ended
    return bool(place.open) and place.open[-1].char in "(["


def _wanted_in_markup(line: str, columns: int, place: Place) -> int | None:
    code = code_of(line, place.rules)
    if not code or code.rfind("<") > code.rfind(">") or code.endswith(("{", "%}", "}}")):
        return None
    if len(OPENING_TAG.findall(code)) <= code.count("</"):
        return columns
    return columns + place.step if place.style.tells_step else None


def _lifted(draft: Draft, first: int, wanted: int | None) -> Draft:
    """The lines from ``first`` on brought to where the first of them should be."""
    place = draft.place
    lines = draft.text.split("\n")
    further = [line for line in lines[first:] if line.strip()]
    if wanted is None or not further or _leans(further[0].strip(), place):
        return draft
    if further[0].strip().startswith("*") and (wanted % 2 or place.style.unit == "\t"):
        return draft  # the star of a comment
    columns = [place.width(indent_of(line)) for line in further]
    excess = columns[0] - wanted
    if not place.step <= excess <= max(wanted, place.step) or _steps_in_so(
        place, wanted - place.step, columns[0]
    ):
        return draft
    if place.style.unit == "\t" and any(" " in indent_of(line) for line in further):
        return draft
    halves = columns[0] == 2 * wanted and all(column % 2 == 0 for column in columns)
    if halves and _has_wide_steps(further, columns, place):
        fixed = [column // 2 for column in columns]
    else:
        fixed = [max(column - excess, 0) for column in columns]
    depths = iter(fixed)
    lines[first:] = [
        place.indented(line, next(depths)) if line.strip() else line for line in lines[first:]
    ]
    return replace(draft, text="\n".join(lines))


def _steps_in_so(place: Place, head: int, columns: int) -> bool:
    """Whether a head in the document stands at one depth, and the lines below it at the other."""
    context = place.context
    near = (*context.lines_above[-_READ_LINES:], *context.lines_below[:_READ_LINES])
    lines = [line for line in near if line.strip()]
    return any(
        place.width(indent_of(two)) == columns
        and place.width(indent_of(one)) == head
        and opens_block(one, place.rules)
        for one, two in pairwise(lines)
    )


def _leans(line: str, place: Place) -> bool:
    """Whether a line may stand deeper than the one it goes on from."""
    if place.rules.blocks == "tags":
        return not line.startswith("<")  # text keeps its blanks: it may be set as it is
    return bool(_LEANS.match(line))


def _has_wide_steps(lines: list[str], columns: list[int], place: Place) -> bool:
    """Whether blocks in these lines step in by twice the document's step, or out of the block."""
    if min(columns) < columns[0] or all(column % (2 * place.step) == 0 for column in columns):
        return True
    pairs = zip(lines, columns, columns[1:], strict=False)
    return any(b - a == 2 * place.step for line, a, b in pairs if opens_block(line, place.rules))
