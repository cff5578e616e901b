"""What a person reads where an endpoint refuses, from every shape of its bodies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fim_lsp.errors import (
    PromptTooLongError,
    ProviderError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
)
from fim_lsp.providers.refusals import SAID_CHARS, Asked, refusal, retry_after_s, said_by

PROMPT = "def transfer_secret_funds(account):\n    return account"
ASKED = Asked(host="fim.example", model="codestral-9", sent=("k-123456789012", PROMPT, "\n"))

INVALID = [{"type": "invalid", "loc": ["body", "max_tokens"], "msg": "too small", "input": PROMPT}]

SAID: dict[str, tuple[object, str]] = {
    "a message": ({"message": "Unauthorized", "request_id": "1"}, "Unauthorized"),
    "a detail": ({"detail": "Not Found"}, "Not Found"),
    "an error with a message": ({"error": {"message": "no", "code": 3}}, "no"),
    "an error that is text": ({"error": "no such model"}, "no such model"),
    "a list of what is invalid": ({"detail": INVALID}, "max_tokens: too small"),
    "the same in a message": ({"message": {"detail": INVALID}}, "max_tokens: too small"),
    "lists beside each other": ({"detail": INVALID, "message": INVALID}, "max_tokens: too small"),
    "a list of texts": ({"message": ["one", "two"]}, "one; two"),
    "a message that is null": ({"message": None, "detail": "why"}, "why"),
    "nothing that is known": ({"reason": 3}, ""),
    "a number": (3, ""),
    "text": (b"upstream connect error\n or  disconnect", "upstream connect error or disconnect"),
    "a web page": (b"<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
    "a web page without a title": (b"<html><body>oh", ""),
    "nothing": (b"", ""),
    "bytes that are no text": (b"\xff\xfe\x00\x01", ""),
    "escapes of a terminal": (b"\x1b[31mred\x1b[0m\x07", "[31mred [0m"),
}


@pytest.mark.parametrize(("body", "said"), SAID.values(), ids=SAID.keys())
def test_an_endpoints_own_words(body: object, said: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert said_by(raw) == said


def test_its_words_are_cut_to_a_line() -> None:
    said = said_by(b"word " * 1000)
    assert len(said) == SAID_CHARS
    assert said.endswith("…")


def test_a_body_nested_too_deeply_is_text() -> None:
    assert said_by(b'{"message":' * 100_000).startswith('{"message":')


def test_no_key_is_another_matter_than_a_wrong_one() -> None:
    asked = Asked(host="api.example", model="m", has_key=False, key_from="A_KEY")
    error = refusal(401, b"{}", {}, asked)
    wants = "api.example wants a key, and none was sent (status 401): export A_KEY in the shell"
    assert str(error).startswith(wants)


def test_a_wrong_key_is_named_by_where_it_is_set() -> None:
    asked = Asked(host="api.example", model="m", key_from="A_KEY")
    assert "(status 401): check A_KEY; or base_url" in str(refusal(401, b"{}", {}, asked))


MEANT: dict[str, tuple[int, Any, type[ProviderError], list[str]]] = {
    "a wrong key": (401, {"detail": "Unauthorized"}, RefusedError, ["key", "wrong host"]),
    "a wrong key, by another status": (
        403,
        {"error": {"message": "Invalid API key"}},
        RefusedError,
        ["does not accept the key (status 403)", "wrong host"],
    ),
    "a wrong key, to a strict schema": (
        422,
        {"message": {"detail": ["no bearer key"]}},
        RefusedError,
        ["does not accept the key (status 422)", "no bearer key"],
    ),
    "no payment": (402, {"message": "no payment method"}, RefusedError, ["billing", "no payment"]),
    "no right to the model": (403, {}, RefusedError, ["codestral-9", "rights"]),
    "the model is not on the tier": (
        403,
        {"message": "Model not available on this tier"},
        RefusedError,
        ["codestral-9", "at present", "set model"],
    ),
    "a wrong path": (404, {"detail": "Not Found"}, RefusedError, ["base_url", "codestral-9"]),
    "no such model": (
        404,
        {"message": "The model does not exist"},
        RefusedError,
        ["codestral-9", "at present", "set model"],
    ),
    "an invalid model": (
        400,
        {"object": "error", "message": "Invalid model: codestral-9", "code": "1500"},
        RefusedError,
        ["codestral-9", "at present", "set model"],
    ),
    "a field": (422, {"detail": INVALID}, RefusedError, ["[request]", "max_tokens: too small"]),
    "a long prompt": (
        400,
        {"message": "Prompt has 9000 tokens, too large for model with 8192 maximum context length"},
        PromptTooLongError,
        ["context.prompt_tokens"],
    ),
    "a long prompt, otherwise": (
        400,
        {
            "error": {
                "type": "exceed_context_size_error",
                "message": "the request exceeds the available context size",
            }
        },
        PromptTooLongError,
        ["context.prompt_tokens"],
    ),
    "any other fault": (418, b"teapot", RefusedError, ["418", "teapot"]),
    "not for this model": (501, {}, RefusedError, ["fill in the middle"]),
    "too many requests": (429, {"message": "Rate limit exceeded"}, RateLimitedError, ["too many"]),
    "trouble": (500, b"", UnavailableError, ["500", "try again"]),
    "a gateway's trouble": (502, b"<title>Bad</title>", UnavailableError, ["502", "Bad"]),
    "loading": (503, {"error": {"message": "Loading model"}}, UnavailableError, ["Loading model"]),
}


@pytest.mark.parametrize(("status", "body", "kind", "words"), MEANT.values(), ids=MEANT.keys())
def test_a_status_is_an_error_that_says_what_to_do(
    status: int, body: Any, kind: type[ProviderError], words: list[str]
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = refusal(status, raw, {}, ASKED)
    assert type(error) is kind
    assert error.status == status
    message = str(error)
    assert "fim.example" in message or "codestral-9" in message
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("host", ["api.mistral.ai", "codestral.mistral.ai"])
def test_a_key_may_be_for_mistrals_other_host(host: str) -> None:
    error = refusal(401, b"", {}, Asked(host=host, model="m"))
    assert "keys of codestral.mistral.ai and api.mistral.ai are not the same" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_what_was_sent_is_never_quoted(status: int) -> None:
    words = f"bad key k-123456789012 for prompt {PROMPT}"
    bodies: list[Any] = [{"message": words}, {"detail": [{"msg": words, "input": PROMPT}]}]
    for body in bodies:
        message = str(refusal(status, json.dumps(body).encode(), {}, ASKED))
        assert "123456789" not in message
        assert "secret_funds" not in message
        assert "bad key" in message


def test_the_key_does_not_print() -> None:
    assert "k-123456789012" not in repr(ASKED)


NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
PAUSES: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry-after": "30"}, 30),
    "a fraction": ({"retry-after": " 1.5 "}, 1.5),
    "milliseconds": ({"retry-after-ms": "250"}, 0.25),
    "a date": ({"retry-after": "Fri, 01 May 2026 12:00:20 GMT"}, 20),
    "a date with an offset": ({"retry-after": "Fri, 01 May 2026 14:00:20 +0200"}, 20),
    "a date that is past": ({"retry-after": "Fri, 01 May 2026 11:00:00 GMT"}, 0),
    "nonsense": ({"retry-after": "soon"}, None),
    "a negative number": ({"retry-after": "-5"}, None),
    "not finite": ({"retry-after": "inf"}, None),
    "a date that cannot be": ({"retry-after": "Fri, 99 May 2026 12:00:20 GMT"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize(("headers", "pause_s"), PAUSES.values(), ids=PAUSES.keys())
def test_the_pause_that_is_asked_for(headers: dict[str, str], pause_s: float | None) -> None:
    assert retry_after_s(headers, NOW) == pause_s


def test_the_pause_is_in_the_error_and_its_message() -> None:
    error = refusal(429, b"", {"retry-after": "30"}, ASKED)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 30
    assert "30 s" in str(error)
