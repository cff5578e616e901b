"""What the server adds to a call: from request to call, and from the last needed byte to answer.

    python -m benchmarks.request_path [--count 200]

First as the server sees it, from the moment it has read the request to the moment it has sent the
call, and from the byte that makes the answer whole to the answer written: by the clock, and by the
processor, which a busy machine does not stretch as much. Then as the editor sees it, against a bare
httpx call to the same endpoint, in turns. Then what a known answer takes, beside a pygls server
that answers nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.served import OURS, initialize_params, settings_file
from fim_lsp.lsp_client import LspClient
from tests.endpoint import Endpoint, Reply

WATCHED = (sys.executable, "-m", "benchmarks.watched_server")
URI = "file:///w/a.py"
TEXT = "".join(f"def function_{n}(a, b):\n    return a * {n} + b\n\n\n" for n in range(120))
SAID = "call(a, b)\n"
RUNS_ON = SAID + "further = 1\n" * 200
WARM_UP = 3
"""So many calls come before the count: the first one waits for what the server still loads."""
SETTINGS = """
[trigger]
debounce_ms = 0
[limits]
requests_per_minute = 100000
tokens_per_minute = 100000000
"""


@dataclass(slots=True)
class Legs:
    """Milliseconds on the way there and on the way back, call by call."""

    there_ms: list[float] = field(default_factory=list[float])
    back_ms: list[float] = field(default_factory=list[float])

    @property
    def both_ms(self) -> list[float]:
        """The two together."""
        return [there + back for there, back in zip(self.there_ms, self.back_ms, strict=True)]


@dataclass(frozen=True, slots=True)
class Inside:
    """Milliseconds of the clock and of the processor within the server, for one call."""

    there_ms: float
    there_cpu_ms: float
    back_ms: float
    back_cpu_ms: float


def inside(marks: Sequence[tuple[str, float, float]]) -> list[Inside]:
    """The calls in what ``watched_server`` has noted: one at a time, and each was answered."""
    found: list[Inside] = []
    read = begun = sent = needed = None
    for what, clock_s, cpu_s in marks:
        now = (1000 * clock_s, 1000 * cpu_s)
        if what == "read":
            read = now
        elif what == "sent":
            begun, sent = begun or read, now
        elif what == "received" and sent:
            needed = needed or now
        elif what == "written" and begun and sent and needed:
            there, back = _between(begun, sent), _between(needed, now)
            found.append(Inside(*there, *back))
            begun = sent = needed = None
    return found


def _between(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    return end[0] - start[0], end[1] - start[1]


class Stopwatch:
    """An endpoint's reply that notes when it begins to be sent."""

    def __init__(self, text: str) -> None:
        self.sent_s = 0.0
        self.reply = Reply(text=self._say, ttft_s=0.01, piece_chars=len(SAID), per_piece_s=0.001)
        self._text = text

    def _say(self, _: str, __: str) -> str:
        self.sent_s = time.monotonic()
        return self._text


class Editor:
    """A document that grows by a line for each request."""

    def __init__(self, client: LspClient) -> None:
        self.client = client
        self.line = TEXT.count("\n")
        self._version = 0
        item = {"uri": URI, "languageId": "python", "version": 0, "text": TEXT}
        client.notify("textDocument/didOpen", {"textDocument": item})

    def begin_line(self, number: int) -> None:
        """Type the beginning of a line that nobody has seen before."""
        self._insert(f"value_{number} = ")

    def end_line(self) -> None:
        """Type something else than was suggested."""
        self._insert("0\n")
        self.line += 1

    def _insert(self, text: str) -> None:
        self._version += 1
        end = {"line": self.line, "character": 10_000}
        change = {"range": {"start": end, "end": end}, "text": text}
        document = {"uri": URI, "version": self._version}
        self.client.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    async def ask(self) -> list[str]:
        """What is suggested at the end of the line."""
        params = {
            "textDocument": {"uri": URI},
            "position": {"line": self.line, "character": 10_000},
            "context": {"triggerKind": 2},
        }
        result = await self.client.request("textDocument/inlineCompletion", params)
        return [item["insertText"] for item in result["items"]]


async def timed(text: str, count: int, log: Path) -> tuple[Legs, Legs]:
    """The server's calls and bare ones, in turns; ``log`` is where the server's marks go."""
    watch = Stopwatch(text)
    ours, bare = Legs(), Legs()
    async with (
        Endpoint(watch.reply) as endpoint,
        running(WATCHED, endpoint.base_url, {"WATCHED_LOG": str(log)}) as editor,
        httpx.AsyncClient(headers={"Authorization": "Bearer test-key"}) as http,
    ):
        url = f"{endpoint.base_url}/fim/completions"
        for number in range(WARM_UP + count):
            editor.begin_line(number)
            await asyncio.sleep(0.03)
            began_s = time.monotonic()
            shown = await editor.ask()
            if number >= WARM_UP:
                _note(ours, began_s, endpoint.calls[-1].at_s, watch.sent_s)
            if shown != [SAID.rstrip()]:
                raise RuntimeError(f"the server shows {shown}")
            body = endpoint.calls[-1].body
            await asyncio.sleep(0.03)
            began_s = time.monotonic()
            await bare_call(http, url, body)
            if number >= WARM_UP:
                _note(bare, began_s, endpoint.calls[-1].at_s, watch.sent_s)
            editor.end_line()
            await asyncio.sleep(0.03)
    return ours, bare


def _note(legs: Legs, began_s: float, at_endpoint_s: float, sent_s: float) -> None:
    legs.there_ms.append(1000 * (at_endpoint_s - began_s))
    legs.back_ms.append(1000 * (time.monotonic() - sent_s))


async def bare_call(http: httpx.AsyncClient, url: str, body: object) -> None:
    """The same call without a server: until the line is whole, then to the end."""
    text = ""
    async with http.stream("POST", url, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
            if "\n" in text:
                return


@asynccontextmanager
async def running(
    command: Sequence[str], base_url: str, more: Mapping[str, str] | None = None
) -> AsyncGenerator[Editor]:
    """A server with an open document; ``more`` is more of its environment."""
    with TemporaryDirectory() as folder:
        environment = {**os.environ, **settings_file(folder, base_url, SETTINGS), **(more or {})}
        client = await LspClient.start(command, lambda _, __: None, env=environment)
        try:
            await client.request("initialize", initialize_params("benchmark", folder))
            client.notify("initialized", {})
            await asyncio.sleep(1)
            yield Editor(client)
        finally:
            await client.aclose()


async def known(count: int) -> tuple[list[float], list[float]]:
    """Milliseconds for a known answer, and for pygls' answer with nothing in it, in turns."""
    mute = (sys.executable, "-m", "benchmarks.plain_server", "--mute")
    watch = Stopwatch(RUNS_ON)
    ours, bare = list[float](), list[float]()
    async with (
        Endpoint(watch.reply) as endpoint,
        running(OURS, endpoint.base_url) as editor,
        running(mute, endpoint.base_url) as nobody,
    ):
        editor.begin_line(0)
        await editor.ask()
        for _ in range(count):
            for one, waits in ((editor, ours), (nobody, bare)):
                await asyncio.sleep(0.01)
                began_s = time.monotonic()
                await one.ask()
                waits.append(1000 * (time.monotonic() - began_s))
        if len(endpoint.calls) != 1:
            raise RuntimeError("it was not known")
    return ours, bare


def spread(values: Sequence[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(values):.2f} | {statistics.quantiles(values, n=20)[18]:.2f}"


def over(ours: Sequence[float], bare: Sequence[float]) -> list[float]:
    """What ours takes beyond the middle of the bare ones."""
    middle = statistics.median(bare)
    return [value - middle for value in ours]


def print_inside(title: str, calls: Sequence[Inside]) -> None:
    """Print the rows for one kind of call."""
    there, there_cpu = [one.there_ms for one in calls], [one.there_cpu_ms for one in calls]
    back, back_cpu = [one.back_ms for one in calls], [one.back_cpu_ms for one in calls]
    both = [one.there_ms + one.back_ms for one in calls]
    both_cpu = [one.there_cpu_ms + one.back_cpu_ms for one in calls]
    print(f"| request read to call sent, {title} | {spread(there)} | {spread(there_cpu)} |")
    print(f"| needed byte to answer written, {title} | {spread(back)} | {spread(back_cpu)} |")
    print(f"| **both** (3 and 8 at the most) | {spread(both)} | {spread(both_cpu)} |")


async def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    count = parser.parse_args().count
    outside: dict[str, tuple[Legs, Legs]] = {}
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| inside the server, ms | median | 95 % | processor, median | 95 % |")
    print("|---|---|---|---|---|")
    for title, text in (("the stream ends", SAID), ("the stream is hung up", RUNS_ON)):
        with TemporaryDirectory() as folder:
            log = Path(folder) / "marks"
            outside[title] = await timed(text, count, log)
            print_inside(title, inside(json.loads(log.read_text()))[WARM_UP:])
    print("\n| as the editor sees it, ms | there, median | 95 % | back, median | 95 % |")
    print("|---|---|---|---|---|")
    for title, (ours, bare) in outside.items():
        print(f"| fim-lsp, {title} | {spread(ours.there_ms)} | {spread(ours.back_ms)} |")
        print(f"| bare httpx, {title} | {spread(bare.there_ms)} | {spread(bare.back_ms)} |")
    print("\n| ms added, as the editor sees it | median | 95 % |\n|---|---|---|")
    for title, (ours, bare) in outside.items():
        print(f"| to a call, {title} | {spread(over(ours.both_ms, bare.both_ms))} |")
    waits, mute = await known(count)
    print(f"| to pygls' own {statistics.median(mute):.2f}, known | {spread(over(waits, mute))} |")
    print(f"\nload of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
