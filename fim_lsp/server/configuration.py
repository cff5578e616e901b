"""The settings in force: the places they come from, read again when one of them changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fim_lsp import settings
from fim_lsp.settings import UNTIL_THEN, Layer, Settings

CHECK_S = 1.0
"""The settings file is looked at so often at the most, and only when a request comes."""
SETTINGS_OF_PROJECTS = frozenset({"coc.nvim", "eglot", "sublime text lsp", "zed"})
"""Clients, by name in lower case, that mix a project's own files into the settings that they send:
``.dir-locals.el``, ``.zed/settings.json``, ``.vim/coc-settings.json``, a ``.sublime-project``.
VS Code's extension gives what matters a scope that no project reaches; others read no such file."""
SETTLED_S = 0.3
"""A file that was changed less long ago may be half written."""


class Configuration:
    """The file, what the editor said, and the command line."""

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        self._overrides = Layer(source="command line", table=overrides)
        self._initial: Layer | None = None
        self._editor: Layer | None = None
        self._is_answer = False
        """Whether the editor was asked for its layer, rather than that it pushed it."""
        self._chosen: Layer | None = None
        self._path = settings.config_path()
        self._stamp: tuple[int, int] | None = None
        self._checked_at = 0.0
        self._is_missing = False
        self._is_mixed = False
        """Whether what the editor sends later may be a project's."""
        self._file: Layer | None = None
        """The file's settings when it could last be read."""

    def initial(self, sent: object, client_name: str) -> None:
        """Take the editor's ``initializationOptions``; its name is in lower case."""
        self._is_mixed = client_name in SETTINGS_OF_PROJECTS
        self._initial = settings.editor_layer(sent)

    def use_model(self, model: str) -> None:
        """Go on with another model, whatever all places say."""
        self._chosen = Layer(source="fim.chooseModel", table={"model": model})

    def pushed(self, sent: object) -> None:
        """Take ``didChangeConfiguration``: all that is set, so that an empty table sets nothing.

        Null only tells that something has changed.
        """
        if sent is not None:
            self._editor, self._is_answer = self._layer(sent), False

    def answered(self, sent: object) -> None:
        """Take the answer to ``workspace/configuration``.

        An empty one, or null, undoes what an earlier answer set, but not what was pushed: a client
        may keep the server's settings elsewhere than in the section that it answers from.
        """
        layer = self._layer(sent)
        if self._is_answer or (layer is not None and layer.table):
            self._editor, self._is_answer = layer, True

    def _layer(self, sent: object) -> Layer | None:
        return settings.editor_layer(sent, is_trusted=not self._is_mixed)

    def read(self) -> tuple[Settings, tuple[str, ...]]:
        """The settings of all places together, and a line for each thing not understood."""
        self._stamp = _stamp(self._path)
        layer, problem = settings.read_file(self._path)
        if problem is None:
            self._file = layer
        elif self._file is not None:
            layer, problem = self._file, f"{problem} What it said before applies until then."
        else:
            problem = f"{problem}{UNTIL_THEN}"
        parsed = settings.parse(layer, self._initial, self._editor, self._overrides, self._chosen)
        return parsed.settings, (*((problem,) if problem else ()), *parsed.problems)

    async def file_has_changed(self) -> bool:
        """Whether the file differs from what was read; looks at most once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._checked_at < CHECK_S:
            return False
        self._checked_at = now
        stamp = await asyncio.to_thread(_stamp, self._path)
        if stamp == self._stamp:
            self._is_missing = False
            return False
        if stamp is None and not self._is_missing:
            self._is_missing = True  # editors take a file away to put the new one in its place
            return False
        self._is_missing = False
        if stamp is not None and 0 <= time.time() - stamp[0] / 1e9 < SETTLED_S:
            self._checked_at -= CHECK_S - SETTLED_S
            return False
        return True


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
