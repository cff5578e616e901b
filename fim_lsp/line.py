"""One line of code: how deep it stands, what it opens, continues or closes, read roughly. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fim_lsp.indent import indent_of, width
from fim_lsp.language import Language

_NEAREST = 6
_OPENS = re.compile(r"(?:[{(\[:]|=>|->|\b(?:then|do|else|begin|try|repeat)|\|[\w, ]*\|)$")
_CONTINUES = re.compile(r"(?:[=+\-*/%&|^<>,?.\\]|\b(?:and|or|not|in|is|return|extends|throws))$")
_WORD_OPENS = re.compile(
    r"(?:^|= *)(?:def\b|(?:class|module|if|unless|while|until|for|case|function|local function"
    r"|begin|describe|it|when|elsif|rescue|ensure)\b(?! *(?:[.:]|=(?!>))))(?!.*\bthen\b.)"
    r"|\bfunction *\([^()]*\)$"
)
OPENING_TAG = re.compile(
    r"<(?![/!?]|(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)[^<>]*(?<!/)>"
)
"""What opens an element that is closed elsewhere."""
_TAG_OPENS = re.compile(OPENING_TAG.pattern + r"$|\{$")
_ENDS_HEAD = re.compile(r"(?:[\w)\]?!]|(?<![=-])>|[) ]:)$")
"""What a line of a block's head ends with, where the head takes several lines."""
_CONDITIONS = re.compile(r"(?:\}\s*else )?(?:guard|if|while)\b[^(]")
"""What begins a head of several conditions without a bracket around them."""
_NO_HEAD = re.compile(r"(?:\}\s*)?(?:if|else|for|while|do|switch|case|default|return)\b")
FLAT = re.compile(r"(?:inline )?namespace\b|extern\b|mod\b|package\b")
"""Blocks that are often not indented."""
_CHAINS = re.compile(r"[.?&|+]")
_CLOSERS_ONLY = re.compile(r"[)\]};,\s]+|</[\w.:-]*>|end\b[;,)]*|fi|done|esac|\*/|-->|\"\"\"|'''")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that is not blank."""

    text: str
    """Without blanks at both ends."""
    columns: int
    """Its indentation."""

    @property
    def letters(self) -> int:
        """How many letters and digits it has: what makes it unlike others."""
        return sum(map(str.isalnum, self.text))

    @property
    def only_closes(self) -> bool:
        """Whether it does nothing but end what others began."""
        return bool(_CLOSERS_ONLY.fullmatch(self.text))


class _Written(Protocol):
    """A line of the document or of an answer."""

    @property
    def text(self) -> str: ...
    @property
    def columns(self) -> int: ...


def is_free(line: str, rules: Language) -> bool:
    """Whether a line's indentation says nothing: comments, labels, preprocessor lines."""
    starts = (*rules.line_comments, *(opening for opening, _ in rules.block_comments), "*")
    return line.startswith(starts) or bool(rules.free_lines and re.match(rules.free_lines, line))


def opens_block(line: str, rules: Language) -> bool:
    """Whether a line's end, or its first word, begins a block."""
    code = code_of(line, rules)
    if not code:
        return False
    if rules.blocks == "tags":
        return bool(_TAG_OPENS.search(code))
    if rules.blocks == "words" and re.search(rf"\b(?:{'|'.join(rules.closing_words)})\b", code):
        return False
    if rules.blocks == "words" and (_WORD_OPENS.search(code) or is_pattern(code, rules)):
        return True
    return bool(_OPENS.search(code)) and not (rules.markup and code.endswith("|"))


def is_pattern(code: str, rules: Language) -> bool:
    """Whether a line is a pattern of a shell's ``case``."""
    return "(" not in rules.brackets and code.endswith(")") and code.count(")") > code.count("(")


def continues(line: str, rules: Language) -> bool:
    """Whether a line's end asks for more, at any indentation."""
    return bool(_CONTINUES.search(code_of(line, rules)))


def code_of(line: str, rules: Language) -> str:
    """A line without blanks at its ends and without a comment at its end, roughly."""
    code = line.strip()
    for comment in rules.line_comments:
        at = code.find(comment)
        if at == 0 or (at > 0 and code[at - 1] in " \t;{}()," and not _in_quotes(code[:at], rules)):
            code = code[:at].rstrip()
    if code.endswith("*/") and "/*" in code:
        code = code[: code.rfind("/*")].rstrip()
    return code


def head_columns(line: str, columns: int, earlier: Iterable[_Written], rules: Language) -> int:
    """The indentation of a block whose bracket ends a line: its head may take several.

    ``earlier`` are the lines before that one, nearest first.
    """
    if _CHAINS.match(line) or line.count("(") > line.count(")"):
        return columns
    for before in earlier:
        code = code_of(before.text, rules)
        if code.endswith((",", "&&", "||")) and before.columns <= columns:
            if _CONDITIONS.match(code):
                return before.columns
            if before.columns == columns:
                continue
        if code and (not _ENDS_HEAD.search(code) or before.columns > columns):
            return columns
        if code and before.columns < columns:
            return columns if _NO_HEAD.match(code) else before.columns
    return columns


def nearest(lines: Iterable[str], tab_size: int) -> tuple[Line, ...]:
    """The first few lines that are not blank."""
    found: list[Line] = []
    for line in lines:
        if text := line.strip():
            found.append(Line(text=text, columns=width(indent_of(line), tab_size)))
            if len(found) == _NEAREST:
                break
    return tuple(found)


def _in_quotes(code: str, rules: Language) -> bool:
    return any(code.count(quote) % 2 for quote in rules.quotes)
