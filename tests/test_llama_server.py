"""A real llama-server with a tiny model: nothing here is recorded or stood in for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from fim_lsp.errors import RefusedError
from fim_lsp.providers import Chunk, FimRequest, Provider, Reader, Snippet, Usage
from fim_lsp.providers.registry import connect
from fim_lsp.settings import RequestSettings, Settings
from tests.cursor import CURSOR
from tests.editor import editing
from tests.llama_server import get, prompt_tokens_read, running, wait_until_ready
from tests.patience import until
from tests.tiny_gguf import ANSWER, LOOP, write_model

pytestmark = pytest.mark.editor("llama-server")

LINES = "".join(f"def function_{n}(a, b):\n    return a + b + {n}\n\n" for n in range(30))
ASK = FimRequest(prompt=LINES + "def add(a, b):", suffix="\n\nprint(add(1, 2))\n", path="b.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llama")


@pytest.fixture(scope="module")
def url(folder: Path) -> Generator[str]:
    write_model(folder / "tiny.gguf")
    with running(folder / "tiny.gguf") as url:
        wait_until_ready(url)
        yield url


@asynccontextmanager
async def provider_for(url: str, **more: Any) -> AsyncGenerator[Provider]:
    provider = connect(replace(Settings(provider="llamacpp", base_url=url), **more))
    try:
        yield provider
    finally:
        await provider.aclose()


async def answer(provider: Provider, request: FimRequest = ASK) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer(url: str, stream: bool) -> None:
    every = RequestSettings(stream=stream, temperature=0.3, top_p=0.8, random_seed=1)
    async with provider_for(url, request=every) as provider:
        chunks = await answer(provider)
    assert text_of(chunks) == "".join(ANSWER)
    assert len(chunks) > len(ANSWER) if stream else len(chunks) == 1
    assert chunks[-1].finish_reason == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == len(ANSWER) + 1


async def test_an_answer_that_is_cut_off(url: str) -> None:
    async with provider_for(url) as provider:
        chunks = await answer(provider, replace(ASK, max_tokens=3))
    assert text_of(chunks) == "".join(ANSWER[:3])
    assert chunks[-1].finish_reason == "length"


async def test_a_stop_string(url: str) -> None:
    async with provider_for(url) as provider:
        chunks = await answer(provider, replace(ASK, stop=("\n    return",)))
    assert text_of(chunks) == "\n    total = a + b"
    assert chunks[-1].finish_reason == "stop"


@pytest.mark.parametrize("snippets", [(), (Snippet(path="a.py", text=LINES),)])
async def test_typing_on_is_answered_from_the_servers_cache(
    url: str, snippets: tuple[Snippet, ...]
) -> None:
    shares: list[float] = []
    async with provider_for(url) as provider:
        for end in range(len(ASK.prompt) - 14, len(ASK.prompt)):
            request = replace(ASK, prompt=ASK.prompt[:end], snippets=snippets)
            usage = (await answer(provider, request))[-1].usage
            assert usage is not None
            assert usage.cached_tokens is not None
            shares.append(usage.cached_tokens / usage.prompt_tokens)
    assert min(shares[1:]) >= 0.9


async def test_what_was_read_ahead_need_not_be_read_again(url: str) -> None:
    fresh = replace(ASK, prompt="# nobody has asked this yet\n" + LINES)
    async with provider_for(url) as provider:
        assert isinstance(provider, Reader)
        assert provider.reads_ahead
        await provider.read_ahead(fresh)
        usage = (await answer(provider, replace(fresh, prompt=fresh.prompt + "def ")))[-1].usage
    assert usage is not None
    assert usage.cached_tokens is not None
    assert usage.cached_tokens / usage.prompt_tokens >= 0.9


async def test_the_server_has_the_model_read_while_nobody_types(url: str, tmp_path: Path) -> None:
    """Its own prompt, seen from the cache's side: a question at the same place finds it read."""
    text = "# read while nobody types\n" + LINES[:600]
    async with editing(tmp_path, {"provider": "llamacpp", "base_url": url}) as editor:
        editor.open(text + CURSOR)
        await editor.texts()
        editor.type("x = 1\n" * 40)
        before = await asyncio.to_thread(prompt_tokens_read, url)

        async def has_read() -> bool:
            return await asyncio.to_thread(prompt_tokens_read, url) > before

        await until(has_read)
        read_ahead = await asyncio.to_thread(prompt_tokens_read, url) - before
        editor.type("y")
        await editor.texts()
        asked = await asyncio.to_thread(prompt_tokens_read, url) - before - read_ahead
    assert 0 < asked < read_ahead / 5


async def test_a_window_that_is_full_is_noticed_and_kept_to(folder: Path) -> None:
    """A small batch: the server reads the end of a long prefix and says nothing of the rest."""
    write_model(folder / "small.gguf")
    text = LINES + LINES
    with running(folder / "small.gguf", "-b", "512") as url:
        wait_until_ready(url)
        async with provider_for(url) as provider:
            used: list[Usage] = []
            for end in range(200, 1_200, 100):
                request = replace(ASK, prompt=text[:end], suffix="", max_tokens=2)
                usage = (await answer(provider, request))[-1].usage
                assert usage is not None
                used.append(usage)
    full = max(usage.prompt_tokens for usage in used)
    assert [usage.is_cut for usage in used] == [
        before is not None and before.prompt_tokens == usage.prompt_tokens == full
        for before, usage in zip([None, *used], used, strict=False)
    ]
    assert used[-1].is_cut


async def test_typing_on_in_a_small_window_is_answered_from_the_cache(
    folder: Path, tmp_path: Path
) -> None:
    write_model(folder / "small.gguf")
    with running(folder / "small.gguf", "-b", "512") as url:
        wait_until_ready(url)
        async with editing(tmp_path, {"provider": "llamacpp", "base_url": url}) as editor:
            editor.open(LINES + CURSOR)
            read: list[int] = []
            for number in range(24):
                editor.type(f"x{number} = ")
                before = await asyncio.to_thread(prompt_tokens_read, url)
                await editor.texts()
                read.append(await asyncio.to_thread(prompt_tokens_read, url) - before)
                editor.type("1\n")
    assert min(read[:2]) > 300, "the whole window, each time anew"
    assert median(read[12:]) < 50, "but where the window moves, what is new"


async def test_hanging_up_frees_the_slot(folder: Path) -> None:
    write_model(folder / "endless.gguf", is_endless=True)
    with running(folder / "endless.gguf") as url:
        wait_until_ready(url)
        async with (
            provider_for(url) as provider,
            aclosing(provider.stream(replace(ASK, max_tokens=14_000))) as chunks,
        ):
            assert (await anext(chunks)).text == LOOP
            assert await asyncio.to_thread(busy_slots, url) == 1

        async def are_free() -> bool:
            return not await asyncio.to_thread(busy_slots, url)

        await until(are_free)


def busy_slots(url: str) -> int:
    return sum(slot["is_processing"] for slot in get(url, "/slots"))


async def test_a_model_without_marks_for_the_middle(folder: Path) -> None:
    write_model(folder / "no_fim.gguf", can_fill=False)
    with running(folder / "no_fim.gguf") as url:
        wait_until_ready(url)
        async with provider_for(url) as provider:
            with pytest.raises(RefusedError, match=r"cannot fill in the middle \(status 501\)"):
                await answer(provider)


async def test_a_server_with_a_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(folder / "keyed.gguf")
    monkeypatch.setenv("LLAMA_KEY", "wrong")
    with running(folder / "keyed.gguf", "--api-key", "right") as url:
        wait_until_ready(url)
        async with provider_for(url, api_key_env="LLAMA_KEY") as provider:
            with pytest.raises(RefusedError, match="does not accept the key"):
                await answer(provider)
            monkeypatch.setenv("LLAMA_KEY", "right")
            assert text_of(await answer(provider)) == "".join(ANSWER)


def test_the_command_line_asks_it(url: str, tmp_path: Path) -> None:
    """``fim-lsp complete`` and ``models``, as a person would try them first."""
    file = tmp_path / "add.py"
    file.write_text("def add(a, b):\n", "utf-8")
    more = ("--set", "provider=llamacpp", "--set", f"base_url={url}")
    completed = fim_lsp("complete", f"{file}:1:15", *more)
    assert completed == "".join(ANSWER).rstrip("\n") + "\n"
    assert ".gguf" in fim_lsp("models", *more)


def fim_lsp(*arguments: str) -> str:
    """What the command prints; it must succeed."""
    environment = {**os.environ, "FIM_LSP_CONFIG": "nowhere.toml"}
    command = [sys.executable, "-m", "fim_lsp", *arguments]
    ran = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode()
