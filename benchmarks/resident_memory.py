"""How much memory the server holds after an hour of typing, beside the plain server.

    python -m benchmarks.resident_memory [--minutes 60] [--speed 20]

A person types real code into one document after the other, ``--speed`` times as fast as people do;
the model is as much faster, so that as much is asked and remembered as in that time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
from pathlib import Path

from benchmarks.model import Model, Skill
from benchmarks.served import OURS, PLAIN, process
from benchmarks.typing_replay import CLIENTS, Screen, Tally, fill
from benchmarks.typist import Typist, holes

LIMITS = "[limits]\nrequests_per_minute = 100000\ntokens_per_minute = 100000000\n"


def resident_mb(pid: int) -> float:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def hour(command: tuple[str, ...], minutes: float, speed: float) -> list[str]:
    """The cells of a row: memory at the start, and after each quarter of the time."""
    texts = holes(Path(os.__file__).parent, (".py",), 150, seed=1)
    model = Model(Skill(ttft_s=0.18 / speed, per_token_s=0.006 / speed))
    clock = asyncio.get_running_loop().time
    tally = Tally()
    async with process(command, model, "benchmark", LIMITS) as served:
        began_s = clock()
        cells = [f"{resident_mb(served.pid):.1f}"]
        for number, hole in enumerate(itertools.cycle(texts)):
            typist = Typist(random.Random(number), speed=speed)
            model.open(hole)
            await fill(Screen(served, hole, CLIENTS["eager"], tally), typist, tally, accepts=False)
            quarters = int(4 * (clock() - began_s) * speed / (60 * minutes))
            cells += [f"{resident_mb(served.pid):.1f}"] * (min(quarters, 4) + 1 - len(cells))
            if quarters >= 4:
                break
        return [*cells, str(tally.keys), str(len(served.calls()))]


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--speed", type=float, default=20)
    arguments = parser.parse_args()
    print(
        "| MB | start | 1/4 | 1/2 | 3/4 | end | keys | calls |\n|---|---|---|---|---|---|---|---|"
    )
    for title, command in (("fim-lsp", OURS), ("plain server", PLAIN)):
        cells = await hour(command, arguments.minutes, arguments.speed)
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    asyncio.run(main())
