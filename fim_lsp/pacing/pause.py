"""How long to wait after a key before a new call is worth its price.

A call is wasted where the next key refutes it before anything was shown. Keys that agree with it
join it, and a line on which the model has been wrong has its own rule, so the pause can be short:
shortest at the start of a line, where people think; longer inside a word, where the next key comes
at once. An endpoint that answers well before the next key leaves time to see that key first. What
the editor has waited already is taken off. Known answers never wait here.
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
_START_OF_LINE_S = 0.005
_BOUNDARY_GAPS = 0.05
_IN_WORD_GAPS = 0.1
_OF_SPARE_TIME = 0.5
"""How much of the time until the next key, less the answer's own, may be waited inside a word."""
_DISTRUSTED_GAPS = 2.5
"""Behind a wrong suggestion only a real pause is reason enough to ask."""
_LONGEST_PAUSE_S = 0.5

CLIENT_WAITS_S = {
    "neovim": 0.2,
    "visual studio code": 0.05,
    "code-server": 0.05,
    "vscodium": 0.05,
    "helix": 0.25,
    "fim-lsp.vim": 0.03,
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


def pause_s(
    context: CursorContext, *, gap_s: float, latency_s: float = 0.0, distrusted: bool
) -> float:
    """Seconds from the key to the call, for an automatic request whose answer is not known.

    ``latency_s`` is what the endpoint needs to its first text; 0 where that is not known yet.
    """
    line = context.line_prefix
    if distrusted:
        wanted_s = _DISTRUSTED_GAPS * gap_s
    elif not line.strip():
        wanted_s = _START_OF_LINE_S
    elif line[-1].isalnum() or line[-1] == "_":
        spare_s = gap_s - latency_s if latency_s else 0.0
        wanted_s = max(_IN_WORD_GAPS * gap_s, _OF_SPARE_TIME * spare_s)
    else:
        wanted_s = _BOUNDARY_GAPS * gap_s
    return min(wanted_s, _LONGEST_PAUSE_S)
