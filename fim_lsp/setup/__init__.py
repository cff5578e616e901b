"""``fim-lsp init``: asks or takes flags, tries one real completion, and writes ``config.toml``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fim_lsp.doctor import exit_status, local_checks, network_checks
from fim_lsp.doctor.check import Check, at_home
from fim_lsp.errors import UsageError
from fim_lsp.presets import PRESETS
from fim_lsp.settings import Layer, Parsed, Settings, config_path, parse
from fim_lsp.setup import continue_config, questions, written
from fim_lsp.terminal import visible, writable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How ``init`` was called."""

    overrides: Mapping[str, Any]
    """The settings that were given as options."""
    from_continue: bool = False
    file: Path | None = None
    """Continue's file; None: where Continue keeps it."""
    force: bool = False
    """Replace a file that is there."""
    test: bool = True
    """Try one completion first, and write only if it works."""


def run(wish: Wish) -> int:
    """Find the settings, try them and write them; the exit status. Raises ``UsageError``."""
    path = config_path()
    if path.exists() and not wish.force:
        message = f"{at_home(path)} exists: --force replaces it; fim-lsp doctor tells what it says."
        raise UsageError(message)
    parsed = parse(Layer(source=questions.SOURCE, table=_table(wish)))
    if problem := questions.first_problem(parsed):
        raise UsageError(problem)
    if wish.test and (status := asyncio.run(_tried(parsed.settings))):
        _say("Nothing was written. Try again, or write it untested with --no-test.")
        return status
    _write(path, parsed)
    _say(f"Written: {at_home(path)}. It applies at once; fim-lsp doctor looks at all of it.")
    return 0


def _table(wish: Wish) -> dict[str, Any]:
    if wish.from_continue:
        found = continue_config.read(wish.file)
        table = {**found.table, **wish.overrides}
        _tell(found, table, keep_key=wish.test)
        return table
    if wish.overrides.get("preset") or wish.overrides.get("provider"):
        return dict(wish.overrides)
    if sys.stdin.isatty():
        return questions.asked(wish.overrides, input)
    names = ", ".join(PRESETS)
    message = f"init needs to know the endpoint: --preset with one of {names}; or --provider local."
    raise UsageError(message)


def _tell(found: continue_config.Found, table: Mapping[str, Any], *, keep_key: bool) -> None:
    """Say what Continue uses; its key is used for this one try, and kept nowhere."""
    shown = ", ".join(f"{name} = {value}" for name, value in table.items())
    _say(f"Continue uses ({at_home(found.file)}): {shown}")
    if found.key is None:
        return
    settings = parse(Layer(source="", table=table)).settings
    variable = settings.api_key_env
    if keep_key and not settings.api_key_command:
        os.environ.setdefault(variable, found.key)
    _say(
        f"Its key is not copied. Put it into {variable} where your editor is started, or into the\n"
        f"system's keyring (pip install keyring; keyring set fim-lsp {variable}) and add\n"
        f"""  --set 'api_key_command=["keyring", "get", "fim-lsp", "{variable}"]'"""
    )


async def _tried(settings: Settings) -> int:
    """One real completion, said line by line; the exit status."""
    checks: list[Check] = []
    async for check in local_checks.key(settings):
        checks.append(check)
        _show(check)
    if not exit_status(checks):
        async for check in network_checks.completion(settings):
            checks.append(check)
            _show(check)
    return exit_status(checks)


def _show(check: Check) -> None:
    _say(f"{'✗' if check.failed else '✓'} {check.name}: {check.found}")
    if check.remedy:
        _say(f"  → {check.remedy}")


def _write(path: Path, parsed: Parsed) -> None:
    """Whole or not at all: an editor's server may read it at any moment."""
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(written.text(parsed), encoding="utf-8")
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        message = f"{at_home(path)} cannot be written ({error.strerror}): check its folder."
        raise UsageError(message) from None


def _say(line: str) -> None:
    sys.stdout.write(writable(visible(line), sys.stdout.encoding) + "\n")
    sys.stdout.flush()
