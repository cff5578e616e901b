"""What the open documents teach: snippets, the embedded model, and an endpoint that reads ahead.

They are read when they are opened, and again as soon as the person pauses.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fim_lsp.document import Document

if TYPE_CHECKING:
    from fim_lsp.completer import Completer
    from fim_lsp.server.language_server import FimServer

MAX_READ_LINES = 3_000
"""Of an open document at most so many lines are read for snippets."""
IDLE_S = 0.5
"""After this long without a key a document is read for what it teaches."""


class Teaching:
    """Shows one server's documents to whoever learns from them, unless they must not be read."""

    def __init__(self, server: FimServer) -> None:
        self._server = server
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._edited_at: dict[str, tuple[int, int] | None] = {}
        """Document to the line and the column behind its last edit."""

    def opened(self, document: Document) -> None:
        """Show a document now, and once more to all as soon as the person pauses."""
        self.soon(document.uri)
        if completer := self._server.ready_completer():
            self._show_snippets(completer, document)

    def edited(self, uri: str, place: tuple[int, int] | None) -> None:
        """Note an edit, and the place behind it where there is one."""
        self._edited_at[uri] = place
        self.soon(uri)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._edited_at.pop(uri, None)
        if timer := self._waiting.pop(uri, None):
            timer.cancel()

    def soon(self, uri: str) -> None:
        """Let a document be seen as soon as the person pauses."""
        if timer := self._waiting.pop(uri, None):
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._waiting[uri] = loop.call_later(IDLE_S, self._paused, uri)

    def show_all(self, completer: Completer) -> None:
        """Show every open document to a completer that is new."""
        for document in self._server.documents.all():
            self._show(completer, document)

    def _paused(self, uri: str) -> None:
        self._waiting.pop(uri, None)
        completer, document = self._server.ready_completer(), self._server.documents.get(uri)
        if completer and document:
            self._show(completer, document)
            self._read_ahead(completer, document)

    def _show(self, completer: Completer, document: Document) -> None:
        self._show_snippets(completer, document)
        learners = completer.learners
        if learners and not self._is_secret(document):
            for learner in learners:
                learner.observe(document.uri, document.language, document.text)

    def _show_snippets(self, completer: Completer, document: Document) -> None:
        snippets = completer.reading.snippets
        if snippets and not self._is_secret(document):
            snippets.opened(document.uri, document.language, document.beginning(MAX_READ_LINES))

    def _read_ahead(self, completer: Completer, document: Document) -> None:
        """Let an endpoint of one's own read on while nobody types."""
        place, session = self._edited_at.get(document.uri), self._server.session
        if place and session and not self._is_secret(document):
            context = document.context(*place)
            completer.paused(session.ask_behind(context, document.file_uri))

    def _is_secret(self, document: Document) -> bool:
        """Whether it must not be read; so it is where nobody can say yet."""
        session = self._server.session
        return session is None or session.excludes(document.file_uri)
