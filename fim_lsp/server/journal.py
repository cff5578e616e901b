"""What is noted of each request: for the trace, the statistics, and *why nothing?*."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from fim_lsp.completer import Answer, Ask
from fim_lsp.document import Change, Document
from fim_lsp.history import History, Request
from fim_lsp.server.positions import Place
from fim_lsp.trace import Trace, request_line

if TYPE_CHECKING:
    from fim_lsp.calls import Bill
    from fim_lsp.settings import Settings
    from fim_lsp.stats.counts import Counts
    from fim_lsp.stats.watch import Watch

Verbosity = Literal["off", "messages", "verbose"]


class Journal:
    """Notes what happens, wherever somebody may want to read it."""

    def __init__(
        self,
        trace: Trace | None,
        document_of: Callable[[str], Document | None],
        log: Callable[[str, str | None], None],
    ) -> None:
        """``log`` is given a line, and what stands behind it, while ``verbosity`` is not off."""
        self.history = History()
        self.verbosity: Verbosity = "off"
        self._trace = trace
        self._document_of = document_of
        self._log = log
        self._counts: Counts | None = None
        self._watch: Watch | None = None

    def begin(self, settings: Settings) -> None:
        """Other settings apply from now on, and calls are numbered anew."""
        self.history.forget_bills()
        if self._trace:
            self._trace.restarted()
        self._watch = self._watching(settings)

    def close(self) -> None:
        """Write what is left."""
        if self._counts:
            self._counts.close()

    def _watching(self, settings: Settings) -> Watch | None:
        if not settings.stats.enabled:
            return None
        from fim_lsp.stats.counts import Counts, stats_file
        from fim_lsp.stats.watch import Watch

        self._counts = self._counts or Counts(stats_file())
        return Watch(
            self._counts,
            provider=settings.effective_provider,
            model=settings.effective_model,
            document_of=self._document_of,
        )

    # -- what happens --------------------------------------------------------------------------

    def answered(self, ask: Ask, answer: Answer, seconds: float) -> None:
        """A request was answered."""
        now = datetime.now().astimezone()
        request = Request(at=now, answer=answer, ms=seconds * 1000, invoked=ask.invoked)
        self.history.answered(ask.context.uri, request)
        if self._trace:
            self._trace.answered(ask, answer, seconds)
        if self._watch:
            self._watch.answered(ask.context.language, answer.source, seconds * 1000)
        if self.verbosity != "off":
            line = request_line(ask, answer, seconds)
            shown = f"{line['chars']} characters" if answer.items else "nothing"
            message = f"{shown} after {line['ms']} ms ({answer.source}) {answer.reason}".rstrip()
            self._log(message, json.dumps(line) if self.verbosity == "verbose" else None)

    def overtaken(self, ask: Ask, seconds: float) -> None:
        """A request got no answer: a newer one had come, or the editor had cancelled it."""
        answer = Answer(reason="overtaken by the next request, or cancelled")
        if self._trace:
            self._trace.answered(ask, answer, seconds)

    def shown(self, place: Place, answer: Answer, numbers: Sequence[int] = ()) -> None:
        """These items are shown now, or none."""
        if self._watch is None:
            return
        from fim_lsp.stats.watch import Shown

        texts = tuple(place.selected + item.text for item in answer.items)
        shown = Shown(
            place=place.start,
            texts=texts,
            numbers=tuple(numbers),
            is_stand_in=answer.source == "stand-in",
        )
        self._watch.shown(place.document, shown)

    def edited(self, document: Document, changes: Sequence[Change]) -> None:
        """A document was edited."""
        if self._watch:
            self._watch.edited(document, changes)

    def accepted(self, number: int) -> None:
        """The editor says that it has inserted an item."""
        if self._watch:
            self._watch.accepted(number)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        if self._watch:
            self._watch.closed(uri)

    def billed(self, bill: Bill) -> None:
        """A call has ended."""
        self.history.billed(bill)
        if self._trace:
            self._trace.billed(bill)
        if self._watch:
            self._watch.billed(bill)
