"""The parameters of generation that a request carries, from the settings and the request."""

from __future__ import annotations

from typing import Any

from fim_lsp.providers import FimRequest
from fim_lsp.settings import RequestSettings


def sampling(request: FimRequest, settings: RequestSettings) -> dict[str, Any]:
    """Those that are set, by the names that Mistral's and OpenAI's schemas share."""
    limit = settings.max_tokens if request.max_tokens is None else request.max_tokens
    least = settings.min_tokens if request.min_tokens is None else request.min_tokens
    warmth = settings.temperature if request.temperature is None else request.temperature
    values: dict[str, Any] = {
        "max_tokens": limit,
        "min_tokens": None if least is None else min(least, limit),
        "temperature": warmth,
        "top_p": settings.top_p,
        "random_seed": settings.random_seed,
        "stop": list(stops(request, settings)) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def stops(request: FimRequest, settings: RequestSettings) -> tuple[str, ...]:
    """The settings' stop strings, then the request's, each once."""
    own = (settings.stop,) if isinstance(settings.stop, str) else settings.stop or ()
    return tuple(dict.fromkeys(one for one in (*own, *request.stop) if one))
