"""Hanging up at random moments, and what must be left behind: nothing."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

from fim_lsp.providers import FimRequest
from fim_lsp.providers.http import HttpProvider
from tests.endpoint import Endpoint

REQUEST = FimRequest(prompt="def add(a, b):\n    ", suffix="\n", max_tokens=40)


async def hang_up_often(
    provider: HttpProvider, endpoint: Endpoint, count: int, *, seed: int = 1
) -> Counter[str]:
    """Start ``count`` calls and cancel each at a random moment; how many had come how far.

    Half of the moments are counted in turns of the event loop, which reaches every place where the
    client waits, and half in time.
    """
    moments, rng = Counter[str](), random.Random(seed)
    for _ in range(count):
        calls_before, pieces = len(endpoint.calls), list[str]()
        reading = asyncio.create_task(_read(provider, pieces))
        if rng.random() < 0.5:
            for _ in range(rng.randrange(60)):
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(rng.random() * 0.012)
        if reading.done():
            moments["finished before"] += 1
        elif pieces:
            moments["streaming"] += 1
        else:
            moments["waiting" if len(endpoint.calls) > calls_before else "connecting"] += 1
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    return moments


async def ask(provider: HttpProvider) -> str:
    """One normal request's text."""
    pieces: list[str] = []
    await _read(provider, pieces)
    return "".join(pieces)


async def _read(provider: HttpProvider, pieces: list[str]) -> None:
    async with aclosing(provider.stream(REQUEST)) as chunks:
        async for chunk in chunks:
            pieces += [chunk.text]


def open_descriptors() -> int:
    """Files and sockets that this process has open (Linux)."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def complaints() -> Generator[list[str]]:
    """Everything that Python or the event loop complains of on the side, within the block."""
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(str(context)))
    hook = sys.unraisablehook
    sys.unraisablehook = lambda raised: heard.append(str(raised))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            yield heard
            gc.collect()
        finally:
            sys.unraisablehook = hook
            loop.set_exception_handler(None)
            heard += [str(warning.message) for warning in warned]
