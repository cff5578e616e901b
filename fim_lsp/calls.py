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
from typing import Literal

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
_LATENCY_WEIGHT = 0.2
"""Of the newest call in the running mean."""
_FITS_SHARE = 0.7
"""What is sent next of a prompt that was too long by nobody knows how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a call has cost, now that it has ended."""

    number: int
    language: str
    end: Literal["whole", "hung up", "failed"]
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    """The endpoint did not say: counted by the characters sent and received."""
    first_text_ms: float | None
    """From the request to the first text; None where none came."""
    total_ms: float
    made_ahead: bool = False
    """Before anybody was where it was made."""
    reason: str = ""
    """Why it failed, in one line."""


@dataclass(slots=True, eq=False)
class Call:
    """One call, from its request to its last chunk."""

    number: int
    """From 1, in the order of the calls."""
    began_s: float
    context: CursorContext
    lines: Lines
    request: FimRequest
    track: Track
    reservation: Reservation | None
    task: asyncio.Task[None] | None = None
    was_made: bool = False
    """Whether the endpoint was asked: who else draws from the account may have left no room."""
    error: ProviderError | None = None
    usage: Usage | None = None
    first_text_s: float | None = None
    awaits: Callable[[CursorContext], bool] | None = None
    """For a call made ahead: whether the text is still on the way to where it was made."""

    @property
    def is_joinable(self) -> bool:
        """Whether it will say more, and is not being hung up."""
        return self.track.growing and not (self.task and self.task.cancelling())

    def agrees(self, context: CursorContext) -> bool:
        """Whether it can be right here."""
        return memory.agrees(self.track, context)

    def may_come_right(self, context: CursorContext) -> bool:
        """Whether it can be right here, or where the text is still on its way to."""
        return self.agrees(context) or (self.awaits is not None and self.awaits(context))


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
        self.window_chars: int | None = None
        """As much as the endpoint reads of a longer prompt, where it has turned out to be less."""
        self._provider = provider
        self._memory = kept
        self._budget = budget
        self._on_notice = on_notice
        self._on_change = on_change
        self._clock = clock
        self.made = 0
        """How many calls were made in all."""
        self.on_bill: Callable[[Bill], None] | None = None
        """Is told what each call has cost."""
        self.latency_s = 0.0
        """How long the first text takes to come, of late; 0 where none has come yet."""
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
            if not call.may_come_right(context):
                _hang_up(call)

    def hang_up(self, uri: str) -> None:
        """Hang up all of a document's calls."""
        for call in self.running(uri):
            _hang_up(call)

    async def aclose(self) -> None:
        """Hang up everything and wait until it is so; what ends by that is told to nobody."""
        self._on_notice = None
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
        self.made += 1
        call = Call(
            number=self.made,
            began_s=self._clock(),
            context=context,
            lines=lines,
            request=request,
            track=self._memory.begin(context),
            reservation=reservation,
        )
        call.track.call = call.number
        self._streams.setdefault(context.uri, _Streams()).calls.append(call)
        call.task = asyncio.create_task(self._read(call))
        call.task.add_done_callback(partial(self._ended, call))
        self._changed()
        return call

    async def _read(self, call: Call) -> None:
        """Read the stream into the track until nothing more of it can be of use."""
        cut_off, broken = False, True
        try:
            if call.reservation and not await self._budget.confirmed(call.reservation):
                return
            call.was_made = True
            async with contextlib.aclosing(self._provider.stream(call.request)) as chunks:
                async for chunk in chunks:
                    if chunk.text and call.first_text_s is None:
                        call.first_text_s = self._clock()
                        self._learn_latency(call.first_text_s - call.began_s)
                    room = stop.MOST_CHARS - len(call.track.raw)
                    self._memory.grow(call.track, chunk.text[:room])
                    call.usage = chunk.usage or call.usage
                    self._wake(call)
                    if len(chunk.text) >= room:
                        cut_off, broken = True, False
                        break
                    if chunk.finish_reason is not None:
                        cut_off, broken = chunk.finish_reason == "length", False
                    elif chunk.text and self._is_finished(call):
                        cut_off, broken = True, False  # its last line may go on, but is of use
                        break
        except ProviderError as error:
            call.error = error
        finally:
            self._memory.end(call.track, cut_off=cut_off, broken=broken)

    def _learn_latency(self, last_s: float) -> None:
        before_s = self.latency_s or last_s
        self.latency_s = before_s + _LATENCY_WEIGHT * (last_s - before_s)

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
        if call.was_made:
            self._settle(call, was_hung_up=task.cancelled())
        else:
            self._take_back(call)
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
        if call.was_made:
            self._judge(call.error)
        else:
            self.breaker.abandoned()

    def _changed(self) -> None:
        if self._on_change:
            self._on_change()

    def _take_back(self, call: Call) -> None:
        """Undo what was never sent: it was hung up before, or there was no room for it."""
        if call.track.growing:  # its task has not run at all
            self._memory.end(call.track, cut_off=False, broken=True)
        if call.reservation is not None:
            self._budget.refund(call.reservation)

    def _settle(self, call: Call, *, was_hung_up: bool) -> None:
        language = call.request.language
        chars = call.request.chars
        usage = call.usage or Usage(
            prompt_tokens=self.rates.tokens(chars, language),
            completion_tokens=self.rates.tokens(len(call.track.raw), language),
        )
        if usage.is_cut:
            self.window_chars = int(chars * _FITS_SHARE)
        elif call.usage:
            self.rates.learn(language, chars=chars, tokens=usage.prompt_tokens)
        if call.reservation is not None:
            spent = usage.prompt_tokens + usage.completion_tokens
            self._budget.settle(call.reservation, spent)
        if self.on_bill:
            self.on_bill(self._bill(call, usage, was_hung_up=was_hung_up))

    def _bill(self, call: Call, usage: Usage, *, was_hung_up: bool) -> Bill:
        first_s, began_s = call.first_text_s, call.began_s
        return Bill(
            number=call.number,
            language=call.request.language,
            end="hung up" if was_hung_up else "failed" if call.error else "whole",
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            is_estimated=call.usage is None,
            first_text_ms=None if first_s is None else (first_s - began_s) * 1000,
            total_ms=(self._clock() - began_s) * 1000,
            made_ahead=call.track.made_ahead,
            reason=str(call.error or ""),
        )

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
