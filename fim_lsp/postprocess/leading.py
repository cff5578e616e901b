"""The first characters: blanks too many, and an echo of what is there already."""

from __future__ import annotations

import re

from fim_lsp.place import Place, indent_of
from fim_lsp.postprocess.draft import Draft

_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")
_LAST_WORD = re.compile(r"\w+\Z")
_FIRST_WORD = re.compile(r"\w+")


def drop_echo(draft: Draft) -> Draft:
    """Leave out what the model repeats of the prompt's last lines."""
    place, text = draft.place, draft.text
    if place.blank and place.above and place.opens:
        first, newline, _ = text.lstrip(" \t\n").partition("\n")
        if newline and first.strip() == place.above[0].text and place.above[0].letters >= 4:
            return draft.without_head(text.index(first) + len(first) + 1)
    said = place.context.line_prefix.strip()
    lead = len(text) - len(text.lstrip(" \t"))
    echoes = re.match(r"[A-Za-z_@#<]\w{2}", said) and not said.endswith(",")
    if echoes and text.startswith(said, lead):
        return draft.without_head(lead + len(said))
    return draft


def drop_blank_lines(draft: Draft) -> Draft:
    """Leave out line ends before the text that nobody would type here."""
    place, text = draft.place, draft.text
    found = _BLANK_LINES.match(text)
    if not found or found.end() == len(text):
        return draft
    after = text[found.end() :]
    if place.blank:
        return draft.without_head(found.end()) if _is_extra_on_blank(place) else draft
    if _is_unfinished(place, after):
        return draft.without_head(found.end() + len(indent_of(after)))
    extra = found[0].count("\n") > 1 and (place.opens or bool(place.rest.strip()))
    return draft.without_head(found[0].rstrip(" \t").rfind("\n")) if extra else draft


def _is_extra_on_blank(place: Place) -> bool:
    """Whether a blank line is wrong where one stands already."""
    if place.indent or not place.above or place.opens:
        return True
    return place.context.prefix.endswith("\n\n")


def _is_unfinished(place: Place, after: str) -> bool:
    """Whether the cursor's line cannot end where the cursor is."""
    ends = place.context.line_prefix[-1:]
    if ends in " \t" and not place.opens:
        return True
    if len(place.inside) > 1 or (place.columns == 0 and not place.rest.strip()):
        return False
    new_statement = re.match(r"[)\]}#@]|(?:def|class|func|fn|function|export|if|return)\b", after)
    return place.width(indent_of(after)) <= 1 and not new_statement


def drop_blanks(draft: Draft) -> Draft:
    """Leave out blanks before the first word that are there already or belong to no style."""
    place, text = draft.place, draft.text
    lead = len(indent_of(text))
    if not lead or lead == len(text):
        return draft
    if place.blank:
        return draft.without_head(_extra_indent(place, text, lead))
    return draft.without_head(1 if _is_extra_blank(place, text, lead) else 0)


def _extra_indent(place: Place, text: str, lead: int) -> int:
    """How many of the blanks that follow the line's own indentation are too many."""
    total = place.width(place.indent + text[:lead])
    wanted = _levels(place)
    if total in wanted and not (place.columns in wanted and place.columns >= max(wanted)):
        return 0
    if place.columns in wanted and place.columns:
        return lead
    if lead % 2 and place.width(place.indent + text[: lead - 1]) in wanted | {0}:
        return 1
    return 0


def _levels(place: Place) -> set[int]:
    """The indentations that a new line may have here."""
    if not place.above:
        return {0}
    above = place.above[0]
    levels = {above.columns + place.step} if place.opens else {above.columns}
    levels.update(line.columns for line in place.above if line.columns <= above.columns)
    if place.below and not place.below[0].only_closes:
        levels.add(place.below[0].columns)
    return levels


def _is_extra_blank(place: Place, text: str, lead: int) -> bool:
    """Whether the first of some blanks after other text is one too many."""
    ends = place.context.line_prefix[-1:]
    if place.rules.markup or text.startswith(("#", "//", "--", "/*", "<!--"), lead):
        return False
    if _is_aligned(place, lead):
        return False
    if ends in " \t":
        return lead == 1 or _is_aligned(place, lead - 1)
    if lead == 1:
        unlike = ends in "([.!~@" and not _has_style(place, ends + " ")
        return unlike or _splits_word(place, text)
    return lead == 2 and text[0] == " "


def _has_style(place: Place, pair: str) -> bool:
    return pair in place.context.prefix[-4_000:] or pair in place.context.suffix[:2_000]


def _is_aligned(place: Place, lead: int) -> bool:
    """Whether the word after so many blanks starts where one starts in the line above or below."""
    at = len(place.context.line_prefix) + lead
    near = (*place.context.lines_above[-1:], *place.context.lines_below[:1])
    return any(line[at - 2 : at] in ("  ", " \t") and line[at : at + 1].strip() for line in near)


def _splits_word(place: Place, text: str) -> bool:
    """Whether a blank stands inside a word that the document knows."""
    left = _LAST_WORD.search(place.context.line_prefix)
    right = _FIRST_WORD.match(text, 1)
    if not left or not right:
        return False
    known = place.context.prefix[: -len(left[0])][-6_000:] + "\n" + place.context.suffix[:3_000]
    return bool(re.search(rf"\b{left[0]}{right[0]}\b", known)) and not re.search(
        rf"\b{left[0]}\b", known
    )
