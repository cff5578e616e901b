"""``fim/status``: what the server is doing, for a status line; sent on change only.

Parameters: ``state`` (``idle``, ``thinking``, ``limited``, ``offline``, ``error`` or ``off``),
``provider``, ``model``, ``message`` (one line, perhaps empty), ``until_s`` (seconds until it goes
on by itself, or null) and ``budget_used`` (0 to 1, the part of the minute's tokens). The last two
are numbers of the moment: that they alone have changed is not sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fim_lsp.completer import Completer
from fim_lsp.server.switches import Switches
from fim_lsp.settings import Settings

METHOD = "fim/status"
_NUMBERS = {"until_s", "budget_used"}

Params = Mapping[str, Any]


def params_of(completer: Completer, settings: Settings, switches: Switches) -> Params:
    """How things stand now."""
    standing = completer.standing()
    state, message, until_s = standing.state, standing.message, standing.until_s
    if switches.off:
        state, message, until_s = "off", switches.off, switches.wakes_in_s
    return {
        "state": state,
        "provider": settings.effective_provider,
        "model": settings.effective_model,
        "message": message,
        "until_s": None if until_s is None or math.isinf(until_s) else round(until_s, 1),
        "budget_used": round(completer.budget.used_share(), 3),
    }


class StatusLine:
    """Says what has changed."""

    def __init__(self) -> None:
        self._last: Params | None = None

    def show(self, params: Params, notify: Callable[[str, Params], None]) -> None:
        """Notify of the status where it differs from the last one but for its numbers."""
        said = {name: value for name, value in params.items() if name not in _NUMBERS}
        if said != self._last:
            self._last = said
            notify(METHOD, params)
