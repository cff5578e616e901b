"""The code around the cursor, read once for all rules: open brackets, indentation, what is below.

Pure, and remembered for the last few positions, because each chunk of a stream asks again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from fim_lsp.context import PREFIX_CHARS, CursorContext
from fim_lsp.embedded import embedded
from fim_lsp.indent import Style, indent_of, style_of, unit, width
from fim_lsp.language import CLOSERS, Bracket, Language, language, skim
from fim_lsp.line import Line, code_of, head_columns, is_free, nearest, opens_block

_READ_BEFORE_CHARS = 8_000
"""How far back brackets are paired; further openers hardly ever close at the cursor."""
_READ_AFTER_CHARS = 4_000
_CLOSERS = 40
_COMPARED = 3
"""So many brackets tell whether both sides fit; further ones are less often read rightly."""

_BRANCHES = re.compile(
    r"(?:else|elif|elsif|elseif|except|catch|finally|rescue|ensure|when|until"
    r"|end(?:if|for|while|try|def|class|func|function)?|fi|done|esac|then|do)\b"
)
"""What begins a line one step out of the block before it, where no brackets end blocks."""
_LEAVES = re.compile(r"(?:return|raise|break|continue|pass)\b[^([{]*$")
_CODE_INDENTED = re.compile(r"\n(?=[ \t]*(?:async +)?(?:def|class) +\w+[^\n]*[:(,]\n)")
_CODE_BRACED = re.compile(r"\n(?=[^\n*#/]*[{};]\n)")
"""Lines that hardly stand in strings and comments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """A bracket that is open at the cursor."""

    char: str
    columns: int
    """The indentation of its line."""
    at: int = 0
    """How far in it stands itself."""
    blanks: str = ""
    """What its line begins with."""
    head: str = ""
    """Its line up to it; the line above where it stands alone."""
    inline: bool = False
    """It begins a value within a line, such as ``#{``."""


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
    """Those of the language at the cursor, which may be embedded in another."""
    ending: str
    """A pattern of what ends a part that is written in another language than the document."""
    inside: str
    """What would end the string or comment around the cursor; a newline for a line comment."""
    open: tuple[Opener, ...]
    """Brackets open at the cursor, outermost first, as far back as was read."""
    own_openers: int
    """How many of them the cursor's own line opened."""
    closing: tuple[Closer, ...]
    """Brackets that the text right of the cursor and below closes, in its order."""
    sees_start: bool
    """All that is above was read when brackets were looked for."""
    sees_end: bool
    """The document's end was reached when they were looked for."""
    style: Style
    """How the document is indented around the cursor."""
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
        return self.width(self.style.unit)

    @property
    def rest(self) -> str:
        """What follows on the cursor's line."""
        return self.context.line_suffix

    @property
    def opens(self) -> bool:
        """Whether the text left of the cursor, or the line above a blank one, opens a block."""
        if self.inside and self.inside != "\n":
            return False
        if self.blank:
            return bool(self.above) and opens_block(self.above[0].text, self.rules)
        return opens_block(self.context.line_prefix, self.rules)

    @property
    def block_columns(self) -> int:
        """The indentation of the block whose head the nearest line above ends."""
        above = self.above[0]
        is_head = code_of(above.text, self.rules).endswith("{")
        is_head = is_head and self.open and self.open[-1].char == "{"
        return self.open[-1].columns if is_head else above.columns

    @property
    def levels(self) -> set[int]:
        """The indentations that a new line may have here."""
        # the star of a comment's line stands one column to the right
        columns = [one.columns - one.text.startswith("*") for one in self.above if _tells(one)]
        if not columns:
            return {0}
        levels = {self.block_columns + self.step} if self.opens else {columns[0]}
        levels.update(one for one in columns if one <= columns[0])
        levels.update(opener.columns for opener in self.open)
        if self.rules.blocks == "indent" and _LEAVES.match(self.above[0].text):
            levels.discard(columns[0])  # nothing can follow there
        return levels or {0}

    def joins(self, popped: int, own: tuple[Opener, ...] = ()) -> bool:
        """Whether what is open after closing so many brackets is what is closed below.

        Then the next closing bracket is not the completion's to write.
        """
        left = self.open[: max(len(self.open) - popped, 0)] + own
        if not left:
            return bool(self.closing) or self.sees_start
        if (left[-1].inline and not self.rest.strip()) or self._must_close(left[-1]):
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
        sees_all = self.sees_start and self.sees_end and len(self.closing) < _CLOSERS
        if not left or (sees_all and len(left) != len(self.closing)):
            return not left and not self.closing
        return self.joins(popped, own)

    def _must_close(self, opener: Opener) -> bool:
        """Whether the next line is no deeper than the bracket's, and does not close it."""
        if self.rest.strip():
            return False
        if not self.below:
            return False
        code = (line for line in self.below if not is_free(line.text, self.rules))
        line = next(code, self.below[0])
        if self.rules.lists:
            return line.columns <= opener.at
        closes = line.text[0] in CLOSERS and CLOSERS[line.text[0]] == opener.char
        return line.columns < opener.columns or (line.columns == opener.columns and not closes)

    def steps_out(self, text: str) -> bool:
        """Whether a line begins with what stands one step out of the lines above."""
        ends_by_word = self.rules.blocks in ("indent", "words") and _BRANCHES.match(text)
        return text.startswith(tuple(CLOSERS)) or bool(ends_by_word)

    def width(self, blanks: str) -> int:
        """How many columns some blanks take."""
        return width(blanks, self.style.tab_size)

    def indented(self, line: str, columns: int) -> str:
        """A line brought to so many columns of indentation, as the document writes it."""
        tabs, blanks = 0, columns
        if self.style.unit == "\t":
            tabs, blanks = divmod(columns, self.style.tab_size)
        return "\t" * tabs + " " * blanks + line.lstrip(" \t")


@lru_cache(maxsize=16)
def place(context: CursorContext) -> Place:
    """Read the surroundings of a cursor."""
    part = embedded(context)
    rules = language(part.language if part else context.language)
    line = context.line_prefix
    first = part.start if part else 0
    above = _read_above(_from_a_line(context.prefix, first, len(line), rules), rules)
    before = above.text + line
    left = skim(before, rules, above.inside, openers=above.openers, start=len(above.text))
    end = part.end if part else len(context.suffix)
    below = _read_below(context.suffix[:_READ_AFTER_CHARS], end, rules, left.inside)
    blank = not line.strip()
    runs_on = bool(above.inside) and left.inside == above.inside
    start = indent_of(line) + "."
    host = part and _told_step(
        context.prefix[: -len(line) or None], context.suffix[len(context.line_suffix) :]
    )
    usual = host or rules.step
    sure = bool(host) or not rules.step_varies
    style = _style(above, below, start, usual, context.tab_size, sure=sure, runs_on=runs_on)
    return Place(
        context=context,
        rules=rules,
        ending=part.ending if part else "",
        inside=left.inside,
        open=tuple(_opener(one, before, rules, style.tab_size) for one in left.openers),
        own_openers=sum(one.at >= len(above.text) for one in left.openers),
        closing=tuple(_closer(one, context.suffix, style.tab_size) for one in below.closers),
        sees_start=first + len(before) == len(context.prefix) < PREFIX_CHARS,
        sees_end=end < _READ_AFTER_CHARS,
        style=style,
        indent=indent_of(line),
        blank=blank,
        above=_lines_above(above, style.tab_size),
        below=_lines_below(below, style.tab_size),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Above:
    """The lines above the cursor's: the same for each key on one line."""

    text: str
    openers: tuple[Bracket, ...]
    inside: str
    code: tuple[str, ...]
    """Lines without strings and comments that run over several."""
    inner: tuple[str, ...]
    """The lines of such a string or comment, where one has not ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Below:
    """The rest of the cursor's line, and what is below it."""

    lines: tuple[str, ...]
    """All of it, though an embedded language may end before."""
    closers: tuple[Bracket, ...]
    code: tuple[str, ...]
    inner: tuple[str, ...]


@lru_cache(maxsize=8)
def _read_above(text: str, rules: Language) -> _Above:
    skimmed = skim(text, rules)
    start = skimmed.spans[-1][0] if skimmed.inside and skimmed.spans else len(text)
    return _Above(
        text=text,
        openers=skimmed.openers,
        inside=skimmed.inside,
        code=_outside(text, skimmed.spans),
        inner=tuple(text[start:].split("\n")[1:-1]),
    )


@lru_cache(maxsize=8)
def _read_below(whole: str, end: int, rules: Language, inside: str) -> _Below:
    text = whole[:end]
    if len(inside) > 1 and inside not in text:
        inside = ""  # what is begun above has its end in the answer
    skimmed = skim(text, rules, inside)
    runs_on = inside and skimmed.spans and skimmed.spans[0][0] == 0
    left = skimmed.spans[0][1] if runs_on else 0
    return _Below(
        lines=tuple(whole.split("\n")[1:]),
        closers=skimmed.closers[:_CLOSERS],
        code=_outside(text, skimmed.spans)[1:],
        inner=tuple(text[:left].split("\n")[1:]),
    )


def _outside(text: str, spans: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """The lines of a text without what stands in some spans."""
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        pieces.append(text[at:start])
        at = end
    pieces.append(text[at:])
    return tuple("".join(pieces).split("\n"))


@lru_cache(maxsize=8)
def _style(
    above: _Above,
    below: _Below,
    start: str,
    usual: str,
    tab_size: int,
    *,
    sure: bool,
    runs_on: bool,
) -> Style:
    """The indentation of the code, or of the string or comment that the cursor is in."""
    before, after = [*above.code[:-1], start], below.code
    if runs_on and any(map(indent_of, (*above.inner, *below.inner))):
        before, after = [*above.inner, start], below.inner
    return style_of(before, after, usual=usual, sure=sure, tab_size=tab_size)


@lru_cache(maxsize=8)
def _told_step(above: str, below: str) -> str:
    """One step of indentation in a document that holds the part around the cursor, if it tells."""
    return unit(above.split("\n"), below.split("\n"))


@lru_cache(maxsize=8)
def _lines_above(above: _Above, tab_size: int) -> tuple[Line, ...]:
    return nearest(reversed(above.text.split("\n")[:-1]), tab_size)


@lru_cache(maxsize=8)
def _lines_below(below: _Below, tab_size: int) -> tuple[Line, ...]:
    return nearest(below.lines, tab_size)


def _tells(line: Line) -> bool:
    """Whether a line's indentation tells that of its neighbours."""
    return not line.text.startswith("#") or line.columns > 0


def _from_a_line(prefix: str, first: int, line_chars: int, rules: Language) -> str:
    """The end of what is above the cursor's line, from a line on that is likely plain code.

    Started inside a docstring, everything would be read inside out.
    """
    end = len(prefix) - line_chars
    if end - first <= _READ_BEFORE_CHARS:
        return prefix[first:end]
    start = end - _READ_BEFORE_CHARS
    code = _CODE_INDENTED if rules.blocks == "indent" else _CODE_BRACED
    anchor = code.search(prefix, start, min(start + _READ_BEFORE_CHARS // 2, end))
    return prefix[anchor.end() if anchor else prefix.find("\n", start) + 1 : end]


def _opener(bracket: Bracket, text: str, rules: Language, tab_size: int) -> Opener:
    start = text.rfind("\n", 0, bracket.line_at) + 1
    line = text[start : bracket.at + 1]
    columns = width(indent_of(line), tab_size)
    if bracket.char == "{" and rules.blocks == "brackets" and columns:
        earlier = nearest(_backwards(text, start), tab_size)
        columns = head_columns(line.strip(), columns, earlier, rules)
    inline = bracket.char == "{" and line[-2:-1] in ("#", "$")
    head = line.strip()
    if head == "{":
        head = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : start].strip()
    return Opener(
        char=bracket.char,
        columns=columns,
        at=width(text[text.rfind("\n", 0, bracket.at) + 1 : bracket.at], tab_size),
        blanks=indent_of(line),
        head=head,
        inline=inline,
    )


def _closer(bracket: Bracket, text: str, tab_size: int) -> Closer:
    start = text.rfind("\n", 0, bracket.at)
    before = text[start + 1 : bracket.at]
    begins = start >= 0 and not before.strip()
    return Closer(char=bracket.char, columns=width(before, tab_size) if begins else None)


def _backwards(text: str, end: int) -> Iterator[str]:
    """The lines before an offset, last first."""
    while end > 0:
        start = text.rfind("\n", 0, end - 1) + 1
        yield text[start : end - 1]
        end = start
