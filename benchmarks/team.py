"""How many developers one workspace carries: ``python -m benchmarks.team [--plot FILE]``.

Developers type real code (``typist``) in virtual time, each at an own speed and in an own file, and
all of them ask one endpoint that allows 60,000 tokens and 500 requests in any sixty seconds and
refuses the rest with 429, which costs nothing. Nobody types all the time: a developer types for as
long as a few lines take, then reads, thinks or is elsewhere, so that ``--typing`` is the share of
the time spent typing.

Compared are a plain client (a pause of 100 ms, then a call), ours where each server knows only of
its own calls, and ours where all draw from one account. The account costs no time here; in a real
Redis it takes about a millisecond a call (``team_redis``).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.model import CHARS_PER_TOKEN, Model, Skill
from benchmarks.plot import Point, Series, axis_for, chart
from benchmarks.served import Answering, InProcess, ModelProvider, Ours, Plain
from benchmarks.typing_replay import CLIENTS, Client, Screen, Tally, fill
from benchmarks.typist import Hole, Typist, holes
from fim_lsp.context import CursorContext
from fim_lsp.errors import RateLimitedError
from fim_lsp.pacing.budget import Budget
from fim_lsp.pacing.ledger import WINDOW_S, MemoryLedger
from fim_lsp.providers import Chunk, FimRequest
from fim_lsp.settings import LimitSettings, Settings
from tests.virtual_time import run_virtually

LIMITS = LimitSettings()
WARM_S = 90.0
"""Before this the minute is still filling up, and nothing is counted."""
TEXTS = 60
"""So many files are typed in turn by whoever comes to them."""
LEAST_PEOPLE = 20
CARRIED = 0.95
"""A workspace carries as many as have this part of the ghost text that one alone has."""


class Workspace:
    """The endpoint's account: what it allows in any sixty seconds."""

    def __init__(self) -> None:
        self.refused = self.admitted = self.tokens = 0
        self._clock = asyncio.get_running_loop().time
        self._counted: deque[tuple[float, int, int]] = deque()
        self._requests = self._in_window = 0

    def admit(self, prompt_chars: int) -> bool:
        """Count a call, or refuse it."""
        now = self._clock()
        while self._counted and self._counted[0][0] + WINDOW_S <= now:
            _, requests, tokens = self._counted.popleft()
            self._requests -= requests
            self._in_window -= tokens
        tokens = int(prompt_chars / CHARS_PER_TOKEN)
        fits = self._in_window + tokens <= LIMITS.tokens_per_minute
        if not fits or self._requests >= LIMITS.requests_per_minute:
            self.refused += 1
            return False
        self.admitted += 1
        self._add(1, tokens)
        return True

    def generated(self, pieces: int) -> None:
        """Count what was said."""
        self._add(0, pieces)

    def _add(self, requests: int, tokens: int) -> None:
        self._counted.append((self._clock(), requests, tokens))
        self._requests += requests
        self._in_window += tokens
        self.tokens += tokens


class LimitedProvider(ModelProvider):
    """The model behind the workspace's limits."""

    def __init__(self, model: Model, workspace: Workspace) -> None:
        super().__init__(model)
        self._workspace = workspace

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """Say it, or refuse."""
        if not self._workspace.admit(len(request.prompt) + len(request.suffix)):
            message = "Too many requests."
            raise RateLimitedError(message, status=429)
        async for chunk in super().stream(request):
            self._workspace.generated(bool(chunk.text))
            yield chunk


class LimitedPlain(Plain):
    """A plain client that shows nothing where it is refused."""

    def __init__(self, model: Model, workspace: Workspace) -> None:
        super().__init__(model)
        self._workspace = workspace

    def admits(self, prompt_chars: int) -> bool:
        """As the workspace says."""
        return self._workspace.admit(prompt_chars)

    async def shown(self, context: CursorContext) -> list[str]:
        """The answer, and what it has cost."""
        before = len(self.calls())
        try:
            return await super().shown(context)
        finally:  # one that was overtaken goes on being written
            for call in self.calls()[before:]:
                self._workspace.generated(call.pieces)


class TeamLedger(MemoryLedger):
    """One account for all, as the store keeps it."""

    is_teams = True

    def parts(self, shared_by: int) -> int:
        """All of it."""
        del shared_by
        return 1


Make = Callable[[Model, Workspace, MemoryLedger], Answering]


def _ours(model: Model, workspace: Workspace, ledger: MemoryLedger | None) -> Answering:
    budget = Budget(LIMITS, asyncio.get_running_loop().time, ledger)
    provider = LimitedProvider(model, workspace)
    return Ours(model, Settings(provider="mistral"), CLIENT.name, provider=provider, budget=budget)


CLIENT: Client = CLIENTS["vscode"]
KINDS: dict[str, Make] = {
    "fim-lsp, one account for all": _ours,
    "fim-lsp, each server for itself": lambda model, space, _: _ours(model, space, None),
    "a plain client": lambda model, space, _: LimitedPlain(model, space),
}


@dataclass(slots=True)
class Outcome:
    """What a team of some size had."""

    tally: Tally = field(default_factory=Tally)
    refused: int = 0
    tokens_a_minute: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What there is to type, for how long, and how much of the time is spent typing."""

    texts: Sequence[Hole]
    lasts_s: float
    typing: float

    @property
    def end_s(self) -> float:
        """What begins later is not counted."""
        return WARM_S + self.lasts_s


async def developer(number: int, answering: Answering, model: Model, work: Work) -> Tally:
    """One person's time: typing and not typing in turn, on until what counts is over for all."""
    clock = asyncio.get_running_loop().time
    rng = random.Random(f"developer {number}")
    typist = Typist(rng)
    counted, served = Tally(), InProcess(answering)
    await asyncio.sleep(rng.uniform(0, WARM_S))
    while clock() < work.end_s + WARM_S:
        hole = rng.choice(work.texts)
        model.open(hole)
        began_s, tally = clock(), Tally()
        await fill(Screen(served, hole, CLIENT, tally), typist, tally, accepts=False)
        if WARM_S <= began_s < work.end_s:
            counted.add(tally)
        if work.typing < 1:
            away_s = (clock() - began_s) * (1 / work.typing - 1)
            await asyncio.sleep(rng.expovariate(1 / away_s))
    return counted


def simulate(kind: Make, people: range, work: Work) -> Outcome:
    """A team at work, in virtual time."""

    async def main() -> Outcome:
        workspace, ledger = Workspace(), TeamLedger()
        working: list[asyncio.Task[Tally]] = []
        for number in people:
            model = Model(Skill(seed=number))
            answering = kind(model, workspace, ledger)
            working.append(asyncio.create_task(developer(number, answering, model, work)))
        await asyncio.sleep(WARM_S)
        tokens, refused = workspace.tokens, workspace.refused
        await asyncio.sleep(work.lasts_s)
        outcome = Outcome(
            refused=workspace.refused - refused,
            tokens_a_minute=60 * (workspace.tokens - tokens) / work.lasts_s,
        )
        for tally in await asyncio.gather(*working):
            outcome.tally.add(tally)
        return outcome

    random.seed(people.start)  # the jitter of those who are refused
    return run_virtually(main())


def averaged(kind: Make, size: int, work: Work) -> Outcome:
    """As many teams of a size as it takes to have some people in all: each is different."""
    whole = Outcome()
    teams = max(1, LEAST_PEOPLE // size)
    for number in range(teams):
        people = range(number * size, (number + 1) * size)
        one = simulate(kind, people, work)
        whole.tally.add(one.tally)
        whole.refused += one.refused
        whole.tokens_a_minute += one.tokens_a_minute / teams
    return whole


def carried(points: list[Point]) -> float:
    """How many have as much as ``CARRIED`` of what the first has, between the sizes if need be."""
    least = CARRIED * points[0].y
    for one, other in itertools.pairwise(points):
        if other.y < least:
            return one.x + (other.x - one.x) * (one.y - least) / (one.y - other.y)
    return points[-1].x


def main() -> None:
    """Print a table, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 25, 50, 100, 200])
    parser.add_argument("--typing", type=float, default=0.2, help="share of the time, 0 to 1")
    parser.add_argument("--minutes", type=float, default=10.0, help="counted, in virtual time")
    parser.add_argument("--root", type=Path, default=Path(os.__file__).parent)
    parser.add_argument("--plot", type=Path, help="an SVG file")
    options = parser.parse_args()
    texts = holes(options.root, (".py",), TEXTS, seed=7)
    work = Work(texts=texts, lasts_s=60 * options.minutes, typing=options.typing)
    print(f"Typing {options.typing:.0%} of the time.\n")
    print("| | developers | right ghost text before a key | wrong | tokens a minute | refused |")
    print("|---|---|---|---|---|---|")
    drawn: list[Series] = []
    for name, kind in KINDS.items():
        points: list[Point] = []
        for size in options.sizes:
            seen = averaged(kind, size, work)
            points.append(Point(x=size, y=seen.tally.right_share))
            print(
                f"| {name} | {size} | {seen.tally.right_share:.3f} "
                f"| {seen.tally.wrong / max(1, seen.tally.keys):.3f} "
                f"| {seen.tokens_a_minute:,.0f} | {seen.refused:,} |",
                flush=True,
            )
        drawn.append(Series(name=name, points=points))
        print(f"{name}: carries {carried(points):.0f}", flush=True)
    if options.plot:
        shares = [point.y for one in drawn for point in one.points]
        title = f"One workspace, {options.typing:.0%} of the time spent typing"
        x = axis_for("developers", [float(size) for size in options.sizes], is_log=True)
        chart(
            options.plot, title, x, axis_for("right ghost text before a key", [0, *shares]), drawn
        )


if __name__ == "__main__":
    main()
