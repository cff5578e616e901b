"""What the account of a call costs: ours against a plain list of all calls, in one run.

    python benchmarks/budget.py

Each row keeps a full minute of calls in the account, one more for each that leaves, and takes the
median over blocks of the processor time of one reserve and one settle.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fim_lsp.pacing.budget import Budget
from fim_lsp.settings import LimitSettings

CALLS_A_MINUTE = (10, 60, 500, 5_000)
BLOCK = 500
BLOCKS = 31
TOKENS = 700


@dataclass(slots=True)
class Clock:
    """Virtual time, so that a minute's calls fit in a moment."""

    now: float = 0.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@dataclass(slots=True)
class ListOfCalls:
    """The simplest account: every call in a list, the old ones sorted out whenever it is asked."""

    clock: Clock
    requests: int
    tokens: int
    calls: list[list[float]] = field(default_factory=list[list[float]])

    def reserve(self, tokens: int) -> list[float] | None:
        """Append the call if it fits."""
        now = self.clock()
        self.calls = [call for call in self.calls if call[0] > now - 60]
        if len(self.calls) >= self.requests:
            return None
        if sum(call[1] for call in self.calls) + tokens > self.tokens:
            return None
        call = [now, tokens]
        self.calls.append(call)
        return call

    def settle(self, call: list[float], tokens: int) -> None:
        """Correct what it cost."""
        call[1] = tokens


def ours_us(calls_a_minute: int) -> float:
    """Microseconds for one reserve and one settle, with a full minute in the account."""
    clock = Clock()
    limits = LimitSettings(
        requests_per_minute=2 * calls_a_minute, tokens_per_minute=2 * calls_a_minute * TOKENS
    )
    budget = Budget(limits, clock)

    def call() -> None:
        clock.now += 60 / calls_a_minute
        reservation = budget.reserve(TOKENS + 128, invoked=True)
        if reservation is None:
            message = "the benchmark's calls must fit"
            raise RuntimeError(message)
        budget.settle(reservation, TOKENS)

    return _median_us(call, calls_a_minute)


def list_us(calls_a_minute: int) -> float:
    """The same with the list."""
    clock = Clock()
    budget = ListOfCalls(clock, 2 * calls_a_minute, 2 * calls_a_minute * TOKENS)

    def call() -> None:
        clock.now += 60 / calls_a_minute
        reservation = budget.reserve(TOKENS + 128)
        if reservation is None:
            message = "the benchmark's calls must fit"
            raise RuntimeError(message)
        budget.settle(reservation, TOKENS)

    return _median_us(call, calls_a_minute)


def _median_us(call: Callable[[], None], warm_up: int) -> float:
    for _ in range(warm_up):
        call()
    taken: list[float] = []
    while len(taken) < BLOCKS and sum(taken) < 5:
        began = time.process_time()
        for _ in range(BLOCK):
            call()
        taken.append(time.process_time() - began)
    return statistics.median(taken) / BLOCK * 1e6


def main() -> None:
    """Print the table."""
    print("| calls in the minute | ours, µs | list, µs | times |")
    print("|---|---|---|---|")
    for calls in CALLS_A_MINUTE:
        ours, plain = ours_us(calls), list_us(calls)
        print(f"| {calls:,} | {ours:.2f} | {plain:.2f} | {plain / ours:.1f} |", flush=True)


if __name__ == "__main__":
    main()
