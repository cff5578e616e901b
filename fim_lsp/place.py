"""The code around the cursor, read once for all rules: open brackets, indentation, what is below.

Pure, and remembered for the last few positions, because each chunk of a stream asks again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from fim_lsp.context import CursorContext
from fim_lsp.language import CLOSERS, Language, language, skim

_READ_BEFORE_CHARS = 8_000
"""How far back brackets are paired; further openers hardly ever close at the cursor."""
_READ_AFTER_CHARS = 4_000
_LINES_BELOW = 6
_LINES_FOR_UNIT = 300

_OPENS = re.compile(r"(?:[{(\[:]|=>|->|\b(?:then|do|else|begin|try|repeat)|\|[\w, ]*\|)$")
_CONTINUES = re.compile(r"(?:[=+\-*/%&|^<>,?.\\]|\b(?:and|or|not|in|is|return|extends|throws))$")
_WORD_OPENS = re.compile(
    r"(?:def|class|module|if|unless|while|until|for|case|function|local function|begin|describe|it)"
    r"\b"
)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """A bracket that is open at the cursor."""

    char: str
    columns: int
    """The indentation of its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the rules know of a cursor's place."""

    context: CursorContext
    rules: Language
    inside: str
    """What would end the string or comment around the cursor; a newline for a line comment."""
    open: tuple[Opener, ...]
    """Brackets open at the cursor, outermost first, as far back as was read."""
    owed: int
    """How many of them, innermost first, nothing below closes: the completion may."""
    closed_below: bool
    """Whether the text below closes anything that it does not open."""
    unit: str
    """One step of indentation: a tab, or some spaces."""
    indent: str
    """The blanks that the cursor's line starts with."""
    blank: bool
    """Nothing but blanks stands left of the cursor."""
    above: tuple[Line, ...]
    """The nearest lines above, nearest first."""
    below: tuple[Line, ...]
    """The nearest lines below, nearest first."""

    @property
    def columns(self) -> int:
        """The indentation of the cursor's line."""
        return self.width(self.indent)

    @property
    def step(self) -> int:
        """One step of indentation in columns."""
        return self.width(self.unit)

    @property
    def rest(self) -> str:
        """What follows on the cursor's line."""
        return self.context.line_suffix

    @property
    def opens(self) -> bool:
        """Whether the text left of the cursor, or the line above a blank one, opens a block."""
        if self.blank:
            return bool(self.above) and opens_block(self.above[0].text, self.rules)
        return opens_block(self.context.line_prefix, self.rules)

    def width(self, blanks: str) -> int:
        """How many columns some blanks take."""
        return width(blanks, self.context.tab_size)


@lru_cache(maxsize=16)
def place(context: CursorContext) -> Place:
    """Read the surroundings of a cursor."""
    rules = language(context.language)
    before = _from_a_line(context.prefix)
    left = skim(before, rules)
    right = skim(context.suffix[:_READ_AFTER_CHARS], rules, left.inside)
    opened = tuple(
        Opener(char=one.char, columns=_columns_at(before, one.at, context)) for one in left.openers
    )
    closed = [
        (one.char, _own_columns(context.suffix, one.at, context)) for one in right.closers[:40]
    ]
    line = context.line_prefix
    above = context.prefix[-_READ_BEFORE_CHARS:].split("\n")[:-1]
    below = context.suffix[:_READ_AFTER_CHARS].split("\n")[1:]
    return Place(
        context=context,
        rules=rules,
        inside=left.inside,
        open=opened,
        owed=_owed(opened, closed, whole=len(context.suffix) < _READ_AFTER_CHARS),
        closed_below=bool(closed),
        unit=_unit([*above[-_LINES_FOR_UNIT:], line, *below[:_LINES_FOR_UNIT]]),
        indent=indent_of(line),
        blank=not line.strip(),
        above=_lines(reversed(above), context),
        below=_lines(below, context),
    )


def opens_block(line: str, rules: Language) -> bool:
    """Whether a line's end, or its first word, begins a block."""
    code = code_of(line, rules)
    if not code:
        return False
    if rules.blocks == "tags":
        return bool(re.search(r"<(?!/)[^<>]*(?<!/)>$", code))
    if rules.blocks == "words" and _WORD_OPENS.match(code) and not re.search(r"\bend\b", code):
        return True
    return bool(_OPENS.search(code))


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


def _in_quotes(code: str, rules: Language) -> bool:
    return any(code.count(quote) % 2 for quote in rules.quotes)


def indent_of(line: str) -> str:
    """The blanks that a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(blanks: str, tab_size: int) -> int:
    """How many columns some blanks take."""
    return len(blanks.expandtabs(tab_size)) if "\t" in blanks else len(blanks)


def _from_a_line(prefix: str) -> str:
    r"""The end of the prefix, from a line on that is likely no part of a string or comment.

    Started inside a docstring, everything would be read inside out.
    """
    if len(prefix) <= _READ_BEFORE_CHARS:
        return prefix
    start = len(prefix) - _READ_BEFORE_CHARS
    anchor = re.compile(r"\n(?=[A-Za-z_@#}])").search(prefix, start, start + 4_000)
    return prefix[anchor.end() if anchor else prefix.find("\n", start) + 1 :]


def _columns_at(text: str, at: int, context: CursorContext) -> int:
    """The indentation of the line that holds an offset."""
    start = text.rfind("\n", 0, at) + 1
    return width(indent_of(text[start : at + 1]), context.tab_size)


def _own_columns(text: str, at: int, context: CursorContext) -> int | None:
    """The indentation of a closer that begins its line, else None."""
    start = text.rfind("\n", 0, at)
    before = text[start + 1 : at]
    return width(before, context.tab_size) if start >= 0 and not before.strip() else None


def _owed(opened: tuple[Opener, ...], closed: list[tuple[str, int | None]], *, whole: bool) -> int:
    """How many of the open brackets, innermost first, the text below leaves open."""
    if not closed:
        return len(opened) if whole else 0
    fits = [owed for owed in range(len(opened)) if _pairs(opened[: len(opened) - owed], closed[:3])]
    if not fits:
        return 0
    counted = len(opened) - len(closed)
    return counted if counted in fits else fits[0]


def _pairs(opened: tuple[Opener, ...], closed: list[tuple[str, int | None]]) -> bool:
    """Whether closers fit the innermost openers, by kind, and by indentation where they show it."""
    return all(
        CLOSERS[char] == opener.char and (columns is None or columns == opener.columns)
        for opener, (char, columns) in zip(reversed(opened), closed, strict=False)
    )


def _lines(lines: Iterable[str], context: CursorContext) -> tuple[Line, ...]:
    """The first few lines that are not blank."""
    found: list[Line] = []
    for line in lines:
        if text := line.strip():
            found.append(Line(text=text, columns=width(indent_of(line), context.tab_size)))
            if len(found) == _LINES_BELOW:
                break
    return tuple(found)


def _unit(lines: list[str]) -> str:
    """The document's step of indentation, from how the depth changes between lines."""
    tabs = sum(line.startswith("\t") for line in lines)
    spaced = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    if tabs > sum(depth > 0 for depth in spaced):
        return "\t"
    steps = Counter(
        later - earlier
        for earlier, later in zip(spaced, spaced[1:], strict=False)
        if 2 <= later - earlier <= 8
    )
    return " " * (steps.most_common(1)[0][0] if steps else 4)
