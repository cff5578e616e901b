"""Twenty real servers that type at once on one real store and one strict endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from fim_lsp.pacing.ledger import Spent
from tests.endpoint import Endpoint
from tests.redis_server import RedisServer, running_redis
from tests.team import REPLY, Pace, Seen, most_in_any, team, typing, used_share

pytestmark = [pytest.mark.program("redis-server"), pytest.mark.timeout(240)]

SERVERS = 20
WINDOW_S = 5.0
LIMITS = Spent(500, 60_000)
PACE = Pace(window_s=WINDOW_S, young_s=1.5, longest_retry_s=0.6, store_limit_s=0.5)
"""A short minute; twenty servers on a small machine are slower than a store is."""


@pytest.fixture
def redis(tmp_path: Path) -> Generator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


async def test_twenty_servers_use_the_limit_and_never_exceed_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    seen = Seen()
    async with (
        Endpoint(REPLY) as endpoint,
        team(tmp_path, endpoint, SERVERS, redis.url, PACE, LIMITS) as editors,
    ):
        await asyncio.sleep(WINDOW_S)
        began_s = time.monotonic()
        typists = [
            asyncio.create_task(typing(one, seed, seen, until_s=began_s + 4 * WINDOW_S))
            for seed, one in enumerate(editors)
        ]
        await asyncio.sleep(2 * WINDOW_S)
        redis.kill()
        await asyncio.sleep(0.6 * WINDOW_S)
        redis.start()
        await asyncio.gather(*typists)
        messages = {message for one in editors for message in one.messages}
    used = used_share(endpoint.calls, began_s, began_s + 2 * WINDOW_S, LIMITS.tokens / WINDOW_S)
    most = most_in_any(WINDOW_S, endpoint.calls)
    assert most.requests <= LIMITS.requests
    assert most.tokens <= LIMITS.tokens
    assert used >= 0.9
    assert seen.unanswered == 0
    assert endpoint.violations == []
    assert all("The team's store" in message for message in messages), "away, and back"
    assert seen.asked > 2 * len(endpoint.calls), "more was wanted than the limit gives"
