"""Watches what is shown, what becomes of it and what it costs, and counts it.

Everything here is called at every key, so it costs microseconds: it compares the suggestion that
is shown with the few lines where it stands.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fim_lsp.calls import Bill
from fim_lsp.document import Change, Document
from fim_lsp.stats.counts import Counts, Key
from fim_lsp.stats.suggestion import Fate, Kept, Suggestion

KEPT_AFTER_S = (("30s", 30.0), ("5m", 300.0))
_MAX_REMEMBERED = 64
_BUCKETS_A_DOUBLING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown now: where, the candidates' texts and their items' numbers."""

    place: tuple[int, int]
    """Line and column."""
    texts: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    """As the accept command gives them; empty where there is none."""
    is_stand_in: bool = False
    """The local model has answered for the endpoint."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A suggestion that is shown, its row, and its items' numbers."""

    suggestion: Suggestion
    row: Key
    numbers: dict[int, str]


class Watch:
    """Counts for one editor."""

    def __init__(
        self,
        counts: Counts,
        *,
        provider: str,
        model: str,
        document_of: Callable[[str], Document | None],
    ) -> None:
        """Count what ``provider`` and ``model`` answer; ``document_of`` finds an open document."""
        self._counts = counts
        self._provider = provider
        self._model = model
        self._document_of = document_of
        self._open: dict[str, _Open] = {}
        self._kept: dict[str, list[Kept]] = {}
        self._accepted_by_edit: OrderedDict[int, Key] = OrderedDict()

    # -- what happens --------------------------------------------------------------------------

    def answered(self, language: str, source: str, ms: float) -> None:
        """Note an answer: where it came from, and after what time."""
        self._counts.add("answers", (_today(), language, source, bucket_of(ms)), answers=1)

    def shown(self, document: Document, shown: Shown) -> None:
        """Note what is shown now, instead of anything before; without texts: nothing is."""
        now = self._open.get(document.uri)
        numbers = dict(zip(shown.numbers, shown.texts, strict=False))
        goes_on = now and shown.texts and now.suggestion.goes_on(*shown.place, shown.texts[0])
        if now and goes_on:
            now.numbers |= numbers
            return
        self._leave(document.uri)
        if shown.texts:
            self._begin(document, shown, numbers)

    def edited(self, document: Document, changes: Sequence[Change]) -> None:
        """Note edits that are in the document already."""
        for change in changes:
            for kept in self._kept.get(document.uri, ()):
                kept.edited(change)
            if now := self._open.get(document.uri):
                fate = now.suggestion.edited(document, change)
                if fate is not None:
                    self._end(document.uri, fate)
                if fate == "accepted":
                    self._remember(now)

    def accepted(self, number: int) -> None:
        """Note that the editor says that an item was accepted; its edit may have come before."""
        row = self._accepted_by_edit.pop(number, None)
        if row is not None:
            self._counts.add("suggestions", row, accepted_by_edit=-1, accepted_by_command=1)
            return
        for uri, now in self._open.items():
            if number in now.numbers:
                suggestion = now.suggestion
                suggestion.taken = max(suggestion.taken, len(now.numbers[number]))
                self._end(uri, "accepted", by="command")
                return

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._leave(uri)
        self._kept.pop(uri, None)

    def billed(self, bill: Bill) -> None:
        """Note what a call has cost; one that failed cost nothing that we know of."""
        row = (_today(), bill.language, self._provider, self._model)
        failed = bill.end == "failed"
        self._counts.add(
            "calls",
            row,
            calls=1,
            failed=int(failed),
            hung_up=int(bill.end == "hung up"),
            prompt_tokens=0 if failed else bill.prompt_tokens,
            answer_tokens=0 if failed else bill.completion_tokens,
        )

    # -- one suggestion ------------------------------------------------------------------------

    def _begin(self, document: Document, shown: Shown, numbers: dict[int, str]) -> None:
        names = ("local", "") if shown.is_stand_in else (self._provider, self._model)
        row = (_today(), document.language, *names)
        first, *others = shown.texts
        self._open[document.uri] = _Open(
            suggestion=Suggestion(
                line=shown.place[0], column=shown.place[1], text=first, others=tuple(others)
            ),
            row=row,
            numbers=numbers,
        )
        self._counts.add("suggestions", row, shown=1, shown_chars=len(first))

    def _leave(self, uri: str) -> None:
        if now := self._open.get(uri):
            self._end(uri, now.suggestion.fate_when_left())

    def _end(self, uri: str, fate: Fate, *, by: str = "edit") -> None:
        now = self._open.pop(uri)
        column = f"accepted_by_{by}" if fate == "accepted" else fate
        sums = {} if fate == "dismissed" else {column: 1}
        taken = now.suggestion.taken
        if not sums:
            return
        self._counts.add("suggestions", now.row, **sums, accepted_chars=taken)
        if taken:
            self._look_later(uri, now)

    def _remember(self, now: _Open) -> None:
        """The command may follow, and says who it was."""
        for number in now.numbers:
            self._accepted_by_edit[number] = now.row
        while len(self._accepted_by_edit) > _MAX_REMEMBERED:
            self._accepted_by_edit.popitem(last=False)

    # -- what stays of it ----------------------------------------------------------------------

    def _look_later(self, uri: str, now: _Open) -> None:
        suggestion = now.suggestion
        kept = Kept(line=suggestion.line, text=suggestion.text[: suggestion.present or None])
        all_kept = self._kept.setdefault(uri, [])
        all_kept.append(kept)
        del all_kept[:-_MAX_REMEMBERED]
        loop = asyncio.get_running_loop()
        for name, after_s in KEPT_AFTER_S:
            loop.call_later(after_s, self._look, uri, kept, now.row, name)

    def _look(self, uri: str, kept: Kept, row: Key, name: str) -> None:
        document = self._document_of(uri)
        if document is None or kept not in self._kept.get(uri, ()):
            return
        there, asked = kept.chars(document)
        self._counts.add("suggestions", row, **{f"kept_{name}": there, f"asked_{name}": asked})
        if name == KEPT_AFTER_S[-1][0]:
            self._kept[uri].remove(kept)


def bucket_of(ms: float) -> int:
    """Which bucket a time belongs to: each is 19 % wider than the one before; 0 is below 1 ms."""
    return 0 if ms < 1 else 1 + int(math.log2(ms) * _BUCKETS_A_DOUBLING)


def ms_of(bucket: int) -> float:
    """The middle of a bucket, in milliseconds."""
    return 0.5 if bucket == 0 else 2 ** ((bucket - 0.5) / _BUCKETS_A_DOUBLING)


def _today() -> str:
    return datetime.now().astimezone().date().isoformat()
