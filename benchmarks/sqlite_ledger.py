"""How long the event loop is held by the ledger in a file: ``python -m benchmarks.sqlite_ledger``.

One process alone, then one among others that are all asking; every call is entered, looked at and
settled, in a table as full as a busy minute makes it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from fim_lsp.pacing.ledger import Spent
from fim_lsp.pacing.sqlite_ledger import SqliteLedger

FULL = 500
MOST = Spent(10_000, 100_000_000)
GAP_S = 0.005
"""Between two calls of one process; a fast typist's are 0.1 s apart."""
STEPS = ("enter", "spent", "settle")


def worker(path: str, calls: int) -> tuple[dict[str, list[float]], bool]:
    """Milliseconds of each step, and whether the file was shared to the end."""
    ledger = SqliteLedger(Path(path), "a", now=time.monotonic())
    took: dict[str, list[float]] = {step: [] for step in STEPS}
    for _ in range(calls):
        time.sleep(GAP_S)
        began = time.perf_counter()
        entry = ledger.enter(700, most=MOST, now=time.monotonic())
        entered = time.perf_counter()
        ledger.spent(now=time.monotonic())
        seen = time.perf_counter()
        if entry is not None:
            ledger.settle(entry, 600, now=time.monotonic())
        ended = time.perf_counter()
        for step, seconds in zip(
            STEPS, (entered - began, seen - entered, ended - seen), strict=True
        ):
            took[step].append(seconds * 1000)
    is_shared = ledger.is_shared
    ledger.close()
    return took, is_shared


def main() -> None:
    """Print a row for each number of processes and each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000, help="of each process")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 3])
    options = parser.parse_args()
    print("| processes | step | median ms | 99 % ms | worst ms | file shared to the end |")
    print("|---|---|---|---|---|---|")
    for count in options.processes:
        with TemporaryDirectory() as folder:
            path = str(Path(folder) / "calls")
            filled = SqliteLedger(Path(path), "a", now=time.monotonic())
            for _ in range(FULL):
                filled.enter(700, most=MOST, now=time.monotonic())
            filled.close()
            with multiprocessing.get_context("spawn").Pool(count) as pool:
                results = pool.starmap(worker, [(path, options.calls)] * count)
        shared = f"{sum(is_shared for _, is_shared in results)} of {count}"
        for step in STEPS:
            took = [one for steps, _ in results for one in steps[step]]
            high = quantiles(took, n=100)[98]
            row = f"{median(took):.3f} | {high:.3f} | {max(took):.2f} | {shared}"
            print(f"| {count} | {step} | {row} |")


if __name__ == "__main__":
    main()
