"""Hosts with a dialect of their own that take prompt and suffix apart: a row for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fim_lsp.providers import FimRequest, mistral
from fim_lsp.providers.http import Dialect, HttpProvider
from fim_lsp.providers.openai import by_suffix
from fim_lsp.providers.reading import read_choice
from fim_lsp.settings import Settings


def _never_blank(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """As for Mistral; but this model takes a blank suffix for a document that goes on."""
    if not request.suffix.strip():
        request = replace(request, suffix="<|endoftext|>")
    return mistral.payload(request, settings)


HOSTS = {
    "deepseek": Dialect(name="deepseek", path="/completions", payload=by_suffix, read=read_choice),
    "inception": Dialect(
        name="inception", path="/fim/completions", payload=_never_blank, read=read_choice
    ),
}


def connect(settings: Settings) -> HttpProvider:
    """The provider for these settings. Raises ``SettingError``."""
    return HttpProvider(HOSTS[settings.effective_provider], settings)
