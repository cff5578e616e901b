"""A team's account in a real Redis, in real time: ``python -m benchmarks.team_redis``.

Real servers type on one strict endpoint at the limits as they are, sixty seconds long; in the
middle the store is killed, and started again empty. Printed for each phase: how much of the budget
was used, the most that the endpoint saw within any sixty seconds, and how long requests waited.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from fim_lsp.pacing.ledger import Spent
from tests.endpoint import Call, Endpoint
from tests.redis_server import RedisServer, running_redis
from tests.team import REPLY, Pace, Seen, most_in_any, team, typing, used_share

WINDOW_S = 60.0
LIMITS = Spent(500, 60_000)
PHASES = (
    ("the store works", 2 * WINDOW_S),
    ("the store is gone", WINDOW_S),
    ("the store is back, empty", 2 * WINDOW_S),
)


async def measure(servers: int, gap_s: float, redis: RedisServer, folder: Path) -> None:
    """Type through the phases, and print a row for each."""
    seen = Seen()
    async with (
        Endpoint(REPLY) as endpoint,
        team(folder, endpoint, servers, redis.url, Pace(), LIMITS) as editors,
    ):
        await asyncio.sleep(WINDOW_S)  # the questions that started it have left the minute
        endpoint.calls.clear()
        began_s = time.monotonic()
        until_s = began_s + sum(lasts_s for _, lasts_s in PHASES)
        typists = [
            asyncio.create_task(typing(one, seed, seen, until_s=until_s, gap_s=gap_s))
            for seed, one in enumerate(editors)
        ]
        for act, (_, lasts_s) in zip((None, redis.kill, redis.start), PHASES, strict=True):
            if act:
                act()
            await asyncio.sleep(lasts_s)
        await asyncio.gather(*typists)
    report(endpoint.calls, began_s)
    waits_ms = [1000 * wait_s for wait_s in seen.waits_s]
    most = most_in_any(WINDOW_S, endpoint.calls)
    print(
        f"\nMost in any 60 s: {most.requests} requests, {most.tokens:,} tokens. "
        f"{seen.asked:,} requests, {seen.unanswered} unanswered; answered after "
        f"{median(waits_ms):.1f} ms (median), {quantiles(waits_ms, n=100)[98]:.0f} ms (99 %)."
    )


def report(calls: list[Call], began_s: float) -> None:
    """Print the table."""
    print("| phase | calls | budget used |\n|---|---|---|")
    for name, lasts_s in PHASES:
        end_s = began_s + lasts_s
        made = sum(began_s <= call.at_s < end_s for call in calls)
        used = used_share(calls, began_s, end_s, LIMITS.tokens / WINDOW_S)
        print(f"| {name} ({lasts_s:.0f} s) | {made} | {used:.1%} |")
        began_s = end_s


def main() -> None:
    """Start a store, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--gap", type=float, default=1.0, help="from an answer to the next key, s")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, running_redis(Path(folder)) as redis:
        asyncio.run(measure(options.servers, options.gap, redis, Path(folder)))


if __name__ == "__main__":
    main()
