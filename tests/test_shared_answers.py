"""Answers that a team shares through a real Redis: one call for all, and nothing there in clear."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fim_lsp.providers import Chunk, FimRequest
from fim_lsp.providers.registry import connect
from fim_lsp.providers.shared_answers import SharedAnswers
from fim_lsp.settings import Layer, parse
from fim_lsp.store import Store
from tests.editor import editing
from tests.endpoint import Endpoint, Reply
from tests.patience import until
from tests.redis_server import RedisServer, running_redis

pytestmark = pytest.mark.program("redis-server")

ASK = FimRequest(prompt="def secret_formula(salt):\n    return ", suffix="\n", path="a.py")
SAID = "salt * pepper\n"


@pytest.fixture
def redis(tmp_path: Path) -> Generator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "test-key")


async def person(endpoint: Endpoint, redis: RedisServer, **more: Any) -> SharedAnswers:
    """One of the team, whose store is open."""
    table = endpoint.settings(api_key_env="TEST_KEY", **more)
    settings = parse(Layer(source="test", table=table)).settings
    store = Store(redis.url)
    await store.opened()
    return SharedAnswers(connect(settings), settings, store)


async def asked(one: SharedAnswers, request: FimRequest = ASK, *, most: int = 99) -> list[Chunk]:
    """The chunks, or the first of them."""
    found: list[Chunk] = []
    async with aclosing(one.stream(request)) as chunks:
        async for chunk in chunks:
            found.append(chunk)
            if len(found) == most:
                break
    return found


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def stored(redis: RedisServer) -> dict[bytes, bytes]:
    """All that lies in the store."""
    store = Store(redis.url)
    assert await store.opened()
    keys = await store.call("KEYS", "*")
    found = {key: await store.call("GET", key) for key in keys}
    await store.aclose()
    return found


async def test_what_one_has_asked_costs_the_next_nothing(redis: RedisServer) -> None:
    async with Endpoint(Reply(text=SAID)) as endpoint:
        one, two = await person(endpoint, redis), await person(endpoint, redis)
        assert text_of(await asked(one)) == SAID
        await one.aclose()
        (chunk,) = await asked(two)
        await two.aclose()
        assert (chunk.text, chunk.finish_reason) == (SAID, "stop")
        assert chunk.usage is not None
        assert chunk.usage.prompt_tokens == 0
        assert len(endpoint.calls) == 1


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another prompt": ({}, {"prompt": "def secret_formula(sugar):\n    return "}),
    "another suffix": ({}, {"suffix": "\n\n"}),
    "another model": ({"model": "codestral-2508"}, {}),
    "another temperature": ({}, {"temperature": 0.7}),
    "another setting of the request": ({"request": {"top_p": 0.5}}, {}),
}


@pytest.mark.parametrize(("settings", "change"), OTHERS.values(), ids=OTHERS)
async def test_another_question_is_asked_anew(
    settings: dict[str, Any], change: dict[str, Any], redis: RedisServer
) -> None:
    async with Endpoint(Reply(text=SAID)) as endpoint:
        one, two = await person(endpoint, redis), await person(endpoint, redis, **settings)
        await asked(one)
        await one.aclose()
        await asked(two, replace(ASK, **change))
        await two.aclose()
        assert len(endpoint.calls) == 2


async def test_nothing_of_the_text_lies_in_the_store(redis: RedisServer) -> None:
    async with Endpoint(Reply(text=SAID)) as endpoint:
        one = await person(endpoint, redis)
        await asked(one)
        await one.aclose()
    ((name, value),) = (await stored(redis)).items()
    words = ("secret", "formula", "salt", "pepper", "return", "codestral", "a.py", "test-key")
    assert not [word for word in words if word.encode() in name + value]


async def test_what_was_enough_is_kept_and_what_was_refuted_is_not(redis: RedisServer) -> None:
    async with Endpoint(Reply(text=SAID, fault="hang midway")) as endpoint:
        one = await person(endpoint, redis)
        refuted = asyncio.create_task(asked(one))
        await until(lambda: endpoint.calls and endpoint.calls[0].pieces)
        refuted.cancel()
        await asyncio.wait([refuted])
        assert await stored(redis) == {}
        endpoint.reply = Reply(text=SAID)
        assert text_of(await asked(one, most=3)) == SAID[:12]
        await one.aclose()
        two = await person(endpoint, redis)
        (chunk,) = await asked(two)
        await two.aclose()
        assert (chunk.text, chunk.finish_reason) == (SAID[:12], "length")


async def test_what_somebody_else_has_written_there_is_not_read(redis: RedisServer) -> None:
    async with Endpoint(Reply(text=SAID)) as endpoint:
        one = await person(endpoint, redis)
        await asked(one)
        await one.aclose()
        store = Store(redis.url)
        assert await store.opened()
        for name in await stored(redis):
            await store.call("SET", name, b"rm -rf everything, for good")
        await store.aclose()
        two = await person(endpoint, redis)
        assert text_of(await asked(two)) == SAID
        await two.aclose()
        assert len(endpoint.calls) == 2


async def test_without_the_store_the_endpoint_is_asked(redis: RedisServer) -> None:
    async with Endpoint(Reply(text=SAID)) as endpoint:
        one = await person(endpoint, redis)
        redis.kill()
        assert [text_of(await asked(one)) for _ in range(3)] == [SAID] * 3
        await one.aclose()
        assert len(endpoint.calls) == 3


async def somebody_there(redis: RedisServer) -> None:
    """Wait until somebody else than this test is connected to the store."""
    store = Store(redis.url)
    assert await store.opened()

    async def is_there() -> bool:
        return (await store.call("CLIENT", "LIST")).count(b"name=fim-lsp") > 1

    await until(is_there)
    await store.aclose()


async def test_two_servers_make_one_call(redis: RedisServer, tmp_path: Path) -> None:
    async with Endpoint(Reply(text="a + b\n")) as endpoint:
        for name in ("one", "two"):
            home = tmp_path / name
            home.mkdir()
            table = endpoint.settings(cache={"store": redis.url})
            async with editing(home, table) as editor:
                editor.open("def add(a, b):\n    return ║\n")
                await somebody_there(redis)  # a store that is still to be opened is not waited for
                assert await editor.texts() == ["a + b"]
        assert len(endpoint.calls) == 1
