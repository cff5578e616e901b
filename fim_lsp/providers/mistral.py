"""Mistral's FIM endpoint, and whoever serves it: Odeus, Codestral's own host, a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fim_lsp.providers import Chunk, FimRequest
from fim_lsp.providers.http import Dialect, HttpProvider
from fim_lsp.providers.parameters import sampling
from fim_lsp.providers.reading import finish_reason, first, table, text_of, usage_of
from fim_lsp.providers.snippet_text import with_snippets
from fim_lsp.settings import Settings


def payload(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body. The endpoint refuses fields that it does not know: only the schema's are sent."""
    return {
        "model": settings.effective_model,
        "prompt": with_snippets(request),
        "suffix": request.suffix,
        "stream": settings.request.stream,
        **sampling(request, settings.request),
    }


def read(found: Mapping[str, Any]) -> Chunk:
    """One event's object, or the whole answer's: the text is in ``delta`` or in ``message``."""
    choice = first(found.get("choices"))
    said = table(choice.get("delta")) or table(choice.get("message"))
    return Chunk(
        text=text_of(said.get("content")),
        finish_reason=finish_reason(choice.get("finish_reason")),
        usage=usage_of(found.get("usage")),
    )


def connect(settings: Settings) -> HttpProvider:
    """The provider for these settings. Raises ``SettingError``."""
    dialect = Dialect(name="mistral", path="/fim/completions", payload=payload, read=read)
    return HttpProvider(dialect, settings)
