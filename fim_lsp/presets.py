"""Endpoints by name: what ``preset`` in the settings stands for. Models age; so will these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

PresetName = Literal[
    "odeus",
    "odeus-dedicated",
    "mistral",
    "codestral",
    "llamacpp",
    "ollama",
    "vllm",
    "deepseek",
    "inception",
]
FallbackName = Literal[
    "none", "local", "odeus", "mistral", "codestral", "llamacpp", "ollama", "deepseek", "inception"
]
"""Who may stand in: the embedded model, or a preset that needs nothing but its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One endpoint. The fields but ``about`` and ``needs`` are settings of the same names."""

    about: str
    """Whose it is, in a few words."""
    provider: str
    base_url: str | None
    model: str | None
    api_key_env: str
    """One for each preset, so that no host is ever sent another's key."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The settings that nobody but the user knows."""
        missing = () if self.base_url else ("base_url",)
        return missing if self.model or self.provider == "llamacpp" else (*missing, "model")


PRESETS: Mapping[PresetName, Preset] = MappingProxyType(
    {
        "odeus": Preset(
            about="Odeus, in the EU",
            provider="mistral",
            base_url="https://api.odeus.ai/mistral/eu/v1",
            model="codestral-2501",
            api_key_env="ODEUS_API_KEY",
        ),
        "odeus-dedicated": Preset(
            about="a deployment of Odeus, at https://DEPLOYMENT/api/public/mistral/eu/v1",
            provider="mistral",
            base_url=None,
            model="codestral-2501",
            api_key_env="ODEUS_API_KEY",
        ),
        "mistral": Preset(
            about="Mistral's platform",
            provider="mistral",
            base_url="https://api.mistral.ai/v1",
            model="codestral-latest",
            api_key_env="MISTRAL_API_KEY",
        ),
        "codestral": Preset(
            about="Mistral's host for editors, with a key of its own",
            provider="mistral",
            base_url="https://codestral.mistral.ai/v1",
            model="codestral-latest",
            api_key_env="CODESTRAL_API_KEY",
        ),
        "llamacpp": Preset(
            about="llama-server on this machine; it has its model already",
            provider="llamacpp",
            base_url="http://127.0.0.1:8080",
            model=None,
            api_key_env="LLAMA_API_KEY",
        ),
        "ollama": Preset(
            about="Ollama on this machine",
            provider="ollama",
            base_url="http://127.0.0.1:11434",
            model="qwen2.5-coder:1.5b",
            api_key_env="OLLAMA_API_KEY",
        ),
        "vllm": Preset(
            about="vLLM on this machine",
            provider="openai",
            base_url="http://127.0.0.1:8000/v1",
            model=None,
            api_key_env="VLLM_API_KEY",
        ),
        "deepseek": Preset(
            about="DeepSeek's platform",
            provider="deepseek",
            base_url="https://api.deepseek.com/beta",
            model="deepseek-chat",
            api_key_env="DEEPSEEK_API_KEY",
        ),
        "inception": Preset(
            about="Inception's platform",
            provider="inception",
            base_url="https://api.inceptionlabs.ai/v1",
            model="mercury-edit-2",
            api_key_env="INCEPTION_API_KEY",
        ),
    }
)
