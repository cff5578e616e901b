"""How much may be asked of the endpoint now: its limits a minute, less what was asked already.

A call is admitted or not, at once: ghost text that waits in a queue comes too late. A part of each
limit is kept for requests that a person made explicitly. Limits are beliefs: others may share
them, so they are halved when the endpoint asks to slow down and recover slowly, and what its
headers say lowers them too; nothing raises them above the settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fim_lsp.pacing.ledger import WINDOW_S, Ledger, MemoryLedger, Spent
from fim_lsp.settings import LimitSettings

KEPT_FOR_INVOKED = 0.15
"""The part of each limit that automatic requests leave alone."""
KEPT_BY_TEAM = 0.05
"""The same where a whole team draws from one account: people do not ask explicitly all at once."""
SLOWER = 0.5
"""What a request to slow down leaves of the believed limits."""
RECOVERED_PER_S = 0.05 / 60
"""The part of the configured limits that comes back: 5 % a minute, as TCP does it."""
ONE_SLOW_DOWN_S = 2.0
"""Requests to slow down within this time are one: calls that ran side by side were all refused."""
LEAST = Spent(requests=1, tokens=1_000)
"""Slowed down as far as can be, one usual call a minute is still tried."""


class Reservation(NamedTuple):
    """One admitted call's place in the account, to be settled or refunded when it has ended."""

    entry: int
    tokens: int


class Budget:
    """The minute's requests and tokens. ``clock`` gives seconds and never goes back."""

    def __init__(
        self, limits: LimitSettings, clock: Callable[[], float], ledger: Ledger | None = None
    ) -> None:
        self._clock = clock
        self._ledger = ledger or MemoryLedger()
        self._limits = limits
        self._forget_beliefs()

    @property
    def ledger(self) -> Ledger:
        """The account that it draws from."""
        return self._ledger

    def reserve(self, tokens: int, *, invoked: bool) -> Reservation | None:
        """A place for a call of at most ``tokens``, prompt and answer; None: it does not fit.

        Until it is settled or refunded, the call counts as running.
        """
        now = self._clock()
        entry = self._ledger.enter(tokens, most=self._most(now, invoked=invoked), now=now)
        return None if entry is None else Reservation(entry, tokens)

    async def confirmed(self, reservation: Reservation) -> bool:
        """Whether the call may be made now; where not, its reservation is gone already."""
        return await self._ledger.confirm(reservation.entry)

    def settle(self, reservation: Reservation, tokens: int) -> None:
        """Note that the call has ended and cost ``tokens``, be it less or more than reserved.

        A call that was hung up has ended too: its prompt was read and its request counted.
        """
        self._ledger.settle(reservation.entry, max(tokens, 0), now=self._clock())

    def refund(self, reservation: Reservation) -> None:
        """Give all back: the call never reached the endpoint."""
        self._ledger.strike(reservation.entry)

    def room(self, *, invoked: bool) -> int:
        """Tokens that one more call may take now; 0 where no request is left."""
        now = self._clock()
        most, spent = self._most(now, invoked=invoked), self._ledger.spent(now=now)
        return max(0, most.tokens - spent.tokens) if spent.requests < most.requests else 0

    def used_share(self) -> float:
        """How much of the minute's tokens is spent, 0 to 1."""
        now = self._clock()
        most, spent = self._most(now, invoked=True), self._ledger.spent(now=now)
        return min(1.0, spent.tokens / most.tokens) if most.tokens else 1.0

    def free_in_s(self, tokens: int, *, invoked: bool) -> float:
        """Seconds until such a call fits, if nothing else is asked; infinite where it never does.

        Running calls are taken to end now. Lowered limits may have recovered sooner, and an account
        that others draw from may tell of less that leaves than it has counted.
        """
        now = self._clock()
        most, spent = self._most(now, invoked=invoked), self._ledger.spent(now=now)
        if tokens > most.tokens or most.requests < 1:
            return math.inf
        requests, used, free_at = spent.requests, spent.tokens, now
        for leaves_at, left in self._ledger.leaving(now=now):
            if requests < most.requests and used + tokens <= most.tokens:
                break
            requests, used, free_at = requests - 1, used - left, leaves_at
        return free_at - now

    def slow_down(self) -> None:
        """Believe in half of the limits from now on: the endpoint refused a call as too many."""
        now = self._clock()
        if now - self._slowed_at >= ONE_SLOW_DOWN_S:
            self._slowed_share, self._slowed_at = self._share(now) * SLOWER, now

    def observe_headers(self, headers: Mapping[str, str]) -> None:
        """Take the rate limits in an answer's headers as hints; they only ever lower a limit.

        Limits a minute hold until the next answer says otherwise. What remains of them is less
        than we think where others spend too, and what they spent comes back within a minute.
        """
        now = self._clock()
        spent = self._ledger.spent(now=now)
        for name, value in headers.items():
            if (hint := _hint(name, value)) is None:
                continue
            limit = self._requests if hint.of == "requests" else self._tokens
            if hint.says == "limit":
                limit.hinted = hint.value
            else:
                used = spent.requests if hint.of == "requests" else spent.tokens
                limit.remaining(used + hint.value, now)

    def limits_changed(self, limits: LimitSettings) -> None:
        """Go by new settings; what was spent stays spent. Equal settings change nothing."""
        if limits != self._limits:
            self._limits = limits
            self._forget_beliefs()

    def _forget_beliefs(self) -> None:
        self._requests = _Limit(self._limits.requests_per_minute)
        self._tokens = _Limit(self._limits.tokens_per_minute)
        self._slowed_share, self._slowed_at = 1.0, -math.inf

    def _share(self, now: float) -> float:
        if self._slowed_share == 1.0:
            return 1.0
        return min(1.0, self._slowed_share + (now - self._slowed_at) * RECOVERED_PER_S)

    def _most(self, now: float, *, invoked: bool) -> Spent:
        share, parts = self._share(now), max(1, self._ledger.parts(self._limits.shared_by))
        requests = self._requests.believed(share, LEAST.requests, now, parts=parts)
        tokens = self._tokens.believed(share, LEAST.tokens, now, parts=parts)
        if invoked:
            return Spent(requests, tokens)
        # Rounded down, so that a limit of a few requests is not kept for nobody.
        kept = KEPT_BY_TEAM if self._ledger.is_teams else KEPT_FOR_INVOKED
        return Spent(requests - int(requests * kept), tokens - int(tokens * kept))


class _Limit:
    """One limit a minute, of requests or tokens, and what lowers it."""

    __slots__ = ("_configured", "_full", "_full_at", "hinted")

    def __init__(self, configured: int) -> None:
        self._configured = configured
        self.hinted: int | None = None
        """The limit for all who share it, as the endpoint states it."""
        self._full = 0
        self._full_at: float | None = None

    def remaining(self, full: int, now: float) -> None:
        """Note that the endpoint will refuse what goes beyond ``full`` in our account."""
        self._full, self._full_at = full, now

    def believed(self, share: float, least: int, now: float, *, parts: int) -> int:
        """The limit to go by now, with all that lowers it: one of so many equal parts."""
        ours = self._configured // parts
        if share < 1.0 or self.hinted is not None:
            hinted = self._configured if self.hinted is None else self.hinted
            lowered = int(min(hinted, self._configured) * share) // parts
            ours = max(lowered, min(least, ours))  # or no answer would ever correct a wrong belief
        if self._full_at is not None and self._full < ours:
            # What others spent leaves the minute somewhere within it: assume evenly.
            passed = min(1.0, (now - self._full_at) / WINDOW_S)
            ours = int(self._full + (ours - self._full) * passed)
        return ours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hint:
    of: str
    says: str
    value: int


def _hint(name: str, value: str) -> _Hint | None:
    """What a header says about a minute's limits, or None.

    Seen on the wire: ``x-ratelimit-remaining-tokens-minute``, ``x-ratelimit-limit-req-minute``,
    ``ratelimitbysize-remaining`` (its size is tokens) and longer windows beside them; other makers
    write ``x-ratelimit-limit-requests``. A header that does not say of what is left alone.
    """
    _, found, rest = name.lower().partition("ratelimit")
    number = re.match(r"\s*(\d{1,12})\b", value)
    if not found or not number or re.search(r"month|day|hour|second|reset|cost", rest):
        return None
    of = "tokens" if re.search(r"token|size", rest) else "requests" if "req" in rest else ""
    says = "remaining" if "remaining" in rest else "limit" if "limit" in rest else ""
    return _Hint(of=of, says=says, value=int(number[1])) if of and says else None
