"""Everything that breaks around the server, one row each, against the real server process.

A row is played so: ghost text comes, something breaks, a person goes on typing, it is mended, and
ghost text has to come back. What must hold in every row is in ``tests/test_faults.py``;
``python -m benchmarks.faults`` prints the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import string
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.broken_endpoint import (
    AUTHORITY,
    HEAD,
    TEXT,
    BrokenEndpoint,
    Visit,
    answer,
    certificate,
    event,
)
from tests.editor import CANCELLED, Editor, code_of, editing, toml
from tests.patience import until

KEY = "sesame-4711-open"
SHIMS = Path(__file__).parent / "shims"
ROUNDS = 2
KEYS_A_ROUND = 6
GAP_S = 0.06
UNANSWERED_S = 30.0
"""Who has no answer by then gets none: a key's command has 10 s, a call 3.5 s."""
SAID = ("mended", "more")
"""How the endpoint's texts begin; others are the server's own guesses."""


@dataclass(slots=True)
class Stage:
    """What a row plays on."""

    endpoint: BrokenEndpoint
    folder: Path
    settings: Mapping[str, Any]
    editor: Editor | None = None
    elsewhere: BrokenEndpoint = field(default_factory=BrokenEndpoint)
    """Another host: nothing may ever come here."""
    held: list[socket.socket] = field(default_factory=list[socket.socket])

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "config.toml"

    def flag(self, name: str, text: str = "") -> None:
        """Switch on a fault of ``tests/shims``."""
        (self.folder / name).write_text(text)

    def pid(self) -> int:
        """The server's process."""
        assert self.editor
        return self.editor.client.pid


Act = Callable[[Stage], Awaitable[None]]


async def heal(stage: Stage) -> None:
    """The endpoint is well again."""
    stage.endpoint.conduct = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault."""

    breaks: Act
    mends: Act = heal
    says: str | None = None
    """Words of the one message that a person sees; None: there is none."""
    shows: bool = False
    """Whether ghost text comes all the while."""
    from_the_start: bool = False
    """Whether it is broken before the first request."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tls: str | None = None
    """The certificate that the endpoint has while it is well."""
    host: str = "127.0.0.1"
    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def new_descriptors(self) -> int:
        """The most that may be open at the end and were not before."""
        # kept connections and those just hung up; broken from the start, none was there to count
        return 7 if self.from_the_start else 4


@dataclass(slots=True, kw_only=True)
class Played:
    """What came of a row."""

    asked: int = 0
    unanswered: int = 0
    slowest_s: float = 0.0
    """The longest that a request waited for its answer."""
    shown: list[str] = field(default_factory=list[str])
    """The endpoint's ghost texts while it was broken, in the last round."""
    messages: list[str] = field(default_factory=list[str])
    """What a person was shown while it was broken."""
    back_s: float = 0.0
    """From the mending to the next ghost text."""
    cool_down_s: float = 0.0
    """How much of that the server had said it would stay away."""
    rss_growth_mb: float = 0.0
    peak_growth_mb: float = 0.0
    descriptor_growth: int = 0
    stderr: list[str] = field(default_factory=list[str])
    went_elsewhere: int = 0
    """Connections to a host that the settings do not name."""
    everything_said: str = ""
    """All that the server said of itself, to look for the key in."""


# -- conducts --------------------------------------------------------------------------------------


def conducts(conduct: Callable[[Visit], Awaitable[None]]) -> Act:
    """The endpoint behaves so from now on."""

    async def breaks(stage: Stage) -> None:
        stage.endpoint.conduct = conduct

    return breaks


def sends(*pieces: bytes, then: str = "ends", head: bytes = HEAD) -> Act:
    """To a POST, these bytes as they are; then it ``ends``, ``closes``, ``resets`` or is silent."""

    async def conduct(visit: Visit) -> None:
        if not visit.head.startswith(b"POST"):
            await answer(visit)
            return
        for piece in (head, *pieces):
            await visit.send(piece)
        if then == "resets":
            await asyncio.sleep(0.05)  # a reset discards what has not been read
            visit.reset()
        if then == "is silent":
            await visit.silence()
        visit.is_last = then == "closes"

    return conducts(conduct)


def chunks(*pieces: bytes) -> bytes:
    """A chunked body, or the beginning of one."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


WHOLE = (event(TEXT), event("", "stop"), b"data: [DONE]\n\n")
END = b"0\r\n\r\n"


async def _resets(visit: Visit) -> None:
    visit.reset()


async def _silent(visit: Visit) -> None:
    await visit.silence()


async def _drips(visit: Visit) -> None:
    await visit.send(HEAD)
    for byte in event("a much longer text than anybody waits for"):
        await visit.send_chunk(bytes([byte]))
        await asyncio.sleep(1)


async def _endless(visit: Visit) -> None:
    await visit.send(HEAD)
    while True:
        await visit.send_chunk(event("more and "))
        await asyncio.sleep(0.002)


async def _comments(visit: Visit) -> None:
    await visit.send(HEAD)
    while True:
        await visit.send_chunk(b": still here\n\n")
        await asyncio.sleep(0.02)


async def _flood(visit: Visit) -> None:
    await visit.send(HEAD)
    for _ in range(50):
        await visit.send_chunk(b"data: " + b"x" * 1024 * 1024)


async def _endless_head(visit: Visit) -> None:
    await visit.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await visit.send(b"x-filler: " + b"y" * 60_000 + b"\r\n")


def body(raw: bytes, *, status: str = "200 OK", more: str = "") -> Act:
    """A whole body with its length."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}"
    return sends(raw, head=f"{head}Content-Length: {len(raw)}\r\n\r\n".encode())


# -- the way, the machine, the settings ------------------------------------------------------------


async def _vanish(stage: Stage) -> None:
    await stage.endpoint.vanish()


async def _listen(stage: Stage) -> None:
    await stage.endpoint.listen()


async def _deaf(stage: Stage) -> None:
    """A full backlog: the kernel drops every further attempt to connect, as a firewall does."""
    await stage.endpoint.vanish()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deaf.bind(("127.0.0.1", stage.endpoint.port))
    deaf.listen(0)
    stage.held.append(deaf)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(deaf.getsockname())
        stage.held.append(filler)


async def _hear(stage: Stage) -> None:
    for held in stage.held:
        held.close()
    stage.held.clear()
    await stage.endpoint.listen()


def presents(name: str) -> Act:
    """The endpoint comes back with another certificate."""

    async def breaks(stage: Stage) -> None:
        await stage.endpoint.vanish()
        await stage.endpoint.listen(certificate(name))

    return breaks


async def _plain(stage: Stage) -> None:
    """Plain text where TLS was."""
    await stage.endpoint.vanish()
    stage.endpoint.tls = None
    stage.endpoint.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    await stage.endpoint.listen()


async def _secure_again(stage: Stage) -> None:
    await stage.endpoint.vanish()
    stage.endpoint.greeting = b""
    await stage.endpoint.listen(certificate("good"))


async def _redirects(stage: Stage) -> None:
    target = f"http://127.0.0.1:{stage.elsewhere.port}/v1/fim/completions"
    head = f"HTTP/1.1 307 Go\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
    await sends(head=head.encode())(stage)


async def _mends_and_saves(stage: Stage) -> None:
    """What a person does who was told to change a setting: correct it, and save the file."""
    await heal(stage)
    await _written(stage, toml(stage.settings) + "\n")


async def _written(stage: Stage, text: str) -> None:
    """Write the settings file, and let a request find that: it looks at most once a second."""
    stage.config.write_text(text)
    await asyncio.sleep(1.1)
    assert stage.editor
    await code_of(asyncio.ensure_future(stage.editor.texts()))


def configures(**more: Any) -> Act:
    """The person changes settings."""

    async def breaks(stage: Stage) -> None:
        await _written(stage, toml({**stage.settings, **more}))

    return breaks


async def _half_writes(stage: Stage) -> None:
    text = stage.config.read_text()
    await _written(stage, text[: len(text) // 2] + '\n"')


async def _saves_slowly(stage: Stage) -> None:
    """Editors take a file away, or truncate it, before they write it."""
    assert stage.editor
    text = stage.config.read_text()
    for half in (text[: text.index("base_url")], "", None):
        await asyncio.sleep(1.1)
        if half is None:
            stage.config.unlink()
        else:
            stage.config.write_text(half)
        await code_of(asyncio.ensure_future(stage.editor.texts()))
        await asyncio.sleep(0.1)
        stage.config.write_text(text + "\n")


def flags(name: str, text: str = "") -> Act:
    """A fault of the machine."""

    async def breaks(stage: Stage) -> None:
        stage.flag(name, text)

    return breaks


def unflags(name: str) -> Act:
    """The fault of the machine passes."""

    async def mends(stage: Stage) -> None:
        (stage.folder / name).unlink()

    return mends


async def _disk_is_full(stage: Stage) -> None:
    """No file may grow any more, for the server's process."""
    resource.prlimit(stage.pid(), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


async def _disk_has_room(stage: Stage) -> None:
    forever = resource.RLIM_INFINITY
    resource.prlimit(stage.pid(), resource.RLIMIT_FSIZE, (forever, forever))


async def _nothing(_: Stage) -> None:
    """It is broken by its settings, or for good."""


async def _state_is_garbage(stage: Stage) -> None:
    for file in stage.folder.rglob("calls.sqlite3*"):
        file.write_bytes(os.urandom(8_192))


def key_command(script: str) -> Row:
    """A command that gives no key until a file is there."""
    says = {
        "sleep 60": "took longer than",
        "exit 3": "failed with status 3",
        "echo": "printed nothing",
        "echo one; echo two": "printed 2 lines",
    }[script]
    command = ["sh", "-c", f'if [ -e "$HOME/unlocked" ]; then echo {KEY}; else {script}; fi']

    async def unlocks(stage: Stage) -> None:
        stage.flag("unlocked")
        await _mends_and_saves(stage)

    return Row(
        breaks=_nothing,
        mends=unlocks,
        says=says,
        from_the_start=True,
        settings={"api_key_command": command},
    )


SHIMMED = {"PYTHONPATH": str(SHIMS)}
TRUSTED = {"network": {"ca_bundle": str(AUTHORITY)}}
BROKEN_OFF = "broke off its answer or does not speak HTTP"
FILE_LEDGER = {"limits": {"store": "file"}}

ROWS: Mapping[str, Row] = {
    # the way there
    "a name that is not known": Row(
        breaks=configures(base_url="https://nowhere.invalid/v1"),
        mends=_mends_and_saves,
        says="cannot be found (DNS)",
        env={"RES_OPTIONS": "attempts:1 timeout:1"},
    ),
    "DNS away for a while": Row(
        breaks=flags("no-dns"),
        mends=unflags("no-dns"),
        says="cannot be found (DNS)",
        from_the_start=True,
        host="localhost",
        env=SHIMMED,
    ),
    "connection refused": Row(breaks=_vanish, mends=_listen, says="refuses the connection"),
    "connection attempts dropped": Row(breaks=_deaf, mends=_hear, says="within 1.5 s"),
    "a proxy that is not there": Row(
        breaks=configures(network={"proxy": "http://127.0.0.1:9"}),
        mends=_mends_and_saves,
        says="does not connect to 127.0.0.1",
    ),
    "a proxy that refuses": Row(
        breaks=body(b"", status="407 Proxy Authentication Required"),
        mends=_mends_and_saves,
        says="407",
    ),
    "TLS: expired": Row(
        tls="good", breaks=presents("expired"), mends=presents("good"), says="has expired"
    ),
    "TLS: another host's": Row(
        tls="good", breaks=presents("elsewhere"), mends=presents("good"), says="is for another host"
    ),
    "TLS: unknown authority": Row(
        tls="good",
        breaks=configures(network={}),
        mends=_mends_and_saves,
        says="that is not trusted",
    ),
    "TLS: signed by itself": Row(
        tls="good", breaks=presents("selfsigned"), mends=presents("good"), says="signed by itself"
    ),
    "TLS: plain text instead": Row(
        tls="good", breaks=_plain, mends=_secure_again, says="does not speak TLS"
    ),
    # connections
    "reset at once": Row(breaks=conducts(_resets), says="was lost"),
    "reset after the headers": Row(breaks=sends(then="resets"), says="was lost"),
    "reset in the middle": Row(breaks=sends(chunks(event("x")), then="resets"), says="was lost"),
    "silent from the start": Row(breaks=conducts(_silent), says="sent nothing for 2 s"),
    "silent after the headers": Row(breaks=sends(then="is silent"), says="sent nothing for 2 s"),
    "silent in the middle": Row(
        breaks=sends(chunks(event("x")), then="is silent"), says="sent nothing for 2 s"
    ),
    "one byte a second": Row(breaks=conducts(_drips), says="did not finish within 3.5 s"),
    "closed after the headers": Row(breaks=sends(then="closes"), says=BROKEN_OFF),
    # bodies
    "endless text": Row(breaks=conducts(_endless), shows=True),
    "endless comments": Row(breaks=conducts(_comments), says="did not finish within 3.5 s"),
    "50 MB in one event": Row(breaks=conducts(_flood), says="an event without an end"),
    "50 MB in one body": Row(
        breaks=body(b'{"x": "' + b"x" * 50_000_000), says="more than 1 MiB for one completion"
    ),
    "endless headers": Row(breaks=conducts(_endless_head), says=BROKEN_OFF),
    "JSON cut off": Row(breaks=body(b'{"choices": [{"mess'), says="is no JSON"),
    "an event cut off": Row(breaks=sends(chunks(b'data: {"choi'), END), says="is no JSON"),
    "an empty body": Row(breaks=body(b""), says="ended its answer before any of it"),
    "a web page": Row(breaks=body(b"<!doctype html><p>Sign in"), says="answered with a web page"),
    "bytes that are not UTF-8": Row(
        breaks=sends(
            chunks(
                event(TEXT), event("zz").replace(b"zz", b"\xff\xc3("), event("", "stop"), *WHOLE[2:]
            ),
            END,
        ),
        shows=True,
    ),
    "another content type": Row(
        breaks=sends(
            chunks(*WHOLE), END, head=HEAD.replace(b"text/event-stream", b"application/pdf")
        ),
        shows=True,
    ),
    "no [DONE]": Row(breaks=sends(chunks(*WHOLE[:2]), END), shows=True),
    "two [DONE]s": Row(breaks=sends(chunks(*WHOLE, *WHOLE[2:]), END), shows=True),
    "an error in the stream": Row(
        breaks=sends(chunks(event("x"), b'data: {"error": {"message": "boom"}}\n\n'), END),
        says="has trouble at the moment",
    ),
    "status 500": Row(breaks=body(b"oh", status="500 Oh"), says="status 500"),
    "status 401": Row(
        breaks=body(b"{}", status="401 No"), mends=_mends_and_saves, says="does not accept the key"
    ),
    # HTTP
    "no HTTP at all": Row(
        breaks=sends(then="closes", head=b"\x16\x03 hello\r\n\r\n"), says=BROKEN_OFF
    ),
    "HTTP/1.0": Row(
        breaks=sends(
            *WHOLE,
            then="closes",
            head=b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
        ),
        shows=True,
    ),
    "a redirect to another host": Row(
        breaks=_redirects, mends=_mends_and_saves, says="the key is not sent there"
    ),
    "100 and 103 first": Row(
        breaks=sends(
            chunks(*WHOLE),
            END,
            head=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + HEAD,
        ),
        shows=True,
    ),
    "101 without a reason": Row(
        breaks=sends(head=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
        mends=_mends_and_saves,
        says=BROKEN_OFF,
    ),
    "a chunk's size that is no number": Row(breaks=sends(b"zz\r\nhello\r\n"), says=BROKEN_OFF),
    "a chunk of a negative size": Row(breaks=sends(b"-5\r\nhello\r\n"), says=BROKEN_OFF),
    "a chunk longer than said": Row(breaks=sends(b"2\r\nhello\r\n"), says=BROKEN_OFF),
    "a chunk that is cut off": Row(
        breaks=sends(b"ffff\r\ndata: {", then="closes"), says=BROKEN_OFF
    ),
    "two lengths that differ": Row(
        breaks=body(b"{}", more="Content-Length: 77\r\n"), says=BROKEN_OFF
    ),
    "compressed unasked": Row(
        breaks=body(b"\x1f\x8b", more="Content-Encoding: gzip\r\n"), says="compresses its answer"
    ),
    # the machine
    "the wall clock goes back a day": Row(
        breaks=flags("wall-clock", "-86400"), mends=unflags("wall-clock"), shows=True, env=SHIMMED
    ),
    "the wall clock goes on a day": Row(
        breaks=flags("wall-clock", "86400"), mends=unflags("wall-clock"), shows=True, env=SHIMMED
    ),
    "an hour passes asleep": Row(
        breaks=flags("monotonic-clock", "3600"), mends=_nothing, shows=True, env=SHIMMED
    ),
    "the disk is full": Row(
        breaks=_disk_is_full, mends=_disk_has_room, shows=True, settings=FILE_LEDGER
    ),
    "the trace's disk is full": Row(
        breaks=_nothing, shows=True, from_the_start=True, options=("--trace", "/dev/full")
    ),
    "the state folder is read-only": Row(
        breaks=_nothing,
        shows=True,
        from_the_start=True,
        settings=FILE_LEDGER,
        env={"XDG_STATE_HOME": "/proc"},
    ),
    "the state file is garbage": Row(breaks=_state_is_garbage, shows=True, settings=FILE_LEDGER),
    # settings and keys
    "settings half written": Row(
        breaks=_half_writes,
        mends=_mends_and_saves,
        says="not valid TOML",
        shows=True,
        env={"ODEUS_API_KEY": "not to be used"},
    ),
    "settings saved slowly": Row(
        breaks=_saves_slowly, shows=True, env={"ODEUS_API_KEY": "not to be used"}
    ),
    "a key command that hangs": key_command("sleep 60"),
    "a key command that fails": key_command("exit 3"),
    "a key command that prints a newline": key_command("echo"),
    "a key command that prints two lines": key_command("echo one; echo two"),
}


# -- playing ---------------------------------------------------------------------------------------


async def play(row: Row, folder: Path) -> Played:
    """Play one row; it takes some seconds, most of them spent waiting."""
    played = Played()
    async with _staged(row, folder) as stage:
        if row.from_the_start:
            await row.breaks(stage)
        async with _edited(row, stage) as editor:
            await _go(row, stage, editor, played)
        played.stderr = list(editor.client._complaints)  # pyright: ignore[reportPrivateUsage]
        played.everything_said = repr((editor.told, played.stderr))
        played.went_elsewhere = stage.elsewhere.connections
    return played


@asynccontextmanager
async def _staged(row: Row, folder: Path) -> AsyncGenerator[Stage]:
    endpoint = BrokenEndpoint(row.host, tls=certificate(row.tls) if row.tls else None)
    async with endpoint, BrokenEndpoint() as elsewhere:
        wanted = {**row.settings, **(TRUSTED if row.tls else {})}
        stage = Stage(endpoint, folder, endpoint.settings(**wanted), elsewhere=elsewhere)
        try:
            yield stage
        finally:
            for held in stage.held:
                held.close()


@asynccontextmanager
async def _edited(row: Row, stage: Stage) -> AsyncGenerator[Editor]:
    env = {"FIM_TEST_FAULTS": str(stage.folder), "XDG_STATE_HOME": str(stage.folder), **row.env}
    async with editing(
        stage.folder, stage.settings, key=KEY, options=row.options, env=env
    ) as editor:
        stage.editor = editor
        yield editor


async def _go(row: Row, stage: Stage, editor: Editor, played: Played) -> None:
    editor.open("x = ║\n")
    if not row.from_the_start:
        await _until_shown(editor, played, limit_s=30)
        assert editor.messages == [], editor.messages
    else:
        await _type(editor, played)
    before = footprint(stage.pid())
    if not row.from_the_start:
        await row.breaks(stage)
    for _ in range(ROUNDS):
        await _type(editor, played)
        await asyncio.sleep(0.2)
    if row.says:
        with contextlib.suppress(TimeoutError):  # who looks at what was played will miss it
            await editor.eventually(row.says)
    played.messages = editor.messages
    mended_at = time.monotonic()
    await row.mends(stage)
    played.cool_down_s = _promised_s(editor)
    await _until_shown(editor, played, limit_s=60)
    played.back_s = time.monotonic() - mended_at
    with contextlib.suppress(TimeoutError):  # what was hung up is closed behind the answer
        await until(lambda: footprint(stage.pid())[2] - before[2] <= row.new_descriptors)
    after = footprint(stage.pid())
    played.rss_growth_mb = after[0] - before[0]
    played.peak_growth_mb = after[1] - before[1]
    played.descriptor_growth = after[2] - before[2]


async def _type(editor: Editor, played: Played) -> None:
    """Type a line's beginning, asking at each key; every request gets its answer."""
    begun = played.asked % 20  # no line like one before: that would be suggested by itself
    editor.type(f"\nx{played.asked} = ")
    played.shown.clear()
    asking: list[tuple[float, asyncio.Task[list[str]]]] = []
    for char in string.ascii_lowercase[begun : begun + KEYS_A_ROUND]:
        editor.type(char)
        asking.append((time.monotonic(), asyncio.create_task(editor.texts())))
        await asyncio.sleep(GAP_S)
    for asked_at, task in asking:
        played.asked += 1
        try:
            async with asyncio.timeout(asked_at + UNANSWERED_S - time.monotonic()):
                code = await code_of(asyncio.shield(task))
        except TimeoutError:
            played.unanswered += 1
            continue
        assert code in {0, CANCELLED}, code
        if code == 0:
            played.shown += [text for text in task.result() if text.startswith(SAID)]
    played.slowest_s = max(played.slowest_s, time.monotonic() - asking[-1][0])


async def _until_shown(editor: Editor, played: Played, *, limit_s: float) -> None:
    """Type and pause until ghost text is there."""
    async with asyncio.timeout(limit_s):
        while True:
            editor.type(f"\ny{played.asked} = ")
            played.asked += 1
            if any(text.startswith(SAID) for text in await editor.texts()):
                return
            await asyncio.sleep(0.1)


def _promised_s(editor: Editor) -> float:
    """How long the server has said it would stay away, at most; 0 where it waits for a person."""
    until = [said["until_s"] for said in editor.statuses[-1:] if said["until_s"] is not None]
    return max(until, default=0.0)


def footprint(pid: int) -> tuple[float, float, int]:
    """Resident memory and its peak, in MB, and open descriptors."""
    status = Path(f"/proc/{pid}/status").read_text()
    sizes = dict(line.split(":", 1) for line in status.split("\n") if line.startswith("Vm"))
    rss, peak = (int(sizes[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return rss, peak, len(list(Path(f"/proc/{pid}/fd").iterdir()))
