"""One editor over TCP, and nobody else: it has to say a token before anything else is heard.

A port on loopback is open to every user of the machine and, by way of their browsers, to every web
page that they visit. So nothing is done, and nothing is said, before an ``initialize`` that holds
the token in its ``initializationOptions``; what does not begin like LSP, as any HTTP request, is
cut off at its first bytes.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import secrets
import sys
from collections.abc import Mapping
from typing import Any, cast

from fim_lsp.server.framing import MessageParser
from fim_lsp.server.streams import PIECE_BYTES, Receiver, converse

TOKEN_VARIABLE = "FIM_LSP_TOKEN"  # noqa: S105 - where the token is, not the token
"""Holds the token where the editor and the server are started by the same program."""
HELLO_S = 10.0
"""Whoever connects has so long to say the token."""
HELLO_BYTES = 1024 * 1024
MOST_WAITING = 8
"""So many may be connected without having said it."""
_BEGINS = b"content-"
"""How every LSP message begins, in small letters; no HTTP method does."""

_log = logging.getLogger(__name__)


def serve_tcp(receiver: Receiver, host: str, port: int) -> None:
    """Wait for one editor that says the token, and run until it is gone or says ``exit``.

    Raises ``OSError`` where the address cannot be listened at, ``SystemExit`` on ``exit``.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    token = given or secrets.token_urlsafe(24)

    async def serve() -> None:
        await _Door(receiver, token).open(host, port, announced=given is None)

    asyncio.run(serve())


class _Door:
    """Lets one connection in."""

    def __init__(self, receiver: Receiver, token: str) -> None:
        self._receiver = receiver
        self._token = token
        self._waiting: set[asyncio.Task[None]] = set()
        self._inside: asyncio.Future[_Guest] = asyncio.get_running_loop().create_future()

    async def open(self, host: str, port: int, *, announced: bool) -> None:
        """Listen until somebody is let in, and serve that one."""
        listening = await asyncio.start_server(self._connected, host, port, limit=HELLO_BYTES)
        _announce(f"{host}:{port}", self._token if announced else None)
        guest = await self._inside
        listening.close()
        for task in self._waiting:
            task.cancel()
        await guest.converse(self._receiver)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if self._inside.done() or len(self._waiting) >= MOST_WAITING:
            writer.close()
            return
        self._waiting.add(task)
        guest = _Guest(reader, writer)
        try:
            async with asyncio.timeout(HELLO_S):
                is_admitted = await guest.says(self._token)
        except (OSError, TimeoutError, asyncio.CancelledError):
            is_admitted = False
        self._waiting.discard(task)
        if is_admitted and not self._inside.done():
            self._inside.set_result(guest)
        else:
            writer.close()


class _Guest:
    """A connection, and what it has said so far."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._heard: list[bytes] = []
        self._parser = MessageParser()

    async def says(self, token: str) -> bool:
        """Whether its first message is an ``initialize`` with the token. Raises ``OSError``."""
        received = b""
        while not self._heard:
            piece = await self._reader.read(PIECE_BYTES)
            received += piece
            begins = received[: len(_BEGINS)].lower()
            if not piece or not _BEGINS.startswith(begins) or len(received) > HELLO_BYTES:
                return False
            self._heard += self._parser.feed(piece)
        hello = _parsed(self._heard[0])
        options = _table(_table(hello.get("params")).get("initializationOptions"))
        # a client may keep everything of ours under one name
        said = options.pop("token", None) or _table(options.get("fim")).pop("token", None)
        if hello.get("method") != "initialize":
            return False
        if not hmac.compare_digest(str(said).encode(errors="replace"), token.encode()):
            self._refuse(hello.get("id"))
            return False
        self._heard[0] = json.dumps(hello).encode()  # the token is no setting
        return True

    async def converse(self, receiver: Receiver) -> None:
        """Hand on all that it says, to its end."""
        receiver.set_writer(self._writer)
        for body in self._heard:
            receiver.receive(body)
            await asyncio.sleep(0)
        await converse(receiver, self._read, self._parser)
        self._writer.close()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(PIECE_BYTES)
        except ConnectionError:
            return b""

    def _refuse(self, number: object) -> None:
        """Tell an editor that was set up wrongly; the token is in none of it."""
        _log.warning("a connection without the right token was refused")
        message = (
            "fim-lsp: initializationOptions.token is missing or wrong: the server has printed it, "
            f"or it is in {TOKEN_VARIABLE}."
        )
        error = {"code": -32600, "message": message}
        body = json.dumps({"jsonrpc": "2.0", "id": number, "error": error}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def _announce(address: str, token: str | None) -> None:
    """Say on stderr, which only the person who has started this reads, how to get in."""
    how = f"is {token}" if token else f"is the one in {TOKEN_VARIABLE}"
    line = f"fim-lsp: listening on {address}; the editor's initializationOptions.token {how}\n"
    sys.stderr.write(line)
    sys.stderr.flush()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return _table(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _table(found: object) -> dict[str, Any]:
    return cast("dict[str, Any]", found) if isinstance(found, Mapping) else {}
