"""The fault matrix, with figures: ``python -m benchmarks.faults`` prints a row for each fault."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.faults import ROWS, Played, play

AT_ONCE = 3


def main() -> None:
    """Play every row and print what came of it."""
    asyncio.run(_play_all())


async def _play_all() -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    print("| fault | unanswered | messages | slowest answer | back after | MB | descriptors |")
    print("|---|---|---|---|---|---|---|")

    async def one(name: str) -> Played:
        async with gate:
            with tempfile.TemporaryDirectory() as folder:
                played = await play(ROWS[name], Path(folder))
        print(
            f"| {name} | {played.unanswered} of {played.asked} | {len(played.messages)} "
            f"| {played.slowest_s:.1f} s | {played.back_s:.1f} s | {played.rss_growth_mb:+.1f} "
            f"| {played.descriptor_growth:+d} |",
            flush=True,
        )
        return played

    all_played = await asyncio.gather(*(one(name) for name in ROWS))
    print(
        f"\n{len(ROWS)} faults, {sum(one.asked for one in all_played)} requests: "
        f"{sum(one.unanswered for one in all_played)} unanswered, "
        f"at most {max(len(one.messages) for one in all_played)} message for a fault, ghost text "
        f"back after {max(one.back_s - one.cool_down_s for one in all_played):.1f} s beyond the "
        f"cool-down at the latest, memory {max(one.rss_growth_mb for one in all_played):+.1f} MB "
        f"(peak {max(one.peak_growth_mb for one in all_played):+.1f} MB) and descriptors "
        f"{max(one.descriptor_growth for one in all_played):+d} at the most"
    )


if __name__ == "__main__":
    main()
