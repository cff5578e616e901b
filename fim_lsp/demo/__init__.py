"""``fim-lsp demo``: the real server process at work, with somebody made up who types.

The server, its protocol, its provider and its ghost text are what an editor gets. With no provider
named it is the embedded one, whatever the user's settings say: no key, no network.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import fim_lsp
from fim_lsp.demo.scene import ABOVE, BELOW, FILE_NAME, TYPED, Tally
from fim_lsp.demo.typist import Editor, Pace, Typist
from fim_lsp.demo.views import DrawnView, PlainView, View
from fim_lsp.lsp_client import LspClient, ServerGoneError
from fim_lsp.terminal import Screen, can_draw, visible, writable

NEXT = "Next: editors/neovim/README.md"
START_LIMIT_S = 20.0
_EMBEDDED = "the embedded provider: no key, no network"


def run(overrides: Mapping[str, Any], *, plain: bool = False, speed: float = 1.0) -> int:
    """Show it; 0 where ghost text was really to be seen, else 1."""
    drawn = not plain and can_draw(sys.stdout)
    stage = _Stage(overrides=overrides, drawn=drawn, speed=speed)
    try:
        tally = asyncio.run(stage.play())
    except asyncio.CancelledError:  # SIGTERM
        return 128 + signal.SIGTERM
    line = _summary(tally, stage.last_message)
    sys.stdout.write(writable(visible(line) + "\n", sys.stdout.encoding))
    sys.stdout.flush()
    return 0 if tally.shown else 1


@dataclass(slots=True, kw_only=True)
class _Stage:
    """The server process, the view, and what the server said on the way."""

    overrides: Mapping[str, Any]
    drawn: bool
    speed: float
    source: str = ""
    """Who answers."""
    last_message: str = ""
    budget: str = ""
    """How much of the minute's tokens is used."""
    _trace: TextIO = field(default_factory=io.StringIO)
    _way: str = ""
    _tally: Tally = field(default_factory=lambda: Tally(keys_needed=0))

    @property
    def is_local(self) -> bool:
        """Whether no endpoint was named, or the embedded provider was."""
        return (self.overrides.get("provider") or self.overrides.get("base_url")) in {None, "local"}

    async def play(self) -> Tally:
        """The whole demo."""
        named = f"{self.overrides.get('provider', '')} {self.overrides.get('model', '')}".strip()
        self.source = _EMBEDDED if self.is_local else named or "your endpoint"
        with tempfile.TemporaryDirectory(prefix="fim-lsp-demo-") as folder:
            async with self._server(Path(folder)) as client:
                await self._type(client, Path(folder))
                self.last_message = self.last_message or client.last_complaint
        return self._tally

    @contextlib.asynccontextmanager
    async def _server(self, folder: Path) -> AsyncGenerator[LspClient]:
        (folder / FILE_NAME).write_text(ABOVE + BELOW, encoding="utf-8")
        trace = folder / "trace.jsonl"
        command = [*self._command(), "--trace", str(trace)]
        client = await LspClient.start(command, self._noted, env=self._environment())
        try:
            await _initialize(client, folder)
            with trace.open(encoding="utf-8") as self._trace:
                yield client
        finally:
            await client.aclose()

    async def _type(self, client: LspClient, folder: Path) -> None:
        with self._view() as view:
            editor = Editor(client, (folder / FILE_NAME).as_uri(), ABOVE, BELOW)
            typist = Typist(
                editor=editor,
                wanted=TYPED,
                pace=self._pace(),
                show=lambda scene: view.show(scene, self._tally),
                suggested=view.suggested,
                source=lambda: self.source,
                budget=lambda: self.budget,
                way=self._way_of_the_last_answer,
                has_trouble=lambda: bool(self.last_message),
            )
            self._tally = typist.tally
            editor.open()
            await typist.type_all()
            if self.drawn:
                await asyncio.sleep(1.5 / self.speed)

    @contextlib.contextmanager
    def _view(self) -> Generator[View]:
        if not self.drawn:
            opening = f"fim-lsp demo · {FILE_NAME} · {self.source}\n"
            sys.stdout.write(writable(opening, sys.stdout.encoding))
            yield PlainView(sys.stdout)
            return
        screen = Screen(sys.stdout)
        with screen.opened(), _signals(screen):
            yield DrawnView(screen)

    def _way_of_the_last_answer(self) -> str:
        """The server notes an answer in its trace before it sends it."""
        for line in self._trace:
            self._way = json.loads(line)["source"]
        return self._way

    def _pace(self) -> Pace:
        if self.drawn:
            return Pace(
                key_s=0.07 / self.speed,
                look_s=0.3 / self.speed,
                wait_s=0.0,
                patience_s=1.5,
                limit_s=120.0,
            )
        if self.is_local:
            return Pace(key_s=0.0, look_s=0.0, wait_s=0.5, patience_s=1.0, limit_s=7.0)
        return Pace(key_s=0.02, look_s=0.0, wait_s=0.02, patience_s=2.0, limit_s=60.0)

    def _command(self) -> list[str]:
        settings = dict(_flat(self.overrides))
        if self.is_local:
            settings["provider"] = "local"
        command = [sys.executable, "-m", "fim_lsp", "serve"]
        for name, value in settings.items():
            command += ["--set", f"{name}={json.dumps(value, ensure_ascii=False)}"]
        return command

    def _environment(self) -> dict[str, str]:
        # the package that runs now, wherever it was started from
        paths = (str(Path(fim_lsp.__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        if self.is_local:
            environment["FIM_LSP_CONFIG"] = os.devnull
        return environment

    def _noted(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "window/showMessage":
            self.last_message = str(params.get("message", ""))
        elif method == "fim/status":
            self.last_message = str(params.get("message", "")) or self.last_message
            if not self.is_local:
                self.source = f"{params.get('provider')} {params.get('model')}".strip()
                self.budget = _bar(float(params.get("budget_used", 0.0)))


async def _initialize(client: LspClient, folder: Path) -> None:
    params: dict[str, Any] = {
        "processId": os.getpid(),
        "clientInfo": {"name": "fim-lsp demo", "version": fim_lsp.__version__},
        "rootUri": folder.as_uri(),
        "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name}],
        "capabilities": {"textDocument": {"inlineCompletion": {}}},
    }
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await client.request("initialize", params)
    except TimeoutError:
        message = f"The server did not answer within {START_LIMIT_S:.0f} s: try again."
        raise ServerGoneError(message) from None
    client.notify("initialized", {})


def _bar(used: float) -> str:
    """The part of the minute's tokens as a picture and a number."""
    full = round(min(used, 1.0) * 10)
    return f"{'▓' * full}{'░' * (10 - full)} {used:.0%} of the minute's tokens"


def _flat(table: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{at}{name}.")  # pyright: ignore[reportUnknownArgumentType] - parsed TOML
        else:
            yield f"{at}{name}", value


@contextlib.contextmanager
def _signals(screen: Screen) -> Generator[None]:
    """Draw anew after a pause of the whole program; end well when told to end."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    answers = {"SIGCONT": screen.forget, "SIGTERM": task.cancel if task else screen.forget}
    numbers = {getattr(signal, name, None): answer for name, answer in answers.items()}
    with contextlib.suppress(NotImplementedError):  # Windows
        for number, answer in numbers.items():
            if number is not None:
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
