"""The embedded provider: works offline, with no model file, and speaks only when it is confident.

It learns from the documents that are open and from the workspace's files of the same language, on
a thread that works in slices of a millisecond or two, so that the editor never waits for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

from fim_lsp.providers import Chunk, FimRequest
from fim_lsp.providers.ngrams import Model
from fim_lsp.workspace import Workspace, family_of

MIN_CONFIDENCE = 0.45
_SLICE_LINES = 40
_MAX_LINES = 200_000


class LocalProvider:
    """Predicts from what the project already says."""

    name = "local"
    free = True

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._workspace: Workspace | None = None
        self._indexed: set[str] = set()
        self._wanted = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._busy = False

    @property
    def is_learning(self) -> bool:
        """Whether files that were asked for are still to be read."""
        waiting = self._workspace is not None and self._models.keys() - self._indexed
        return not self._closed and (self._busy or bool(waiting))

    def learn_folder(self, folders: Sequence[Path], exclude: Sequence[str]) -> None:
        """Learn these folders' files in the background, each language when it is first opened."""
        with self._wanted:
            self._workspace = Workspace(folders, exclude)
            self._indexed.clear()
            self._wanted.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="fim-lsp-local", daemon=True)
            self._thread.start()

    def observe(self, path_or_uri: str, language: str, text: str) -> None:
        """Learn an open document; call it when one is opened, saved or has changed much."""
        del path_or_uri, text
        with self._wanted:
            self._models.setdefault(family_of(language), Model())
            self._wanted.notify()

    def forget(self, uri: str) -> None:
        """A document was closed."""
        del uri

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """The rest of the line where that is likely; else a stream without text."""
        await asyncio.sleep(0)
        model = self._models.setdefault(family_of(request.language), Model())
        prediction = model.predict(request.prompt, request.suffix)
        text = prediction.text if prediction.confidence >= MIN_CONFIDENCE else ""
        yield Chunk(text=_without_suffix(text, request.suffix), finish_reason="stop")

    async def warm(self) -> None:
        """Nothing to do: there is no connection."""

    async def aclose(self) -> None:
        """Stop learning."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()

    def _work(self) -> None:
        while True:
            with self._wanted:
                self._wanted.wait_for(lambda: self._closed or self._models.keys() - self._indexed)
                if self._closed:
                    return
                families = self._models.keys() - self._indexed
                self._busy = True  # before they count as indexed: nobody sees a gap
                self._indexed |= families
                workspace = self._workspace
            if workspace is not None:
                for _ in self._learn(workspace, families):
                    time.sleep(0.0005)
                    if self._closed:
                        return
            self._busy = False

    def _learn(self, workspace: Workspace, families: set[str]) -> Iterator[None]:
        lines_left = _MAX_LINES
        for found in workspace.files():
            yield
            family = family_of(found.language)
            if not family or family not in families:
                continue
            text = workspace.read(found)
            if text is None:
                continue
            lines = text.split("\n")
            lines_left -= len(lines)
            if lines_left < 0:
                return
            self._models[family].learn(text)


def _without_suffix(text: str, suffix: str) -> str:
    """Leave out what already stands right of the cursor; nothing where that does not fit."""
    rest = suffix.partition("\n")[0].strip()
    if not rest:
        return text
    return text.removesuffix(rest) if text.endswith(rest) else ""
