"""Waiting for what nobody tells: a test says what has to come true, never how soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 60.0
"""Far more than anything takes on a busy machine; who waits so long waits in vain."""
_LOOK_S = 0.01


async def until(
    holds: Callable[[], object | Awaitable[object]], *, every_s: float = _LOOK_S
) -> None:
    """Look again and again until ``holds()`` is true; it may be a coroutine function."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(every_s)
