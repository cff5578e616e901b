"""The real server process, its document, and somebody who types in it, before any audience."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import fim_lsp
from fim_lsp.demo.scene import ABOVE, BELOW, FILE_NAME, TYPED, Tally
from fim_lsp.demo.typist import Editor, Pace, Typist
from fim_lsp.demo.views import View
from fim_lsp.lsp_client import LspClient, ServerGoneError

START_LIMIT_S = 20.0
_EMBEDDED = "the embedded provider: no key, no network"


@dataclass(slots=True, kw_only=True)
class Stage:
    """One performance, and what the server said on the way."""

    overrides: Mapping[str, Any]
    """The command line's settings."""
    pace: Pace
    audience: Callable[[str], AbstractContextManager[View]]
    """Opens a view; it is told who answers."""
    last_message: str = ""
    """The last thing that the server said to the person."""
    _source: str = ""
    _budget: str = ""
    _trace: TextIO = field(default_factory=io.StringIO)
    _way: str = ""

    async def play(self) -> Tally:
        """The whole demo. Raises ``ServerGoneError``."""
        named = f"{self.overrides.get('provider', '')} {self.overrides.get('model', '')}".strip()
        self._source = _EMBEDDED if is_local(self.overrides) else named or "your endpoint"
        with tempfile.TemporaryDirectory(prefix="fim-lsp-demo-") as folder:
            async with self._server(Path(folder)) as client:
                tally = await self._type(client, Path(folder))
                self.last_message = self.last_message or client.last_complaint
        return tally

    @contextlib.asynccontextmanager
    async def _server(self, folder: Path) -> AsyncGenerator[LspClient]:
        (folder / FILE_NAME).write_text(ABOVE + BELOW, encoding="utf-8")
        trace = folder / "trace.jsonl"
        command = [*_command(self.overrides), "--trace", str(trace)]
        environment = _environment(without_settings=is_local(self.overrides))
        client = await LspClient.start(command, self._noted, env=environment)
        try:
            await _initialize(client, folder)
            with trace.open(encoding="utf-8") as self._trace:
                yield client
        finally:
            await client.aclose()

    async def _type(self, client: LspClient, folder: Path) -> Tally:
        with self.audience(self._source) as view:
            editor = Editor(client, (folder / FILE_NAME).as_uri(), ABOVE, BELOW)
            typist = Typist(
                editor=editor,
                wanted=TYPED,
                pace=self.pace,
                show=lambda scene: view.show(scene, typist.tally),
                suggested=view.suggested,
                source=lambda: self._source,
                budget=lambda: self._budget,
                way=self._way_of_the_last_answer,
                has_trouble=lambda: bool(self.last_message),
            )
            editor.open()
            await typist.type_all()
            await asyncio.sleep(self.pace.look_s * 3)
            return typist.tally

    def _way_of_the_last_answer(self) -> str:
        """The server notes an answer in its trace before it sends it."""
        for line in self._trace:
            self._way = json.loads(line).get("source", self._way)
        return self._way

    def _noted(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "window/showMessage":
            self.last_message = str(params.get("message", ""))
        elif method == "fim/status":
            self.last_message = str(params.get("message", "")) or self.last_message
            self._budget = _bar(params.get("budget_used") or 0.0)
            if not is_local(self.overrides):
                self._source = f"{params.get('provider')} {params.get('model')}".strip()


def is_local(overrides: Mapping[str, Any]) -> bool:
    """Whether no endpoint was named, or the embedded provider was."""
    named = any(overrides.get(name) for name in ("preset", "base_url", "full_url"))
    return overrides.get("provider", None if named else "local") == "local"


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


def _command(overrides: Mapping[str, Any]) -> list[str]:
    # nobody has typed anything, and only who was named shall be seen at work
    settings = dict(_flat(overrides)) | {"stats.enabled": False, "fallback": "none"}
    if is_local(overrides):
        settings["provider"] = "local"
    command = [sys.executable, "-m", "fim_lsp", "serve"]
    for name, value in settings.items():
        command += ["--set", f"{name}={json.dumps(value, ensure_ascii=False)}"]
    return command


def _environment(*, without_settings: bool) -> dict[str, str]:
    # the package that runs now, wherever it was started from
    paths = (str(Path(fim_lsp.__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return environment | ({"FIM_LSP_CONFIG": os.devnull} if without_settings else {})


def _flat(table: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{at}{name}.")  # pyright: ignore[reportUnknownArgumentType] - parsed TOML
        else:
            yield f"{at}{name}", value


def _bar(used: float) -> str:
    """The part of the minute's tokens as a picture and a number."""
    full = round(min(used, 1.0) * 10)
    return f"budget {'▓' * full}{'░' * (10 - full)} {used:.0%}"
