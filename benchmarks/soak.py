"""A long day's typing at full speed: ``python -m benchmarks.soak`` plays 1,000,000 keys.

The real server process over stdio and a real endpoint on loopback, without the pauses that people
make: 200 documents, edits, deletions, jumps, documents closed and opened anew, requests overtaken
and cancelled, and an endpoint that breaks in every way now and then. A number as argument makes it
so many keys. ``soak`` is what ``tests/test_soak.py`` runs, shorter.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.broken_endpoint import HEAD, BrokenEndpoint, Visit, answer, event
from tests.editor import CANCELLED, SERVER, toml
from tests.faults import footprint

DOCUMENTS = 200
TYPISTS = 8
"""So many documents are typed in at the same time."""
WARM_KEYS = 50_000
"""Memory is compared with what it is after these."""
FAULTY = 0.02
"""The part of calls that go wrong."""
ANSWERED_WITHIN_S = 30.0
RECOVERED_WITHIN_S = 60.0
LONGEST_CHARS = 8_000
LINES = (
    "def total(items):",
    "    return sum(item.price for item in items)",
    "    for name, value in sorted(table.items()):",
    "        print(f'{name}: {value}')",
    "class Basket:",
    "    def __init__(self, owner):",
    "        self.owner = owner",
    "if ready and not done:",
    "    raise ValueError(message)",
    "x = compute(a, b)  # é 漢 😀",
)


@dataclass(slots=True, kw_only=True)
class Sample:
    """How large the server is."""

    keys: int
    rss_mb: float
    descriptors: int

    def tell(self) -> None:
        """Print it as a row."""
        print(f"| {self.keys:,} | {self.rss_mb:.1f} | {self.descriptors} |", flush=True)


@dataclass(slots=True, kw_only=True)
class Soaked:
    """What came of it."""

    keys: int = 0
    requests: int = 0
    unanswered: int = 0
    strange: int = 0
    """Answers that are neither items nor a cancellation."""
    shown: int = 0
    messages: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    samples: list[Sample] = field(default_factory=list[Sample])
    recovered: bool = False
    """Whether ghost text came again once the endpoint had stopped failing."""
    tells: bool = False
    """Whether samples are printed as they come."""
    seconds: float = 0.0
    exit_status: int | None = None

    def growth(self, warm_keys: int) -> float:
        """Memory at the end over that after ``warm_keys``, as a part of it."""
        warm = next(one for one in self.samples if one.keys >= warm_keys)
        return self.samples[-1].rss_mb / warm.rss_mb - 1


class _Wire:
    """The editor's side, as lean as can be."""

    def __init__(self, process: asyncio.subprocess.Process, soaked: Soaked) -> None:
        self._stdin = cast("asyncio.StreamWriter", process.stdin)
        self._stdout = cast("asyncio.StreamReader", process.stdout)
        self._soaked = soaked
        self._numbers = itertools.count(1)
        self._owed: dict[int, asyncio.Future[Any]] = {}

    def notify(self, method: str, params: object) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: object) -> tuple[int, asyncio.Future[Any]]:
        number = next(self._numbers)
        self._owed[number] = asyncio.get_running_loop().create_future()
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number, self._owed[number]

    async def drain(self) -> None:
        await self._stdin.drain()

    def _send(self, message: object) -> None:
        body = json.dumps(message, ensure_ascii=False).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def listen(self) -> None:
        """Settle what is owed, until the server is gone."""
        while header := await self._stdout.readline():
            length = int(header.partition(b":")[2])
            while (await self._stdout.readline()).strip():
                pass
            self._take(json.loads(await self._stdout.readexactly(length)))

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self._soaked.messages += message["method"] == "window/showMessage"
            return
        owed = self._owed.pop(message["id"])
        if not owed.done():
            owed.set_result(message.get("result", message.get("error")))


class _Typist:
    """Types in its own documents, and asks at each key."""

    def __init__(self, wire: _Wire, soaked: Soaked, number: int, most_keys: int) -> None:
        self._wire, self._soaked, self._most_keys = wire, soaked, most_keys
        self._rng = random.Random(number)
        self._uris = [f"file:///w/{number}/{at}.py" for at in range(DOCUMENTS // TYPISTS)]
        self._texts: dict[str, str] = {}
        self._versions = itertools.count(1)
        self._older: asyncio.Future[Any] | None = None

    async def type(self) -> None:
        """Go from document to document."""
        for uri in self._uris:
            self._open(uri)
        while self._soaked.keys < self._most_keys:
            uri = self._rng.choice(self._uris)
            if self._rng.random() < 0.05 or len(self._texts[uri]) > LONGEST_CHARS:
                self._wire.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
                self._open(uri)
            await self._line(uri, self._rng.choice(LINES))

    def _open(self, uri: str) -> None:
        text = "".join(f"{one}\n" for one in self._rng.sample(LINES, 6))
        self._texts[uri] = text
        item = {"uri": uri, "languageId": "python", "version": 0, "text": text}
        self._wire.notify("textDocument/didOpen", {"textDocument": item})

    async def type_until_shown(self) -> None:
        """Type on, at a person's pace, until ghost text comes."""
        shown = self._soaked.shown
        while self._soaked.shown == shown:
            await self._line(self._uris[0], self._rng.choice(LINES))
            await asyncio.sleep(0.1)

    async def _line(self, uri: str, line: str) -> None:
        """Type a line at the document's end, with slips."""
        for character in "\n" + line:
            if self._rng.random() < 0.03:
                self._edit(uri, "q")
                await self._ask(uri)
                self._edit(uri, "", deleted=1)
            self._edit(uri, character)
            await self._ask(uri)

    def _edit(self, uri: str, text: str, *, deleted: int = 0) -> None:
        before = self._texts[uri]
        kept = before[: len(before) - deleted]
        change = {"range": {"start": at_end(kept), "end": at_end(before)}, "text": text}
        self._texts[uri] = kept + text
        document = {"uri": uri, "version": next(self._versions)}
        params = {"textDocument": document, "contentChanges": [change]}
        self._wire.notify("textDocument/didChange", params)

    async def _ask(self, uri: str) -> None:
        self._soaked.keys += 1
        params = {
            "textDocument": {"uri": uri},
            "position": at_end(self._texts[uri]),
            "context": {"triggerKind": 1 if self._rng.random() < 0.002 else 2},
        }
        number, asked = self._wire.request("textDocument/inlineCompletion", params)
        if self._rng.random() < 0.05:
            self._wire.notify("$/cancelRequest", {"id": number})
        if self._rng.random() < 0.2 and self._older is None:
            self._older = asked  # typed on before the answer is there
            await self._wire.drain()
            return
        older, self._older = self._older, None
        for one in (older, asked):
            if one is not None:
                await self._answered(one)

    async def _answered(self, asked: asyncio.Future[Any]) -> None:
        self._soaked.requests += 1
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                found = await asked
        except TimeoutError:
            self._soaked.unanswered += 1
            return
        if list(found) == ["items"]:
            self._soaked.shown += bool(found["items"])
        elif found.get("code") != CANCELLED:
            self._soaked.strange += 1


def at_end(text: str) -> dict[str, int]:
    """The position behind the text, in UTF-16."""
    last = text[text.rfind("\n") + 1 :]
    return {"line": text.count("\n"), "character": len(last.encode("utf-16-le")) // 2}


def conduct(soaked: Soaked, seed: int) -> Callable[[Visit], Awaitable[None]]:
    """An endpoint that continues the line, and breaks now and then."""
    rng = random.Random(seed)

    async def resets(visit: Visit) -> None:
        visit.reset()

    async def garbage(visit: Visit) -> None:
        await visit.send(b"\x00\x01 no HTTP\r\n\r\n")
        visit.is_last = True

    async def breaks_off(visit: Visit) -> None:
        await visit.send(HEAD)
        await visit.send_chunk(event("return "))
        visit.reset()

    async def is_slow(visit: Visit) -> None:
        await asyncio.sleep(rng.random() * 2)
        await answer(visit)

    async def refuses(visit: Visit) -> None:
        status = rng.choice((b"500 Oh", b"503 Busy", b"429 Slow\r\nRetry-After: 0"))
        await visit.send(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    async def no_json(visit: Visit) -> None:
        await visit.send(HEAD)
        await visit.send_chunk(b"data: {no\n\n")
        await visit.send(b"0\r\n\r\n")

    faults = (resets, garbage, breaks_off, is_slow, refuses, no_json)

    async def conducted(visit: Visit) -> None:
        if not visit.head.startswith(b"POST"):
            await answer(visit)
            return
        soaked.calls += 1
        if rng.random() < FAULTY:
            fault = rng.choice(faults)
            soaked.faults[fault.__name__] += 1
            await fault(visit)
            return
        await _continues(visit)

    return conducted


async def _continues(visit: Visit) -> None:
    prompt: str = json.loads(visit.body)["prompt"]
    begun = prompt[prompt.rfind("\n") + 1 :]
    fitting = (line for line in LINES if line.startswith(begun) and line != begun)
    text = next(fitting, begun + " = 1")[len(begun) :]
    await visit.send(HEAD)
    for at in range(0, len(text), 8):
        await visit.send_chunk(event(text[at : at + 8]))
    await visit.send_chunk(event("\n", "stop"))
    await visit.send(b"0\r\n\r\n")


async def soak(keys: int, *, samples: int = 20, seed: int = 1, tells: bool = False) -> Soaked:
    """Play so many keys."""
    soaked = Soaked(tells=tells)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with BrokenEndpoint() as endpoint:
            endpoint.conduct = conduct(soaked, seed)
            process = await _started(Path(folder), endpoint)
            wire = _Wire(process, soaked)
            listening = asyncio.create_task(wire.listen())
            await _hello(wire)
            typists = [_Typist(wire, soaked, number, keys) for number in range(TYPISTS)]
            watching = asyncio.create_task(_watch(soaked, process.pid, max(1, keys // samples)))
            await asyncio.gather(*(one.type() for one in typists))
            watching.cancel()
            endpoint.conduct = _continues
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECOVERED_WITHIN_S):
                    await typists[0].type_until_shown()
                    soaked.recovered = True
            await asyncio.sleep(1)
            soaked.samples.append(_sample(soaked, process.pid))
            await wire.request("shutdown", None)[1]
            wire.notify("exit", None)
            soaked.exit_status = await process.wait()
            await listening
    soaked.seconds = time.monotonic() - began
    return soaked


async def _started(folder: Path, endpoint: BrokenEndpoint) -> asyncio.subprocess.Process:
    settings = endpoint.settings(
        limits={
            "requests_per_minute": 10_000_000,
            "tokens_per_minute": 1_000_000_000,
            "store": "file",
        },
        trigger={"debounce_ms": 0},
    )
    config = folder / "config.toml"
    config.write_text(toml(settings))
    env = {
        **os.environ,
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "FIM_LSP_CONFIG": str(config),
        "TEST_KEY": "test-key",
    }
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *SERVER, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env=env
    )


async def _hello(wire: _Wire) -> None:
    await wire.request("initialize", {"processId": os.getpid(), "capabilities": {}})[1]
    wire.notify("initialized", {})


async def _watch(soaked: Soaked, pid: int, every: int) -> None:
    """Look at the process after every so many keys."""
    due = every
    while True:
        if soaked.keys >= due:
            soaked.samples.append(_sample(soaked, pid))
            due += every
            if soaked.tells:
                soaked.samples[-1].tell()
        await asyncio.sleep(0.05)


def _sample(soaked: Soaked, pid: int) -> Sample:
    rss_mb, _, descriptors = footprint(pid)
    return Sample(keys=soaked.keys, rss_mb=rss_mb, descriptors=descriptors)


def main() -> None:
    """Print the figures."""
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print("| keys | resident memory, MB | descriptors |")
    print("|---|---|---|")
    soaked = asyncio.run(soak(keys, tells=True))
    soaked.samples[-1].tell()
    warm = min(WARM_KEYS, keys // 2)
    again = "ghost text came" if soaked.recovered else "NO GHOST TEXT CAME"
    print(
        f"\n{soaked.keys:,} keys in {soaked.seconds:,.0f} s: {soaked.requests:,} requests, "
        f"{soaked.unanswered} unanswered, {soaked.strange} answered with another error, ghost "
        f"text for {soaked.shown:,}; {soaked.calls:,} calls, {soaked.faults.total():,} of them "
        f"faulty; {soaked.messages} messages; memory {soaked.growth(warm):+.1%} since {warm:,} "
        f"keys; {again} after the last fault; exit status {soaked.exit_status}"
    )


if __name__ == "__main__":
    main()
