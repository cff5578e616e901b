"""Reading JSON of unknown shape: what is not as expected reads as missing, never as an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from fim_lsp.providers import FinishReason, Usage

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "model_length": "length",
    "limit": "length",
    "error": "error",
}


def table(found: object) -> Mapping[str, Any]:
    """``found`` if it is a JSON object, else an empty one."""
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def parsed(text: str | bytes) -> Mapping[str, Any] | None:
    """The JSON object in ``text``, or None if it holds none."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def first(found: object) -> Mapping[str, Any]:
    """The first object of a list, or an empty one."""
    items = cast("list[object]", found) if isinstance(found, list) else []
    return table(items[0]) if items else {}


def text_of(content: object) -> str:
    """The text of a message's content: a string, a list of chunks, or null."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(text_of(table(one).get("text")) for one in cast("list[object]", content))
    return ""


def finish_reason(found: object) -> FinishReason | None:
    """The reason in our words; any other than those known has ended normally."""
    if not isinstance(found, str) or not found:
        return None
    return _FINISH.get(found, "stop")


def usage_of(found: object) -> Usage | None:
    """What a call cost, where the endpoint says it."""
    counts = table(found)
    prompt, completion = counts.get("prompt_tokens"), counts.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int:
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)
