"""A shell's completion script: shtab's, and what the values of our options can be."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import cast, get_args

import shtab

from fim_lsp.presets import PresetName
from fim_lsp.settings import ProviderName

_CHOICES = {"--preset": get_args(PresetName), "--provider": get_args(ProviderName)}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """What makes ``shell`` complete the commands of ``parser``, which is of no other use then."""
    for action in _actions(parser):
        for option in action.option_strings:
            action.choices = _CHOICES.get(option, action.choices)
        if str(action.metavar).startswith("FILE"):
            vars(action)["complete"] = shtab.FILE
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse shows them in no other way
        yield action
        if isinstance(commands := action.choices, dict):
            for command in cast("dict[str, argparse.ArgumentParser]", commands).values():
                yield from _actions(command)
