"""The code around the cursor, read once for all rules: open brackets, indentation, what is below.

Pure, and remembered for the last few positions, because each chunk of a stream asks again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from fim_lsp.context import CursorContext
from fim_lsp.language import CLOSERS, Bracket, Language, language, skim

_READ_BEFORE_CHARS = 8_000
"""How far back brackets are paired; further openers hardly ever close at the cursor."""
_READ_AFTER_CHARS = 4_000
_CLOSERS = 40
_COMPARED = 3
"""So many brackets tell whether both sides fit; further ones are less often read rightly."""
_LINES_BELOW = 6
_LINES_READ = 300

_OPENS = re.compile(r"(?:[{(\[:]|=>|->|\b(?:then|do|else|begin|try|repeat)|\|[\w, ]*\|)$")
_CONTINUES = re.compile(r"(?:[=+\-*/%&|^<>,?.\\]|\b(?:and|or|not|in|is|return|extends|throws))$")
_WORD_OPENS = re.compile(
    r"(?:def|class|module|if|unless|while|until|for|case|function|local function|begin|describe|it)"
    r"\b"
)
_CODE_INDENTED = re.compile(r"\n(?=[ \t]*(?:async +)?(?:def|class) +\w+[^\n]*[:(,]\n)")
_CODE_BRACED = re.compile(r"\n(?=[^\n*#/]*[{};]\n)")
"""Lines that hardly stand in strings and comments."""
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
class Closer:
    """A bracket below the cursor that nothing below opens."""

    char: str
    columns: int | None
    """The indentation of its line where it begins that line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the rules know of a cursor's place."""

    context: CursorContext
    rules: Language
    inside: str
    """What would end the string or comment around the cursor; a newline for a line comment."""
    open: tuple[Opener, ...]
    """Brackets open at the cursor, outermost first, as far back as was read."""
    closing: tuple[Closer, ...]
    """Brackets that the text right of the cursor and below closes, in its order."""
    sees_end: bool
    """The document's end was reached when they were looked for."""
    mixed: bool
    """The document indents with tabs and with spaces."""
    tab_size: int
    """Columns of a tab: 8 where the document mixes them with spaces, else as the client says."""
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
    def own_openers(self) -> int:
        """How many of the open brackets the cursor's own line opened."""
        return len(skim(self.context.line_prefix, self.rules).openers)

    @property
    def rest(self) -> str:
        """What follows on the cursor's line."""
        return self.context.line_suffix

    @property
    def opens(self) -> bool:
        """Whether the text left of the cursor, or the line above a blank one, opens a block."""
        if self.inside:
            return False
        if self.blank:
            return bool(self.above) and opens_block(self.above[0].text, self.rules)
        return opens_block(self.context.line_prefix, self.rules)

    def joins(self, popped: int, own: tuple[Opener, ...] = ()) -> bool:
        """Whether what is open after closing so many brackets is what is closed below.

        Then the next closing bracket is not the completion's to write.
        """
        left = self.open[: max(len(self.open) - popped, 0)] + own
        if not left:
            return bool(self.closing)
        if self._must_close(left[-1]):
            return False
        if self.sees_end and self.own_openers - popped > len(self.closing):
            return False
        if not self.closing:
            return not self.sees_end and left[-1].char == "{"
        first = self.closing[0].columns
        return first in (None, left[-1].columns) and all(
            CLOSERS[closer.char] == opener.char
            for opener, closer in zip(reversed(left), self.closing[:_COMPARED], strict=False)
        )

    def fits(self, popped: int, own: tuple[Opener, ...] = ()) -> bool:
        """Whether nothing would be missing or too much between the text so far and below."""
        left = self.open[: max(len(self.open) - popped, 0)] + own
        if not left:
            return not self.closing
        return self.joins(popped, own)

    def _must_close(self, opener: Opener) -> bool:
        """Whether the next line is no deeper than the bracket's, and does not close it."""
        if self.rest.strip():
            return False
        line = next((line for line in self.below if not _is_free(line.text, self.rules)), None)
        if line is None:
            return False
        closes = line.text[0] in CLOSERS and CLOSERS[line.text[0]] == opener.char
        return line.columns < opener.columns or (line.columns == opener.columns and not closes)

    def width(self, blanks: str) -> int:
        """How many columns some blanks take."""
        return width(blanks, self.tab_size)


@lru_cache(maxsize=16)
def place(context: CursorContext) -> Place:
    """Read the surroundings of a cursor."""
    rules = language(context.language)
    line = context.line_prefix
    above = context.prefix[-_READ_BEFORE_CHARS:].split("\n")[:-1][-_LINES_READ:]
    below = context.suffix[:_READ_AFTER_CHARS].split("\n")[1:]
    near = [*above, line, *below]
    mixed = _mixes_blanks(near)
    tab_size = 8 if mixed else context.tab_size
    before = _from_a_line(context.prefix, rules)
    left = skim(before, rules)
    right = skim(context.suffix[:_READ_AFTER_CHARS], rules, left.inside)
    return Place(
        context=context,
        rules=rules,
        inside=left.inside,
        open=tuple(_opener(one, before, tab_size) for one in left.openers),
        closing=tuple(_closer(one, context.suffix, tab_size) for one in right.closers[:_CLOSERS]),
        sees_end=len(context.suffix) < _READ_AFTER_CHARS,
        mixed=mixed,
        tab_size=tab_size,
        unit=_unit([*above, line + "." * (not line.strip()), *below], context.tab_size),
        indent=indent_of(line),
        blank=not line.strip(),
        above=_lines(reversed(above), tab_size),
        below=_lines(below, tab_size),
    )


def _mixes_blanks(lines: list[str]) -> bool:
    """Whether a document indents with tabs and with spaces in turn."""
    tabs = sum(line.startswith("\t") for line in lines)
    spaces = sum(line.startswith("  ") for line in lines)
    return min(tabs, spaces) * 10 > tabs + spaces


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


def _is_free(line: str, rules: Language) -> bool:
    """Whether a line's indentation says nothing: comments, labels, preprocessor lines."""
    starts = (*rules.line_comments, *(opening for opening, _ in rules.block_comments), "*")
    return line.startswith(starts) or bool(rules.free_lines and re.match(rules.free_lines, line))


def _in_quotes(code: str, rules: Language) -> bool:
    return any(code.count(quote) % 2 for quote in rules.quotes)


def indent_of(line: str) -> str:
    """The blanks that a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(blanks: str, tab_size: int) -> int:
    """How many columns some blanks take."""
    return len(blanks.expandtabs(tab_size)) if "\t" in blanks else len(blanks)


def _from_a_line(prefix: str, rules: Language) -> str:
    r"""The end of the prefix, from a line on that is likely no part of a string or comment.

    Started inside a docstring, everything would be read inside out.
    """
    if len(prefix) <= _READ_BEFORE_CHARS:
        return prefix
    start = len(prefix) - _READ_BEFORE_CHARS
    code = _CODE_INDENTED if rules.blocks == "indent" else _CODE_BRACED
    anchor = code.search(prefix, start, start + _READ_BEFORE_CHARS // 2)
    return prefix[anchor.end() if anchor else prefix.find("\n", start) + 1 :]


def _opener(bracket: Bracket, text: str, tab_size: int) -> Opener:
    start = text.rfind("\n", 0, bracket.line_at) + 1
    columns = width(indent_of(text[start : bracket.line_at + 1]), tab_size)
    return Opener(char=bracket.char, columns=columns)


def _closer(bracket: Bracket, text: str, tab_size: int) -> Closer:
    start = text.rfind("\n", 0, bracket.at)
    before = text[start + 1 : bracket.at]
    begins = start >= 0 and not before.strip()
    return Closer(char=bracket.char, columns=width(before, tab_size) if begins else None)


def _lines(lines: Iterable[str], tab_size: int) -> tuple[Line, ...]:
    """The first few lines that are not blank."""
    found: list[Line] = []
    for line in lines:
        if text := line.strip():
            found.append(Line(text=text, columns=width(indent_of(line), tab_size)))
            if len(found) == _LINES_BELOW:
                break
    return tuple(found)


def _unit(lines: list[str], tab_size: int) -> str:
    """The document's step of indentation, from how the depth changes between lines.

    What follows an opened block counts most: other lines may be aligned to anything.
    """
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("*")]
    depths = [len(line) - len(line.lstrip(" ")) for line in lines]
    tabs = sum(line.startswith("\t") for line in lines)
    if tabs > sum(depth > 1 for depth in depths):
        return "\t"
    steps: Counter[int] = Counter()
    for line, (earlier, later) in zip(lines, pairwise(depths), strict=False):
        if 2 <= later - earlier <= 8:
            steps[later - earlier] += 4 if line.rstrip().endswith(("{", ":")) else 1
    indented = [depth for depth in depths if depth > 1]
    if not steps:
        return " " * (min(indented) if indented and min(indented) <= 8 else tab_size)
    odd = sum(depth in (2, 6) for depth in indented)  # hardly by alignment, if they are many
    step = steps.most_common(1)[0][0]
    return " " * (2 if step == 4 and odd * 4 > len(indented) else step)
