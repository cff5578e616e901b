"""The settings in force: the places they come from, read again when one of them changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fim_lsp import settings
from fim_lsp.settings import Layer, Settings

CHECK_S = 1.0
"""The settings file is looked at so often at the most, and only when a request comes."""


class Configuration:
    """The file, what the editor said, and the command line."""

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        self._overrides = Layer(source="command line", table=overrides)
        self._initial: Layer | None = None
        self._editor: Layer | None = None
        self._path = settings.config_path()
        self._stamp: tuple[int, int] | None = None
        self._checked_at = 0.0

    def initial(self, sent: object) -> None:
        """Take the editor's ``initializationOptions``."""
        self._initial = settings.editor_layer(sent)

    def from_editor(self, sent: object) -> bool:
        """Take the editor's settings, flat or under ``fim``; False where they say nothing."""
        layer = settings.editor_layer(sent)
        if layer is None or not layer.table:
            return False
        self._editor = layer
        return True

    def read(self) -> tuple[Settings, tuple[str, ...]]:
        """The settings of all places together, and a line for each thing not understood."""
        self._stamp = _stamp(self._path)
        layer, problem = settings.read_file(self._path)
        parsed = settings.parse(layer, self._initial, self._editor, self._overrides)
        return parsed.settings, (*((problem,) if problem else ()), *parsed.problems)

    async def file_has_changed(self) -> bool:
        """Whether the file differs from what was read; looks at most once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._checked_at < CHECK_S:
            return False
        self._checked_at = now
        return await asyncio.to_thread(_stamp, self._path) != self._stamp


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
