"""Type real code as a person would: what does the model cost, and what is there to see.

    python -m benchmarks.typing_replay [--virtual] [--client eager vscode neovim] [--accept]
    python -m benchmarks.typing_replay --curve benchmarks/trade_off.svg

Every run has the plain server of ``plain_server.py`` beside ours, and what the model can give at
most: a question at every key, answered in no time. ``--virtual`` drives the completer itself on a
clock that jumps, which takes a fraction of the time; without it, real processes are driven over
stdio in real time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.model import Model, Skill
from benchmarks.plot import Point, Series, axis_for, chart
from benchmarks.served import OURS, PLAIN, Bound, InProcess, Ours, Plain, Served, process
from benchmarks.typist import LANGUAGES, Hole, Key, Typist, holes, unit_of
from fim_lsp.settings import ContextSettings, Settings, TriggerSettings
from tests.desk import shared_share
from tests.virtual_time import run_virtually


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How an editor asks."""

    name: str
    """As it calls itself."""
    wait_s: float = 0.0
    """From a key to its request, if no other key comes."""
    cancels: bool = True
    """Whether a key cancels the request before."""


CLIENTS = {
    "eager": Client(name="benchmark"),
    "vscode": Client(name="Visual Studio Code", wait_s=0.05),
    "neovim": Client(name="Neovim", wait_s=0.2, cancels=False),
}
INSTANT_S = 0.02


@dataclass(slots=True)
class Tally:
    """What happened, over all texts."""

    keys: int = 0
    chars: int = 0
    """Of the texts that were written."""
    right: int = 0
    """Keys before which right ghost text was on screen: its first line is what comes."""
    wrong: int = 0
    waits_s: list[float] = field(default_factory=list[float])
    """From request to suggestion, for those that were shown."""
    accepts: int = 0
    saved: int = 0
    """Keys that accepting made needless."""
    calls: int = 0
    tokens: float = 0.0
    shared: list[float] = field(default_factory=list[float])
    """How much of each prompt repeats the one before."""

    def add(self, other: Tally) -> None:
        """Take another run's figures in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def calls_per_1000(self) -> float:
        """Calls for 1,000 keys."""
        return 1000 * self.calls / max(1, self.keys)

    @property
    def tokens_per_1000(self) -> float:
        """Tokens for 1,000 keys."""
        return 1000 * self.tokens / max(1, self.keys)

    @property
    def right_share(self) -> float:
        """Keys that had right ghost text before them."""
        return self.right / max(1, self.keys)

    def row(self, name: str) -> str:
        """A line of the table."""
        instant = sum(wait <= INSTANT_S for wait in self.waits_s) / max(1, len(self.waits_s))
        return (
            f"| {name} | {self.keys} | {self.calls_per_1000:.0f} | {self.tokens_per_1000:,.0f} "
            f"| {self.right_share:.3f} | {self.wrong / max(1, self.keys):.3f} | {instant:.2f} "
            f"| {statistics.median(self.shared or [0]):.2f} "
            f"| {self.saved / max(1, self.keys + self.saved):.2f} "
            f"| {1000 * self.tokens / max(1, self.chars):,.0f} |"
        )


HEAD = """\
| | keys | calls / 1,000 keys | tokens / 1,000 keys | right | wrong | instant | shared prefix \
| keys saved | tokens / 1,000 chars |
|---|---|---|---|---|---|---|---|---|---|"""


class Screen:
    """One document in an editor: what is typed, and the ghost text behind the cursor."""

    def __init__(self, served: Served, hole: Hole, client: Client, tally: Tally) -> None:
        self.hole = hole
        self.typed = ""
        self.shown = ""
        self.shown_since = 0.0
        self._served = served
        self._uri = f"file:///w/{hole.name}"
        self._client = client
        self._tally = tally
        self._asking: list[asyncio.Task[None]] = []
        self._clock = asyncio.get_running_loop().time
        self._lines_before = hole.before.count("\n")
        served.open(self._uri, hole.language, hole.before + hole.after)

    @property
    def rest(self) -> str:
        """What is still to be typed; empty while something wrong stands there."""
        whole = self.hole.middle
        return whole[len(self.typed) :] if whole.startswith(self.typed) else ""

    def _place(self) -> tuple[int, int]:
        line = self._lines_before + self.typed.count("\n")
        return line, len(self.typed) - self.typed.rfind("\n") - 1

    def press(self, key: Key) -> None:
        """Edit, tell the server, and ask anew."""
        follows = not key.delete and self.shown.startswith(key.insert)
        self.shown = self.shown[len(key.insert) :] if follows else ""
        end = self._place()
        self.typed = self.typed[: len(self.typed) - key.delete]
        self._served.edit(self._uri, self._place(), end, key.insert)
        self.typed += key.insert
        if self._asking and self._client.cancels:
            self._asking[-1].cancel()
        self._asking = [task for task in self._asking if not task.done()]
        self._asking.append(asyncio.create_task(self._ask()))

    async def _ask(self) -> None:
        me = asyncio.current_task()
        if self._client.wait_s:
            await asyncio.sleep(self._client.wait_s)
        if me is not self._asking[-1]:
            return
        asked_s = self._clock()
        texts = await self._served.ask(self._uri, self._place())
        if me is not self._asking[-1]:
            return
        self.shown = texts[0] if texts else ""
        if self.shown:
            self.shown_since = self._clock()
            self._tally.waits_s.append(self.shown_since - asked_s)

    async def leave(self) -> None:
        """Close the document. Raises what a request failed with."""
        await asyncio.sleep(0.6)
        for task in self._asking:
            task.cancel()
        for outcome in await asyncio.gather(*self._asking, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._served.close(self._uri)


async def fill(screen: Screen, typist: Typist, tally: Tally, *, accepts: bool) -> None:
    """Type one document to its end."""
    clock = asyncio.get_running_loop().time
    unit = unit_of(screen.hole.truth)
    while screen.rest:
        for key in typist.keys(screen.hole.before + screen.typed, screen.rest, unit):
            await asyncio.sleep(key.pause_s)
            tally.keys += 1
            _look(screen, tally)
            taken = screen.shown.rstrip()
            if accepts and _is_taken(screen, taken, clock() - screen.shown_since, typist):
                tally.accepts += 1
                tally.saved += len(taken) - 1
                screen.press(Key(pause_s=0, insert=taken))
                break
            screen.press(key)
    tally.chars += len(screen.hole.middle)
    await screen.leave()


def _look(screen: Screen, tally: Tally) -> None:
    first = screen.shown.partition("\n")[0].rstrip()
    if not (screen.shown and screen.rest):
        return
    if first.strip() and screen.rest.startswith(first):
        tally.right += 1
    else:
        tally.wrong += 1


def _is_taken(screen: Screen, taken: str, seen_s: float, typist: Typist) -> bool:
    is_right = len(taken.strip()) > 3 and screen.rest.startswith(taken)
    return is_right and seen_s >= typist.reading_s(taken)


async def replay(
    served: Served, model: Model, texts: Sequence[Hole], client: Client, *, seed: int, accepts: bool
) -> Tally:
    """Type all texts, and count."""
    tally = Tally()
    for number, hole in enumerate(texts):
        model.open(hole)
        before = len(served.calls())
        typist = Typist(random.Random(f"{seed}:{number}"))
        await fill(Screen(served, hole, client, tally), typist, tally, accepts=accepts)
        asked = served.calls()[before:]
        tally.calls += len(asked)
        tally.tokens += sum(call.tokens for call in asked)
        tally.shared += [
            shared_share(one.prompt, two.prompt) for one, two in itertools.pairwise(asked)
        ]
    return tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is typed, how often, and where."""

    texts: dict[int, list[Hole]]
    """By seed."""
    client: Client
    accepts: bool
    skill: Skill


def virtually(run: Run, make: Callable[[Model], InProcess]) -> Tally:
    """Replay all seeds in virtual time."""
    total = Tally()
    for seed, texts in run.texts.items():
        model = Model(replace(run.skill, seed=seed))

        async def main(seed: int = seed, texts: list[Hole] = texts, model: Model = model) -> Tally:
            served = make(model)
            return await replay(served, model, texts, run.client, seed=seed, accepts=run.accepts)

        total.add(run_virtually(main()))
    return total


async def really(run: Run, command: tuple[str, ...]) -> tuple[Tally, str]:
    """Replay all seeds against a server process; also what the process cost."""
    total, cost = Tally(), ""
    for seed, texts in run.texts.items():
        model = Model(replace(run.skill, seed=seed))
        async with process(command, model, run.client.name) as served:
            cpu_s = cpu_of(served.pid)
            tally = await replay(served, model, texts, run.client, seed=seed, accepts=run.accepts)
            used_ms = 1000 * (cpu_of(served.pid) - cpu_s) / tally.keys
            cost = f"{used_ms:.1f} ms of CPU a key, {peak_mb(served.pid)} MB"
        total.add(tally)
    return total, cost


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024


def ours(client: Client, settings: Settings) -> Callable[[Model], InProcess]:
    """How to make our side of a replay."""
    return lambda model: InProcess(Ours(model, settings, client.name.lower()))


def asking_always(model: Model) -> InProcess:
    """No latency, no limit."""
    return InProcess(Bound(model))


def ceiling(model: Model) -> InProcess:
    """The most that this model can show."""
    return InProcess(Bound(model, is_sure=True))


def settings_for(prompt_tokens: int | None, debounce_ms: int | None) -> Settings:
    """The defaults but for these."""
    made = Settings(provider="mistral")
    if prompt_tokens is not None:
        made = replace(made, context=ContextSettings(prompt_tokens=prompt_tokens))
    if debounce_ms is not None:
        made = replace(made, trigger=TriggerSettings(debounce_ms=debounce_ms))
    return made


def table(arguments: argparse.Namespace) -> None:
    """Print the rows of each client."""
    for name in arguments.client:
        run = run_of(arguments, CLIENTS[name])
        print(f"\n{name}{', accepting' if run.accepts else ''}\n\n{HEAD}")
        if arguments.virtual:
            settings = settings_for(arguments.prompt_tokens, arguments.debounce_ms)
            print(virtually(run, lambda model: InProcess(Plain(model))).row("plain server"))
            print(virtually(run, ours(run.client, settings)).row("**fim-lsp**"))
        else:
            for title, command in (("plain server", PLAIN), ("**fim-lsp**", OURS)):
                tally, cost = asyncio.run(really(run, command))
                print(tally.row(f"{title} ({cost})"))
        print(virtually(run, asking_always).row("every key asked about, answered at once"))
        print(virtually(run, ceiling).row("the same, cut where it goes wrong: the ceiling"))


def curve(arguments: argparse.Namespace) -> None:
    """Draw what more tokens buy."""
    run = run_of(arguments, CLIENTS[arguments.client[0]])
    most = virtually(run, ceiling).right_share
    plain = [
        _point(virtually(run, lambda model, s=s: InProcess(Plain(model, s))), f"{s * 1000:.0f} ms")
        for s in (0.0, 0.1, 0.2, 0.3, 0.5)
    ]
    by_tokens = [
        _point(virtually(run, ours(run.client, settings_for(tokens, None))), str(tokens))
        for tokens in (400, 600, 800, 1000, 1500, 2000)
    ]
    by_pause = [
        _point(virtually(run, ours(run.client, settings_for(None, pause))), f"{pause} ms")
        for pause in (0, 50, 100, 200, 300, 400)
    ]
    series = [
        Series(name="fim-lsp, by tokens of prompt (adaptive pause)", points=by_tokens),
        Series(name="fim-lsp, by a fixed pause", points=by_pause),
        Series(name="plain server, by pause", points=plain),
    ]
    points = [point for one in series for point in one.points]
    right = [point.y for point in points]
    title = f"What tokens buy ({arguments.client[0]}; the most there is: {most:.2f})"
    x = axis_for("tokens for 1,000 keys", [point.x for point in points], is_log=True)
    y = axis_for("keys with right ghost text before them", [*right, most])
    chart(arguments.curve, title, x, y, series)
    for one in series:
        print(f"\n{one.name}\n\n| | tokens / 1,000 keys | right |\n|---|---|---|")
        for point in one.points:
            print(f"| {point.label} | {point.x:,.0f} | {point.y:.3f} |")


def _point(tally: Tally, label: str) -> Point:
    return Point(x=tally.tokens_per_1000, y=tally.right_share, label=label)


def run_of(arguments: argparse.Namespace, client: Client) -> Run:
    """What the command line asks for."""
    endings = tuple(end for end, name in LANGUAGES.items() if name in arguments.language)
    texts = {
        seed: holes(arguments.root, endings, arguments.holes, seed) for seed in arguments.seeds
    }
    skill = Skill(surprises=arguments.surprises)
    return Run(texts=texts, client=client, accepts=arguments.accept, skill=skill)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--virtual", action="store_true", help="the completer alone, in no time")
    parser.add_argument("--client", nargs="+", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--accept", action="store_true", help="take what is all right and read")
    parser.add_argument("--holes", type=int, default=8, help="texts for each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--root", type=Path, default=Path(os.__file__).parent)
    parser.add_argument("--language", nargs="+", default=["python"])
    parser.add_argument("--surprises", type=float, default=1.0, help="0: the model is never wrong")
    parser.add_argument("--prompt-tokens", type=int, help="in virtual time only")
    parser.add_argument("--debounce-ms", type=int, help="in virtual time only")
    parser.add_argument("--curve", type=Path, help="draw the trade-off into this SVG instead")
    arguments = parser.parse_args()
    if arguments.curve:
        curve(arguments)
    else:
        table(arguments)


if __name__ == "__main__":
    main()
