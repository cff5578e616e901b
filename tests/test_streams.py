"""The real server at the ends of its wires: what comes in on stdin or TCP, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from fim_lsp.server.streams import NOBODY_READS, DescriptorWriter, converse
from tests.editor import SERVER

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
HELLO: dict[str, Any] = {"id": 1, "method": "initialize", "params": {"capabilities": {}}}
STILL_THERE = {"id": 99, "method": "shutdown"}
EXIT = {"method": "exit"}


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def said(*messages: dict[str, Any]) -> bytes:
    return b"".join(framed(json.dumps({"jsonrpc": "2.0", **one}).encode()) for one in messages)


def heard(out: bytes) -> list[dict[str, Any]]:
    """The messages in the server's output, which holds nothing else."""
    found: list[dict[str, Any]] = []
    while out:
        header, _, rest = out.partition(b"\r\n\r\n")
        length = int(header.lower().partition(b"content-length:")[2].split()[0])
        found.append(json.loads(rest[:length]))
        out = rest[length:]
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config.toml"
    config.write_text('provider = "local"\n')
    return {**os.environ, "HOME": str(tmp_path), "FIM_LSP_CONFIG": str(config)}


async def conversation(environment: dict[str, str], *pieces: bytes) -> tuple[list[Any], int]:
    """What the server answers to these writes and to the end behind them, and its exit status."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *SERVER, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )
    assert process.stdin
    for piece in pieces:
        process.stdin.write(piece)
        await process.stdin.drain()
        await asyncio.sleep(0.02)
    out, complaints = await process.communicate(b"")
    assert b"Traceback" not in complaints
    return heard(out), process.returncode or 0


NONSENSE: dict[str, tuple[bytes, list[tuple[Any, int]]]] = {
    "no JSON": (framed(b"{'a': 1}"), [(None, PARSE_ERROR)]),
    "no UTF-8": (framed(b'{"a": "\xff"}'), [(None, PARSE_ERROR)]),
    "an empty body": (framed(b""), [(None, PARSE_ERROR)]),
    "half of JSON": (framed(b'{"jsonrpc": "2.0", "id": 2, "me'), [(None, PARSE_ERROR)]),
    "a tower of lists": (framed(b"[" * 200_000), [(None, PARSE_ERROR)]),
    "a number beyond numbers": (framed(b"9" * 6_000), [(None, PARSE_ERROR)]),
    "a list": (framed(b"[1]"), [(None, INVALID_REQUEST)]),
    "another version": (framed(b'{"id": 2, "method": "shutdown"}'), [(2, INVALID_REQUEST)]),
    "neither a method nor an answer": (said({}), []),
    "a method that is no name": (said({"method": 3}, {"method": ["x"]}), []),
    "an answer to nothing": (said({"id": 7, "result": 1}, {"id": [7], "error": 2}), []),
    "parameters that are none": (said({"method": "textDocument/didChange", "params": 3}), []),
    "a length that is too short": (b"Content-Length: 3\r\n\r\n{   }", [(None, PARSE_ERROR)]),
    "a header without a length": (b"Content-Type: x\r\n\r\n{}", []),
    "no header at all": (b"hello\n", []),
}


async def test_no_nonsense_makes_the_server_deaf(environment: dict[str, str]) -> None:
    """It is all sent to one server; after each piece of it a request still gets its answer."""
    sent = said(HELLO)
    expected: list[tuple[Any, int]] = []
    for number, (nonsense, errors) in enumerate(NONSENSE.values(), start=1000):
        sent += nonsense + said({"id": number, "method": "workspace/executeCommand", "params": OK})
        expected += [*errors, (number, 0)]
    answers, _ = await conversation(environment, sent)
    told = [(one["id"], one.get("error", {}).get("code", 0)) for one in answers if "id" in one]
    assert told == [(1, 0), *expected]


OK = {"command": "fim-lsp.accepted", "arguments": [1]}
STATUSES: dict[str, tuple[bytes, int]] = {
    "exit after shutdown": (said(HELLO, STILL_THERE, EXIT), 0),
    "exit without shutdown": (said(HELLO, EXIT), 1),
    "the end of stdin": (said(HELLO), 0),
    "the end in a header": (said(HELLO) + b"Content-Le", 0),
    "the end in a body": (said(HELLO) + b"Content-Length: 99\r\n\r\n{", 0),
    "the end before anything": (b"", 0),
}


@pytest.mark.parametrize(("sent", "status"), STATUSES.values(), ids=STATUSES.keys())
async def test_the_server_ends_with_its_editor(
    environment: dict[str, str], sent: bytes, status: int
) -> None:
    answers, ended_with = await conversation(environment, sent)
    assert ended_with == status
    assert all("error" not in answer for answer in answers)


async def test_a_message_may_come_in_pieces_and_be_large(environment: dict[str, str]) -> None:
    document = {"uri": "file:///w/a.py", "languageId": "python", "version": 0, "text": "x" * 5**10}
    opened = {"method": "textDocument/didOpen", "params": {"textDocument": document}}
    hello, rest = said(HELLO), said(opened, STILL_THERE, EXIT)
    answers, status = await conversation(environment, hello[:9], hello[9:30], hello[30:], rest)
    assert [answer["id"] for answer in answers if "id" in answer] == [1, 99]
    assert status == 0


async def test_what_a_request_does_at_once_it_does_before_the_next_message() -> None:
    """An edit may come in the same piece, and the request's position is one of the text before."""
    order: list[str] = []

    class Recorder:
        def set_writer(self, writer: object) -> None: ...

        def receive(self, body: bytes) -> None:
            order.append(body.decode())
            tasks.append(asyncio.create_task(self.work(f"{body.decode()} begins")))

        async def work(self, what: str) -> None:
            order.append(what)

    tasks: list[asyncio.Task[None]] = []
    pieces = iter([framed(b"request") + framed(b"edit"), b""])

    async def read() -> bytes:
        return next(pieces)

    await converse(Recorder(), read)
    assert order == ["request", "request begins", "edit", "edit begins"]


def run(
    command: Sequence[str], environment: dict[str, str], stdin: IO[bytes] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, stdin=stdin, capture_output=True, env=environment, check=True)


def test_stdin_may_be_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    """The system cannot tell when a file is readable: there a thread reads."""
    script = tmp_path / "messages"
    script.write_bytes(said(HELLO, STILL_THERE, EXIT))
    with script.open("rb") as stdin:
        ended = subprocess.run(
            SERVER, stdin=stdin, capture_output=True, env=environment, check=True
        )
    assert [answer["id"] for answer in heard(ended.stdout)] == [1, 99]


def test_stdin_may_be_closed(environment: dict[str, str]) -> None:
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *SERVER]
    ended = run(command, environment)
    assert ended.stdout == ended.stderr == b""


async def test_stdin_that_does_not_block_is_left_so(environment: dict[str, str]) -> None:
    """Another process may hold the other end of the same pipe, and its mode is shared."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *SERVER, stdin=reading, stdout=pipe, stderr=pipe, env=environment
    )
    for piece in (said(HELLO), said(STILL_THERE, EXIT)):
        os.write(writing, piece)
        await asyncio.sleep(0.1)
    out, complaints = await process.communicate()
    assert [answer["id"] for answer in heard(out)] == [1, 99]
    assert complaints == b""
    assert not os.get_blocking(reading)
    os.close(reading)
    os.close(writing)


async def test_an_answer_is_written_whole_to_a_pipe_that_does_not_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    answer = b"x" * 1_000_000
    written = asyncio.create_task(asyncio.to_thread(DescriptorWriter(writing).write, answer))
    received = b""
    while len(received) < len(answer):
        received += await asyncio.to_thread(os.read, reading, 65_536)
    await written
    assert received == answer
    os.close(reading)
    os.close(writing)


def test_a_server_whose_answers_nobody_reads_ends(environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        SERVER,
        input=said(HELLO),
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(writing)
    assert ended.returncode == NOBODY_READS
    assert ended.stderr == b""
