"""The order of one request; knows neither LSP nor HTTP.

Memory comes first, so that a known answer never waits. Then what is being generated right now, if
it still agrees with the text. Then a pause, a look at the budget, and one call, which outlives the
request that began it as long as it can still be right.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from fim_lsp import postprocess, stop, trigger
from fim_lsp.calls import Call, Calls
from fim_lsp.context import CursorContext
from fim_lsp.errors import PromptTooLongError
from fim_lsp.memory import Known, Memory
from fim_lsp.nearby import Nearby
from fim_lsp.pacing.breaker import Notice
from fim_lsp.pacing.budget import Budget
from fim_lsp.pacing.foresight import READING_S, Foresight
from fim_lsp.pacing.pause import Rhythm, pause_s
from fim_lsp.pacing.trust import Habits, Trust
from fim_lsp.postprocess import Client, Shaped
from fim_lsp.providers import Learner, Provider
from fim_lsp.reading import Reading, request_of
from fim_lsp.settings import Settings
from fim_lsp.standing import NO_BUDGET, Standing, standing_of
from fim_lsp.trigger import Lines

Source = Literal[
    "typed through",
    "streak",
    "memory",
    "speculation",
    "in flight",
    "called",
    "stand-in",
    "nearby",
    "none",
]
"""Known because it was typed into; known behind what was accepted; known at just this place, or
deleted back to; from a call that was made ahead for this place; from a call that was under way;
from a call of its own; from the stand-in; from the text around."""

ANSWER_BY_S = 0.65
"""An automatic answer with whole lines goes out by then: VS Code cancels at about 0.75 s."""
SETTLE_S, SETTLE_INVOKED_S = 0.03, 0.15
"""How long a call waits for snippets at a place where the person was not before."""
STALE_CONNECTION_S = 30.0
"""After such a silence kept connections may be gone: a new one is made before it is needed."""
PAUSED_S = 0.15
"""A request that comes this long after the last key comes from a pause."""
MAX_CANDIDATES = 3
CANDIDATE_TEMPERATURE = 0.7
"""The endpoint recommends at most this; lower ones say the same again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request for ghost text."""

    context: CursorContext
    path: str = ""
    """The document's path relative to the workspace."""
    line: int = 0
    """The cursor's line in the document, from 0."""
    invoked: bool = False
    """The person asked for it: no pause, a kept share of the budget, several candidates."""
    client: Client = field(default_factory=Client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to show, best first, and why it is that."""

    items: tuple[Shaped, ...] = ()
    source: Source = "none"
    """Where it came from; a call that brought nothing counts as called."""
    reason: str = ""
    """One line without document text: why nothing is shown, or why it was cut."""
    call: int | None = None
    """The number of the call that the answer comes from, or that was waited for in vain."""
    paused_ms: float = 0.0
    """How long it was waited on purpose before asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What the person has been shown, and where."""

    context: CursorContext
    item: Shaped
    call: int | None

    def leads_on(self, now: CursorContext) -> bool:
        """Whether it can still be taken: it stands there as it was, or partly typed."""
        before = self.context
        is_same = now.prefix == before.prefix and now.suffix == before.suffix
        return is_same or self.typed_through(now) is not None

    def typed_through(self, now: CursorContext) -> Shaped | None:
        """What is left of its first line where they have typed a part of it and nothing else."""
        before = self.context
        typed = now.line_prefix[len(before.line_prefix) :]
        left = self.item.text[len(typed) :]
        if not (typed and left.partition("\n")[0].strip() and self.item.text.startswith(typed)):
            return None
        is_here = now.prefix == before.prefix + typed and now.suffix == before.suffix
        return replace(self.item, text=left) if is_here else None


@dataclass(slots=True)
class _Document:
    """What lives from one request of a document to the next."""

    trust: Trust
    rhythm: Rhythm = field(default_factory=Rhythm)
    edits: int = 0
    """Since the last request."""
    ahead: asyncio.TimerHandle | None = None
    """Will ask for what comes behind what is shown, or for more than a word from around."""
    shown: _Shown | None = None


class Completer:
    """Answers requests from memory, from running streams, or by a call within the budget."""

    def __init__(
        self,
        provider: Provider,
        settings: Settings,
        *,
        client_wait_s: float = 0.0,
        budget: Budget | None = None,
        on_notice: Callable[[Notice], None] | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """Start with an empty memory; ``budget`` is an older completer's, which goes on.

        ``on_notice`` is told what the person should know, ``on_change`` when a call has begun or
        ended.
        """
        self.provider = provider
        self.stand_in: Completer | None = None
        """Another provider's, which answers where no call may be made, or one has failed."""
        self._settings = settings
        self._client_wait_s = client_wait_s
        self._clock = asyncio.get_running_loop().time
        self.memory = Memory()
        self.budget = budget or Budget(settings.limits, self._clock)
        self.budget.limits_changed(settings.limits)
        self.calls = Calls(provider, self.memory, self.budget, self._clock, on_notice, on_change)
        self.reading = Reading(provider, settings, self.budget, self.calls)
        self._documents: dict[str, _Document] = {}
        self._habits = Habits()
        self._nearby = Nearby()
        self.foresight = Foresight()
        self._warming: asyncio.Future[None] | None = None

    # -- what happens to documents -------------------------------------------------------------

    def edited(self, uri: str, context: CursorContext | None = None) -> None:
        """Note an edit. ``context`` is the place behind it; a stream that it refutes is hung up."""
        document = self._document(uri)
        document.edits += 1
        now, rhythm = self._clock(), document.rhythm
        if STALE_CONNECTION_S < rhythm.since_key_s(now) < math.inf:
            self._warming = asyncio.ensure_future(self.provider.warm())
        rhythm.key(now)
        if context is not None:
            self.calls.hang_up_refuted(context)
        if self.stand_in is not None:
            self.stand_in.edited(uri, context)

    def paused(self, ask: Ask) -> None:
        """Note that nobody types: an endpoint of one's own may read what it will be asked next."""
        self.reading.read_ahead(ask.context, ask.path)

    def since_key_s(self, uri: str) -> float:
        """How long ago the document's last edit was, in seconds."""
        return self._document(uri).rhythm.since_key_s(self._clock())

    def closed(self, uri: str) -> None:
        """Forget a document and hang up its streams."""
        document = self._documents.pop(uri, None)
        if document and document.ahead:
            document.ahead.cancel()
        self.reading.closed(uri)
        self.calls.hang_up(uri)
        self.memory.forget(uri)
        if self.stand_in is not None:
            self.stand_in.closed(uri)

    def forget(self) -> None:
        """Forget what the model has said of all documents, and hang up."""
        for uri in self._documents:
            self.calls.hang_up(uri)
        self._documents.clear()
        self.memory.forget()

    @property
    def learners(self) -> tuple[Learner, ...]:
        """The providers that want to see the project."""
        learning = self.stand_in.learners if self.stand_in else ()
        return (self.provider, *learning) if isinstance(self.provider, Learner) else learning

    def standing(self) -> Standing:
        """How things stand now."""
        own = standing_of(self.calls, self.budget, self._settings, is_free=self.provider.free)
        other = self.stand_in
        if other is None or own.is_well:
            return own
        name = "The local model" if other.provider.free else f"The fallback, {other.name},"
        return own.with_fallback(name, other.standing())

    @property
    def name(self) -> str:
        """What a person calls the provider."""
        return self._settings.preset or self.provider.name

    async def aclose(self) -> None:
        """Hang up everything and close the provider."""
        self.reading.stop_ahead()
        await self.calls.aclose()
        await self.provider.aclose()
        if self.stand_in is not None:
            await self.stand_in.aclose()
            self.stand_in.budget.ledger.close()  # ours may go on in another completer

    # -- one request ---------------------------------------------------------------------------

    async def complete(self, ask: Ask) -> Answer:
        """The answer for one position. Never raises a ``ProviderError``."""
        began = self._clock()
        document = self._document(ask.context.uri)
        document.trust.typed(ask.context, edits=document.edits)
        document.edits = 0
        if document.ahead:
            document.ahead.cancel()
        paused = document.rhythm.since_key_s(began) >= PAUSED_S
        self.calls.hang_up_refuted(ask.context)
        if still := self._still_shown(document, ask):
            return self._trusted(document, ask, still, paused=paused)
        decision = trigger.decide(
            ask.context,
            disabled_languages=self._settings.trigger.disabled_languages,
            invoked=ask.invoked,
        )
        lines = document.trust.lines(decision.lines, ask.context, invoked=ask.invoked)
        answer = known = self._known(ask, lines)
        if answer is None and decision.wanted and (near := self._near(document, ask)):
            self._plan_call(document, ask, lines)
            return near
        if decision.wanted and (answer is None or ask.invoked):
            limit_s = SETTLE_INVOKED_S if ask.invoked else SETTLE_S
            await self.reading.settle(ask.context, ask.line, limit_s=limit_s)
        if ask.invoked and decision.wanted:
            self._ask_for_candidates(ask, lines)
        if answer is None and not decision.wanted:
            answer = Answer(reason=decision.reason)
        if answer is None:
            answer = await self._ask_or_stand_in(document, ask, lines, began)
        trusted = self._trusted(document, ask, answer, paused=paused)
        is_held = known is not None and decision.wanted and not trusted.items
        return (self._near(document, ask) if is_held else None) or trusted

    async def _ask_or_stand_in(
        self, document: _Document, ask: Ask, lines: Lines, began: float
    ) -> Answer:
        reason = self._shut(ask) if self.stand_in else None
        answer = Answer(reason=reason) if reason else await self._ask(document, ask, lines, began)
        return await self._stood_in(ask, answer) or answer

    def _near(self, document: _Document, ask: Ask) -> Answer | None:
        """A word from the text around, where the model has just been wrong on this line."""
        is_wrong = document.trust.failures and self.calls.breaker.error is None  # and it answers
        if ask.invoked or self.provider.free or not is_wrong:
            return None
        word = self._nearby.next_word(ask.context)
        item = postprocess.shape(word, ask.context, lines="one", client=ask.client)
        if not item.text:
            return None
        document.trust.shown(ask.context, None, paused=False)  # not following it says nothing
        document.shown = None
        return Answer(items=(item,), source="nearby")

    def _still_shown(self, document: _Document, ask: Ask) -> Answer | None:
        """The rest of what is shown already, which nothing could make better: most keys end here.

        Reading the surroundings anew would cost a hundred times as much.
        """
        doubtful = ask.invoked or document.trust.failures or self.calls.running(ask.context.uri)
        if document.shown is None or doubtful or self.provider.free:
            return None
        left = document.shown.typed_through(ask.context)
        if left is None:
            return None
        call = document.shown.call
        return Answer(items=(left,), source="typed through", reason=left.reason, call=call)

    def _known(self, ask: Ask, lines: Lines) -> Answer | None:
        """What memory says, where that is whole enough to be shown."""
        if ask.invoked:
            found = self.memory.find_all(ask.context)
            whole = [known for known in found if _is_whole(known, ask, lines)]
            items = _distinct([_shape(known, ask, lines) for known in whole])[:MAX_CANDIDATES]
            call = whole[0].track.call if whole else None
            return Answer(items=items, source="memory", call=call) if items else None
        known = self.memory.find(ask.context)
        if known is None or not _is_whole(known, ask, lines):
            return None
        source, call = self._source_of(known, ask), known.track.call
        if known.is_end and self._document(ask.context.uri).trust.has_accepted:
            return None  # who has taken what was shown wants to see what comes next
        if not known.raw:
            reason = "known: the model has nothing to say here"
            return Answer(source=source, reason=reason, call=call)
        shown = _shape(known, ask, lines)
        items = _distinct([shown])
        return Answer(items=items, source=source, reason=shown.reason, call=call)

    def _source_of(self, known: Known, ask: Ask) -> Source:
        if len(known.raw) == len(known.track.raw):
            return "speculation" if known.track.made_ahead else "memory"
        has_accepted = self._document(ask.context.uri).trust.has_accepted
        return "streak" if has_accepted else "typed through"

    async def _ask(self, document: _Document, ask: Ask, lines: Lines, began: float) -> Answer:
        """Join the running stream, or pause and call; call also when the stream proves wrong."""
        if answer := await self._join(document, ask, lines, began):
            return answer
        paused_ms = await self._pause(document, ask)
        if answer := self._known(ask, lines) or await self._join(document, ask, lines, began):
            return replace(answer, paused_ms=paused_ms)
        if self._documents.get(ask.context.uri) is not document:
            return Answer(reason="the document was closed", paused_ms=paused_ms)
        if document.rhythm.since_key_s(self._clock()) < self._clock() - began:
            return Answer(reason="typed on meanwhile", paused_ms=paused_ms)  # not all cancel
        call = self._call(ask, lines)
        if isinstance(call, str):
            return Answer(reason=call, paused_ms=paused_ms)
        answer = await self._await(call, ask, lines, began)
        departed = Answer(reason="typed something else meanwhile", call=call.number)
        source = "called" if call.was_made else "none"
        return replace(answer or departed, source=source, paused_ms=paused_ms)

    def _shut(self, ask: Ask) -> str | None:
        """Why the endpoint need not be waited for here, or None: the stand-in answers at once."""
        if ask.invoked or self.calls.joinable(ask.context):
            return None
        if self.calls.breaker.blocked_until() is not None:
            return self.calls.breaker.blocked(invoked=False)
        chars = self.reading.affordable_chars(ask.context.language, invoked=False)
        return NO_BUDGET if chars is None else None

    async def _stood_in(self, ask: Ask, answer: Answer) -> Answer | None:
        """The stand-in's answer where the endpoint cannot give one; None where it can.

        It is not remembered here, only there: it would keep the endpoint's own out.
        """
        is_shut = self.calls.breaker.error is not None or answer.reason == NO_BUDGET
        if self.stand_in is None or answer.items or not is_shut:
            return None
        items = (await self.stand_in.complete(ask)).items
        return Answer(items=items, source="stand-in", reason=answer.reason) if items else None

    async def _join(
        self, document: _Document, ask: Ask, lines: Lines, began: float
    ) -> Answer | None:
        """What a stream under way brings; None where there is none, or it proves wrong here."""
        while call := self.calls.joinable(ask.context):
            if answer := await self._await(call, ask, lines, began):
                source = "speculation" if call.track.made_ahead else "in flight"
                return replace(answer, source=source)
            document.trust.failed(ask.context)
        return None

    async def _pause(self, document: _Document, ask: Ask) -> float:
        """Wait as long as is wise; how long that was, in milliseconds."""
        left_s = self._left_to_wait_s(document, ask)
        if left_s > 0:
            await asyncio.sleep(left_s)
        return left_s * 1000

    def _left_to_wait_s(self, document: _Document, ask: Ask) -> float:
        if ask.invoked or self.provider.free:
            return 0.0
        fixed_ms = self._settings.trigger.debounce_ms
        if fixed_ms == "auto":
            wanted_s = pause_s(
                ask.context,
                gap_s=document.rhythm.gap_s,
                latency_s=self.calls.latency_s,
                distrusted=document.trust.waits(ask.context),
            )
        else:
            wanted_s = fixed_ms / 1000
        waited_s = max(document.rhythm.since_key_s(self._clock()), self._client_wait_s)
        return max(0.0, wanted_s - waited_s)

    async def _await(self, call: Call, ask: Ask, lines: Lines, began: float) -> Answer | None:
        """Wait until what is to be shown is whole, or late enough to show what is there.

        None where the stream has turned out to say something else than what was typed meanwhile.
        """
        due = None if ask.invoked else began + ANSWER_BY_S
        while True:
            answer = self._known(ask, lines)
            if answer and (answer.items or not call.track.growing):
                return answer
            late = due is not None and self._clock() >= due
            if late and (answer := self._whole_lines(ask, lines)):
                return answer
            if not call.agrees(ask.context):
                self.calls.hang_up_refuted(ask.context)
                return None
            if not call.track.growing:
                if isinstance(call.error, PromptTooLongError):
                    self.reading.shrink(call.request)
                if ask.invoked and (other := self.calls.joinable(ask.context)):
                    call = other  # a further candidate may have something
                    continue
                return Answer(reason=_why_nothing(call), call=call.number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if late else due):
                    await self.calls.grown(ask.context.uri)

    def _whole_lines(self, ask: Ask, lines: Lines) -> Answer | None:
        """The lines that have arrived, where there is at least one."""
        known = self.memory.find(ask.context)
        if known is None or "\n" not in known.raw:
            return None
        shaped = _shape(known, ask, lines)
        items, call = _distinct([shaped]), known.track.call
        return Answer(items=items, reason=shaped.reason, call=call) if items else None

    def _trusted(self, document: _Document, ask: Ask, answer: Answer, *, paused: bool) -> Answer:
        """As much of the answer as the record on this line allows."""
        if self.provider.free:
            return answer  # it speaks only when it is sure, and asking it again costs nothing
        first = answer.items[0] if answer.items else None
        if ask.invoked:
            document.trust.forgive()
        elif first is None and answer.source == "called":
            document.trust.failed(ask.context)
        kept = document.trust.shown(
            ask.context,
            first,
            paused=paused,
            invoked=ask.invoked,
            elsewhere=self.reading.elsewhere(ask.context.uri),
        )
        document.shown = _Shown(context=ask.context, item=kept, call=answer.call) if kept else None
        self.foresight.note_served(answer.call)
        self._plan_ahead(document, ask)
        if first is not None and kept is None:
            answer = replace(answer, reason=_why_held_back(first))
        return replace(answer, items=(kept, *answer.items[1:]) if kept else ())

    def _plan_ahead(self, document: _Document, ask: Ask) -> None:
        """Ask for what comes behind what is shown, if it is looked at for a moment."""
        shown = document.shown
        if shown is None or ask.invoked or document.trust.failures or not self._habits.takes:
            return
        is_plain = "\n" not in shown.item.text and not shown.item.swallowed_chars
        if is_plain and self._may_ask_ahead():
            loop = asyncio.get_running_loop()
            document.ahead = loop.call_later(READING_S, self._ask_ahead, document, ask, shown)

    def _plan_call(self, document: _Document, ask: Ask, lines: Lines) -> None:
        """Ask the model while a word from around stands in: its answer is there for a later key."""
        if not document.trust.waits(ask.context):
            loop, left_s = asyncio.get_running_loop(), self._left_to_wait_s(document, ask)
            document.ahead = loop.call_later(left_s, self._call_here, document, ask, lines)

    def _call_here(self, document: _Document, ask: Ask, lines: Lines) -> None:
        if self._is_idle_at(document, ask.context.uri):
            self._call(ask, lines)

    def _is_idle_at(self, document: _Document, uri: str) -> bool:
        """Whether nothing was typed since the last request, and nothing is being asked."""
        is_here = self._documents.get(uri) is document and not document.edits
        return is_here and not self.calls.running(uri)

    def _may_ask_ahead(self) -> bool:
        return self.foresight.may_ask(calls=self.calls.made, used_share=self.budget.used_share())

    def _ask_ahead(self, document: _Document, ask: Ask, shown: _Shown) -> None:
        if not self._is_idle_at(document, ask.context.uri) or not self._may_ask_ahead():
            return
        behind = shown.context.moved(shown.item.text)
        known = self.memory.find(behind)
        decision = trigger.decide(behind)
        if not decision.wanted or (known is not None and not known.is_end):
            return
        lines = document.trust.lines(decision.lines, behind, invoked=False)
        call = self._call(replace(ask, context=behind), lines)
        if isinstance(call, Call):
            call.awaits, call.track.made_ahead = shown.leads_on, True
            self.foresight.note_asked(call.number)

    # -- calls ---------------------------------------------------------------------------------

    def _call(self, ask: Ask, lines: Lines, temperature: float | None = None) -> Call | str:
        """Make a call, or say in one line why not."""
        language = ask.context.language
        max_chars = self.reading.affordable_chars(language, invoked=ask.invoked)
        if max_chars is None:
            return NO_BUDGET
        if reason := self.calls.breaker.blocked(invoked=ask.invoked):
            return reason
        windows, supply = self.reading.prompt(ask.context, max_chars)
        max_tokens = self._settings.request.max_tokens
        chars = windows.chars + supply.chars
        tokens = self.calls.rates.tokens(chars, language) + max_tokens
        free = self.provider.free
        reservation = None if free else self.budget.reserve(tokens, invoked=ask.invoked)
        if reservation is None and not free:
            self.calls.breaker.abandoned()
            return NO_BUDGET
        request = request_of(
            ask.context,
            ask.path,
            windows,
            supply,
            max_tokens=max_tokens,
            invoked=ask.invoked,
            temperature=temperature,
        )
        self.reading.stop_ahead()
        return self.calls.start(ask.context, lines, request, reservation)

    def _ask_for_candidates(self, ask: Ask, lines: Lines) -> None:
        """Ask for what is missing to several answers; nobody waits for the further ones."""
        if self.provider.free:
            return
        asked = self.memory.asked_here(ask.context)
        for number in range(asked, MAX_CANDIDATES):
            temperature = CANDIDATE_TEMPERATURE if number else None
            if isinstance(self._call(ask, lines, temperature), str):
                return

    def _document(self, uri: str) -> _Document:
        if uri not in self._documents:
            self._documents[uri] = _Document(trust=Trust(self._habits))
        return self._documents[uri]


def _is_whole(known: Known, ask: Ask, lines: Lines) -> bool:
    """Whether more text could not change what is shown."""
    if not known.track.growing:
        return True
    return stop.progress(known.raw, ask.context, lines=lines).shown_whole


def _shape(known: Known, ask: Ask, lines: Lines) -> Shaped:
    return postprocess.shape(
        known.raw,
        ask.context,
        lines=lines,
        complete=not known.track.growing,
        cut_off=known.track.cut_off,
        client=ask.client,
    )


def _distinct(shaped: list[Shaped]) -> tuple[Shaped, ...]:
    """What has text, each text once, in order."""
    found: dict[str, Shaped] = {}
    for item in shaped:
        if item.text:
            found.setdefault(item.text, item)
    return tuple(found.values())


def _why_held_back(first: Shaped) -> str:
    if first.text.startswith("\n"):
        return "held back: it begins on the next line, and comes with it"
    return "held back: the model has just been wrong on this line"


def _why_nothing(call: Call) -> str:
    if isinstance(call.error, PromptTooLongError):
        return "the prompt was too long; the next one is shorter"
    if not call.was_made:
        return NO_BUDGET
    return str(call.error) if call.error else "the model had nothing to say here"
