"""Mutations of what peers send: parsers raise nothing but their own errors, the server answers on.

FIM_FUZZ_S sets the seconds for each test, ``FIM_FUZZ_SEED`` the seed: a failure prints its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fim_lsp.lsp_client import LspClient
from fim_lsp.server.framing import MessageParser
from tests.editor import SERVER, editing
from tests.endpoint import Endpoint, Reply
from tests.fuzz import CORPUS, bodies, check_body, messages, mutated_bytes, mutated_json, split

BUDGET_S = float(os.environ.get("FIM_FUZZ_S", "4"))
SEED = int(os.environ.get("FIM_FUZZ_SEED", "0")) or random.randrange(1, 10**9)


def rounds() -> Iterator[random.Random]:
    """A generator of its own for each round, until the time is over."""
    end, seed = time.monotonic() + BUDGET_S, SEED
    while time.monotonic() < end:
        yield random.Random(seed)
        seed += 1


def test_bodies() -> None:
    assert sum(check_body(rng) for rng in rounds()) > 20


def test_framing() -> None:
    """Whatever is cut or changed, the parser goes on, and where the pieces end does not matter."""
    framed = [json.dumps(one).encode() for one in messages()]
    stream = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(one), one) for one in framed)
    for rng in rounds():
        raw = mutated_bytes(rng, stream)
        parser, whole = MessageParser(), MessageParser().feed(raw)
        assert [body for piece in split(rng, raw) for body in parser.feed(piece)] == whole
        assert all(len(body) <= len(raw) for body in whole)


async def test_messages_to_the_real_server(tmp_path: Path) -> None:
    """After each storm of mutated messages a plain request gets its plain answer."""
    corpus = messages()
    async with Endpoint(Reply(text="b)")) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.client._settle = _settling(e.client)  # type: ignore[method-assign]
        for rng in rounds():
            for _ in range(40):
                message = mutated_json(rng, rng.choice(corpus))
                if isinstance(message.get("id"), int):
                    message["id"] = -abs(message["id"]) - 1  # not one of the client's own
                e.client._send(message)  # pyright: ignore[reportPrivateUsage]
            e.open("f(║\n", uri="file:///w/plain.py")
            async with asyncio.timeout(60):
                assert isinstance(await e.texts(), list), f"seed {SEED}"
        assert len(e.messages) < 60, "a toast for each wrong setting, and each once"
        assert all(len(one) < 600 for one in e.messages)


def _settling(client: LspClient) -> Any:
    settle = LspClient._settle  # pyright: ignore[reportPrivateUsage]

    def lenient(response: dict[str, Any]) -> None:
        if isinstance(response.get("id"), int):
            settle(client, response)

    return lenient


async def test_bytes_to_the_real_server(tmp_path: Path) -> None:
    """On the wire; a server that was told to wait for a huge body may wait, but never falls."""
    framed = [json.dumps(one).encode() for one in messages()]
    stream = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(one), one) for one in framed)
    (tmp_path / "config.toml").write_text('provider = "local"\n')
    env = {**os.environ, "HOME": str(tmp_path), "FIM_LSP_CONFIG": str(tmp_path / "config.toml")}
    pipe = asyncio.subprocess.PIPE
    hello: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"capabilities": {}},
    }
    body = json.dumps(hello).encode()
    for rng in rounds():
        process = await asyncio.create_subprocess_exec(
            *SERVER, stdin=pipe, stdout=pipe, stderr=pipe, env=env
        )
        noise = b"".join(mutated_bytes(rng, stream) for _ in range(60))
        sent = b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + noise
        async with asyncio.timeout(60):
            out, err = await process.communicate(sent)
        assert process.returncode in {0, 1}, f"seed {SEED}"
        assert b"Traceback" not in err, f"seed {SEED}: {err[-2000:]!r}"
        assert out.startswith(b"Content-Length: ")


@pytest.mark.parametrize("folder", ["bodies", "messages"])
def test_the_corpus_is_there(folder: str) -> None:
    assert len(list((CORPUS / folder).iterdir())) >= 10
    assert len(bodies()) >= 10
