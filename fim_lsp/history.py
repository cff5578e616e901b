"""The last requests of each document, for whoever asks why nothing is shown: no document text."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from fim_lsp.calls import Bill
from fim_lsp.completer import Answer, Source

MAX_REQUESTS = 20
_MAX_DOCUMENTS = 32
_MAX_BILLS = 64
_WAYS: dict[Source, str] = {
    "typed through": "typed through",
    "streak": "next line, known",
    "memory": "known already",
    "speculation": "asked ahead",
    "in flight": "answer under way",
    "called": "model asked",
    "stand-in": "local model",
    "nearby": "word from around",
    "none": "not asked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, and what came of it."""

    at: datetime
    answer: Answer
    ms: float
    invoked: bool

    @property
    def chars(self) -> int:
        """How much was shown."""
        return len(self.answer.items[0].text) if self.answer.items else 0


class History:
    """The last requests, by document, and what their calls have cost."""

    def __init__(self) -> None:
        self._requests: OrderedDict[str, deque[Request]] = OrderedDict()
        self._bills: OrderedDict[int, Bill] = OrderedDict()

    @property
    def last_document(self) -> str | None:
        """The URI of the document that was asked for last."""
        return next(reversed(self._requests), None)

    def answered(self, uri: str, request: Request) -> None:
        """Note a request."""
        self._requests.setdefault(uri, deque(maxlen=MAX_REQUESTS)).append(request)
        self._requests.move_to_end(uri)
        while len(self._requests) > _MAX_DOCUMENTS:
            self._requests.popitem(last=False)

    def billed(self, bill: Bill) -> None:
        """Note what a call has cost."""
        self._bills[bill.number] = bill
        while len(self._bills) > _MAX_BILLS:
            self._bills.popitem(last=False)

    def forget_bills(self) -> None:
        """Other settings: calls are numbered from 1 again."""
        self._bills.clear()
        for requests in self._requests.values():
            requests.clear()

    def readable(self, uri: str) -> str:
        """A document's requests, newest first, one line each."""
        requests = self._requests.get(uri)
        if not requests:
            return (
                "No request has come for this document yet: type something in it. If that changes\n"
                "nothing, the editor does not ask: see its page in editors/, or run: fim-lsp doctor"
            )
        lines = [f"{'time':<10}{'shown':<12}{'how':<18}{'after':>8}  {'tokens':<14}why"]
        lines += self._lines(requests)
        return "\n".join(lines)

    def _lines(self, requests: deque[Request]) -> Iterator[str]:
        for request in reversed(requests):
            answer = request.answer
            shown = f"{request.chars} chars" if request.chars else "nothing"
            bill = self._bills.get(answer.call or 0) if answer.source == "called" else None
            tokens = f"{bill.prompt_tokens} + {bill.completion_tokens}" if bill else ""
            asked = ", by hand" if request.invoked else ""
            line = (
                f"{request.at:%H:%M:%S}  {shown:<12}{_WAYS[answer.source] + asked:<18}"
                f"{request.ms:>5.0f} ms  {tokens:<14}{answer.reason}"
            )
            yield line.rstrip()
