"""``fim/status``: what the server is doing, for a status line; sent on change only.

Parameters: ``state`` (``idle``, ``thinking``, ``limited``, ``offline``, ``error`` or ``off``),
``provider``, ``model``, ``message`` (one line, perhaps empty), ``until_s`` (seconds until it goes
on by itself, or null) and ``budget_used`` (0 to 1, the part of the minute's tokens, or null with
the embedded model, which has no limit). The last two are numbers of the moment: they alone are sent
only where the budget has moved visibly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fim_lsp.completer import Completer
from fim_lsp.server.switches import Switches
from fim_lsp.settings import Settings

METHOD = "fim/status"
BUDGET_STEP = 0.05
"""What the budget moves by before that alone is worth a notification."""
BUDGET_AGAIN_S = 5.0
"""How often a budget that is used is looked at again: it comes back while nobody asks."""
MENDED_AGAIN_S = 1.5
"""How often the settings are looked at while something may be wrong in them."""
_NUMBERS = {"until_s", "budget_used"}

Params = Mapping[str, Any]


def params_of(
    completer: Completer, settings: Settings, switches: Switches, problems: Sequence[str] = ()
) -> Params:
    """How things stand now; where all is well, the first of the settings' problems is told."""
    standing = completer.standing()
    state, message, until_s = standing.state, standing.message, standing.until_s
    message = message or next(iter(problems), "")
    if switches.off:
        state, message, until_s = "off", switches.off, switches.wakes_in_s
    return {
        "state": state,
        "provider": settings.effective_provider,
        "model": settings.effective_model,
        "message": message,
        "until_s": None if until_s is None or math.isinf(until_s) else _rounded_up(until_s),
        "budget_used": None if completer.provider.free else round(completer.budget.used_share(), 3),
    }


def _rounded_up(seconds: float) -> float:
    """To a tenth, and never to nothing: who looks again after it must find the time over."""
    return math.ceil(max(seconds, 0.1) * 10) / 10


def looked_at_again_in_s(params: Params) -> float | None:
    """Seconds until time or the person may have changed something; None where they cannot."""
    if params["message"] and params["state"] not in {"limited", "off"}:
        return min(params["until_s"] or MENDED_AGAIN_S, MENDED_AGAIN_S)
    return params["until_s"] or (BUDGET_AGAIN_S if params["budget_used"] else None)


class StatusLine:
    """Says what has changed."""

    def __init__(self) -> None:
        self._last: Params = {}

    def show(self, params: Params, notify: Callable[[str, Params], None]) -> None:
        """Notify of the status where it is news."""
        if self._is_news(params):
            self._last = params
            notify(METHOD, params)

    def _is_news(self, params: Params) -> bool:
        if any(self._last.get(name) != params[name] for name in params.keys() - _NUMBERS):
            return True
        before, now = self._last["budget_used"] or 0, params["budget_used"] or 0
        has_moved = round(abs(now - before), 3) >= BUDGET_STEP
        return has_moved or (now == 0) != (before == 0)
