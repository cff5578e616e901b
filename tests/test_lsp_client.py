"""The little LSP client against servers that behave and servers that do not."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fim_lsp import lsp_client
from fim_lsp.lsp_client import LspClient, ResponseError, ServerGoneError

SERVER = """
    import json, os, sys

    def send(message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        sys.stdout.buffer.write(b"Content-Type: x\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body))
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()

    def receive():
        length = 0
        while line := sys.stdin.buffer.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        return json.loads(sys.stdin.buffer.read(length)) if length else sys.exit()

    def answer(message, result=None):
        send({"id": message["id"], "result": result})
"""


@asynccontextmanager
async def client_of(behaviour: str) -> AsyncGenerator[tuple[LspClient, list[Any]]]:
    """A client of a server that does ``behaviour``, and the notifications that came."""
    came: list[Any] = []

    def note(method: str, params: Mapping[str, Any]) -> None:
        came.append((method, params))

    code = textwrap.dedent(SERVER) + textwrap.dedent(behaviour)
    client = await LspClient.start([sys.executable, "-c", code], note)
    try:
        yield client, came
    finally:
        await client.aclose()


ECHO = """
    while message := receive():
        if "id" in message:
            answer(message, {"method": message["method"], "params": message.get("params")})
"""


async def test_each_request_gets_its_own_answer() -> None:
    async with client_of(ECHO) as (client, _):
        asked = [client.request("m", {"number": number, "text": "é\r\n"}) for number in range(20)]
        answers = await asyncio.gather(*asked)
    assert [answer["params"]["number"] for answer in answers] == list(range(20))
    assert answers[0]["params"]["text"] == "é\r\n"


async def test_answers_may_come_in_another_order() -> None:
    behaviour = """
        first, second = receive(), receive()
        answer(second, 2)
        answer(first, 1)
        receive()
    """
    async with client_of(behaviour) as (client, _):
        assert await asyncio.gather(client.request("a"), client.request("b")) == [1, 2]


async def test_an_error_is_raised_with_its_code() -> None:
    behaviour = """
        message = receive()
        send({"id": message["id"], "error": {"code": -32800, "message": "overtaken"}})
    """
    async with client_of(behaviour) as (client, _):
        with pytest.raises(ResponseError, match="overtaken") as raised:
            await client.request("m")
    assert raised.value.code == -32800


async def test_notifications_and_requests_of_the_server() -> None:
    behaviour = """
        message = receive()
        send({"method": "window/showMessage", "params": {"message": "hello"}})
        send({"id": "s", "method": "workspace/configuration", "params": {}})
        answer(message, receive())
    """
    async with client_of(behaviour) as (client, came):
        refused = await client.request("what did I say?")
    assert came == [("window/showMessage", {"message": "hello"}), ("workspace/configuration", {})]
    assert (refused["id"], refused["error"]["code"]) == ("s", -32601)


async def test_giving_up_a_request_cancels_it() -> None:
    behaviour = """
        asked, cancelled, message = receive(), receive(), receive()
        answer(message, [asked["id"], cancelled["method"], cancelled["params"]["id"]])
    """
    async with client_of(behaviour) as (client, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.request("slow")
        number, method, cancelled = await client.request("what came?")
    assert (method, cancelled) == ("$/cancelRequest", number)


BROKEN = {
    "one that ends": (
        "print('no such module', file=sys.stderr); sys.exit(3)",
        "The server ended: no such module",
    ),
    "one that ends in silence": ("receive(); os._exit(0)", "The server ended."),
    "one that prints": (
        "print('hello\\r\\n\\r\\n', flush=True); receive(); receive()",
        "The server wrote something that is no LSP to its stdout.",
    ),
    "one that sends no JSON": (
        "print('Content-Length: 3\\r\\n\\r\\nabc', flush=True); receive(); receive()",
        "The server wrote something that is no LSP to its stdout.",
    ),
}


@pytest.mark.parametrize(("behaviour", "said"), BROKEN.values(), ids=BROKEN.keys())
async def test_nobody_waits_for_a_broken_server(behaviour: str, said: str) -> None:
    async with client_of(behaviour) as (client, _):
        with pytest.raises(ServerGoneError) as raised:
            await client.request("initialize")
        with pytest.raises(ServerGoneError):
            await client.request("again")
    assert str(raised.value) == said


async def test_a_server_that_will_not_go_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsp_client, "FAREWELL_S", 0.2)
    behaviour = """
        import time
        answer(receive(), os.getpid())
        time.sleep(600)
    """
    async with client_of(behaviour) as (client, _):
        pid = await client.request("who are you?")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_server_that_cannot_be_started() -> None:
    with pytest.raises(ServerGoneError, match="cannot be started"):
        await LspClient.start(["/no/such/program"], lambda _method, _params: None)
