"""Calls under way: their streams, the tracks that they write, and the account that they leave.

A call belongs to its document and not to the request that began it. It goes on while what streams
can still be right, whoever waits for it; it is hung up as soon as the text refutes it, or when
nothing that follows can be of use.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from fim_lsp import memory, stop
from fim_lsp.context import CursorContext
from fim_lsp.errors import ProviderError, RateLimitedError
from fim_lsp.memory import Memory, Track
from fim_lsp.pacing.breaker import Breaker, Notice
from fim_lsp.pacing.budget import Budget, Reservation
from fim_lsp.pacing.tokens import TokenRates
from fim_lsp.providers import FimRequest, Provider, Usage
from fim_lsp.trigger import Lines

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Call:
    """One call, from its request to its last chunk."""

    context: CursorContext
    lines: Lines
    request: FimRequest
    track: Track
    reservation: Reservation | None
    task: asyncio.Task[None] | None = None
    error: ProviderError | None = None
    usage: Usage | None = None

    @property
    def is_joinable(self) -> bool:
        """Whether it will say more, and is not being hung up."""
        return self.track.growing and not (self.task and self.task.cancelling())

    def agrees(self, context: CursorContext) -> bool:
        """Whether it can be right here."""
        return memory.agrees(self.track, context)


@dataclass(slots=True)
class _Streams:
    """One document's calls, and who waits for them to grow."""

    calls: list[Call] = field(default_factory=list[Call])
    grown: asyncio.Event = field(default_factory=asyncio.Event)


class Calls:
    """All calls under way. ``clock`` gives seconds."""

    def __init__(
        self,
        provider: Provider,
        kept: Memory,
        budget: Budget,
        clock: Callable[[], float],
        on_notice: Callable[[Notice], None] | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.breaker = Breaker(clock)
        self.rates = TokenRates()
        self._provider = provider
        self._memory = kept
        self._budget = budget
        self._on_notice = on_notice
        self._on_change = on_change
        self._streams: dict[str, _Streams] = {}
        provider.on_headers = budget.observe_headers

    def running(self, uri: str) -> tuple[Call, ...]:
        """The document's calls under way."""
        streams = self._streams.get(uri)
        return tuple(streams.calls) if streams else ()

    def any_running(self) -> bool:
        """Whether any call is under way."""
        return bool(self._streams)

    def joinable(self, context: CursorContext) -> Call | None:
        """A call under way that can still be right here."""
        calls = (call for call in self.running(context.uri) if call.is_joinable)
        return next((call for call in calls if call.agrees(context)), None)

    def hang_up_refuted(self, context: CursorContext) -> None:
        """Hang up what cannot be right any more, now that the text is this."""
        for call in self.running(context.uri):
            if not call.agrees(context):
                _hang_up(call)

    def hang_up(self, uri: str) -> None:
        """Hang up all of a document's calls."""
        for call in self.running(uri):
            _hang_up(call)

    async def aclose(self) -> None:
        """Hang up everything and wait until it is so."""
        tasks = [c.task for s in self._streams.values() for c in s.calls if c.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def grown(self, uri: str) -> None:
        """Wait until a call of the document has brought more, or has ended."""
        if streams := self._streams.get(uri):
            await streams.grown.wait()

    def start(
        self,
        context: CursorContext,
        lines: Lines,
        request: FimRequest,
        reservation: Reservation | None,
    ) -> Call:
        """Make a call. The breaker must have been asked before."""
        call = Call(
            context=context,
            lines=lines,
            request=request,
            track=self._memory.begin(context),
            reservation=reservation,
        )
        self._streams.setdefault(context.uri, _Streams()).calls.append(call)
        call.task = asyncio.create_task(self._read(call))
        call.task.add_done_callback(partial(self._ended, call))
        self._changed()
        return call

    async def _read(self, call: Call) -> None:
        """Read the stream into the track until nothing more of it can be of use."""
        cut_off, broken = False, True
        try:
            async with contextlib.aclosing(self._provider.stream(call.request)) as chunks:
                async for chunk in chunks:
                    self._memory.grow(call.track, chunk.text)
                    call.usage = chunk.usage or call.usage
                    self._wake(call)
                    if chunk.finish_reason is not None:
                        cut_off, broken = chunk.finish_reason == "length", False
                    elif chunk.text and self._is_finished(call):
                        cut_off, broken = True, False  # its last line may go on, but is of use
                        break
        except ProviderError as error:
            call.error = error
        finally:
            self._memory.end(call.track, cut_off=cut_off, broken=broken)

    def _is_finished(self, call: Call) -> bool:
        return stop.progress(call.track.raw, call.context, lines=call.lines).finished

    def _wake(self, call: Call) -> None:
        streams = self._streams[call.context.uri]
        streams.grown.set()
        streams.grown = asyncio.Event()

    def _ended(self, call: Call, task: asyncio.Task[None]) -> None:
        """Settle the account, however the call has ended."""
        streams = self._streams[call.context.uri]
        streams.calls.remove(call)
        self._wake(call)
        if not streams.calls:
            del self._streams[call.context.uri]
        if call.track.growing:
            self._never_began(call)
        else:
            self._settle(call)
        self._note_outcome(call, task)
        self._changed()

    def _note_outcome(self, call: Call, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            if call.track.raw:
                self._tell(self.breaker.succeeded())
            else:
                self.breaker.abandoned()
            return
        if defect := task.exception():  # asyncio would log it with its values: document text
            _log.error("a call failed inside fim-lsp: %s", type(defect).__name__)
            return
        self._judge(call.error)

    def _changed(self) -> None:
        if self._on_change:
            self._on_change()

    def _never_began(self, call: Call) -> None:
        """Take back what was hung up before its task had run at all."""
        self._memory.end(call.track, cut_off=False, broken=True)
        if call.reservation is not None:
            self._budget.refund(call.reservation)

    def _settle(self, call: Call) -> None:
        language = call.request.language
        chars = len(call.request.prompt) + len(call.request.suffix)
        if call.usage:
            self.rates.learn(language, chars=chars, tokens=call.usage.prompt_tokens)
            spent = call.usage.prompt_tokens + call.usage.completion_tokens
        else:
            spent = self.rates.tokens(chars + len(call.track.raw), language)
        if call.reservation is not None:
            self._budget.settle(call.reservation, spent)

    def _judge(self, error: ProviderError | None) -> None:
        if error is None:
            self._tell(self.breaker.succeeded())
            return
        if isinstance(error, RateLimitedError):
            self._budget.slow_down()
        self._tell(self.breaker.failed(error))

    def _tell(self, notice: Notice | None) -> None:
        if notice and self._on_notice:
            self._on_notice(notice)


def _hang_up(call: Call) -> None:
    if call.task:
        call.task.cancel()
