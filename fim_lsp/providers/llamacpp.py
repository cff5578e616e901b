"""llama.cpp's server: its ``/infill`` puts the prompt together from the model's own tokens.

Never its ``/v1/completions``: that ignores a suffix without a word. ``/infill`` reads a prefix of
3/4 of the batch of the server (``-b``, 2048 tokens unless set), a suffix of 1/4, and cuts the rest
off without a word. It tells its batch nowhere, so it is found out: where a prompt has grown and no
more of it was read, the window is full, and its left edge moves with each key, which leaves nothing
of its cache to be used again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fim_lsp.providers import Chunk, FimRequest, Usage
from fim_lsp.providers.http import Dialect, HttpProvider
from fim_lsp.providers.parameters import sampling, stops
from fim_lsp.providers.reading import count, finish_reason, table, text_of
from fim_lsp.settings import Settings

_FIELDS = (
    "content",
    "stop",
    "stop_type",
    "tokens_evaluated",
    "tokens_predicted",
    "timings/cache_n",
)
"""What of each event is of use; the last one would repeat the whole prompt."""
_CERTAIN_CHARS = 16
"""So many more characters are more tokens, whatever the model."""
_TIME_SHARE = 0.8
"""The server ends by itself before our limit in all, so that what it has is not lost."""


def payload(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body; the server ignores fields that it does not know."""
    wanted = sampling(request, settings.request)
    samplers = ["top_k", "top_p", "infill"]  # the last one ends where an end is about as likely
    if "temperature" in wanted:
        samplers.append("temperature")
    body: dict[str, Any] = {
        "input_prefix": request.prompt,
        "input_suffix": request.suffix,
        "input_extra": [{"filename": one.path, "text": one.text} for one in request.snippets],
        "n_predict": wanted["max_tokens"],
        "t_max_predict_ms": int(settings.network.total_timeout_s * 1000 * _TIME_SHARE),
        "cache_prompt": True,
        "samplers": samplers,
        "stream": settings.request.stream,
        "response_fields": list(_FIELDS),
        "stop": list(stops(request, settings.request)),
    }
    body |= {name: wanted[name] for name in ("temperature", "top_p") if name in wanted}
    if "random_seed" in wanted:
        body["seed"] = wanted["random_seed"]
    if settings.request.id_slot is not None:
        body["id_slot"] = settings.request.id_slot
    return body


def ahead(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body that has the prompt read into the cache: not one token is written."""
    return payload(request, settings) | {"n_predict": 0, "stream": False}


def read(found: Mapping[str, Any]) -> Chunk:
    """One event's object, or the whole answer's; ``stop`` is true in the last one."""
    text = text_of(found.get("content"))
    cached = count(found.get("timings/cache_n"))
    if cached is None:  # a server that does not know response_fields
        cached = count(table(found.get("timings")).get("cache_n"))
    prompt, generated = count(found.get("tokens_evaluated")), count(found.get("tokens_predicted"))
    usage = None
    if prompt is not None and generated is not None:
        usage = Usage(prompt_tokens=prompt, completion_tokens=generated, cached_tokens=cached)
    if found.get("stop") is not True:
        return Chunk(text=text, usage=usage)
    return Chunk(
        text=text, finish_reason=finish_reason(found.get("stop_type")) or "stop", usage=usage
    )


class LlamaProvider(HttpProvider):
    """Notices where the server has read less than it was sent."""

    _shortest: tuple[FimRequest, int] | None = None
    """The shortest of the requests that go on from one another and of which as many tokens were
    read, and how many."""

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """As ``Provider.stream``."""
        async with aclosing(super().stream(request)) as chunks:
            async for chunk in chunks:
                if chunk.usage is None:
                    yield chunk
                else:
                    is_cut = self._is_cut(request, chunk.usage.prompt_tokens)
                    yield replace(chunk, usage=replace(chunk.usage, is_cut=is_cut))

    def _is_cut(self, request: FimRequest, tokens: int) -> bool:
        if self._shortest and tokens <= self._shortest[1] and _goes_on(request, self._shortest[0]):
            grown_chars = len(request.prompt) - len(self._shortest[0].prompt)
            return grown_chars >= _CERTAIN_CHARS
        self._shortest = request, tokens
        return False


def _goes_on(request: FimRequest, before: FimRequest) -> bool:
    is_else_same = (request.suffix, request.snippets) == (before.suffix, before.snippets)
    return is_else_same and request.prompt.startswith(before.prompt)


def connect(settings: Settings) -> HttpProvider:
    """The provider for these settings. Raises ``SettingError``."""
    dialect = Dialect(
        name="llamacpp",
        path="/infill",
        payload=payload,
        read=read,
        needs_key=False,
        warm_path="/health",
        ahead=ahead,
    )
    return LlamaProvider(dialect, settings)
