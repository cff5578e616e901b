"""A port on loopback: open to the editor that says the token, shut to everybody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.editor import SERVER
from tests.patience import PATIENCE_S, until

TOKEN = "open-sesame"  # noqa: S105 - opens nothing but these tests' server


@dataclass(slots=True, kw_only=True)
class Listening:
    """A server that waits for an editor."""

    process: asyncio.subprocess.Process
    port: int
    said: str
    """Its first line on stderr."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def answer(self, sent: bytes) -> bytes:
        """All that comes back on a connection of its own, until the server closes it."""
        reader, writer = await self.connect()
        writer.write(sent)
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await reader.read()
            except ConnectionError:
                return b""
            finally:
                writer.close()


@asynccontextmanager
async def listening(tmp_path: Path, token: str | None = TOKEN) -> AsyncGenerator[Listening]:
    async with await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0) as free:
        port = free.sockets[0].getsockname()[1]
    environment = {**os.environ, "HOME": str(tmp_path), "FIM_LSP_CONFIG": str(tmp_path / "none")}
    environment.pop("FIM_LSP_TOKEN", None)
    if token is not None:
        environment["FIM_LSP_TOKEN"] = token
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *SERVER, "--tcp", str(port), stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )
    assert process.stderr
    try:
        said = (await process.stderr.readline()).decode()
        yield Listening(process=process, port=port, said=said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def message(method: str, params: object, number: int | None = 1) -> bytes:
    told = {"jsonrpc": "2.0", "method": method, "params": params}
    body = json.dumps(told if number is None else {**told, "id": number}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def hello(**options: Any) -> bytes:
    return message("initialize", {"capabilities": {}, "initializationOptions": options})


LET_IN = {
    "flat": {"token": TOKEN, "provider": "local"},
    "under fim": {"fim": {"token": TOKEN, "provider": "local"}},
}


@pytest.mark.parametrize("options", LET_IN.values(), ids=LET_IN.keys())
async def test_an_editor_with_the_token_is_served(tmp_path: Path, options: dict[str, Any]) -> None:
    async with listening(tmp_path) as server:
        reader, writer = await server.connect()
        writer.write(
            hello(**options) + message("initialized", {}, None) + message("shutdown", None, 2)
        )
        heard = b""
        async with asyncio.timeout(PATIENCE_S):
            while b'"id": 2' not in heard and b'"id":2' not in heard:
                heard += await reader.readuntil(b"}")
        assert b"inlineCompletionProvider" in heard
        assert b"unknown setting" not in heard, "the token is no setting"
        writer.write(message("exit", None, None))
        assert await server.process.wait() == 0
        writer.close()


async def test_without_the_variable_a_token_is_made_and_printed_once(tmp_path: Path) -> None:
    async with listening(tmp_path, token=None) as server:
        found = re.search(r"initializationOptions\.token is (\S{32})\n", server.said)
        assert found
        reader, writer = await server.connect()
        writer.write(hello(token=found[1]))
        assert b"Content-Length" in await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_the_variables_token_is_not_printed(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        assert TOKEN not in server.said
        assert f"127.0.0.1:{server.port}" in server.said


def http(method: str, body: bytes, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


INITIALIZE = hello(token=TOKEN).partition(b"\r\n\r\n")[2]
STRANGERS = {
    "a web page's request": http("GET", b"", Origin="https://evil.example"),
    "LSP in the body of a web page's request": http("POST", hello(token=TOKEN)),
    "a body that is taken for a message": http("POST", INITIALIZE, Content_Type="text/plain"),
    "a preflight": http("OPTIONS", b"", Access_Control_Request_Method="POST"),
    "a WebSocket": http("GET", b"", Upgrade="websocket", Connection="Upgrade"),
    "another name for this machine": http("GET", b"").replace(b"127.0.0.1", b"evil.example"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "nothing but a line end": b"\r\n",
    "a message before the first": message("shutdown", None) + hello(token=TOKEN),
    "an edit before the first": message("textDocument/didOpen", {}, None) + hello(token=TOKEN),
    "JSON that is none": b"Content-Length: 3\r\n\r\n{{{",
    "a list": b"Content-Length: 2\r\n\r\n[]",
}


async def test_strangers_are_cut_off_without_a_word(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        for name, sent in STRANGERS.items():
            assert await server.answer(sent) == b"", name
        assert await is_served(server)


WRONG: dict[str, dict[str, Any]] = {
    "no token": {},
    "an empty one": {"token": ""},
    "another one": {"token": TOKEN.upper()},
    "its beginning": {"token": TOKEN[:-1]},
    "null": {"token": None},
    "a list": {"token": [TOKEN]},
    "a text that is none": {"token": "\ud800"},
}


async def test_a_wrong_token_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        for name, options in WRONG.items():
            answered = await server.answer(hello(**options))
            assert b"initializationOptions.token is missing or wrong" in answered, name
            assert TOKEN.encode() not in answered
        assert await is_served(server)


async def is_served(server: Listening) -> bool:
    """Whether an editor with the token still gets in."""
    reader, writer = await server.connect()
    writer.write(hello(token=TOKEN))
    try:
        async with asyncio.timeout(PATIENCE_S):
            header = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    finally:
        writer.close()
    return header.startswith(b"Content-Length")


async def test_a_second_editor_finds_no_server(tmp_path: Path) -> None:
    """Documents and settings are one editor's."""
    async with listening(tmp_path) as server:
        waiting, waiting_writer = await server.connect()
        reader, writer = await server.connect()
        writer.write(hello(token=TOKEN))
        await reader.readuntil(b"\r\n\r\n")
        assert await waiting.read() == b""  # whoever had connected before and said nothing
        with pytest.raises(ConnectionError):
            await server.connect()
        for one in (waiting_writer, writer):
            one.close()


async def test_those_who_say_nothing_do_not_fill_the_door(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        silent = [await server.connect() for _ in range(40)]
        for reader, _ in silent[8:]:
            assert await reader.read() == b""
        for _, writer in silent:
            writer.close()
        await until(lambda: is_served(server))  # once it has seen that they are gone
