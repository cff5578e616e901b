"""From settings to a connected provider; imports no dialect but the one asked for."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType

from fim_lsp.providers import Provider
from fim_lsp.settings import Settings

_MODULES = MappingProxyType({"deepseek": "hosted", "inception": "hosted"})
"""The dialects whose module has another name."""


def connect(settings: Settings) -> Provider:
    """The provider that the settings name. Sends nothing yet.

    Raises ``SettingError`` where its address cannot be used.
    """
    name = settings.effective_provider
    if name == "local":
        from fim_lsp.providers.local import LocalProvider

        return LocalProvider()
    dialect = import_module(f"fim_lsp.providers.{_MODULES.get(name, name)}")
    return dialect.connect(settings)
