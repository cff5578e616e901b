"""The Mistral dialect: what is sent, and what every kind of answer is read as."""

from __future__ import annotations

import json
import sys
from contextlib import aclosing
from dataclasses import replace
from typing import Any, get_args

import pytest

from fim_lsp.errors import RefusedError, SettingError, UnavailableError
from fim_lsp.providers import Chunk, FimRequest, Snippet, Usage
from fim_lsp.providers.http import HttpProvider
from fim_lsp.providers.mistral import connect, payload
from fim_lsp.settings import NetworkSettings, RequestSettings, Settings
from tests.endpoint import Endpoint, Fault, Reply, violations_of

ASK = FimRequest(prompt="def add(a, b):\n    ", suffix="\n", max_tokens=100)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODEUS_API_KEY", "test-key")


def provider_for(endpoint: Endpoint, *, silence_s: float = 60.0, **more: Any) -> HttpProvider:
    network = NetworkSettings(read_timeout_s=silence_s, warm_connection=False)
    settings = Settings(provider="mistral", base_url=endpoint.base_url, network=network)
    return connect(replace(settings, **more))


async def chunks_of(provider: HttpProvider, request: FimRequest = ASK) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


SENT: dict[str, tuple[RequestSettings, FimRequest, dict[str, Any]]] = {
    "nothing that is not set": (
        RequestSettings(),
        FimRequest(prompt="a", suffix="b"),
        {"prompt": "a", "suffix": "b", "max_tokens": 128, "stream": True},
    ),
    "every parameter of the settings": (
        RequestSettings(
            max_tokens=5,
            min_tokens=1,
            temperature=0.5,
            top_p=0.9,
            random_seed=7,
            stop="\n\n",
            stream=False,
        ),
        FimRequest(prompt="a", suffix=""),
        {
            "prompt": "a",
            "suffix": "",
            "max_tokens": 5,
            "min_tokens": 1,
            "temperature": 0.5,
            "top_p": 0.9,
            "random_seed": 7,
            "stop": ["\n\n"],
            "stream": False,
        },
    ),
    "the request's own before the settings'": (
        RequestSettings(max_tokens=5, temperature=0.1, min_tokens=3, stop=("a", "b")),
        FimRequest(
            prompt="", suffix="", max_tokens=2, temperature=0.9, min_tokens=1, stop=("b", "c", "")
        ),
        {
            "prompt": "",
            "suffix": "",
            "max_tokens": 2,
            "temperature": 0.9,
            "min_tokens": 1,
            "stop": ["a", "b", "c"],
            "stream": True,
        },
    ),
    "no more required than allowed": (
        RequestSettings(max_tokens=5, min_tokens=30),
        FimRequest(prompt="a", suffix="b"),
        {"prompt": "a", "suffix": "b", "max_tokens": 5, "min_tokens": 5, "stream": True},
    ),
    "snippets before the prompt": (
        RequestSettings(),
        FimRequest(
            prompt="def f",
            suffix="",
            path="src/b.py",
            snippets=(Snippet(path="src/a.py", text="X = 1\n\n"), Snippet(path="c.py", text="Y")),
        ),
        {
            "prompt": "+++++ src/a.py\nX = 1\n\n+++++ c.py\nY\n\n+++++ src/b.py\ndef f",
            "suffix": "",
            "max_tokens": 128,
            "stop": ["\n+++++ "],
            "stream": True,
        },
    ),
}


@pytest.mark.parametrize(("settings", "request_", "body"), SENT.values(), ids=SENT.keys())
def test_what_is_sent(
    settings: RequestSettings, request_: FimRequest, body: dict[str, Any]
) -> None:
    sent = payload(request_, Settings(provider="mistral", request=settings))
    assert sent == {"model": "codestral-2501", **body}
    assert violations_of(sent) == []


async def test_the_request_on_the_wire() -> None:
    async with Endpoint(Reply(text="return a + b")) as endpoint:
        provider = provider_for(endpoint, model="some-model")
        assert text_of(await chunks_of(provider)) == "return a + b"
        await provider.aclose()
    (call,) = endpoint.calls
    assert call.path == "/mistral/eu/v1/fim/completions"
    assert call.body["model"] == "some-model"
    assert call.headers["authorization"] == "Bearer test-key"
    assert call.headers["accept-encoding"] == "identity"
    assert "origin" not in call.headers
    assert endpoint.violations == []


async def test_a_whole_address_with_a_query_and_further_headers() -> None:
    """As Azure and Vertex want it, the latter with a token that a command prints."""
    async with Endpoint(Reply(text="ok"), strict=False) as endpoint:
        url = f"http://127.0.0.1:{endpoint.port}/models/codestral:rawPredict?api-version=2"
        command = (sys.executable, "-c", "print('test-key')")
        more: dict[str, Any] = {"headers": ("X-Team: 7", "accept:*/*"), "api_key_command": command}
        provider = provider_for(endpoint, full_url=url, **more)
        assert text_of(await chunks_of(provider)) == "ok"
        await provider.aclose()
    (call,) = endpoint.calls
    assert call.path == "/models/codestral:rawPredict?api-version=2"
    assert (call.headers["x-team"], call.headers["accept"]) == ("7", "*/*")
    assert call.headers["authorization"] == "Bearer test-key"


@pytest.mark.parametrize("line", ["no colon", "two words: a", "x: a\r\nb: c", ": a", "x: \u00e9"])
def test_a_header_that_is_none(line: str) -> None:
    with pytest.raises(SettingError, match="is no header: write 'name: value'"):
        connect(Settings(provider="mistral", headers=("x-team: 7", line)))


TEXT = "return a + b  # ünd \u2028 🎉\n"
USAGE = Usage(prompt_tokens=5, completion_tokens=6)
WHOLE: list[Fault | None] = [
    None,
    "no [DONE]",
    "two [DONE]s",
    "comments",
    "json",
    "wrong type",
    "http/1.0",
    "null content",
    "list content",
    "close when idle",
]


@pytest.mark.parametrize("fault", WHOLE)
async def test_a_whole_answer_however_it_comes(fault: Fault | None) -> None:
    async with Endpoint(Reply(text=TEXT, fault=fault)) as endpoint:
        provider = provider_for(endpoint)
        for _ in range(2):  # a second time on the kept connection, or after it was closed
            chunks = await chunks_of(provider)
            assert text_of(chunks) == TEXT
            assert chunks[-1] == Chunk(text=chunks[-1].text, finish_reason="stop", usage=USAGE)
        await provider.aclose()
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_cut_off_says_so(stream: bool) -> None:
    async with Endpoint(Reply(text="a" * 40)) as endpoint:
        provider = provider_for(endpoint, request=RequestSettings(stream=stream))
        chunks = await chunks_of(provider, FimRequest(prompt="x", suffix="", max_tokens=3))
        await provider.aclose()
    assert text_of(chunks) == "a" * 12
    assert chunks[-1].finish_reason == "length"


REASONS = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "error": "error",
    "tool_calls": "stop",
}


@pytest.mark.parametrize(("sent", "read"), REASONS.items())
async def test_why_it_ended(sent: str, read: str) -> None:
    async with Endpoint(Reply(text="a", finish=sent)) as endpoint:
        provider = provider_for(endpoint)
        assert (await chunks_of(provider))[-1].finish_reason == read
        await provider.aclose()


async def test_a_body_without_a_reason_ends_silently() -> None:
    async with Endpoint(Reply(text=TEXT, fault="no finish")) as endpoint:
        provider = provider_for(endpoint)
        chunks = await chunks_of(provider)
        await provider.aclose()
    assert text_of(chunks) == TEXT
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == []


async def test_bytes_that_are_not_utf_8_spoil_only_themselves() -> None:
    async with Endpoint(Reply(text="abcd" * 3, fault="invalid utf-8")) as endpoint:
        provider = provider_for(endpoint)
        chunks = await chunks_of(provider)
        await provider.aclose()
    assert text_of(chunks) == "\ufffd\ufffd(" * 3


BROKEN: dict[Fault, tuple[type[Exception], str, str]] = {
    "hang": (UnavailableError, "sent nothing for 1 s", ""),
    "hang midway": (UnavailableError, "sent nothing for 1 s", "abcd"),
    "reset": (UnavailableError, "was lost", ""),
    "reset midway": (UnavailableError, "was lost", "abcd"),
    "close": (UnavailableError, "broke off", ""),
    "truncate": (UnavailableError, "broke off", "abcd"),
    "garbage": (UnavailableError, "does not speak HTTP", ""),
    "garbage event": (UnavailableError, "no JSON", "abcd"),
    "error event": (UnavailableError, 'It says: "Internal"', "abcd"),
    "flood": (UnavailableError, "an event without an end", "abcd"),
    "endless": (UnavailableError, "more than 1 MiB", "abcd"),
    "html": (UnavailableError, "a web page: check base_url", ""),
    "compressed": (UnavailableError, "compresses its answer", ""),
    "redirect": (RefusedError, "redirects to elsewhere.example", ""),
}


def test_every_fault_is_tested() -> None:
    assert {*WHOLE, *BROKEN, "no finish", "invalid utf-8"} == {None, *get_args(Fault)}


@pytest.mark.parametrize(
    ("fault", "kind", "words", "before"),
    [(fault, *row) for fault, row in BROKEN.items()],
    ids=BROKEN.keys(),
)
async def test_a_broken_answer_is_an_error_after_what_came(
    fault: Fault, kind: type[Exception], words: str, before: str
) -> None:
    async with Endpoint(Reply(text="abcdefgh", fault=fault)) as endpoint:
        provider = provider_for(endpoint, silence_s=1.0 if fault.startswith("hang") else 60.0)
        chunks: list[Chunk] = []
        with pytest.raises(kind, match=words) as raised:  # noqa: PT012 - what came before counts
            async for chunk in provider.stream(ASK):
                chunks.append(chunk)  # noqa: PERF401 - and stays when it raises
        assert text_of(chunks).startswith(before)
        assert "test-key" not in str(raised.value)
        endpoint.reply = Reply(text="well again")
        assert text_of(await chunks_of(provider)) == "well again"
        await provider.aclose()
        assert len(endpoint.calls) == 2, "asked once, and once more for the second answer"


async def test_a_refusal_is_read_from_its_body() -> None:
    detail = [{"loc": ["body", "top_p"], "msg": "too large", "input": ASK.prompt}]
    async with Endpoint(Reply(status=422, body={"detail": detail})) as endpoint:
        provider = provider_for(endpoint)
        with pytest.raises(RefusedError, match=r"top_p: too large") as raised:
            await chunks_of(provider)
        await provider.aclose()
    assert "def add" not in str(raised.value)


async def test_no_key_is_an_error_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ODEUS_API_KEY")
    provider = connect(Settings(provider="mistral", base_url="https://no.example/v1"))
    with pytest.raises(SettingError, match="set the environment variable ODEUS_API_KEY"):
        await chunks_of(provider)
    await provider.warm()
    await provider.aclose()


async def test_a_key_that_is_refused_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Endpoint(Reply(text="ok")) as endpoint:
        provider = provider_for(endpoint)
        monkeypatch.setenv("ODEUS_API_KEY", "expired")
        with pytest.raises(RefusedError, match="does not accept the key"):
            await chunks_of(provider)
        monkeypatch.setenv("ODEUS_API_KEY", "test-key")
        assert text_of(await chunks_of(provider)) == "ok"
        await provider.aclose()


async def test_headers_are_shown_to_who_wants_them() -> None:
    seen: list[str | None] = []
    async with Endpoint(Reply(text="ok", headers={"X-RateLimit-Remaining": "7"})) as endpoint:
        provider = provider_for(endpoint)
        provider.on_headers = lambda headers: seen.append(headers.get("x-ratelimit-remaining"))
        await chunks_of(provider)
        await provider.aclose()
    assert seen == ["7"]


async def test_half_a_surrogate_pair_in_a_document_is_no_reason_to_fail() -> None:
    async with Endpoint(Reply(text="ok")) as endpoint:
        provider = provider_for(endpoint)
        request = FimRequest(prompt="s = '\ud83c'", suffix="")
        assert text_of(await chunks_of(provider, request)) == "ok"
        await provider.aclose()
    assert endpoint.calls[0].body["prompt"] == "s = '?'"


EXAMPLE = {
    "data": "asd",
    "id": "245c52bc936f53ba90327800c73d1c3e",
    "object": "chat.completion",
    "model": "codestral",
    "usage": {"prompt_tokens": 16, "completion_tokens": 102, "total_tokens": 118},
    "created": 1732902806,
    "choices": [
        {
            "index": 0,
            "message": {"content": "\n  return 1;\n}\n", "prefix": False, "role": "assistant"},
            "finish_reason": "stop",
        }
    ],
}
BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "the documentation's example": (EXAMPLE, "\n  return 1;\n}\n"),
    "no choices": ({"id": "1", "object": "chat.completion"}, ""),
    "an empty list of choices": ({"choices": []}, ""),
    "null for everything": ({"choices": [{"message": None, "finish_reason": None}]}, ""),
    "chunks of several kinds": (
        {
            "choices": [
                {
                    "message": {
                        "content": [
                            {"type": "text", "text": "a"},
                            {"type": "image_url", "image_url": "x"},
                            {"text": "b"},
                        ]
                    }
                }
            ]
        },
        "ab",
    ),
}


@pytest.mark.parametrize(("body", "text"), BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("split", [None, 1, 7])
async def test_a_json_body(body: dict[str, Any], text: str, split: int | None) -> None:
    async with Endpoint(Reply(body=json.dumps(body, indent=1), split=split)) as endpoint:
        provider = provider_for(endpoint)
        chunks = await chunks_of(provider)
        await provider.aclose()
    assert text_of(chunks) == text
    assert chunks[-1].finish_reason == "stop"
