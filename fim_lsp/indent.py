"""How a document is indented: with tabs or spaces, and how far one step goes. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

_BLOCK_OPENERS = ("{", ":")
_OPENERS = (*_BLOCK_OPENERS, "(", "[")
_GO_ON = (",", "(", "&&", "||", "\\")
_CONTINUES = re.compile(
    r"[ \t]*(?:\*|(?:[.?:=+&|] ?[\w$({\[]|(?:and|or|if|unless)\b.*;$)(?!.*[{:]$))"
)
"""A line of a comment, or one that goes on with the statement of the line before."""
_ANCESTORS_READ = 60
_ANCESTOR_WEIGHT, _BLOCK_WEIGHT = 6, 4
"""The blocks around the cursor tell most, what follows any opened block tells more than the rest:
other lines may be aligned to anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a document is indented around a cursor."""

    mixed: bool
    """With tabs and with spaces in turn."""
    uniform: bool
    """The nearest lines are indented with what the document is."""
    tab_size: int
    """Columns of a tab: 8 where the document mixes them with spaces, else what is usual."""
    unit: str
    """One step of indentation: a tab, or some spaces."""
    tells_step: bool
    """The document shows how far a step goes; else it is what is usual."""
    tells_blanks: bool
    """It, or whoever knows what is usual, is sure whether that is a tab or spaces."""


def style_of(
    before: Sequence[str], after: Sequence[str], *, usual: str, sure: bool, tab_size: int
) -> Style:
    """Read the lines before and behind a cursor; ``before`` ends with the cursor's line.

    ``usual`` is one step of indentation as most write it in this language, ``sure`` whether nearly
    all do, ``tab_size`` what a tab is worth where it does not tell, in columns.
    """
    mixed = mixes_blanks((*before, *after))
    told = unit(before, after)
    step = told or usual
    near = [_nearest(before[:-1], backwards=True), _nearest(after)]
    return Style(
        mixed=mixed,
        uniform=all(line[:1] in ("", step[0]) for line in near),
        tab_size=8 if mixed else tab_size,
        unit=step,
        tells_step=bool(told),
        tells_blanks=bool(told) or sure,
    )


def _nearest(lines: Sequence[str], *, backwards: bool = False) -> str:
    """The first indented line, or the last, that does not go on with the one before."""
    numbers = range(len(lines))
    for number in reversed(numbers) if backwards else numbers:
        before = lines[number - 1].rstrip() if number else ""
        if indent_of(lines[number]) and not before.endswith(_GO_ON):
            return lines[number]
    return ""


def indent_of(line: str) -> str:
    """The blanks that a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(blanks: str, tab_size: int) -> int:
    """How many columns some blanks take."""
    return len(blanks.expandtabs(tab_size)) if "\t" in blanks else len(blanks)


def comparable(one: str, other: str) -> bool:
    """Whether it is certain which of two indentations is deeper: not so of a tab and spaces."""
    return one.startswith(other) or other.startswith(one)


def mixes_blanks(lines: Sequence[str]) -> bool:
    """Whether a document indents with tabs and with spaces in turn."""
    text = "\n".join(("", *lines))  # counting in it is faster than asking each line
    tabs, spaces = text.count("\n\t"), text.count("\n  ")
    return min(tabs, spaces) * 10 > tabs + spaces


def unit(before: Sequence[str], after: Sequence[str]) -> str:
    """One step of indentation: a tab, some spaces, or nothing where the lines do not tell.

    It is read from how the depth changes between lines: ``before`` ends with the cursor's line,
    ``after`` begins behind it, and nothing is known of what is to come between them.
    """
    above, below = list(filter(None, map(_head, before))), list(filter(None, map(_head, after)))
    depths = [head.spaces for head in (*above, *below)]
    indented = [depth for depth in depths if depth > 1]
    if sum(head.has_tab for head in (*above, *below)) > len(indented):
        return "\t"
    steps = _steps(above) + _steps(below) + _ancestor_steps(above)
    if not steps:
        least = min(indented, default=0)
        return " " * least if least <= 8 and not all(depths) else ""
    odd = sum(depth in (2, 6) for depth in indented)  # hardly by alignment, if they are many
    step = steps.most_common(1)[0][0]
    return " " * (2 if step == 4 and odd * 4 > len(indented) else step)


class _Head(NamedTuple):
    """How a line begins, and whether it opens a block."""

    spaces: int
    """Up to the first other character, though it be a tab."""
    blanks: int
    """Spaces and tabs."""
    has_tab: bool
    """At its very start."""
    opens_block: bool
    opens: bool
    """A block, or brackets."""


@lru_cache(maxsize=4096)
def _head(line: str) -> _Head | None:
    """What a line tells of indentation; None where it is blank or goes on with the one before.

    From one key to the next nearly all lines are the same.
    """
    content = line.rstrip()
    if not content or _CONTINUES.match(line):
        return None
    return _Head(
        spaces=len(line) - len(line.lstrip(" ")),
        blanks=len(indent_of(line)),
        has_tab=line.startswith("\t"),
        opens_block=content.endswith(_BLOCK_OPENERS),
        opens=content.endswith(_OPENERS),
    )


def _steps(lines: Sequence[_Head]) -> Counter[int]:
    """How often the depth grows by how much from one line to the next."""
    steps: Counter[int] = Counter()
    for line, following in pairwise(lines):
        step = following.spaces - line.spaces
        if 2 <= step <= 8:
            steps[step] += _BLOCK_WEIGHT if line.opens_block else 1
    return steps


def _ancestor_steps(lines: Sequence[_Head]) -> Counter[int]:
    """The steps between the lines that open the blocks around the last line."""
    steps: Counter[int] = Counter()
    if not lines:
        return steps
    inner = lines[-1].blanks
    for line in reversed(lines[-_ANCESTORS_READ:-1]):
        if line.spaces < inner:
            if 2 <= inner - line.spaces <= 8 and line.opens:
                steps[inner - line.spaces] += _ANCESTOR_WEIGHT
            inner = line.spaces
    return steps
