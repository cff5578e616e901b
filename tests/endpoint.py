"""A strict FIM endpoint on loopback, for tests: it checks each request, streams, and fails on cue.

In a test's own event loop::

    async with Endpoint(Reply(text="b)")) as endpoint: ...  # settings take endpoint.base_url

For a server in another process (the endpoint runs in a thread)::

    with running_endpoint(Reply(text="b)")) as endpoint: ...

``endpoint.reply`` answers every call; ``endpoint.script`` holds replies for the next calls, used up
first. ``endpoint.calls`` and ``endpoint.violations`` tell what came.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast

Answer = str | Callable[[str, str], str]
"""The text, or a function of prompt and suffix."""
Fault = Literal[
    "hang",  # no answer at all
    "hang midway",  # half the text, then nothing
    "reset",  # the connection is reset before an answer
    "reset midway",
    "close",  # the connection is closed before an answer
    "truncate",  # the connection is closed in the middle of the body
    "garbage",  # something that is not HTTP
    "garbage event",  # an event that is not JSON
    "invalid utf-8",  # a byte in the text that is not UTF-8
    "no [DONE]",
    "two [DONE]s",
    "comments",  # comments and pings between the events
    "no finish",  # the stream ends properly, but no finish reason came
    "endless",  # events for ever
    "flood",  # 50 MB in one event
    "redirect",  # to another host
    "json",  # one JSON body though a stream was asked for
    "wrong type",  # events called text/plain
    "html",  # a gateway's page with status 200
    "http/1.0",  # no length, ends with the connection
    "error event",  # an error in the middle of a stream
    "null content",  # null and missing contents and choices among the events
    "list content",  # the text as lists of chunks
    "close when idle",  # a whole answer, then the kept connection is closed
    "compressed",  # a content encoding that was not asked for
]

_KINDS: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "prompt": (str,),
    "suffix": (str,),
    "temperature": (int, float),
    "top_p": (int, float),
    "max_tokens": (int,),
    "min_tokens": (int,),
    "stream": (bool,),
    "stop": (str, list),
    "random_seed": (int,),
}
_MOST = {"temperature": 1.5, "top_p": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one call is answered."""

    text: Answer = ""
    piece_chars: int = 4
    """Characters of each event; each counts as a token."""
    ttft_s: float = 0.0
    """Pause before the first piece."""
    per_piece_s: float = 0.0
    held: threading.Event | None = None
    """Nothing is sent before it is set, from whatever thread."""
    finish: str | None = "stop"
    """Instead of ``length`` where max_tokens cuts the text."""
    fault: Fault | None = None
    status: int = 200
    """Any other is sent at once, with ``body``."""
    body: str | bytes | dict[str, Any] | list[Any] | None = None
    """Sent as it is, instead of a completion; JSON where it is no text."""
    content_type: str = "application/json"
    split: int | None = None
    """Send ``body`` in pieces of so many bytes, each of them a chunk on its own."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True, kw_only=True)
class Call:
    """A request that came, and what became of it."""

    at_s: float
    """time.monotonic() when it was read."""
    connection: int
    """Counts connections from 1: the same for calls on one kept connection."""
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    pieces: list[str] = field(default_factory=list[str])
    """The pieces of text that were sent."""
    status: int = 0
    hung_up: bool = False
    """Whether the client closed the connection before the answer was whole."""
    ended: bool = False

    @property
    def usage(self) -> dict[str, int]:
        """What the call has cost, in tokens."""
        sent = len(str(self.body.get("prompt", ""))) + len(str(self.body.get("suffix", "")))
        prompt, completion = int(sent / 3.5), len(self.pieces)
        total = prompt + completion
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": total,
        }


def violations_of(body: object) -> list[str]:
    """What in a request's body the endpoint's schema does not allow."""
    if not isinstance(body, dict):
        return ["the body is no object"]
    found = cast("dict[str, Any]", body)
    bad = [f"{name} is missing" for name in ("model", "prompt") if name not in found]
    for name, value in found.items():
        if name not in _KINDS:
            bad.append(f"{name} is unknown")
        elif type(value) not in _KINDS[name]:
            bad.append(f"{name} has the wrong type")
        elif type(value) is list and not all(
            type(one) is str for one in cast("list[object]", value)
        ):
            bad.append(f"{name} is not a list of strings")
        elif isinstance(value, (int, float)) and not 0 <= value <= _MOST.get(name, value):
            bad.append(f"{name} is out of range")
    return bad


class Endpoint:
    """The endpoint; use it with ``async with``, or through ``running_endpoint``."""

    def __init__(
        self,
        reply: Reply | Callable[[Call], Reply] | None = None,
        *,
        key: str | None = "test-key",
        strict: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make one. ``strict`` checks against the schema of Mistral's endpoint; else any POST goes.

        ``key`` is the only one accepted; None accepts whoever comes.
        """
        self.reply = reply or Reply()
        self.script: list[Reply] = []
        self.key = key
        self.calls: list[Call] = []
        """POSTs only."""
        self.violations: list[str] = []
        self.warm_ups: list[Call] = []
        """GETs and HEADs."""
        self.listing: dict[str, Any] | None = None
        """Answers a GET for the models."""
        self.connections = 0
        """Opened so far."""
        self.open_connections = 0
        self.base_url = ""
        self._strict = strict
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        scheme = "https" if self._tls else "http"
        self.base_url = f"{scheme}://127.0.0.1:{self.port}/mistral/eu/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings' table that leads here."""
        return {"provider": "mistral", "base_url": self.base_url, **more}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_connections += 1
        connection = _Connection(self, self.connections, reader, writer)
        try:
            while await connection.serve_one():
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)
            self.open_connections -= 1

    def next_reply(self, call: Call) -> Reply:
        """The reply for ``call``: the script's next, else the one for all."""
        if self.script:
            return self.script.pop(0)
        return self.reply if isinstance(self.reply, Reply) else self.reply(call)

    def refusal(self, call: Call) -> Reply | None:
        """The reply to a request that is not allowed; None where it is."""
        bad = violations_of(call.body) if self._strict else []
        if self._strict and not call.path.endswith("/v1/fim/completions"):
            return Reply(status=404, body={"detail": "Not Found"})
        if "origin" in call.headers:
            bad.append("a browser's request")
        self.violations += bad
        if bad:
            detail = [{"type": "invalid", "loc": ["body"], "msg": one} for one in bad]
            return Reply(status=422, body={"object": "error", "message": {"detail": detail}})
        if self.key is not None and call.headers.get("authorization") != f"Bearer {self.key}":
            return Reply(status=401, body={"message": "Unauthorized", "request_id": "0"})
        return None


class _GoneError(ConnectionError):
    """The client has hung up."""


class _Connection:
    """One connection, serving a request after another."""

    def __init__(
        self,
        endpoint: Endpoint,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._endpoint = endpoint
        self._number = number
        self._reader = reader
        self._writer = writer
        self._call: Call | None = None

    async def serve_one(self) -> bool:
        """Answer one request; False where the connection must not be used again."""
        call = self._call = await self._read()
        if call.method != "POST":
            self._endpoint.warm_ups.append(call)
            listing = self._endpoint.listing
            if listing is not None and call.path.endswith(("/models", "/tags")):
                await self._whole(Reply(body=listing))
            else:
                await self._whole(Reply(status=404, body={"detail": "Not Found"}))
            return True
        self._endpoint.calls.append(call)
        reply = self._endpoint.refusal(call) or self._endpoint.next_reply(call)
        call.status = reply.status
        try:
            stays_open = await self._answer(call, reply)
        except ConnectionError:
            call.hung_up = True
            raise
        finally:
            call.ended = True
        return stays_open

    async def _read(self) -> Call:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        raw = await self._reader.readexactly(int(headers.get("content-length", "0")))
        try:
            body: object = json.loads(raw or b"{}")
        except ValueError:
            body = None
        return Call(
            at_s=time.monotonic(),
            connection=self._number,
            method=method,
            path=path,
            headers=headers,
            body=cast("dict[str, Any]", body) if isinstance(body, dict) else {},
        )

    async def _answer(self, call: Call, reply: Reply) -> bool:
        if reply.held is not None:
            await self._hold(reply.held)
        if reply.status != 200 or reply.body is not None:
            await self._pause(reply.ttft_s)
            await self._whole(reply)
            return True
        if reply.fault in _BEFORE:
            return await self._fail_at_once(reply)
        await self._pause(reply.ttft_s)
        text = reply.text
        if not isinstance(text, str):
            text = text(str(call.body.get("prompt", "")), str(call.body.get("suffix", "")))
        pieces = [
            text[at : at + reply.piece_chars] for at in range(0, len(text), reply.piece_chars)
        ]
        limit = cast("int", call.body.get("max_tokens", 1 << 20))
        finish = reply.finish if len(pieces) <= limit else "length"
        pieces = pieces[:limit]
        if call.body.get("stream") and reply.fault != "json":
            await self._stream(call, reply, pieces, finish)
            return reply.fault not in {"close when idle", "http/1.0"}
        await self._pause(reply.per_piece_s * len(pieces))
        message = {"role": "assistant", "content": "".join(pieces), "prefix": False}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        call.pieces += pieces
        body = {
            **_envelope(call),
            "data": "asd",
            "usage": call.usage,
            "choices": [choice],
        }
        await self._whole(Reply(body=body, headers=reply.headers))
        return reply.fault != "close when idle"

    async def _fail_at_once(self, reply: Reply) -> bool:
        if reply.fault == "hang":
            await self._pause(3600)
        elif reply.fault == "reset":
            _reset(self._writer)
        elif reply.fault == "garbage":
            await self._send(b"\x16\x03 this is no HTTP\r\n\r\n" * 4)
        elif reply.fault == "html":
            await self._whole(
                Reply(body="<!doctype html><title>Welcome</title>", content_type="text/html")
            )
        elif reply.fault == "redirect":
            target = {"location": "https://elsewhere.example/v1/fim/completions"}
            await self._whole(Reply(status=307, body="", headers=target))
        elif reply.fault == "compressed":
            await self._whole(Reply(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}))
        return False

    async def _stream(
        self, call: Call, reply: Reply, pieces: list[str], finish: str | None
    ) -> None:
        old = reply.fault == "http/1.0"
        kind = "text/plain" if reply.fault == "wrong type" else "text/event-stream; charset=utf-8"
        framing = "" if old else "Transfer-Encoding: chunked\r\n"
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        version = "1.0" if old else "1.1"
        head = f"HTTP/{version} 200 OK\r\nContent-Type: {kind}\r\n{framing}{extra}\r\n"
        await self._send(head.encode())
        async with aclosing(self._events(call, reply, pieces, finish)) as events:
            async for event in events:
                await self._send(event if old else b"%x\r\n%s\r\n" % (len(event), event))
        if not old:
            await self._send(b"0\r\n\r\n")

    async def _events(
        self, call: Call, reply: Reply, pieces: list[str], finish: str | None
    ) -> AsyncGenerator[bytes]:
        """The body's bytes, event by event, with the reply's fault."""
        yield _event(call, {"role": "assistant", "content": ""})
        for at, piece in enumerate(pieces):
            if at == len(pieces) // 2 and (broken := await self._fail_midway(call, reply)):
                yield broken
            call.pieces.append(piece)
            content = [{"type": "text", "text": piece}] if reply.fault == "list content" else piece
            event = _event(call, {"content": content})
            if reply.fault == "invalid utf-8":
                event = event.replace(json.dumps(piece).encode(), b'"\xff\xc3("')
            yield event
            await self._pause(reply.per_piece_s)
        if reply.fault == "no finish":
            return
        yield _event(call, {"content": ""}, finish, call.usage)
        if reply.fault != "no [DONE]":
            yield b"data: [DONE]\n\n" * (2 if reply.fault == "two [DONE]s" else 1)

    async def _fail_midway(self, call: Call, reply: Reply) -> bytes:
        """Fail, or give what stands between two pieces."""
        match reply.fault:
            case "hang midway":
                await self._pause(3600)
            case "reset midway":
                _reset(self._writer)
                raise _GoneError
            case "truncate":
                self._writer.close()
                raise _GoneError
            case "endless":
                while True:
                    await self._send(_chunk(_event(call, {"content": "more "})))
            case "flood":
                for _ in range(50):
                    await self._send(_chunk(b"data: " + b"x" * 1024 * 1024))
            case "null content":
                return _event(call, {"content": None}) + _event(call, {}) + b'data: {"id": "x"}\n\n'
            case _:
                pass
        return _MIDWAY.get(reply.fault or "", b"")

    async def _whole(self, reply: Reply) -> None:
        body = reply.body if reply.body is not None else ""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        raw = body.encode() if isinstance(body, str) else body
        lines = {"Content-Type": reply.content_type, **reply.headers}
        framing = {"Content-Length": str(len(raw))}
        if reply.split is not None:
            framing = {"Transfer-Encoding": "chunked"}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **framing}.items())
        await self._send(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode())
        if reply.split is None:
            await self._send(raw)
            return
        for at in range(0, len(raw), reply.split):
            await self._send(_chunk(raw[at : at + reply.split]))
        await self._send(b"0\r\n\r\n")

    async def _send(self, raw: bytes) -> None:
        if self._is_gone:
            raise _GoneError
        self._writer.write(raw)
        await self._writer.drain()
        await asyncio.sleep(0)  # let the loop tell of a client that is gone

    async def _pause(self, seconds: float) -> None:
        """Wait that long; ``_GoneError`` as soon as the client has hung up."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            if self._is_gone:
                raise _GoneError
            await asyncio.sleep(min(left_s, 0.002))

    async def _hold(self, held: threading.Event) -> None:
        """Wait for it; ``_GoneError`` as soon as the client has hung up."""
        while not held.is_set():
            await self._pause(0.002)

    @property
    def _is_gone(self) -> bool:
        return self._reader.at_eof() or self._writer.transport.is_closing()


_MIDWAY = {
    "garbage event": b"data: {not json\n\n",
    "error event": b'data: {"object": "error", "message": "Internal", "code": "3000"}\n\n',
    "comments": b": ping\n\n:\n\nevent: ping\n\nretry: 1000\n\n",
}
_BEFORE = {"hang", "reset", "close", "garbage", "html", "redirect", "compressed"}


def _envelope(call: Call) -> dict[str, Any]:
    kind = "chat.completion.chunk" if call.body.get("stream") else "chat.completion"
    return {"id": "cmpl-1", "object": kind, "created": 1_700_000_000, "model": "codestral"}


def _event(
    call: Call,
    delta: dict[str, Any],
    finish: str | None = None,
    usage: dict[str, int] | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    found = {**_envelope(call), "choices": [choice], "p": "abcde"}
    if usage is not None:
        found["usage"] = usage
    return f"data: {json.dumps(found)}\n\n".encode()


def _chunk(raw: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(raw), raw)


def _reset(writer: asyncio.StreamWriter) -> None:
    import socket
    import struct

    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def running_endpoint(
    reply: Reply | Callable[[Call], Reply] | None = None,
    *,
    key: str | None = "test-key",
    strict: bool = True,
) -> Generator[Endpoint]:
    """An endpoint in a thread of its own, for a client in another process or without a loop."""
    endpoint = Endpoint(reply, key=key, strict=strict)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    over = loop.create_future()

    async def serve() -> None:
        async with endpoint:
            ready.set()
            await over

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    if not ready.wait(10):
        message = "the endpoint did not start"
        raise RuntimeError(message)
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(over.set_result, None)
        thread.join(10)
        loop.close()
