"""How long an editor waits for the server to be there, beside a pygls server that does nothing.

    python -m benchmarks.start_up [--count 15] [--imports]

From the start of the process to its answer to ``initialize``, the two in turns, by the clock and by
the processor, which a busy machine stretches less. ``--imports`` shows what the interpreter loads
until then, the most expensive first.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.served import OURS, initialize_params
from fim_lsp.lsp_client import LspClient

MUTE = (sys.executable, "-m", "benchmarks.plain_server", "--mute")


async def start_ms(command: tuple[str, ...], folder: str) -> tuple[float, float]:
    """Milliseconds from the process's start to its first answer: clock and processor."""
    environment = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder}  # no settings of ours
    began_s = time.monotonic()
    client = await LspClient.start(command, lambda _, __: None, env=environment)
    await client.request("initialize", initialize_params("benchmark", folder))
    took_ms = 1000 * (time.monotonic() - began_s)
    spent_ms = processor_ms(client.pid)
    await client.aclose()
    return took_ms, spent_ms


def processor_ms(pid: int) -> float:
    """What a process has used of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def imports(command: tuple[str, ...], folder: str) -> list[tuple[float, str]]:
    """Milliseconds and name of each module that is loaded before the first answer, itself only."""
    timed = (command[0], "-X", "importtime", *command[1:])
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*timed, stdin=pipe, stdout=pipe, stderr=pipe)
    _, told = await process.communicate(b"")
    lines = [line for line in told.decode().split("\n") if line.startswith("import time:")]
    rows = (line.removeprefix("import time:").split("|") for line in lines)
    found = [(int(own) / 1000, name.strip()) for own, _, name in rows if own.strip().isdigit()]
    return sorted(found, reverse=True)


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=15)
    parser.add_argument("--imports", action="store_true")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        if arguments.imports:
            await show_imports(folder)
            return
        ours, mute = list[tuple[float, float]](), list[tuple[float, float]]()
        for _ in range(arguments.count):
            ours.append(await start_ms(OURS, folder))
            mute.append(await start_ms(MUTE, folder))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| ms to the answer to initialize | median | least | processor, median | least |")
    print("|---|---|---|---|---|")
    for title, pairs in (("fim-lsp", ours), ("bare pygls", mute)):
        cells = [
            f"{statistics.median(row):.0f} | {min(row):.0f}" for row in zip(*pairs, strict=True)
        ]
        print(f"| {title} | {' | '.join(cells)} |")
    ratios = [
        statistics.median(one[at] / other[at] for one, other in zip(ours, mute, strict=True))
        for at in (0, 1)
    ]
    print(f"| **median of the ratios of neighbours** | {ratios[0]:.2f} | | {ratios[1]:.2f} | |")


async def show_imports(folder: str) -> None:
    """Print what is loaded by ours and not by bare pygls."""
    mute = {name for _, name in await imports(MUTE, folder)}
    print("| module | ms |\n|---|---|")
    for took_ms, name in await imports(OURS, folder):
        if name not in mute and took_ms >= 0.2:
            print(f"| {name} | {took_ms:.1f} |")


if __name__ == "__main__":
    asyncio.run(main())
