"""Twenty real servers that type at once on one real store and one strict endpoint."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from fim_lsp.pacing.ledger import Spent
from tests.endpoint import Call, Endpoint
from tests.patience import until
from tests.redis_server import RedisServer, running_redis
from tests.team import REPLY, Pace, Seen, most_in_any, team, typing

pytestmark = [pytest.mark.program("redis-server"), pytest.mark.timeout(240)]

SERVERS = 20
WINDOW_S = 5.0
LIMITS = Spent(500, 60_000)
PACE = Pace(window_s=WINDOW_S, young_s=5.0, longest_retry_s=0.6, store_limit_s=5.0)
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
        typists = [
            asyncio.create_task(typing(one, seed, seen, until_s=math.inf))
            for seed, one in enumerate(editors)
        ]
        await until(lambda: is_used_up(endpoint.calls), every_s=0.5)
        redis.kill()
        await asyncio.sleep(0.6 * WINDOW_S)
        redis.start()
        await asyncio.sleep(2 * WINDOW_S)
        for one in typists:
            one.cancel()
        await asyncio.wait(typists)
        messages = {message for one in editors for message in one.messages}
    most = most_in_any(WINDOW_S, endpoint.calls)
    assert most.requests <= LIMITS.requests
    assert most.tokens <= LIMITS.tokens
    assert seen.unanswered == 0
    assert endpoint.violations == []
    assert all("The team's store" in message for message in messages), "away, and back"
    assert seen.asked > len(endpoint.calls), "more was wanted than the limit gives"


def is_used_up(calls: Sequence[Call]) -> bool:
    """Whether the team has had what the limit gives, all but what is kept for explicit requests."""
    return most_in_any(WINDOW_S, calls).tokens >= 0.9 * LIMITS.tokens
