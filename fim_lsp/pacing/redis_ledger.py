"""One account for a whole team: the ledger in Redis or Valkey, exact over any sixty seconds.

Each call is admitted by a script that checks the sums and enters the call in one step, by the
store's own clock. Limiters in libraries count what was asked for once and for all; here a call is
reserved for what it may cost at most, settled to what it did cost, and struck where it was never
made, so the script is ours.

Nobody waits for the store: it is asked once before each call, within a strict limit of time.
Where it is slow or gone, this server goes on with **its own share** at once: of what was left when
the store was last seen, and of what has left the minute since then, the part that falls to one of
the servers that were seen lately. What it asked for meanwhile is put into the store when that is
back. A store that has lost its account (it was restarted) is young for some seconds, in which the
servers put theirs into it and keep to their shares.

A reservation that its server has left behind, because it crashed, counts as ended when no call can
run any longer.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fim_lsp.errors import UnavailableError
from fim_lsp.pacing.breaker import Notice
from fim_lsp.pacing.ledger import Spent, fits
from fim_lsp.store import LONGEST_RETRY_S, Store

REFRESH_S = 1.0
"""So often, while somebody types, what the others spent is asked for."""
YOUNG_S = LONGEST_RETRY_S + 2.0
"""By then every server has come back to a store that was restarted."""
SEEN_S = 60.0
"""A server that was heard of within this time counts as one that shares."""
KEPT_S = 600.0
"""An account that nobody has used for so long is forgotten."""
_BUSIER = 2.0
"""So much more than on the average others may have asked for when the store was lost."""
_STEP_S = 0.5
"""How exactly the time is known at which another's call leaves the minute; never too soon."""


@dataclass(slots=True)
class _Call:
    tokens: int
    started: float
    whole: Spent
    """What the team may spend, as it was when the call was entered."""
    ended: float | None = None
    is_known: bool = False
    """Whether the store had counted it when it was lost."""


class RedisLedger:
    """The ``Ledger`` of one account in a team's store. Never raises; lives on one event loop."""

    is_teams = True

    def __init__(
        self,
        store: Store,
        account: str,
        *,
        window_s: float,
        longest_call_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Asks nothing yet. ``clock`` must be what ``now`` is taken from."""
        self.account = f"{account} in {store.url}"
        self._store = store
        self._window_s = window_s
        self._longest_call_s = longest_call_s
        self._clock = clock
        self._owner = secrets.token_hex(8)
        self._keys = [f"fim-lsp:{{{account}}}:{part}" for part in ("calls", "servers", "state")]
        self._script = Path(__file__).with_suffix(".lua").read_text("utf-8")
        self._entries = 0
        self._ours: dict[int, _Call] = {}
        """This server's calls that count or run, in the order of their starts."""
        self._there: dict[int, str] = {}
        """Entry to its member in the store."""
        self._stale: set[int] = set()
        """Entries that the store does not have as they are."""
        self._others: list[tuple[float, int, int]] = []
        """When calls of others leave, how many, and their tokens."""
        self._servers = 1
        self._is_alone = self._is_first = True
        self._seen_at = self._used_at = -math.inf
        self._born = 0
        """When the store began this account, by its own clock: another time, another account."""
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watching: asyncio.Task[None] | None = None
        store.on_open = self._opened

    @property
    def is_shared(self) -> bool:
        """Whether the store works, so that the team's calls are counted too."""
        return not self._is_alone

    @property
    def servers(self) -> int:
        """How many servers were seen lately, this one included."""
        return self._servers

    def begin(self, on_notice: Callable[[Notice], None] | None = None) -> None:
        """Connect in the background, so that the first call need not go by its own share.

        ``on_notice`` is told when the store has been away for a while, and when it is back.
        """
        if on_notice:
            self._store.on_trouble = partial(_tell, on_notice, self._store.name)
        self._use(self._clock())

    def parts(self, shared_by: int) -> int:
        """Of how many equal parts of the limits this server has one: all of it with the store."""
        return max(self._servers, shared_by) if self._is_alone else 1

    def enter(self, tokens: int, *, most: Spent, now: float) -> int | None:
        """Count a call that starts now, or None where it would take the sums over ``most``.

        That is by what is known here; ``confirm`` asks the store.
        """
        if not fits(self.spent(now=now), tokens, most):
            return None
        self._entries += 1
        whole = Spent(*(limit * self.parts(1) for limit in most))
        self._ours[self._entries] = _Call(tokens, now, whole)
        return self._entries

    async def confirm(self, entry: int) -> bool:
        """Whether the team's calls leave room for this one too; else it is struck."""
        call = self._ours.get(entry)
        if call is None:
            return False
        has_room = None
        if self._store.is_open:
            has_room = await asyncio.shield(self._spawn(self._exchange(entry)))
        else:
            self._lost()  # it may have gone since the call was entered, or is just going
        if has_room is None:
            self._stale.add(entry)
            has_room = self._fits_share(call)
        if not has_room:
            self.strike(entry)
        return has_room

    def settle(self, entry: int, tokens: int, *, now: float) -> None:
        """Note that a call has ended and what it cost; nothing where that was noted before."""
        call = self._ours.get(entry)
        if call is not None and call.ended is None:
            call.tokens, call.ended = tokens, now
            self._stale.add(entry)
            self._bring_up_to_date()

    def strike(self, entry: int) -> None:
        """Take a call that never reached the endpoint out of the account."""
        call = self._ours.get(entry)
        if call is not None and call.ended is None:
            del self._ours[entry]
            self._stale.add(entry)
            self._bring_up_to_date()

    def spent(self, *, now: float) -> Spent:
        """What counts now, running calls included; with the store gone, this server's part."""
        self._use(now)
        self._forget(now)
        known, new = self._sums()
        if not self._is_alone:
            return Spent(known.requests + new.requests, known.tokens + new.tokens)
        servers = self._servers
        return Spent(
            math.ceil(known.requests / servers) + new.requests,
            math.ceil(known.tokens / servers) + new.tokens,
        )

    def leaving(self, *, now: float) -> Iterator[tuple[float, int]]:
        """When each call will count no more if it ends now, soonest first, and its tokens."""
        self._forget(now)
        ours = [
            ((now if call.ended is None else call.ended) + self._window_s, call.tokens)
            for call in self._ours.values()
        ]
        others = [
            (at, tokens if number == 0 else 0)
            for at, requests, tokens in self._others
            for number in range(requests)
        ]
        return iter(sorted(ours + others))

    def close(self) -> None:
        """Let go of the store, in the background; what was counted stays counted there."""
        self._spawn(self.aclose())

    async def aclose(self) -> None:
        """The same, and wait until it is so."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await self._store.aclose()

    # -- what is known here --------------------------------------------------------------------

    def _sums(self) -> tuple[Spent, Spent]:
        """What the store knows as far as it has told, and this server's calls beyond that."""
        known_requests = sum(requests for _, requests, _ in self._others)
        known_tokens = sum(tokens for _, _, tokens in self._others)
        new_requests = new_tokens = 0
        for call in self._ours.values():
            if call.is_known:
                known_requests, known_tokens = known_requests + 1, known_tokens + call.tokens
            else:
                new_requests, new_tokens = new_requests + 1, new_tokens + call.tokens
        return Spent(known_requests, known_tokens), Spent(new_requests, new_tokens)

    def _fits_share(self, call: _Call) -> bool:
        """Whether a call that counts already is within this server's share."""
        spent = self.spent(now=self._clock())
        most = Spent(*(limit // self._servers for limit in call.whole))
        return spent.requests <= most.requests and spent.tokens <= most.tokens

    def _forget(self, now: float) -> None:
        for entry, call in list(self._ours.items()):
            if call.ended is None and call.started + self._longest_call_s <= now:
                call.ended = call.started + self._longest_call_s
            if call.ended is not None and call.ended + self._window_s <= now:
                del self._ours[entry]
                self._there.pop(entry, None)
        self._others = [other for other in self._others if other[0] > now]

    # -- the store -----------------------------------------------------------------------------

    def _use(self, now: float) -> None:
        """Keep in touch with the store while somebody types, and no longer."""
        self._used_at = now
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while self._clock() < self._used_at + self._window_s + REFRESH_S:
            if not self._store.is_open:
                self._lost()
                self._store.open_soon()
            elif self._clock() >= self._seen_at + REFRESH_S:
                await self._exchange()
            await asyncio.sleep(REFRESH_S / 4)

    def _opened(self) -> None:
        self._is_first = True
        self._bring_up_to_date()

    def _lost(self) -> None:
        """Go on alone. What others have asked for since it was seen is guessed, and not too low."""
        now = self._clock()
        if not self._is_alone:
            for entry, call in self._ours.items():
                call.is_known = entry in self._there
            share = min(1.0, _BUSIER * (now - self._seen_at) / self._window_s)
            known, _ = self._sums()
            requests, tokens = (math.ceil(number * share) for number in known)
            self._others.append((now + self._window_s, requests, tokens))
        self._is_alone = True

    def _bring_up_to_date(self) -> None:
        if self._store.is_open:
            self._spawn(self._exchange())

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run to the end whoever waits for it: half an exchange would be worth nothing."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _exchange(self, entry: int | None = None) -> bool | None:
        """Tell the store what is new, perhaps ask it to admit a call, and hear how things stand.

        None where the store did not answer.
        """
        async with self._turn:
            call = self._ours.get(entry) if entry is not None else None
            ask, sent = self._ask(call, entry)
            try:
                command = ("EVAL", self._script, len(self._keys), *self._keys, json.dumps(ask))
                reply = json.loads(await self._store.call(*command))
            except UnavailableError:
                self._stale |= set(sent)
                self._lost()
                return None
            was_first, self._is_first = self._is_first, False
            if call is not None and entry is not None and reply["fits"]:
                sent[entry] = ask["enter"][0]
            self._sent(sent)
            self._hear(reply, was_first=was_first)
            return bool(reply["fits"])

    def _ask(self, call: _Call | None, entry: int | None) -> tuple[dict[str, Any], dict[int, str]]:
        """What to tell the store, and the members that it will then have, empty where it has none.

        What changes meanwhile is stale again.
        """
        now = self._clock()
        self._forget(now)
        if self._is_first:
            self._there.clear()
            self._stale = set(self._ours)
        self._stale.discard(entry or 0)
        stale, self._stale = self._stale, set[int]()
        wanted = {
            one: self._member(one, self._ours[one]) if one in self._ours else "" for one in stale
        }
        there = {one: self._there[one] for one in stale if one in self._there}
        ask: dict[str, Any] = {
            "owner": self._owner,
            "is_first": self._is_first,
            "gone": [member for one, member in there.items() if member != wanted[one]],
            "calls": [
                [member, self._leaves_in_ms(self._ours[one], now)]
                for one, member in wanted.items()
                if member
            ],
            "seen_ms": int(SEEN_S * 1000),
            "kept_ms": int((KEPT_S + self._window_s + self._longest_call_s) * 1000),
            "step_ms": max(1, int(min(_STEP_S, self._window_s / 60) * 1000)),
        }
        if call is not None and entry is not None:
            ask["enter"] = [self._member(entry, call), self._leaves_in_ms(call, now)]
            ask["most"] = call.whole
        return ask, wanted

    def _member(self, entry: int, call: _Call) -> str:
        return f"{call.tokens}:{self._owner}:{entry}"

    def _leaves_in_ms(self, call: _Call, now: float) -> int:
        ended = call.started + self._longest_call_s if call.ended is None else call.ended
        return math.ceil((ended + self._window_s - now) * 1000)

    def _sent(self, sent: dict[int, str]) -> None:
        for entry, member in sent.items():
            if member:
                self._there[entry] = member
            else:
                self._there.pop(entry, None)

    def _hear(self, reply: dict[str, Any], *, was_first: bool) -> None:
        is_young = reply["age_ms"] < YOUNG_S * 1000
        has_lost_all = reply["born"] != self._born and not was_first
        if is_young:
            self._lost()  # what it tells of the others is not all yet: what was known stays
        if not is_young or self._seen_at == -math.inf:
            now = self._clock()
            self._others = [
                (now + leaves_in_ms / 1000, requests, tokens)
                for leaves_in_ms, requests, tokens in reply["others"] or ()
            ]
        self._seen_at = self._clock()
        self._born = reply["born"]
        if has_lost_all:  # ours too
            self._opened()
        self._servers = max(reply["servers"], self._servers if is_young else 1)
        self._is_alone = is_young


def _tell(on_notice: Callable[[Notice], None], name: str, trouble: str) -> None:
    text = f"The team's store {name} is away ({trouble}): this server keeps to its own share."
    if trouble:
        on_notice(Notice(kind="warning", text=text))
    else:
        on_notice(Notice(kind="info", text="The team's store is back."))
