"""``fim/status``: what the server is doing, for a status line; sent on change only.

Parameters: ``state`` (``idle``, ``thinking``, ``limited``, ``offline``, ``error`` or ``off``),
``provider``, ``model``, ``message`` (one line, perhaps empty), ``until_s`` (seconds until it will
try again, or null) and ``budget_used`` (0 to 1, the part of the minute's tokens).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fim_lsp.completer import Completer
from fim_lsp.settings import Settings

METHOD = "fim/status"


class StatusLine:
    """Says what has changed."""

    def __init__(self) -> None:
        self._last: tuple[str, str, str, str] | None = None

    def show(
        self,
        completer: Completer,
        settings: Settings,
        notify: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        """Notify of the status where it differs from the last one but for its numbers."""
        standing = completer.standing()
        said = (
            standing.state,
            settings.effective_provider,
            settings.effective_model,
            standing.message,
        )
        if said == self._last:
            return
        self._last = said
        until_s = standing.until_s
        notify(
            METHOD,
            {
                "state": standing.state,
                "provider": settings.effective_provider,
                "model": settings.effective_model,
                "message": standing.message,
                "until_s": None if until_s is None or math.isinf(until_s) else round(until_s, 1),
                "budget_used": round(completer.budget.used_share(), 3),
            },
        )
