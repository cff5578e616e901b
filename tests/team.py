"""A team at its keyboards: many real servers that draw from one account, and one endpoint.

What they ask for is far more than the limits give, so that the account decides who may.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fim_lsp.errors import UnavailableError
from fim_lsp.pacing.ledger import Spent
from fim_lsp.store import Store
from tests.cursor import CURSOR
from tests.editor import Editor, editing
from tests.endpoint import Call, Endpoint, Reply

ANSWER_WITHIN_S = 30.0
"""A request that takes longer counts as unanswered."""
CHARS_PER_TOKEN = 3.5
TEXT = "".join(f"value_{n:03} = compute({n}, {n * 7})  # once\n" for n in range(120))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a minute is for the servers, and how soon they come back to a store; in seconds."""

    window_s: float = 60.0
    young_s: float | None = None
    longest_retry_s: float | None = None
    store_limit_s: float | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """A server with another minute. Nobody else may set it."""
        lines = [
            "from fim_lsp import store",
            "from fim_lsp.pacing import accounts, redis_ledger",
            f"accounts.WINDOW_S = {self.window_s}",
        ]
        if self.young_s is not None:
            lines.append(f"redis_ledger.YOUNG_S = {self.young_s}")
        if self.longest_retry_s is not None:
            lines.append(f"store.LONGEST_RETRY_S = {self.longest_retry_s}")
        if self.store_limit_s is not None:
            lines.append(f"store.LIMIT_S = {self.store_limit_s}")
        lines += ["from fim_lsp.cli import main", "raise SystemExit(main(['serve']))"]
        return (sys.executable, "-c", "\n".join(lines))


@dataclass(slots=True)
class Seen:
    """What came of the typing."""

    asked: int = 0
    shown: int = 0
    unanswered: int = 0
    waits_s: list[float] = field(default_factory=list[float])
    """From each request to its answer."""


@asynccontextmanager
async def team(
    folder: Path, endpoint: Endpoint, count: int, store_url: str, pace: Pace, limits: Spent
) -> AsyncGenerator[list[Editor]]:
    """As many editors, each with a server of its own, when all servers are in the account."""
    table = endpoint.settings(
        limits={
            "store": store_url,
            "requests_per_minute": limits.requests,
            "tokens_per_minute": limits.tokens,
        },
        trigger={"debounce_ms": 0},
    )
    async with AsyncExitStack() as opened:
        editors: list[Editor] = []
        for number in range(count):
            home = folder / str(number)
            home.mkdir()
            editor = await opened.enter_async_context(editing(home, table, command=pace.command))
            editor.open(TEXT + CURSOR)
            editors.append(editor)
        await asyncio.gather(*(editor.ask() for editor in editors))  # it has its settings by then
        await _all_there(store_url, count)
        yield editors


async def _all_there(store_url: str, count: int) -> None:
    store = Store(store_url)
    script = "return redis.call('ZCARD', redis.call('KEYS', '*:servers')[1])"
    there = 0
    async with asyncio.timeout(120):
        while there < count:
            await asyncio.sleep(0.1)
            if await store.opened():
                with contextlib.suppress(UnavailableError):  # a machine that starts many is slow
                    there = await store.call("EVAL", script, 0)
    await store.aclose()


async def typing(
    editor: Editor, seed: int, seen: Seen, *, until_s: float, gap_s: float = 0.15
) -> None:
    """Begin a line, ask, write another line than was offered, and go on after about ``gap_s``."""
    draw = random.Random(seed)
    number = 0
    while time.monotonic() < until_s:
        number += 1
        editor.type(f"name_{draw.randrange(10**6)}_{number} = ")
        began = time.monotonic()
        seen.asked += 1
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                seen.shown += bool(await editor.ask())
        except TimeoutError:
            seen.unanswered += 1
        seen.waits_s.append(time.monotonic() - began)
        editor.type("0\n")
        await asyncio.sleep(draw.uniform(0.5, 1.5) * gap_s)


def tokens_of(call: Call) -> int:
    """What an endpoint counts for a call."""
    sent = len(str(call.body["prompt"])) + len(str(call.body.get("suffix", "")))
    return int(sent / CHARS_PER_TOKEN) + len(call.pieces)


def most_in_any(window_s: float, calls: Sequence[Call]) -> Spent:
    """The most requests and tokens that came within any window."""
    most, first, tokens = Spent(0, 0), 0, 0
    for at, call in enumerate(calls):
        tokens += tokens_of(call)
        while calls[first].at_s <= call.at_s - window_s:
            tokens -= tokens_of(calls[first])
            first += 1
        most = Spent(max(most.requests, at - first + 1), max(most.tokens, tokens))
    return most


def used_share(calls: Sequence[Call], begin_s: float, end_s: float, tokens_per_s: float) -> float:
    """How much of the tokens that the limit gives between two moments was used."""
    used = sum(tokens_of(call) for call in calls if begin_s <= call.at_s < end_s)
    return used / (tokens_per_s * (end_s - begin_s))


REPLY = Reply(text="compute(1)\n", ttft_s=0.03)
