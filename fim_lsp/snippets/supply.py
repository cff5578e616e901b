"""Keeps snippets ready for each document, so that a request only has to take them.

Everything slow happens on two background threads: one reads the workspace, one gathers for the
place where the person is. A place counts as the same until the cursor is some lines away, so that
consecutive prompts begin alike.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from fim_lsp.background import Background, Job
from fim_lsp.context import CursorContext
from fim_lsp.providers import Snippet
from fim_lsp.settings import ContextSettings, SnippetMode
from fim_lsp.snippets.gathering import gather
from fim_lsp.snippets.index import Index
from fim_lsp.snippets.packing import Pack
from fim_lsp.snippets.recent import Recent
from fim_lsp.snippets.related import Other, Place
from fim_lsp.snippets.source import Source, read_source
from fim_lsp.workspace import Workspace, path_of

LEAST_OWN_TOKENS = 500
"""The document's own text gets this much before there are any snippets."""
OWN_SHARE = 2 / 3
SAME_PLACE_LINES = 6
"""So far from where snippets were gathered they still serve."""
MAX_READ_CHARS = 400_000
"""Of an open document at most so much is read."""
MAX_OTHERS = 8
GROWTH_CHARS = 300
"""A short document may grow so far before snippets have to give way."""
LEAST_CHARS = 80
"""Less room is not worth a call."""
INDEX_SLICE_S = 0.002
"""How long the workspace's reader works between two pauses of a millisecond."""
_FILL = 0.95
"""Packed so far, so that a budget that shrinks a little does not change the prompt's beginning."""
_MANY_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What one request may send of other files."""

    snippets: tuple[Snippet, ...] = ()
    chars: int = 0
    """What they take of the prompt, with their headings."""


@dataclass(slots=True)
class _Open:
    """An open document as it was last read."""

    source: Source | None = None
    may_be_sent: bool = False
    """It may be sent with other documents' prompts; its own prompts are another question."""


@dataclass(frozen=True, slots=True)
class _Ready:
    line: int
    generation: int
    pack: Pack
    smaller: Pack


@dataclass(slots=True, eq=False)
class _Wanted:
    """A place for which snippets are being gathered."""

    context: CursorContext
    line: int
    window_chars: int
    room_chars: int
    generation: int
    anchor: str
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Snippets:
    """One editor's supply. All methods but jobs are for the event loop's thread."""

    def __init__(self, settings: ContextSettings, folders: Sequence[Path]) -> None:
        self._settings = settings
        self.folders = tuple(folders)
        self._workspace = Workspace(folders, settings.exclude)
        self.index = Index(self._workspace)
        self._open: dict[str, _Open] = {}
        self._paths: dict[str, str] = {}
        self._recent = Recent()
        self._ready: dict[str, _Ready] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._opened = 0
        self._refreshed = 0
        self._indexing = Background("fim-lsp-index", slice_s=INDEX_SLICE_S)
        self._gathering = Background("fim-lsp-snippets")

    def serves(self, settings: ContextSettings, folders: Sequence[Path]) -> bool:
        """Whether this is the supply for these settings and folders."""
        return replace(self._settings, prompt_tokens=0) == replace(
            settings, prompt_tokens=0
        ) and self.folders == tuple(folders)

    def start(self) -> None:
        """Begin to read the workspace, where the settings want that."""
        if self._settings.snippets == "workspace" or self._settings.snippets_by_language:
            self._indexing.start(self.index.build())

    def close(self) -> None:
        """End all work. Does not wait."""
        self._indexing.close()
        self._gathering.close()

    @property
    def is_indexing(self) -> bool:
        """Whether the workspace is still being read."""
        return self._indexing.busy

    # -- what the editor says ------------------------------------------------------------------

    def opened(self, uri: str, language: str, text: str) -> None:
        """A document was opened, or has been left alone for a while: read it."""
        if self._mode(language) == "off":
            return
        if uri not in self._open:
            self._open[uri] = _Open()
            self._opened += 1
        self._recent.seen(uri)
        self._gathering.start(self._read(uri, language, text[:MAX_READ_CHARS]))

    def edited(self, uri: str, line: int) -> None:
        """A line of a document was changed; lines count from 0."""
        if uri in self._open:
            self._recent.edited(uri, line)

    def closed(self, uri: str) -> None:
        """A document was closed: nothing that it held is sent any more."""
        self._open.pop(uri, None)
        self._ready.pop(uri, None)
        self._wanted.pop(uri, None)
        self._recent.forget(uri)
        self._take_back(uri)

    def files_changed(self, uris: Iterable[str]) -> None:
        """Files were written, made or deleted."""
        changed = list(uris)
        if any(uri.endswith("/.gitignore") for uri in changed):
            self._forbid_all()
        if len(changed) > _MANY_FILES:
            self._ready.clear()
            self._indexing.start(self._refresh(self.index.build()))
            return
        for uri in changed:
            if path := path_of(uri):
                self._take_back(str(path))
            if uri in self._open:  # as the editor has it, it was read already
                self._indexing.start(self.index.refresh(uri))
            else:
                self._indexing.start(self._refresh(self.index.refresh(uri)))

    def _forbid_all(self) -> None:
        """What may be read has changed: send nothing until each file has been judged again."""
        self._ready.clear()
        self._wanted.clear()
        for uri, document in self._open.items():
            document.may_be_sent = False
            self._gathering.start(self._judge(uri))

    def _take_back(self, key: str) -> None:
        for uri, ready in list(self._ready.items()):
            pack, smaller = ready.pack.without(key), ready.smaller.without(key)
            self._ready[uri] = _Ready(ready.line, ready.generation, pack, smaller)

    # -- what a request needs ------------------------------------------------------------------

    def look(
        self,
        context: CursorContext,
        line: int,
        *,
        max_chars: int,
        chars_per_token: float,
        anchor: str = "",
    ) -> None:
        """The person is here: gather for this place, unless what is there still serves.

        ``anchor`` is what the document's own part of the last prompt began with.
        """
        if self.has_looked(context.uri, line) or self._mode(context.language) == "off":
            return
        self._recent.seen(context.uri)
        room = room_for(context, max_chars=max_chars, chars_per_token=chars_per_token)
        generation = self._generation
        wanted = _Wanted(context, line, max_chars - room, int(room * _FILL), generation, anchor)
        self._wanted[context.uri] = wanted
        self._gathering.start(self._gather(wanted, asyncio.get_running_loop()))

    def has_looked(self, uri: str, line: int) -> bool:
        """Whether nothing would come of looking here again."""
        nearest = self._wanted.get(uri) or self._ready.get(uri)
        return (
            nearest is not None
            and abs(nearest.line - line) < SAME_PLACE_LINES
            and nearest.generation == self._generation
        )

    async def settle(self, uri: str, limit_s: float) -> None:
        """Wait until what is being gathered for a document is there, but not longer."""
        if wanted := self._wanted.get(uri):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await wanted.done.wait()

    def gather(self, context: CursorContext, *, max_chars: int, chars_per_token: float) -> Supply:
        """What is ready for a document and fits beside its own text."""
        ready = self._ready.get(context.uri)
        if ready is None:
            return Supply()
        room = room_for(context, max_chars=max_chars, chars_per_token=chars_per_token)
        for pack in (ready.pack, ready.smaller):
            if pack.snippets and pack.chars <= room:
                return Supply(snippets=pack.snippets, chars=pack.chars)
        return Supply()

    def pack_of(self, uri: str) -> Pack:
        """What is ready for a document, piece by piece, with what was left out."""
        ready = self._ready.get(uri)
        return ready.pack if ready else Pack()

    # -- jobs ----------------------------------------------------------------------------------

    def _refresh(self, job: Job) -> Job:
        """Have each place looked at again once the index has followed the disk."""
        yield from job
        self._refreshed += 1

    def _read(self, uri: str, language: str, text: str) -> Job:
        yield
        may_be_sent = self._workspace.allowed(uri)
        yield
        source = yield from read_source(self._path(uri), language, text)
        if document := self._open.get(uri):  # it may have been closed meanwhile
            document.source = source
            document.may_be_sent = may_be_sent
            if self._mode(language) == "workspace":
                self._gathering.start(self._read_imported(source))

    def _read_imported(self, source: Source) -> Job:
        """Have what a document imports in memory before the first place in it is looked at."""
        for one in source.imports:
            yield
            if self._wanted:
                return  # somebody waits
            if path := self.index.imported(one, source.path):
                yield from self.index.source(path)

    def _judge(self, uri: str) -> Job:
        yield
        may_be_sent = self._workspace.allowed(uri)
        if document := self._open.get(uri):
            document.may_be_sent = may_be_sent

    def _gather(self, wanted: _Wanted, loop: asyncio.AbstractEventLoop) -> Job:
        uri = wanted.context.uri
        yield
        if self._wanted.get(uri) is not wanted:
            return
        before = self._ready.get(uri)
        pack = yield from self.pack(
            wanted.context,
            wanted.line,
            window_chars=wanted.window_chars,
            room_chars=wanted.room_chars,
            anchor=wanted.anchor,
            before=before.pack if before else None,
        )
        with contextlib.suppress(RuntimeError):  # the loop may have ended
            loop.call_soon_threadsafe(self._gathered, wanted, pack)

    def pack(
        self,
        context: CursorContext,
        line: int,
        *,
        window_chars: int,
        room_chars: int,
        anchor: str = "",
        before: Pack | None = None,
    ) -> Generator[None, None, Pack]:
        """What is best for a place; a generator that returns it."""
        uri, mode = context.uri, self._mode(context.language)
        if room_chars < LEAST_CHARS or mode == "off":
            return Pack()
        own = self._open.get(uri)
        place = Place(
            context=context,
            path=self._path(uri),
            line=line,
            own=own.source if own else None,
            others=self._others(uri),
            window_chars=window_chars,
            max_chars=room_chars,
            anchor=anchor,
        )
        index = self.index if mode == "workspace" else None
        return (yield from gather(place, index, before or Pack()))

    def _others(self, uri: str) -> tuple[Other, ...]:
        found: list[Other] = []
        for other in self._recent.documents():
            document = self._open.get(other)
            if other != uri and document and document.source and document.may_be_sent:
                edited = self._recent.places(other)
                found.append(Other(uri=other, source=document.source, edited=edited))
        return tuple(found[:MAX_OTHERS])

    def _gathered(self, wanted: _Wanted, pack: Pack) -> None:
        """Take over what a job has found, unless its document or place is no longer of interest."""
        uri = wanted.context.uri
        wanted.done.set()
        if self._wanted.get(uri) is not wanted:
            return
        del self._wanted[uri]
        for key in {one.piece.key for one in pack.chosen if "://" in one.piece.key}:
            document = self._open.get(key)
            if key != uri and not (document and document.may_be_sent):
                pack = pack.without(key)
        self._ready[uri] = _Ready(wanted.line, wanted.generation, pack, pack.halved())

    def _path(self, uri: str) -> str:
        if uri not in self._paths:
            self._paths[uri] = self._workspace.relative(uri) or _name(uri)
        return self._paths[uri]

    @property
    def _generation(self) -> int:
        """Grows when a place is worth to be looked at again."""
        return self.index.is_complete + self._opened + self._refreshed

    def _mode(self, language: str) -> SnippetMode:
        return mode_for(self._settings, language)


def room_for(context: CursorContext, *, max_chars: int, chars_per_token: float) -> int:
    """What snippets may take of a prompt: what the document's own text leaves or need not have."""
    least = max(int(max_chars * OWN_SHARE), int(LEAST_OWN_TOKENS * chars_per_token))
    own = len(context.prefix) + len(context.suffix) + GROWTH_CHARS
    return max(0, max_chars - min(least, own))


def mode_for(settings: ContextSettings, language: str) -> SnippetMode:
    """What the settings allow for a language."""
    for one in settings.snippets_by_language:
        name, _, mode = one.partition(":")
        if name.strip() == language:
            return cast("SnippetMode", mode.strip())
    return settings.snippets


def _name(uri: str) -> str:
    """What a document outside of the workspace is called; a notebook's cell as the notebook."""
    return uri.partition("#")[0].rpartition("/")[2]
