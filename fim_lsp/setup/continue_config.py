"""What Continue's configuration says of its autocomplete model, in our settings' words.

``config.yaml`` names it by the role ``autocomplete``, the older ``config.json`` under
``tabAutocompleteModel``. A key that stands there in plain text is never part of the settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fim_lsp.errors import UsageError
from fim_lsp.presets import PRESETS, PresetName

FILES = ("config.yaml", "config.json")
"""In the order in which Continue itself prefers them."""

_PRESETS: Mapping[str, PresetName] = {
    "mistral": "mistral",
    "ollama": "ollama",
    "llama.cpp": "llamacpp",
    "vllm": "vllm",
    "deepseek": "deepseek",
    "inception": "inception",
}
_LIKE_OPENAI: Mapping[str, str | None] = {
    "openai": None,
    "lmstudio": "http://127.0.0.1:1234/v1",
    "together": "https://api.together.xyz/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "siliconflow": "https://api.siliconflow.cn/v1",
}
"""Continue's name to the usual address, where there is one."""
_SECRET = re.compile(r"\$\{\{\s*(?:secrets|inputs|env)\.(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read: settings, and a key that must not become one."""

    file: Path
    table: Mapping[str, Any]
    key: str | None = field(default=None, repr=False)
    """The key in plain text, if it stands in the file."""


def read(file: Path | None) -> Found:
    """The autocomplete model of a file, or of Continue's own. Raises ``UsageError``."""
    path = file or _own_file()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): name Continue's file."
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = f"{path} is not UTF-8: name Continue's file."
        raise UsageError(message) from None
    loaded = _from_json(path, text) if path.suffix == ".json" else _from_yaml(path, text)
    return _found(path, _autocomplete(path, loaded))


def _own_file() -> Path:
    folder = Path.home() / ".continue"
    there = [folder / name for name in FILES if (folder / name).is_file()]
    if not there:
        message = f"There is no {' or '.join(FILES)} in {folder}: name Continue's file."
        raise UsageError(message)
    return there[0]


def _from_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{path} is not valid JSON ({error}): correct it, or give the settings as flags."
        raise UsageError(message) from None


def _from_yaml(path: Path, text: str) -> object:
    try:
        import yaml
    except ImportError:
        message = (
            f"Reading {path} needs PyYAML: install fim-lsp[continue], or give the settings as "
            "flags, such as --preset mistral."
        )
        raise UsageError(message) from None
    try:
        return cast("object", yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError):  # its own words quote the file, perhaps a key
        message = f"{path} is not valid YAML: correct it, or give the settings as flags."
        raise UsageError(message) from None


def _autocomplete(path: Path, loaded: object) -> Mapping[str, Any]:
    """The first model that Continue completes with."""
    whole = _table(loaded)
    older = whole.get("tabAutocompleteModel")
    models = [_table(older), *_tables(older)]
    models += [
        one for one in _tables(whole.get("models")) if "autocomplete" in (one.get("roles") or ())
    ]
    for model in models:
        if isinstance(model.get("provider"), str):
            return model
    message = f"{path} names no model for autocomplete: give the settings as flags."
    raise UsageError(message)


def _found(path: Path, model: Mapping[str, Any]) -> Found:
    provider, base_url = str(model["provider"]).lower(), model.get("apiBase")
    base_url = base_url.rstrip("/") if isinstance(base_url, str) else None
    settings = _endpoint(provider, base_url)
    name = model.get("model")
    usual = PRESETS[settings["preset"]].model if "preset" in settings else None
    if isinstance(name, str) and name not in {usual, "AUTODETECT"}:
        settings["model"] = name
    key = model.get("apiKey")
    key = key if isinstance(key, str) and key else None
    if key and (secret := _SECRET.fullmatch(key.strip())):
        settings["api_key_env"], key = secret[1], None
    return Found(file=path, table=settings, key=key)


def _endpoint(provider: str, base_url: str | None) -> dict[str, Any]:
    """The preset or the provider, and the address where it is another than the usual one."""
    for name, preset in PRESETS.items():
        same_dialect = _PRESETS.get(provider) in PRESETS and (
            preset.provider == PRESETS[_PRESETS[provider]].provider
        )
        if same_dialect and base_url and _same_address(base_url, preset.base_url):
            return {"preset": name}
    if provider in _PRESETS:
        known: dict[str, Any] = {"preset": _PRESETS[provider]}
        return known | ({"base_url": base_url} if base_url else {})
    address = base_url or _LIKE_OPENAI.get(provider)
    if address is None:
        message = f"Continue's provider {provider!r} without apiBase is not known here: use flags."
        raise UsageError(message)
    variable = re.sub(r"\W+", "_", provider).upper() + "_API_KEY"
    return {"provider": "openai", "base_url": address, "api_key_env": variable}


def _same_address(one: str, other: str | None) -> bool:
    return one.replace("//localhost:", "//127.0.0.1:") == other


def _table(found: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _tables(found: object) -> list[Mapping[str, Any]]:
    items = cast("list[object]", found) if isinstance(found, list) else []
    return [_table(one) for one in items]
