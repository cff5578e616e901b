"""A minute's budget so small that a few suggestions use half of it, with room for the next one."""

from __future__ import annotations

from collections.abc import Callable

from tests.editors.readme import Typist
from tests.endpoint import Endpoint, Reply

LIMIT = 6_000
"""Tokens a minute."""
ABOVE = "# what stands above is read, too\n" * 100
REPLY = Reply(text=lambda prompt, _: "1" if prompt.endswith("= ") else "")


def use_half(editor: Typist, endpoint: Endpoint, *, seen: Callable[[], None]) -> float:
    """Accept what ``seen`` waits for and ask again, until half is used; the share used then."""
    seen()
    for name in "yzuvwstr":
        tokens = sum(call.usage["total_tokens"] for call in endpoint.calls)
        if tokens > LIMIT / 2:
            return tokens / LIMIT
        editor.keys("Tab", "Enter")
        editor.type(f"{name} = ")
        seen()
    raise AssertionError(f"{len(endpoint.calls)} calls do not use half of the budget")
