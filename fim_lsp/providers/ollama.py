"""Ollama's ``/api/generate``: by its own template where the model has one, else by ours.

Which models have one shows only when asked: the others answer "does not support insert". A blank
suffix is no suffix to Ollama, which then answers as in a chat; so that is laid out here, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from fim_lsp.errors import RefusedError, SettingError
from fim_lsp.providers import Chunk, FimRequest, Usage
from fim_lsp.providers.http import Dialect, HttpProvider
from fim_lsp.providers.openai import chosen_template
from fim_lsp.providers.parameters import sampling
from fim_lsp.providers.reading import count, finish_reason, text_of
from fim_lsp.providers.snippet_text import with_snippets
from fim_lsp.providers.templates import Template, lay_out, template_for
from fim_lsp.settings import Settings

_OPTIONS = {
    "max_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "random_seed": "seed",
    "stop": "stop",
}
_LEAST_WINDOW_TOKENS = 4096
_NO_INSERT = "does not support insert"


def payload(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body that leaves the layout to Ollama."""
    suffix = request.suffix if request.suffix.strip() else "\n"
    request = with_snippets(request, settings.effective_model)
    return _body(request, settings) | {"prompt": request.prompt, "suffix": suffix}


def raw_payload(template: Template, request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body with a prompt that is laid out for the model's family."""
    body = _body(request, settings)
    options = body["options"]
    stops = dict.fromkeys((*options.get("stop", ()), *template.stops))
    body["options"] = options | {"stop": list(stops)}
    return body | {"prompt": lay_out(template, request), "raw": True}


def read(found: Mapping[str, Any]) -> Chunk:
    """One line's object; ``done`` is true in the last one."""
    text = text_of(found.get("response"))
    if found.get("done") is not True:
        return Chunk(text=text)
    prompt, generated = count(found.get("prompt_eval_count")), count(found.get("eval_count"))
    usage = None
    if generated is not None:  # a prompt that was cached whole has no count
        usage = Usage(prompt_tokens=prompt or 0, completion_tokens=generated)
    reason = finish_reason(found.get("done_reason")) or "stop"
    return Chunk(text=text, finish_reason=reason, usage=usage)


class OllamaProvider(HttpProvider):
    """Leaves the layout to Ollama until it says that the model has none; from then on ours."""

    def __init__(self, settings: Settings) -> None:
        dialect = Dialect(
            name="ollama",
            path="/api/generate",
            payload=self._payload,
            read=read,
            has_lines=True,
            needs_key=False,
            warm_path="/api/version",
        )
        super().__init__(dialect, settings)
        self._cannot_insert = False

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """As ``Provider.stream``; asks a second time where the first shows what Ollama lacks."""
        if not self._cannot_insert:
            try:
                async with aclosing(super().stream(request)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except RefusedError as error:
                if _NO_INSERT not in str(error):
                    raise
                self._cannot_insert = True
            else:
                return
        async with aclosing(super().stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _payload(self, request: FimRequest, settings: Settings) -> dict[str, Any]:
        if self._cannot_insert:
            template = chosen_template(settings)
        else:
            template = None if request.suffix.strip() else template_for(settings.effective_model)
        return raw_payload(template, request, settings) if template else payload(request, settings)


def _body(request: FimRequest, settings: Settings) -> dict[str, Any]:
    wanted = sampling(request, settings.request)
    options = {_OPTIONS[name]: value for name, value in wanted.items() if name in _OPTIONS}
    # Ollama cuts off what does not fit its window, which is small unless asked for, and loads the
    # model anew where the window changes: so it follows from the settings, not from the request.
    window_tokens = 2 * settings.context.prompt_tokens + settings.request.max_tokens
    options["num_ctx"] = max(_LEAST_WINDOW_TOKENS, window_tokens)
    return {
        "model": settings.effective_model,
        "stream": settings.request.stream,
        "options": options,
    }


def connect(settings: Settings) -> HttpProvider:
    """The provider for these settings. Raises ``SettingError``."""
    if not settings.effective_model:
        message = "provider = 'ollama' needs a model: set model to a name that `ollama list` shows."
        raise SettingError(message)
    return OllamaProvider(settings)
