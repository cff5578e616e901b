"""From an HTTP status and body to one line for a person: pure, for every dialect.

Bodies come in many shapes, or as a gateway's HTML, or empty. They may also quote what was sent, so
only their messages are read, never an ``input``, and what repeats the prompt or the key is cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from fim_lsp.errors import (
    PromptTooLongError,
    ProviderError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
)

SAID_CHARS = 200
"""As much of an endpoint's own words as a message quotes."""
_QUOTE_CHARS = 12
"""So many characters in a row that were also sent count as quoted from it."""

_ABOUT_LENGTH = re.compile(
    r"context.{0,20}(length|window|size)|prompt.{0,40}too (long|large)|too many tokens"
    r"|(exceed|larger).{0,60}(context|tokens)|maximum.{0,40}tokens",
    re.IGNORECASE | re.DOTALL,
)
_ABOUT_KEY = re.compile(r"\b(api|bearer|access)[ _-]?(key|token)|unauthori[sz]ed", re.IGNORECASE)
_ABOUT_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)
_ABOUT_FILLING = re.compile(
    r"support.{0,60}\b(suffix|insert|infill|fim|fill)|\b(suffix|insert|infill|fim|fill)\b.{0,60}support",
    re.IGNORECASE | re.DOTALL,
)
_MISTRAL_HOSTS = {"api.mistral.ai", "codestral.mistral.ai"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a message about a refused request has to name, and what it must not."""

    host: str
    model: str
    sent: tuple[str, ...] = field(default=(), repr=False)
    """The key and the document's text: cut wherever the endpoint quotes them."""
    has_key: bool = True
    """Whether a key went with it."""
    key_from: str = "api_key_env"
    """Where a person sets it."""


def refusal(status: int, body: bytes, headers: Mapping[str, str], asked: Asked) -> ProviderError:
    """The error for any status but 200."""
    said = _without(said_by(body), asked.sent)
    quoted = f' It says: "{said.rstrip(".")}".' if said else ""
    if status == 429:
        return rate_limited(asked, quoted, headers)
    if status in {400, 413, 422} and _ABOUT_LENGTH.search(said):
        message = f"The prompt is too long for {_model(asked)}: lower context.prompt_tokens."
        return PromptTooLongError(message + quoted, status=status)
    if status in {408, 425} or (status >= 500 and status != 501):
        message = f"{asked.host} has trouble at the moment (status {status}): try again."
        return UnavailableError(message + quoted, status=status)
    message = _words_for(status, said, has_key=asked.has_key).format(
        host=asked.host,
        model=_model(asked),
        status=status,
        hosts=_about_hosts(asked.host),
        key_from=asked.key_from,
    )
    return RefusedError(message + quoted, status=status)


def _words_for(status: int, said: str, *, has_key: bool) -> str:
    if status == 401 or (status in {400, 403, 422} and _ABOUT_KEY.search(said)):
        return _REFUSED[401] if has_key else _NO_KEY  # some gateways answer a wrong key by others
    if status in {400, 404, 422} and _ABOUT_FILLING.search(said):
        return _REFUSED[501]  # whatever it says of models: this one is there
    if status in {400, 403, 404} and _ABOUT_MODEL.search(said):
        return _NO_MODEL
    return _REFUSED.get(status, _OTHERWISE)


_NO_MODEL = (
    "{host} does not offer {model} (status {status}): set model to one that "
    "fim-lsp models lists; or it is not there at present, or not for this key."
)
_NO_KEY = (
    "{host} wants a key, and none was sent (status {status}): export {key_from} in the shell "
    "that starts your editor, or set api_key_command."
)
_REFUSED = {
    401: "{host} does not accept the key (status {status}): check {key_from}; "
    "or base_url is the wrong host for it{hosts}.",
    402: "{host} wants to be paid first (status 402): check the account's billing.",
    403: "{host} does not let this key use {model} (status 403): check the account's rights, "
    "or set model to another.",
    404: "{host} has nothing at this address (status 404): check base_url; "
    "or it does not offer {model} at present.",
    405: "{host} does not complete code at this address (status 405): check base_url.",
    422: "{host} does not accept a parameter (status 422): correct it under [request].",
    501: "{model} on {host} cannot fill in the middle (status {status}): "
    "set model to one that can.",
}
_OTHERWISE = "{host} refuses the request for {model} (status {status}): check the settings."


def rate_limited(asked: Asked, quoted: str, headers: Mapping[str, str]) -> RateLimitedError:
    """The error for 429, with the pause that the endpoint asks for."""
    wait_s = retry_after_s(headers)
    pause = "completions pause for a while" if wait_s is None else f"it asks for {wait_s:.0f} s"
    message = f"{asked.host} has had too many requests from this workspace (status 429): {pause}."
    return RateLimitedError(message + quoted, status=429, retry_after_s=wait_s)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The pause that ``Retry-After`` asks for, in seconds: it holds a number or a date."""
    if (in_ms := _number(headers.get("retry-after-ms", ""))) is not None:
        return in_ms / 1000
    text = headers.get("retry-after", "").strip()
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def said_by(body: bytes) -> str:
    """An error body's own words on one line, at most SAID_CHARS of them; empty if it has none."""
    text = body.decode("utf-8", errors="replace").strip()
    try:
        words = _words(json.loads(text))
    except (ValueError, RecursionError):
        title = re.search(r"<title>([^<]*)", text, re.IGNORECASE)
        words = title[1] if title else "" if text.startswith("<") else text
    # neither escapes, nor bidi, nor what was no text
    shown = (char if char.isprintable() and char != "\ufffd" else " " for char in words[:4_000])
    line = " ".join("".join(shown).split())
    return line if len(line) <= SAID_CHARS else line[: SAID_CHARS - 1] + "…"


def _words(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "; ".join(filter(None, map(_words, cast("list[Any]", found))))
    if not isinstance(found, dict):
        return ""
    table = cast("dict[str, Any]", found)
    if "msg" in table:  # one of pydantic's: where, and what; its ``input`` quotes the request
        return ": ".join(filter(None, [_place(table.get("loc")), _words(table["msg"])]))
    for name in ("message", "detail", "error"):
        if words := _words(table.get(name)):
            return words
    return ""


def _place(found: Any) -> str:
    parts = cast("Iterable[Any]", found) if isinstance(found, list) else ()
    return ".".join(str(part) for part in parts if part != "body")


def _without(said: str, sent: Iterable[str]) -> str:
    """``said`` with every run that was also sent replaced by an ellipsis."""
    flat = "\n".join(" ".join(text.split()) for text in sent if text)
    quoted = [False] * len(said)
    for start in range(len(said) - _QUOTE_CHARS + 1):
        if said[start : start + _QUOTE_CHARS] in flat:
            quoted[start : start + _QUOTE_CHARS] = [True] * _QUOTE_CHARS
    kept = "".join("\0" if cut else char for char, cut in zip(said, quoted, strict=True))
    return re.sub("\0+", "…", kept)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip()) else None


def _model(asked: Asked) -> str:
    return f"the model {asked.model}" if asked.model else "its model"


def _about_hosts(host: str) -> str:
    if host not in _MISTRAL_HOSTS:
        return ""
    return " (keys of codestral.mistral.ai and api.mistral.ai are not the same)"
