"""An endpoint on loopback that breaks on cue, down to its socket, and is mended again.

Where ``tests/endpoint.py`` checks requests and answers with every kind of body, this one holds the
bare socket: a *conduct* is given each request and may do anything to its connection. Warm-up
requests meet the same conduct.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

TLS = Path(__file__).parent / "tls"
AUTHORITY = TLS / "authority.pem"
TEXT = "mended()"
"""What it answers when it is well."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Visit:
    """One request on its connection."""

    def __init__(
        self, head: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.head = head
        self.body = body
        self._reader = reader
        self._writer = writer
        self.is_last = False
        """Whether the connection ends with this answer."""

    async def send(self, raw: bytes) -> None:
        """Write it; ``ConnectionError`` where nobody reads any more."""
        if self._writer.transport.is_closing() or self._reader.at_eof():
            raise ConnectionResetError
        self._writer.write(raw)
        await self._writer.drain()
        await asyncio.sleep(0)

    async def send_chunk(self, raw: bytes) -> None:
        """Write a chunk of a chunked body."""
        await self.send(b"%x\r\n%b\r\n" % (len(raw), raw))

    async def silence(self) -> None:
        """Say nothing until the other end hangs up."""
        while await self._reader.read(65_536):
            pass
        raise ConnectionResetError

    def reset(self) -> None:
        """Break the connection off, as a crashed host does."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise ConnectionResetError


Conduct = Callable[[Visit], Awaitable[None]]


def event(text: str, finish: str | None = None) -> bytes:
    """One event of a streamed answer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\n".encode()


async def answer(visit: Visit) -> None:
    """As a healthy endpoint does."""
    if not visit.head.startswith(b"POST"):
        await visit.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    await visit.send(HEAD)
    for piece in (event(TEXT[:3]), event(TEXT[3:]), event("", "stop"), b"data: [DONE]\n\n"):
        await visit.send_chunk(piece)
    await visit.send(b"0\r\n\r\n")


def certificate(name: str) -> ssl.SSLContext:
    """A server's end of TLS with one of the certificates in ``tests/tls``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{name}.pem", TLS / "key.pem")
    return context


@dataclass(slots=True)
class BrokenEndpoint:
    """The endpoint; use it with ``async with``. It is well until ``conduct`` says otherwise."""

    host: str = "127.0.0.1"
    """What the settings call it."""
    tls: ssl.SSLContext | None = None
    greeting: bytes = b""
    """Sent before anything was asked, and that is all."""
    conduct: Conduct = answer
    heads: list[bytes] = field(default_factory=list[bytes])
    """The head of every request that came."""
    port: int = 0
    connections: int = 0
    """Accepted so far."""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def base_url(self) -> str:
        """What the settings name."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/v1"

    @property
    def posts(self) -> list[bytes]:
        """The heads of the requests for a completion."""
        return [head for head in self.heads if head.startswith(b"POST")]

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.vanish()

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen, on the same port as before, with another certificate where one is given."""
        self.tls = tls or self.tls
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """Stop listening, and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings' table that leads here, with short limits."""
        network: Mapping[str, Any] = {
            "connect_timeout_s": 1.5,
            "read_timeout_s": 2.0,
            "total_timeout_s": 3.5,
        }
        named = {"provider": "mistral", "base_url": self.base_url, **more}
        return {**named, "network": {**network, **more.get("network", {})}}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self.greeting:
                writer.write(self.greeting)
                await writer.drain()
                writer.close()
                return
            while await self._serve(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, the conduct wants it so, or the test is over
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next((line[15:] for line in lines if line.startswith("content-length:")), "0")
        body = await reader.readexactly(int(length))
        self.heads.append(head)
        visit = Visit(head, body, reader, writer)
        await self.conduct(visit)
        return not visit.is_last
