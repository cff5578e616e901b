"""``fim-lsp doctor``: what works, what does not, and what to do, one line each.

Everything is looked at as the server would use it, up to one real completion. Nothing of it names
a key or the user: the report is safe to paste.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, TextIO

from fim_lsp import settings
from fim_lsp.doctor import local_checks, network_checks
from fim_lsp.doctor.check import Check, State
from fim_lsp.terminal import visible, writable

_MARKS: Mapping[State, tuple[str, str]] = {
    "fine": ("✓", "32"),
    "warning": ("!", "33"),
    "settings": ("✗", "31"),
    "endpoint": ("✗", "31"),
}


def run(overrides: Mapping[str, Any], *, as_json: bool = False) -> int:
    """Examine and report; 0 where all works, 2 for settings, 1 where the endpoint fails."""
    checks = asyncio.run(_reported(overrides, None if as_json else sys.stdout))
    status = exit_status(checks)
    if as_json:
        table = {"exit_status": status, "checks": [_as_table(check) for check in checks]}
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
    else:
        sys.stdout.write(writable(_conclusion(checks) + "\n", sys.stdout.encoding))
    return status


def exit_status(checks: Sequence[Check]) -> int:
    """What the checks come to for a script."""
    states = {check.state for check in checks}
    return 2 if "settings" in states else 1 if "endpoint" in states else 0


async def examine(overrides: Mapping[str, Any]) -> AsyncGenerator[Check]:
    """Everything that is looked at, in the order in which things depend on each other."""
    path = settings.config_path()
    layer, trouble = settings.read_file(path)
    parsed = settings.parse(layer, settings.Layer(source="command line", table=overrides))
    yield local_checks.version()
    for check in local_checks.of_settings(parsed, trouble):
        yield check
    yield local_checks.state()
    yield local_checks.endpoint(parsed)
    is_blocked = False
    async for check in local_checks.key(parsed.settings):
        is_blocked = is_blocked or check.failed
        yield check
    if parsed.settings.effective_provider != "local":
        async for check in network_checks.way(parsed.settings):
            is_blocked = is_blocked or check.failed
            yield check
        if not is_blocked and (check := await network_checks.model(parsed.settings)):
            is_blocked = check.failed
            yield check
    if not is_blocked:
        async for check in network_checks.completion(parsed.settings):
            yield check
    async for check in network_checks.team_store(parsed.settings):
        yield check
    async for check in local_checks.editors():
        yield check


async def _reported(overrides: Mapping[str, Any], out: TextIO | None) -> list[Check]:
    checks: list[Check] = []
    async for check in examine(overrides):
        checks.append(check)
        if out is not None:
            out.write(_line(check, out))
            out.flush()
    return checks


def _line(check: Check, out: TextIO) -> str:
    mark, code = _MARKS[check.state]
    text = f" {check.name:<13} {visible(check.found)}"
    if check.remedy:
        text += f"\n{'':<16}→ {visible(check.remedy)}"
    has_colours = (
        out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    mark = f"\x1b[{code}m{mark}\x1b[0m" if has_colours else mark
    return writable(f"{mark}{text}\n", out.encoding)


def _conclusion(checks: Sequence[Check]) -> str:
    failed = [check for check in checks if check.failed]
    completes = any(check.name == "completion" and not check.failed for check in checks)
    if completes and failed:
        return f"\nIt works, but not all of it: correct the {failed[0].name} (see → above)."
    if failed:
        first = failed[0]
        return f"\nIt does not work yet: {first.name} first (see → above), then run this again."
    return "\nIt works. Next: editors/neovim/README.md, or your editor's page in editors/."


def _as_table(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "state": check.state,
        "found": check.found,
        "remedy": check.remedy,
    }
