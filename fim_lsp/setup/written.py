"""Settings as the text of ``config.toml``, with comments for who edits it by hand: pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, cast

from fim_lsp.settings import Parsed, Settings

_HEAD = """\
# fim-lsp's settings. They apply as soon as this file is saved.
# What an editor sends and the command line win over them; "fim-lsp doctor" shows what is in force.
"""
_COMMENTS = {
    "preset": "stands for provider, base_url, model and api_key_env; each below wins over it",
    "base_url": "the endpoint's address, up to before its own path",
    "model": "the model's name, sent as it is",
    "api_key_env": "the variable that holds the key; the key itself never stands here",
    "api_key_command": "prints the key; wins over the variable",
    "fallback": "who answers while the endpoint is away or the budget is used up",
    "limits.requests_per_minute": "what the endpoint allows the whole workspace",
    "limits.shared_by": "how many people share these limits",
    "trigger.debounce_ms": 'a pause after each key, in milliseconds; "auto" follows your typing',
    "request.max_tokens": "the longest answer",
    "context.prompt_tokens": "how much of the document is sent",
}
_OFFERED = (
    "limits.requests_per_minute",
    "limits.tokens_per_minute",
    "limits.shared_by",
    "trigger.debounce_ms",
    "request.max_tokens",
    "context.prompt_tokens",
)
"""Shown with their defaults, commented out, where they are not set."""


def text(parsed: Parsed) -> str:
    """The file that says what ``parsed`` was told, and nothing else."""
    lines, nested = [_HEAD], list[str]()
    for name in _names(Settings):
        value = _value(parsed.settings, name)
        if dataclasses.is_dataclass(value):
            inner = [f"{name}.{one}" for one in _names(type(value))]
            if rows := [row for one in inner for row in _row(parsed, one)]:
                nested += ["", f"[{name}]", *rows]
        else:
            lines += _row(parsed, name)
    return "\n".join([*lines, *nested, ""])


def _row(parsed: Parsed, name: str) -> Iterator[str]:
    is_set = name in parsed.sources
    if not is_set and name not in _OFFERED:
        return
    line = f"{name.rpartition('.')[2]} = {_toml(_value(parsed.settings, name))}"
    comment = _COMMENTS.get(name)
    yield ("" if is_set else "# ") + line + (f"  # {comment}" if comment else "")


def _names(cls: type) -> list[str]:
    return [one.name for one in dataclasses.fields(cls)]


def _value(settings: Settings, name: str) -> Any:
    found: Any = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in cast('tuple[object, ...]', value))}]"
    # JSON's texts, numbers and booleans are TOML's too, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
