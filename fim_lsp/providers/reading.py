"""Reading JSON of unknown shape: what is not as expected reads as missing, never as an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from fim_lsp.providers import Chunk, FinishReason, Usage

MAX_TOKENS = 10_000_000
"""No model reads or writes more in one call; an endpoint that says so would use up the budget."""

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


def count(found: object) -> int | None:
    """A number of tokens, or None; none that no call can have used."""
    return found if type(found) is int and 0 <= found <= MAX_TOKENS else None


def usage_of(found: object) -> Usage | None:
    """What a call cost, where the endpoint says it."""
    counts = table(found)
    prompt, completion = count(counts.get("prompt_tokens")), count(counts.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    cached = table(counts.get("prompt_tokens_details")).get("cached_tokens")
    if cached is None:
        cached = counts.get("prompt_cache_hit_tokens")  # DeepSeek's name for it
    return Usage(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=count(cached))


def read_choice(found: Mapping[str, Any]) -> Chunk:
    """One event's object or a whole answer's, by Mistral's or OpenAI's schema.

    The text is in the first choice: in its ``delta``, its ``message`` or as its ``text``.
    """
    choice = first(found.get("choices"))
    said = table(choice.get("delta")) or table(choice.get("message"))
    return Chunk(
        text=text_of(said.get("content", choice.get("text"))),
        finish_reason=finish_reason(choice.get("finish_reason")),
        usage=usage_of(found.get("usage")),
    )
