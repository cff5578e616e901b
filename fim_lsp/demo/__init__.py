"""``fim-lsp demo``: the real server process at work, with somebody made up who types.

The server, its protocol, its provider and its ghost text are what an editor gets. With no provider
named it is the embedded one, whatever the user's settings say: no key, no network.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from fim_lsp import settings
from fim_lsp.demo.scene import FILE_NAME, Tally
from fim_lsp.demo.stage import Stage, is_local
from fim_lsp.demo.typist import Pace
from fim_lsp.demo.views import DrawnView, PlainView, View
from fim_lsp.errors import UsageError
from fim_lsp.providers import registry
from fim_lsp.terminal import Screen, can_draw, visible, writable

NEXT = "Next: editors/neovim/README.md"


def run(overrides: Mapping[str, Any], *, plain: bool = False, speed: float = 1.0) -> int:
    """Show it; 0 where ghost text was really to be seen, else 1.

    Raises ``ServerGoneError``, and ``UsageError`` where the settings name nobody who can be asked.
    """
    if not is_local(overrides):
        _check_endpoint(overrides)
    drawn = not plain and can_draw(sys.stdout)
    stage = Stage(
        overrides=overrides,
        pace=human_pace(speed) if drawn else _hasty_pace(local=is_local(overrides)),
        audience=_drawn if drawn else _plain,
    )
    try:
        tally = asyncio.run(stage.play())
    except asyncio.CancelledError:  # SIGTERM
        return 128 + signal.SIGTERM
    line = _summary(tally, stage.last_message)
    sys.stdout.write(writable(visible(line) + "\n", sys.stdout.encoding))
    sys.stdout.flush()
    return 0 if tally.shown else 1


def _check_endpoint(overrides: Mapping[str, Any]) -> None:
    """Where it could never answer the server lets the embedded model speak: not what was named."""
    layer, trouble = settings.read_file(settings.config_path())
    parsed = settings.parse(layer, settings.Layer(source="command line", table=overrides))
    if parsed.settings.effective_provider == "local":
        problems = (*parsed.problems, *([trouble] if trouble else ()))
        raise UsageError(problems[0] if problems else "provider is local in the settings.")
    asyncio.run(registry.connect(parsed.settings).aclose())


def human_pace(speed: float) -> Pace:
    """As somebody types who is to be watched."""
    return Pace(key_s=0.06 / speed, look_s=0.3 / speed, wait_s=0.0, patience_s=1.5, limit_s=45.0)


def _hasty_pace(*, local: bool) -> Pace:
    """As fast as answers come; an endpoint is waited for only where one stops to think."""
    if local:
        return Pace(key_s=0.0, look_s=0.0, wait_s=0.5, patience_s=1.0, limit_s=7.0)
    return Pace(key_s=0.02, look_s=0.0, wait_s=0.02, patience_s=2.0, limit_s=60.0)


@contextmanager
def _plain(source: str) -> Generator[View]:
    sys.stdout.write(writable(f"fim-lsp demo · {FILE_NAME} · {source}\n", sys.stdout.encoding))
    yield PlainView(sys.stdout)


@contextmanager
def _drawn(source: str) -> Generator[View]:
    del source  # it may change, and is drawn again each time
    screen = Screen(sys.stdout)
    with screen.opened(), _signals(screen):
        yield DrawnView(screen)


@contextmanager
def _signals(screen: Screen) -> Generator[None]:
    """Draw anew after a pause of the whole program; end well when told to end."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    answers = {"SIGCONT": screen.forget, "SIGTERM": task.cancel if task else screen.forget}
    with suppress(NotImplementedError):  # Windows
        for name, answer in answers.items():
            if (number := getattr(signal, name, None)) is not None:
                loop.add_signal_handler(number, answer)
    yield


def _summary(tally: Tally, message: str) -> str:
    if not tally.shown:
        reason = message.rstrip(".") or "the provider had nothing to say"
        return f"No ghost text was shown: {reason}. Next: fim-lsp doctor"
    return (
        f"It works: {tally.shown} suggestions shown, {tally.accepted} accepted, "
        f"{tally.keys_saved} of {tally.keys_needed} keys saved, "
        f"usually {tally.usual_ms:.0f} ms after a key. {NEXT}"
    )
