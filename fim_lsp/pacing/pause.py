"""How long to wait after a key before a new call is worth its price.

A call made between two quick keys is mostly wasted: the next key makes it stale or shows that it
was wrong. So the pause follows the person's own rhythm, and the place: at the start of a line
people think, after a bracket or a blank a token begins, inside a word they just type on. What the
editor has waited already is taken off. Known answers never wait here.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from fim_lsp.context import CursorContext

_GAPS = 32
_LONGEST_GAP_S = 1.0
"""A longer gap is thinking, not typing."""
_USUAL_GAP_S = 0.16
_START_OF_LINE_S = 0.03
_BOUNDARY_GAPS = 0.2
_IN_WORD_GAPS = 0.4
_DISTRUSTED_GAPS = 2.5
"""Behind a wrong suggestion only a real pause is reason enough to ask."""
_LONGEST_PAUSE_S = 0.5

CLIENT_WAITS_S = {
    "neovim": 0.2,
    "visual studio code": 0.05,
    "code-server": 0.05,
    "vscodium": 0.05,
    "helix": 0.25,
}
"""What an editor waits by itself after a key, by its name (``clientInfo.name`` in lower case)."""


class Rhythm:
    """How fast a person types: the middle of the last gaps between keys."""

    def __init__(self) -> None:
        self._gaps_s: deque[float] = deque(maxlen=_GAPS)
        self._last_at: float | None = None

    def key(self, at: float) -> None:
        """Note an edit at the clock's time ``at``, in seconds."""
        if self._last_at is not None and 0 < at - self._last_at <= _LONGEST_GAP_S:
            self._gaps_s.append(at - self._last_at)
        self._last_at = at

    def since_key_s(self, now: float) -> float:
        """How long ago the last edit was; infinitely long where there was none."""
        return math.inf if self._last_at is None else now - self._last_at

    @property
    def gap_s(self) -> float:
        """The middle gap; a usual one until there are enough."""
        return median(self._gaps_s) if len(self._gaps_s) >= 8 else _USUAL_GAP_S


def pause_s(context: CursorContext, *, gap_s: float, distrusted: bool) -> float:
    """Seconds from the key to the call, for an automatic request whose answer is not known."""
    line = context.line_prefix
    if distrusted:
        gaps = _DISTRUSTED_GAPS
    elif not line.strip():
        return _START_OF_LINE_S
    else:
        gaps = _IN_WORD_GAPS if line[-1].isalnum() or line[-1] == "_" else _BOUNDARY_GAPS
    return min(gaps * gap_s, _LONGEST_PAUSE_S)
