"""The embedded provider: works offline, with no model file, and speaks only when it is confident.

It learns from the documents that are open and from the workspace's files of the same language, on
a thread that works in slices of a millisecond and sleeps between them, so that the editor never
waits for it. Nothing that it reads leaves the process, and what ``context.exclude`` or git ignore
is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fim_lsp.background import Background, Job
from fim_lsp.providers import Chunk, FimRequest

if TYPE_CHECKING:
    from fim_lsp.providers.line_model import LineModel
    from fim_lsp.workspace import Workspace

MIN_CONFIDENCE = 0.4
"""Less likely suggestions are not shown; see benchmarks/local_model.md for what that gives."""
MAX_LINES = 200_000
"""At most this many lines of the workspace are learned for one language."""
MAX_DOCUMENT_CHARS = 1_000_000
"""Of an open document, at most this much is learned."""


class LocalProvider:
    """Predicts from what the project already says."""

    name = "local"
    free = True

    def __init__(self) -> None:
        self.on_headers: Callable[[Mapping[str, str]], None] | None = None
        self._models: dict[str, LineModel] = {}
        self._workspace: Workspace | None = None
        self._asked: dict[str, int] = {}
        """Language family to the number of the workspace that was learned for it."""
        self._learned: set[int] = set()
        """Hashes of the paths of which the models know a version."""
        self._open: dict[str, list[str]] = {}
        self._background = Background("fim-lsp-local")
        self._generation = 0
        self.learned_lines = 0
        """Lines of the workspace that were learned, in all languages."""

    @property
    def is_learning(self) -> bool:
        """True while something is still to be learned in the background."""
        return self._background.busy

    def learn_folder(self, folders: Sequence[Path], exclude: Sequence[str]) -> None:
        """Learn these folders' files in the background, each language once it is met."""
        from fim_lsp.workspace import Workspace

        self._generation += 1
        self._workspace = Workspace(folders, exclude)
        for family in self._models:
            self._learn_workspace(family)

    def observe(self, path_or_uri: str, language: str, text: str) -> None:
        """Learn a document: call it when one is opened or saved, or has changed much."""
        self._background.start(self._learn_document(path_or_uri, language, text))

    def forget(self, uri: str) -> None:
        """A document was closed: its text is kept no longer, what was learned from it is."""
        self._background.start(self._forget(uri))

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk, None]:
        """The rest of the line where that is likely; else a stream without text."""
        await asyncio.sleep(0)
        prediction = self._model(request.language).predict(request.prompt, request.suffix)
        shown = prediction.text if prediction.confidence >= MIN_CONFIDENCE else ""
        yield Chunk(text=shown, finish_reason="stop")

    async def warm(self) -> None:
        """Nothing to do: there is no connection."""

    async def aclose(self) -> None:
        """Stop learning."""
        self._background.close()

    def _model(self, language: str) -> LineModel:
        """The model for a language, which starts to learn the workspace when it is first met."""
        from fim_lsp.providers.line_model import LineModel
        from fim_lsp.workspace import family_of

        family = family_of(language)
        model = self._models.get(family)
        if model is None:
            model = self._models.setdefault(family, LineModel())
        if self._asked.get(family, 0) != self._generation:
            self._learn_workspace(family)
        return model

    def _learn_workspace(self, family: str) -> None:
        self._asked[family] = self._generation
        self._background.start(self._learn_files(family, self._generation))

    def _learn_files(self, family: str, generation: int) -> Job:
        """Walk the workspace and learn its files of one language family."""
        from fim_lsp.workspace import family_of

        workspace, model = self._workspace, self._models[family]
        left = MAX_LINES
        for found in workspace.files() if workspace else ():
            yield
            if generation != self._generation or left <= 0 or model.full:
                return
            key = hash(str(found.path))
            if family_of(found.language) != family or not family or key in self._learned:
                continue
            text = found.read()
            if text is None:
                continue
            self._learned.add(key)
            lines = text.split("\n")
            left -= len(lines)
            self.learned_lines += len(lines)
            yield from model.learn(lines)

    def _learn_document(self, path_or_uri: str, language: str, text: str) -> Job:
        """Learn the lines that are new since the document was last observed."""
        yield
        if self._excluded(path_or_uri):
            return
        model = self._model(language)
        lines = text[:MAX_DOCUMENT_CHARS].split("\n")
        before = self._open.get(path_or_uri)
        self._open[path_or_uri] = lines
        key = hash(_path_text(path_or_uri))
        if before is None and key in self._learned:
            return  # learned from the disk
        self._learned.add(key)
        changed = lines if before is None else _changed(before, lines)
        if changed and not model.full:
            yield from model.learn(changed)

    def _forget(self, uri: str) -> Job:
        yield
        self._open.pop(uri, None)

    def _excluded(self, path_or_uri: str) -> bool:
        """Whether the settings forbid to read this document."""
        return self._workspace is not None and self._workspace.excludes(path_or_uri)


def _path_text(path_or_uri: str) -> str:
    from fim_lsp.workspace import path_of

    path = path_of(path_or_uri)
    return path.as_posix() if path else path_or_uri


def _changed(before: Sequence[str], after: Sequence[str]) -> Sequence[str]:
    """The lines between what both begin and end with, with three lines before them."""
    start = 0
    shorter = min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    end = 0
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    changed = after[start : len(after) - end]
    return [*after[max(0, start - 3) : start], *changed] if changed else ()
