"""How a document is indented: with tabs or spaces, and how far one step goes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

_OPENERS = ("{", ":", "(", "[")
_ANCESTORS_READ = 60
_ANCESTOR_WEIGHT, _BLOCK_WEIGHT = 6, 4
"""The blocks around the cursor tell most, what follows any opened block tells more than the rest:
other lines may be aligned to anything."""


def indent_of(line: str) -> str:
    """The blanks that a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(blanks: str, tab_size: int) -> int:
    """How many columns some blanks take."""
    return len(blanks.expandtabs(tab_size)) if "\t" in blanks else len(blanks)


def mixes_blanks(lines: Sequence[str]) -> bool:
    """Whether a document indents with tabs and with spaces in turn."""
    tabs = sum(line.startswith("\t") for line in lines)
    spaces = sum(line.startswith("  ") for line in lines)
    return min(tabs, spaces) * 10 > tabs + spaces


def unit(before: Sequence[str], after: Sequence[str]) -> str:
    """One step of indentation: a tab, some spaces, or nothing where the lines do not tell.

    It is read from how the depth changes between lines: ``before`` ends with the cursor's line,
    ``after`` begins behind it, and nothing is known of what is to come between them.
    """
    before, after = (
        [line for line in lines if line.strip() and not line.lstrip().startswith("*")]
        for lines in (before, after)
    )
    depths = [len(line) - len(line.lstrip(" ")) for line in (*before, *after)]
    indented = [depth for depth in depths if depth > 1]
    tabs = sum(line.startswith("\t") for line in (*before, *after))
    if tabs > len(indented):
        return "\t"
    steps = _steps(before) + _steps(after) + _ancestor_steps(before)
    if not steps:
        return " " * min(indented, default=0) if min(indented, default=0) <= 8 else ""
    odd = sum(depth in (2, 6) for depth in indented)  # hardly by alignment, if they are many
    step = steps.most_common(1)[0][0]
    return " " * (2 if step == 4 and odd * 4 > len(indented) else step)


def _steps(lines: Sequence[str]) -> Counter[int]:
    """How often the depth grows by how much from one line to the next."""
    steps: Counter[int] = Counter()
    depths = [len(line) - len(line.lstrip(" ")) for line in lines]
    for line, (earlier, later) in zip(lines, pairwise(depths), strict=False):
        if 2 <= later - earlier <= 8:
            steps[later - earlier] += _BLOCK_WEIGHT if line.rstrip().endswith(("{", ":")) else 1
    return steps


def _ancestor_steps(lines: Sequence[str]) -> Counter[int]:
    """The steps between the lines that open the blocks around the last line."""
    steps: Counter[int] = Counter()
    if not lines:
        return steps
    inner = len(indent_of(lines[-1]))
    for line in reversed(lines[-_ANCESTORS_READ:-1]):
        depth = len(line) - len(line.lstrip(" "))
        if depth < inner:
            if 2 <= inner - depth <= 8 and line.rstrip().endswith(_OPENERS):
                steps[inner - depth] += _ANCESTOR_WEIGHT
            inner = depth
    return steps
