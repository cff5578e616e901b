"""Mistral's FIM endpoint, and whoever serves it: Odeus, Codestral's own host, a deployment."""

from __future__ import annotations

from typing import Any

from fim_lsp.providers import FimRequest
from fim_lsp.providers.http import Dialect, HttpProvider
from fim_lsp.providers.parameters import sampling
from fim_lsp.providers.reading import read_choice
from fim_lsp.providers.snippet_text import with_snippets
from fim_lsp.settings import Settings


def payload(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body. The endpoint refuses fields that it does not know: only the schema's are sent."""
    request = with_snippets(request, settings.effective_model)
    return {
        "model": settings.effective_model,
        "prompt": request.prompt,
        "suffix": request.suffix,
        "stream": settings.request.stream,
        **sampling(request, settings.request),
    }


def connect(settings: Settings) -> HttpProvider:
    """The provider for these settings. Raises ``SettingError``."""
    dialect = Dialect(name="mistral", path="/fim/completions", payload=payload, read=read_choice)
    return HttpProvider(dialect, settings)
