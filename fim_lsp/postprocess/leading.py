"""The first characters: blanks too many, and an echo of what is there already."""

from __future__ import annotations

import re

from fim_lsp.indent import indent_of
from fim_lsp.language import CLOSERS, skim
from fim_lsp.line import Line, code_of
from fim_lsp.place import Place
from fim_lsp.postprocess.draft import Draft

_STARTS = re.compile(r"[@#]|(?:def|class|func|fn|function|export|if|return|for|while|async)\b")
"""What a line begins with rather than goes on with."""
_ONCE = re.compile(r"(?:package|import|from|use|using|#include|#!)\b *\S")
"""What no file says twice in a row."""
_KEY = re.compile(r"[\w-]+:(?:\s|$)|[<-]")
"""What a line begins with in lists and markup."""
_TYPE = re.compile(
    r"\b(?:class|interface|object|enum|struct|trait|impl|namespace|extension)\b"
    r"|^[ \t]*(?:public|private|protected)[\w ]*:$",
    re.MULTILINE,
)
"""What opens a block that often begins with a blank line."""
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")
_BLANK_LINE = re.compile(r"\S[ \t]*\n[ \t]*\n[ \t]*\S")
_SELDOM = 5
"""A style is what is done one time in so many."""
_LAST_WORD = re.compile(r"\w+\Z")
_READ_CHARS = 200
_SENTENCE = re.compile(r"(?:\b[A-Za-z']+ ){2}[A-Za-z']+\.\Z")
"""Words as people put them, rather than a call that is going on."""
_CHAIN = re.compile(r"[\w)\]}\"']\.\Z")
_REMARK = re.compile(r";;|; ")
_FIRST_WORD = re.compile(r"\w+")


def drop_echo(draft: Draft) -> Draft:
    """Leave out what the model repeats of the prompt's last lines."""
    place, text = draft.place, draft.text
    if place.blank and place.above and place.opens:
        first, newline, _ = text.lstrip(" \t\n").partition("\n")
        if newline and first.strip() == place.above[0].text and place.above[0].letters >= 4:
            return draft.without_head(text.index(first) + len(first) + 1)
    first, newline, further = text.partition("\n")
    if place.blank and newline and place.above and _ONCE.match(first):
        echo = first.strip() == place.above[0].text and further.strip()
        return draft.without_head(len(text) - len(further.lstrip("\n"))) if echo else draft
    said = place.context.line_prefix.strip()
    lead = len(text) - len(text.lstrip(" \t"))
    echoes = re.match(r"[A-Za-z_@#<](?:\w\w|\w* )", said) and not said.endswith(",")
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
        extra = _is_extra_on_blank(place, found[0].count("\n"), after)
        return draft.without_head(found.end()) if extra else draft
    if _is_unfinished(place, after):
        return draft.without_head(found.end() + len(indent_of(after)))
    apart = _BLANK_LINE.search(after)  # who writes so may well begin so
    extra = found[0].count("\n") > 1 and not apart and _is_extra_below(place)
    return draft.without_head(found[0].rstrip(" \t").rfind("\n")) if extra else draft


def _is_extra_below(place: Place) -> bool:
    """Whether a blank line is wrong behind the cursor's line."""
    if place.rest.strip():
        return True
    if not place.opens or place.rules.markup or _TYPE.search(_head(place)):
        return False
    ends = re.escape(place.context.line_prefix.rstrip()[-1:])
    near = (place.context.prefix, place.context.suffix)
    return not any(re.search(rf"{ends}\n[ \t]*\n", text) for text in near)


def _head(place: Place) -> str:
    """The cursor's line, with the lines above where a block's head takes several."""
    lines = [place.context.line_prefix]
    if place.open and place.open[-1].columns < place.columns:
        for line in place.above:
            lines.append(line.text)
            if line.columns <= place.open[-1].columns:
                break
    elif lines[0].lstrip().startswith(")"):
        lines += [line.text for line in place.above if line.columns == place.columns][:1]
    return "\n".join(lines)


def _is_extra_on_blank(place: Place, number: int, after: str) -> bool:
    """Whether blank lines are wrong where one stands already."""
    if place.indent or not place.above or place.opens or place.context.prefix.endswith("\n\n"):
        return True
    if after.startswith("#") and place.above[0].text.startswith("#"):
        return True  # the remark goes on
    return number == 1 and not (place.rules.blocks == "indent" and _STARTS.match(after))


def _is_unfinished(place: Place, after: str) -> bool:
    """Whether the cursor's line cannot end where the cursor is."""
    word, columns = after.lstrip(" \t"), place.width(indent_of(after))
    if place.context.line_prefix[-1:] in " \t" and not place.opens:
        return not _ends_remark(place, word, columns)
    if not word:
        return False  # nothing but blanks has come yet
    deeper = columns > place.columns
    if place.inside:
        return place.inside in place.rules.quotes or (bool(place.rest.strip()) and not deeper)
    return not deeper and _goes_on(place, word, columns)


def _ends_remark(place: Place, word: str, columns: int) -> bool:
    """Whether the cursor's line is an empty comment, and what comes is a line of its own."""
    mark = place.context.line_prefix.strip()
    if mark not in place.rules.line_comments:
        return False
    return word.startswith(mark) or 0 < place.columns == columns


def _goes_on(place: Place, word: str, columns: int) -> bool:
    """Whether what comes on the next line, no deeper than this one, belongs to this one."""
    line = place.context.line_prefix.strip()
    last = line[-1:]
    chains = columns == place.columns and line[:1] == word[0] and word[0] in "?.&|+:"
    if line.endswith((";", "}")) or chains or not code_of(line, place.rules):
        return False
    if _REMARK.match(word) or word.startswith(place.rules.line_comments or ("\0",)):
        return False
    if word[0] in ")]}":
        return last + word[0] in ("()", "[]")
    if place.rest.strip() or _needs_line(place, word[0], last):
        return True
    begins = _STARTS.match(word) or ("(" not in place.rules.brackets and _KEY.match(word))
    lost = place.columns > 1 >= columns and not place.steps_out(word)
    return lost and not begins and "\n" not in word.strip() and _joins(place, word)


def _needs_line(place: Place, begins: str, last: str) -> bool:
    """Whether a sign cannot begin a line, or the cursor's line not end with its last one."""
    if "(" in place.rules.brackets or place.rules.blocks == "words":
        line = place.context.line_prefix[-_READ_CHARS:]
        chains = _CHAIN.search(line) and not _SENTENCE.search(line)
        return begins in ",;:=.?|&+%^~" or last in "([" or bool(chains)
    return begins in ",;:.?!"  # in prose and lists a sentence ends, and other signs begin a line


def _joins(place: Place, word: str) -> bool:
    """Whether a word may stand directly behind the cursor's line."""
    if place.context.line_prefix.endswith((")", "]", "'", '"')):
        return False
    begun = _LAST_WORD.search(place.context.line_prefix)
    return begun is None or not _FIRST_WORD.match(word) or not _is_known(place, begun[0])


def drop_blanks(draft: Draft) -> Draft:
    """Leave out blanks before the first word that are there already or belong to no style."""
    place, text = draft.place, draft.text
    lead = len(indent_of(text))
    if not lead or lead == len(text):
        return draft
    if place.blank:
        return draft.without_head(_extra_indent(place, text, lead))
    if _is_extra_blank(place, text, lead) and not _has_room(place, text):
        return draft.without_head(1)
    return draft


def _has_room(place: Place, text: str) -> bool:
    """Whether blanks stand inside of both brackets."""
    opening = place.context.line_prefix[-1:]
    if opening not in "([{" or not opening:
        return False
    first = text.partition("\n")[0]
    closers = skim(first, place.rules).closers
    inner = first[: closers[0].at] if closers else first
    closes = place.rest[:1] in CLOSERS or bool(closers)
    return closes and inner.endswith(" ") and not inner.isspace()


def _extra_indent(place: Place, text: str, lead: int) -> int:
    """How many of the blanks that follow the line's own indentation are too many."""
    total = place.width(place.indent + text[:lead])
    if total == 1 == lead and place.above and _is_one_in(place.above[0]):
        return 0
    twice = text[:lead] == place.indent
    if place.columns and (twice or not (place.open and place.open[-1].char in "([")):
        wanted = place.levels
        if place.columns >= max(wanted) or (twice and place.steps_out(text[lead:])):
            return lead
        if total not in wanted and (twice or place.columns in wanted):
            return lead
    meant = place.columns % 2 == 0 and re.match(r"\*|(?:public|private|protected)\b", text[lead:])
    return 1 if text[:lead] == " " and not meant else 0


def _is_one_in(line: Line) -> bool:
    """Whether a line stands one column in, though it is not that of a comment with stars."""
    return line.columns == 1 and not line.text.startswith("*")


def _is_extra_blank(place: Place, text: str, lead: int) -> bool:
    """Whether the first of some blanks after other text is one too many."""
    comments = (*place.rules.line_comments, *(one for one, _ in place.rules.block_comments))
    remark = comments and text.startswith(comments, lead)
    if place.rules.markup or remark or _is_aligned(place, lead):
        return False
    ends = place.context.line_prefix[-1:]
    if ends in " \t":
        return lead == 1 or _is_aligned(place, lead - 1)
    if lead > 1:
        known = ends + text[:lead] in place.context.prefix + place.context.suffix
        return lead == 2 and text[0] == " " and not place.inside and not known
    if place.inside and ends not in "([":
        return False
    return _is_against_style(place, ends, text)


def _is_against_style(place: Place, ends: str, text: str) -> bool:
    """Whether the document has no blank between such signs or words."""
    if ends in ",:=" and _has_style(place, ends + " "):
        return False
    if ends == "." and (
        not _FIRST_WORD.match(text, 1) or _SENTENCE.search(place.context.line_prefix[-_READ_CHARS:])
    ):
        return False  # a path, or the end of what a remark says
    if text.startswith((" ./", " ../")):
        return False
    if ends in "([.!~@" or text[1] in ",;)].":
        return not _has_style(place, ends + " " if ends in "([.!~@" else " " + text[1])
    return _splits_call(place, text) or _splits_word(place, text)


def _has_style(place: Place, pair: str) -> bool:
    """Whether the document writes two signs so, and not by accident."""
    near = (place.context.prefix[-4_000:], place.context.suffix[:2_000])
    times = sum(text.count(pair) for text in near)
    usual = sum(text.count(pair[0]) for text in near) if pair[1] == " " else 0
    return times * _SELDOM > usual


def _splits_call(place: Place, text: str) -> bool:
    """Whether a blank stands between a name and its bracket where the document has none."""
    name = _LAST_WORD.search(place.context.line_prefix)
    if not name or text[1] not in "([":
        return False
    return _has_style(place, name[0] + text[1]) and not _has_style(place, name[0] + text[:2])


def _is_aligned(place: Place, lead: int) -> bool:
    """Whether the word after so many blanks starts where one starts in the line above or below."""
    at = len(place.context.line_prefix) + lead
    near = (*place.context.lines_above[-1:], *place.context.lines_below[:1])
    apart = (" ", "\t") if lead > 1 else ("  ", " \t")
    return any(line[:at].endswith(apart) and line[at : at + 1].strip() for line in near)


def _splits_word(place: Place, text: str) -> bool:
    """Whether a blank stands inside a word that the document knows."""
    left = _LAST_WORD.search(place.context.line_prefix)
    right = _FIRST_WORD.match(text, 1)
    if not left or not right:
        return False
    return _is_known(place, left[0] + right[0], begun=left[0]) and not _is_known(place, left[0])


def _is_known(place: Place, word: str, *, begun: str | None = None) -> bool:
    """Whether a word stands near the cursor, but not where ``begun`` is being typed."""
    above = place.context.prefix.removesuffix(word if begun is None else begun)
    near = (above[-6_000:], place.context.suffix[:3_000])
    return any(re.search(rf"\b{word}\b", text) for text in near)
