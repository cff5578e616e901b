"""The dialects beside Mistral's: what each sends, and recorded answers split at every byte."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fim_lsp.errors import PromptTooLongError, RefusedError, SettingError, UnavailableError
from fim_lsp.providers import Chunk, FimRequest, Provider, Snippet, Usage, llamacpp, ollama, reading
from fim_lsp.providers.answers import AnswerReader
from fim_lsp.providers.registry import connect
from fim_lsp.settings import ContextSettings, NetworkSettings, RequestSettings, Settings
from tests.endpoint import Call, Endpoint, Reply

ASK = FimRequest(
    prompt="def add(a, b):",
    suffix="\n",
    language="python",
    path="b.py",
    max_tokens=9,
    snippets=(Snippet(path="a.py", text="X = 1\n"),),
)
EVERY_PARAMETER = RequestSettings(
    max_tokens=5, min_tokens=1, temperature=0.5, top_p=0.9, random_seed=7, stop="\n\n", stream=False
)


def settings_for(endpoint: Endpoint, name: Any, **more: Any) -> Settings:
    network = NetworkSettings(warm_connection=False, read_timeout_s=60.0)
    base_url = f"http://127.0.0.1:{endpoint.port}/v1"
    return replace(Settings(provider=name, base_url=base_url, network=network), **more)


async def answer(provider: Provider, request: FimRequest = ASK) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What one provider sends for ASK."""

    provider: str
    path: str
    body: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    request: FimRequest = ASK


QWEN_PROMPT = (
    "<|file_sep|>a.py\nX = 1\n<|file_sep|>b.py\n"
    "<|fim_prefix|>def add(a, b):<|fim_suffix|>\n<|fim_middle|>"
)
QWEN_STOPS = ["<|endoftext|>", "<|file_sep|>", "<|fim_pad|>", "<|im_end|>"]
COMMENTS = "# Path: a.py\n# X = 1\n\ndef add(a, b):"
"""The shape of snippets for a model that has no marks for files."""

SENT = {
    "llama.cpp": Sent(
        provider="llamacpp",
        path="/v1/infill",
        body={
            "input_prefix": "def add(a, b):",
            "input_suffix": "\n",
            "input_extra": [{"filename": "a.py", "text": "X = 1\n"}],
            "n_predict": 9,
            "t_max_predict_ms": 8000,
            "cache_prompt": True,
            "samplers": ["top_k", "top_p", "infill"],
            "stream": True,
            "response_fields": [
                "content",
                "stop",
                "stop_type",
                "tokens_evaluated",
                "tokens_predicted",
                "timings/cache_n",
            ],
            "stop": [],
        },
    ),
    "llama.cpp, every parameter": Sent(
        provider="llamacpp",
        path="/v1/infill",
        more={"request": replace(EVERY_PARAMETER, id_slot=1)},
        request=FimRequest(prompt="a", suffix="b"),
        body={
            "id_slot": 1,
            "input_prefix": "a",
            "input_suffix": "b",
            "input_extra": [],
            "n_predict": 5,
            "t_max_predict_ms": 8000,
            "cache_prompt": True,
            "samplers": ["top_k", "top_p", "infill", "temperature"],
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 7,
            "stream": False,
            "response_fields": list(llamacpp._FIELDS),  # pyright: ignore[reportPrivateUsage]
            "stop": ["\n\n"],
        },
    ),
    "Ollama": Sent(
        provider="ollama",
        path="/v1/api/generate",
        more={"model": "qwen2.5-coder"},
        request=replace(ASK, suffix="\nprint()"),
        body={
            "model": "qwen2.5-coder",
            "prompt": COMMENTS,
            "suffix": "\nprint()",
            "stream": True,
            "options": {"num_predict": 9, "num_ctx": 4096},
        },
    ),
    "Ollama, every parameter": Sent(
        provider="ollama",
        path="/v1/api/generate",
        more={
            "model": "unknown",
            "request": EVERY_PARAMETER,
            "context": ContextSettings(prompt_tokens=8000),
        },
        request=FimRequest(prompt="a", suffix="b"),
        body={
            "model": "unknown",
            "prompt": "a",
            "suffix": "b",
            "stream": False,
            "options": {
                "num_predict": 5,
                "temperature": 0.5,
                "top_p": 0.9,
                "seed": 7,
                "stop": ["\n\n"],
                "num_ctx": 16005,
            },
        },
    ),
    "Ollama, nothing behind the cursor": Sent(
        provider="ollama",
        path="/v1/api/generate",
        more={"model": "qwen2.5-coder"},
        request=FimRequest(prompt="a", suffix="\n", max_tokens=9),
        body={
            "model": "qwen2.5-coder",
            "prompt": "<|fim_prefix|>a<|fim_suffix|>\n<|fim_middle|>",
            "raw": True,
            "stream": True,
            "options": {"num_predict": 9, "num_ctx": 4096, "stop": QWEN_STOPS},
        },
    ),
    "OpenAI by a template": Sent(
        provider="openai",
        path="/v1/completions",
        more={"model": "Qwen/Qwen2.5-Coder-7B"},
        body={
            "model": "Qwen/Qwen2.5-Coder-7B",
            "prompt": QWEN_PROMPT,
            "max_tokens": 9,
            "stream": True,
            "stop": QWEN_STOPS,
        },
    ),
    "OpenAI by a template that is named": Sent(
        provider="openai",
        path="/v1/completions",
        more={"model": "mine", "template": "codestral", "request": EVERY_PARAMETER},
        request=FimRequest(prompt="a", suffix="b", stop=("\n#", "\n\n")),
        body={
            "model": "mine",
            "prompt": "[SUFFIX]b[PREFIX]a",
            "max_tokens": 5,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 7,
            "stream": False,
            "stop": ["\n\n", "\n#", "</s>", "[PREFIX]"],
        },
    ),
    "OpenAI by suffix": Sent(
        provider="openai",
        path="/v1/completions",
        more={"model": "mine", "template": "suffix"},
        body={
            "model": "mine",
            "prompt": COMMENTS,
            "suffix": "\n",
            "max_tokens": 9,
            "stream": True,
        },
    ),
    "DeepSeek": Sent(
        provider="deepseek",
        path="/v1/completions",
        body={
            "model": "deepseek-chat",
            "prompt": COMMENTS,
            "suffix": "\n",
            "max_tokens": 9,
            "stream": True,
        },
    ),
    "Inception, nothing behind the cursor": Sent(
        provider="inception",
        path="/v1/fim/completions",
        body={
            "model": "mercury-edit-2",
            "prompt": COMMENTS,
            "suffix": "<|endoftext|>",
            "max_tokens": 9,
            "stream": True,
        },
    ),
}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
async def test_what_is_sent(sent: Sent) -> None:
    body = {"choices": [{"text": "x", "finish_reason": "stop"}], "content": "x", "stop": True}
    reply = Reply(body={**body, "response": "x", "done": True})
    async with Endpoint(reply, key=None, strict=False) as endpoint:
        provider = connect(settings_for(endpoint, sent.provider, **sent.more))
        assert provider.name == sent.provider
        assert text_of(await answer(provider, sent.request)) == "x"
        await provider.aclose()
    (call,) = endpoint.calls
    assert call.path == sent.path
    assert call.body == sent.body


READERS = {"llamacpp": llamacpp.read, "ollama": ollama.read}
"""Those with a form of their own; the others read choices."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A body as an endpoint sends it, and what it says."""

    dialect: str
    body: str
    text: str
    last: Chunk


LLAMA = """\
data: {"index":0,"content":"\\n    ","tokens":[260],"stop":false,"id_slot":-1,"tokens_predicted":1}

data: {"index":0,"content":"total é🎉","tokens":[261],"stop":false,"id_slot":-1}

data: {"content":"","stop":true,"stop_type":"STOP","tokens_predicted":8,"tokens_evaluated":26,NOTE}

"""
LLAMA_TEXT = "\n    total é🎉"
OLLAMA = """\
{"model":"q","created_at":"2026-01-01T00:00:00Z","response":"return ","done":false}
{"model":"q","created_at":"2026-01-01T00:00:00Z","response":"a + b \u2028 é","done":false}
{"model":"q","response":"","done":true,"done_reason":"REASON","total_duration":5,COUNTS}
"""
OLLAMA_TEXT = "return a + b \u2028 é"
MISTRAL = """\
data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"p":"abcde"}

data: {"id":"1","choices":[{"index":0,"delta":{"content":"return é"},"finish_reason":null}],"p":"a"}

data: {"id":"1","choices":[{"index":0,"delta":{"content":[{"type":"text","text":" + b"}]}}]}

data: {"id":"1","choices":[{"index":0,"delta":{"content":null},"finish_reason":"stop"}],"usage":USE}

data: [DONE]

""".replace("USE", '{"prompt_tokens":22,"completion_tokens":5,"total_tokens":27}')
VLLM = """\
data: {"id":"1","object":"text_completion","choices":[{"index":0,"text":"a","finish_reason":null}]}

data: {"id":"1","object":"text_completion","choices":[{"index":0,"text":" + bé","logprobs":null}]}

: keep-alive

data: {"id":"1","choices":[{"index":0,"text":"","finish_reason":"REASON"}],"usage":USAGE}

data: [DONE]

"""

RECORDED = {
    "llama.cpp": Recorded(
        dialect="llamacpp",
        body=LLAMA.replace("STOP", "eos").replace("NOTE", '"timings/cache_n":22'),
        text=LLAMA_TEXT,
        last=Chunk(
            finish_reason="stop",
            usage=Usage(prompt_tokens=26, completion_tokens=8, cached_tokens=22),
        ),
    ),
    "llama.cpp at its limit, an older build": Recorded(
        dialect="llamacpp",
        body=LLAMA.replace("STOP", "limit").replace("NOTE", '"timings":{"cache_n":3}'),
        text=LLAMA_TEXT,
        last=Chunk(
            finish_reason="length",
            usage=Usage(prompt_tokens=26, completion_tokens=8, cached_tokens=3),
        ),
    ),
    "llama.cpp in one body": Recorded(
        dialect="llamacpp",
        body='{"content":"x","stop":true,"stop_type":"word","tokens_predicted":1,"tokens_evaluated":2}',
        text="x",
        last=Chunk(
            text="x", finish_reason="stop", usage=Usage(prompt_tokens=2, completion_tokens=1)
        ),
    ),
    "Ollama": Recorded(
        dialect="ollama",
        body=OLLAMA.replace("REASON", "stop").replace(
            "COUNTS", '"prompt_eval_count":9,"eval_count":4'
        ),
        text=OLLAMA_TEXT,
        last=Chunk(finish_reason="stop", usage=Usage(prompt_tokens=9, completion_tokens=4)),
    ),
    "Ollama at its limit, the prompt cached": Recorded(
        dialect="ollama",
        body=OLLAMA.replace("REASON", "length").replace("COUNTS", '"eval_count":4').strip(),
        text=OLLAMA_TEXT,
        last=Chunk(finish_reason="length", usage=Usage(prompt_tokens=0, completion_tokens=4)),
    ),
    "vLLM": Recorded(
        dialect="openai",
        body=VLLM.replace("REASON", "stop").replace(
            "USAGE", '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}'
        ),
        text="a + bé",
        last=Chunk(finish_reason="stop", usage=Usage(prompt_tokens=5, completion_tokens=2)),
    ),
    "OpenRouter with comments and Windows' line ends": Recorded(
        dialect="openai",
        body=": OPENROUTER PROCESSING\n\n".replace("\n", "\r\n")
        + VLLM.replace("REASON", "length").replace("USAGE", "null").replace("\n", "\r\n"),
        text="a + bé",
        last=Chunk(finish_reason="length"),
    ),
    "Mistral": Recorded(
        dialect="mistral",
        body=MISTRAL,
        text="return é + b",
        last=Chunk(finish_reason="stop", usage=Usage(prompt_tokens=22, completion_tokens=5)),
    ),
    "Inception": Recorded(
        dialect="inception",
        body=VLLM.replace("REASON", "length").replace(
            "USAGE", '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}'
        ),
        text="a + bé",
        last=Chunk(finish_reason="length", usage=Usage(prompt_tokens=5, completion_tokens=2)),
    ),
    "DeepSeek": Recorded(
        dialect="deepseek",
        body=VLLM.replace("REASON", "stop").replace(
            "USAGE", '{"prompt_tokens":5,"completion_tokens":2,"prompt_cache_hit_tokens":4}'
        ),
        text="a + bé",
        last=Chunk(
            finish_reason="stop",
            usage=Usage(prompt_tokens=5, completion_tokens=2, cached_tokens=4),
        ),
    ),
}


def chunks_of(recorded: Recorded, pieces: list[bytes]) -> list[Chunk]:
    reader = AnswerReader(
        READERS.get(recorded.dialect, reading.read_choice),
        lambda _: None,
        has_lines=recorded.dialect == "ollama",
    )
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece)]
    return chunks + reader.end()


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
def test_a_recorded_answer_split_at_every_byte(recorded: Recorded) -> None:
    raw = recorded.body.encode()
    splits = [[raw[:at], raw[at:]] for at in range(len(raw))]
    for pieces in [*splits, [raw[at : at + 1] for at in range(len(raw))]]:
        chunks = chunks_of(recorded, pieces)
        assert text_of(chunks) == recorded.text
        assert chunks[-1] == recorded.last


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())
async def test_a_recorded_answer_on_the_wire(recorded: Recorded) -> None:
    reply = Reply(body=recorded.body, content_type="application/octet-stream", split=11)
    async with Endpoint(reply, key=None, strict=False) as endpoint:
        provider = connect(settings_for(endpoint, recorded.dialect, model="qwen2.5-coder"))
        for _ in range(2):
            chunks = await answer(provider)
            assert text_of(chunks) == recorded.text
            assert chunks[-1] == recorded.last
        await provider.aclose()


REFUSED: dict[str, tuple[str, int, Any, type[Exception], str]] = {
    "llama.cpp without marks for the middle": (
        "llamacpp",
        501,
        {"error": {"code": 501, "message": "Infill is not supported by this model: prefix token"}},
        RefusedError,
        r"cannot fill in the middle \(status 501\)",
    ),
    "vLLM with a model that takes no suffix": (
        "openai",
        400,
        {
            "message": "suffix is only supported for models with FIM completion rendering",
            "code": 400,
        },
        RefusedError,
        r"the model qwen2\.5-coder on 127\.0\.0\.1 cannot fill in the middle \(status 400\)",
    ),
    "Mistral with a model that does not fill": (
        "mistral",
        400,
        {"object": "error", "message": "Model devstral does not support FIM", "code": "1500"},
        RefusedError,
        r"cannot fill in the middle \(status 400\)",
    ),
    "llama.cpp with a full window": (
        "llamacpp",
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size. try increasing it",
                "type": "exceed_context_size_error",
            }
        },
        PromptTooLongError,
        r"lower context\.prompt_tokens",
    ),
    "llama.cpp while it loads": (
        "llamacpp",
        503,
        {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
        UnavailableError,
        "Loading model",
    ),
    "Ollama without the model": (
        "ollama",
        404,
        {"error": "model 'qwen2.5-coder' not found"},
        RefusedError,
        r"does not offer the model qwen2\.5-coder",
    ),
    "OpenRouter in the middle of a stream": (
        "openai",
        200,
        'data: {"error":{"code":502,"message":"Provider disconnected"},"choices":[]}\n\n',
        UnavailableError,
        "Provider disconnected",
    ),
    "Ollama in the middle of a stream": (
        "ollama",
        200,
        '{"response":"a","done":false}\n{"error":"an error was encountered"}\n',
        UnavailableError,
        "an error was encountered",
    ),
}


@pytest.mark.parametrize(
    ("name", "status", "body", "kind", "words"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_what_an_endpoint_refuses(
    name: str, status: int, body: Any, kind: type[Exception], words: str
) -> None:
    reply = Reply(status=status, body=body, content_type="text/event-stream")
    async with Endpoint(reply, key=None, strict=False) as endpoint:
        provider = connect(settings_for(endpoint, name, model="qwen2.5-coder"))
        with pytest.raises(kind, match=words):
            await answer(provider)
        await provider.aclose()


def ollama_that_cannot_insert(call: Call) -> Reply:
    if "suffix" in call.body:
        return Reply(status=400, body={"error": 'registry/library/q "q" does not support insert'})
    return Reply(body=json.dumps({"response": "ok", "done": True, "done_reason": "stop"}))


async def test_ollama_without_a_template_of_its_own_gets_ours() -> None:
    """Found out once, not at each request."""
    async with Endpoint(ollama_that_cannot_insert, key=None, strict=False) as endpoint:
        provider = connect(settings_for(endpoint, "ollama", model="qwen2.5-coder:base"))
        for _ in range(2):
            request = replace(ASK, suffix="\nprint()")
            assert text_of(await answer(provider, request)) == "ok"
        await provider.aclose()
    assert ["suffix" in call.body for call in endpoint.calls] == [True, False, False]
    assert endpoint.calls[1].body["prompt"] == QWEN_PROMPT.replace(
        "<|fim_suffix|>\n", "<|fim_suffix|>\nprint()"
    )


async def test_ollama_with_a_model_that_nobody_knows() -> None:
    async with Endpoint(ollama_that_cannot_insert, key=None, strict=False) as endpoint:
        provider = connect(settings_for(endpoint, "ollama", model="mystery"))
        with pytest.raises(SettingError, match="How 'mystery' fills in the middle is not known"):
            await answer(provider)
        await provider.aclose()


UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "openai without a model": ({"provider": "openai"}, "needs a model"),
    "ollama without a model": ({"provider": "ollama"}, "needs a model"),
    "a model of no known family": (
        {"provider": "openai", "model": "gpt-9"},
        r"How 'gpt-9' fills in the middle is not known: set template \(qwen, .*, suffix\)",
    ),
    "a template that is none": (
        {"provider": "openai", "model": "qwen2.5-coder", "template": "quen"},
        "How 'quen' fills in the middle is not known",
    ),
}


@pytest.mark.parametrize(("settings", "words"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_settings_that_cannot_work(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        connect(Settings(**settings))


async def test_a_host_elsewhere_wants_a_key_where_its_dialect_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("deepseek", "inception"):
        variable = f"{name.upper()}_API_KEY"
        monkeypatch.delenv(variable, raising=False)
        provider = connect(Settings(provider=name, api_key_env=variable))
        with pytest.raises(SettingError, match="No API key"):
            await answer(provider)
        await provider.aclose()
