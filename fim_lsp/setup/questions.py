"""What ``fim-lsp init`` asks on a terminal; an empty answer takes what stands in brackets."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from fim_lsp.errors import UsageError
from fim_lsp.presets import PRESETS
from fim_lsp.settings import UNTIL_THEN, Layer, Parsed, parse

SOURCE = "init"
"""What settings that are being made up are called where they are parsed."""
_EMBEDDED = "the embedded model: no key, no network"
Ask = Callable[[str], str]
"""Shows a question and gives the line that was typed."""


def asked(table: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    """The settings of ``table`` and what the answers add to them. Raises ``UsageError``."""
    found = dict(table)
    found |= _endpoint(ask)
    if "preset" not in found:
        return found
    preset = PRESETS[found["preset"]]
    for name in ("base_url", "model"):
        if name not in found:
            usual = getattr(preset, name) or ""
            shown = f" [{usual}]" if usual else ""
            needed = name in preset.needs
            if needed or (name == "model" and usual):
                found |= _one(name, ask, f"{name}{shown}: ", "" if needed else usual)
    if not {"api_key_env", "api_key_command"} & set(found):
        found |= _key(ask, preset.api_key_env)
    return {name: value for name, value in found.items() if value != getattr(preset, name, None)}


def _endpoint(ask: Ask) -> dict[str, Any]:
    """Ask for a preset, or for the embedded model, which needs no more questions."""
    known = {**{name: preset.about for name, preset in PRESETS.items()}, "local": _EMBEDDED}
    listing = "".join(f"  {name:<16} {about}\n" for name, about in known.items())
    question = f"Endpoints:\n{listing}Which one [odeus]? "
    while True:
        answer = _line(ask, question) or "odeus"
        if answer == "local":
            return {"provider": "local"}
        problem = _problem("preset", answer)
        if problem is None:
            return {"preset": answer}
        question = f'{problem} Or "local".\npreset: '


def _one(name: str, ask: Ask, question: str, usual: str) -> dict[str, Any]:
    """Ask for one setting until the answer fits."""
    while True:
        answer = _line(ask, question) or usual
        problem = _problem(name, answer) if answer else f"{name} is needed."
        if problem is None:
            return {name: answer}
        question = f"{problem}\n{name}: "


def _key(ask: Ask, usual: str) -> dict[str, Any]:
    """Ask where the key comes from: one word is a variable, several are a command."""
    question = f"The variable that holds the key, or a command that prints it [{usual}]: "
    while True:
        answer = _line(ask, question) or usual
        try:
            words = shlex.split(answer)
        except ValueError:
            words = [answer]
        name = "api_key_command" if len(words) > 1 else "api_key_env"
        value = words if len(words) > 1 else answer
        problem = _problem(name, value)
        if problem is None:
            return {name: value}
        question = f"{problem}\nVariable or command: "


def _problem(name: str, value: object) -> str | None:
    """What the schema says against a value, if anything; never the value where it may be a key."""
    table = {"base_url": "https://host.example/v1", name: value}
    return first_problem(parse(Layer(source=SOURCE, table=table)))


def first_problem(parsed: Parsed) -> str | None:
    """What is wrong first, in words that fit before the settings apply."""
    found = parsed.problems[:1]
    return found[0].removeprefix(f"{SOURCE}: ").removesuffix(UNTIL_THEN) if found else None


def _line(ask: Ask, question: str) -> str:
    try:
        return ask(question).strip()
    except EOFError:
        message = "init was not answered: give flags instead, such as --preset odeus."
        raise UsageError(message) from None
