"""What failures close: no call is made while none can succeed, and people are told once.

An *outage* begins with a failure and ends with the next success. While it lasts, automatic
requests stay away for a time that doubles with every failed try; then one call, the *probe*, goes
ahead of all others and tells whether it is over. What only other settings can mend is not tried
again by itself at all.

Each kind of failure is told once in an outage, at its first failure unless that is likely to pass
by itself, and the outage's end once if anything was told.
"""

from __future__ import annotations

import math
import random
import types
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fim_lsp.errors import PromptTooLongError, ProviderError, RateLimitedError, RefusedError

_Kind = Literal["refused", "limited", "unavailable"]

LONGEST_RETRY_AFTER_S = 120.0
"""An endpoint may ask for no longer; more would look like a broken editor."""
PROBE_S = 5.0
"""A probe that has told nothing for so long gives its place to the next: it was hung up, or the
endpoint is silent."""
INVOKED_PROBE_S: Mapping[_Kind, float] = types.MappingProxyType(
    {"refused": 30.0, "limited": math.inf, "unavailable": 1.0}
)
"""So long after the last try, a person's explicit request may probe before it is time."""
PATIENCE_TRIES = 4
"""So many failed tries, with a cool-down after each, before it is told that there are too many
requests (a busy minute is no news), or that the endpoint is away yet again."""
CALM_S = 300.0
"""Away twice within this time is *yet again*: a shaky network must not talk all the time."""

_COOL_DOWN_S = types.MappingProxyType({"limited": (2.0, 60.0), "unavailable": (1.0, 30.0)})
"""The first and the longest cool-down."""
_JITTER = 0.25
"""The part of a cool-down by which it varies, so that a team does not come back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line for the person: something to act on, or that it works again."""

    kind: Literal["warning", "info"]
    text: str


class Breaker:
    """Whether to call the endpoint at all, by how the last calls went.

    ``clock`` gives seconds and never goes back; ``rng`` gives numbers from 0 to 1.
    """

    def __init__(
        self, clock: Callable[[], float], rng: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._owes_end = False
        self._close()
        self._away_told_at = -math.inf

    def reset(self) -> None:
        """Forget the outage: the settings have changed, so everything may be different now.

        Calls under the old settings should be hung up first, so that they tell nothing here.
        """
        self._close()
        self._away_told_at = -math.inf

    def blocked(self, *, invoked: bool) -> str | None:
        """Why no call may be made now, in one line, or None.

        After None the caller makes the call and says how it went (``failed``, ``succeeded``), or
        that it told nothing (``abandoned``): it may be the probe that others wait for.
        """
        if self._error is None:
            return None
        now = self._clock()
        if now < self._until and not (invoked and now >= self._invoked_from()):
            return f"not asked: {_line(self._error)}{self._when(now)}"
        if self._probe_at is not None and now < self._probe_at + PROBE_S:
            return "not asked: another call is finding out whether the endpoint works again"
        self._probe_at = self._tried_at = now
        return None

    def blocked_until(self) -> float | None:
        """The clock's time of the next automatic try; infinite: when settings change; or None."""
        return self._until if self._error and self._clock() < self._until else None

    def blocked_for_s(self) -> float | None:
        """Seconds until the next automatic try; infinite: when settings change; or None."""
        until = self.blocked_until()
        return None if until is None else until - self._clock()

    @property
    def error(self) -> ProviderError | None:
        """What blocks, or None."""
        return self._error

    def failed(self, error: ProviderError) -> Notice | None:
        """Note how a call went; perhaps there is something to tell the person."""
        if isinstance(error, PromptTooLongError):
            return self.succeeded()  # it works, only not for so long a prompt
        now, kind = self._clock(), _kind(error)
        # A call from before the outage: it tells nothing new unless it asks for a longer pause.
        is_straggler = now < self._until and self._probe_at is None
        tries = max(1, self._tries[kind] + (not is_straggler))
        until = now + self._cool_down_s(error, tries)
        if is_straggler and until <= self._until:
            return None
        self._error, self._tried_at, self._until = error, now, until
        self._tries[kind], self._probe_at = tries, None
        return self._tell(kind, now)

    def succeeded(self) -> Notice | None:
        """Note that a call was answered; perhaps the person waits to hear that."""
        is_straggler = self._clock() < self._until and self._probe_at is None
        if is_straggler and self._error and _kind(self._error) != "unavailable":
            return None  # a call from before: what the endpoint said since then stands
        self._close()
        if not self._owes_end:
            return None
        self._owes_end = False
        return Notice(kind="info", text="The endpoint answers again.")

    def abandoned(self) -> None:
        """Note that a call ended without telling anything: it was hung up, or never made."""
        self._probe_at = None

    def _close(self) -> None:
        self._error: ProviderError | None = None
        self._tries: Counter[_Kind] = Counter()
        self._tried_at = self._until = -math.inf
        self._probe_at: float | None = None
        self._told: set[_Kind] = set()

    def _invoked_from(self) -> float:
        kind = _kind(self._error) if self._error else "unavailable"
        return self._tried_at + INVOKED_PROBE_S[kind]

    def _when(self, now: float) -> str:
        return "" if math.isinf(self._until) else f" Next try in {math.ceil(self._until - now)} s."

    def _cool_down_s(self, error: ProviderError, tries: int) -> float:
        kind = _kind(error)
        if kind == "refused":
            return math.inf
        if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
            # At least a second, so that "0" does not mean a call for every key.
            return min(LONGEST_RETRY_AFTER_S, max(1.0, error.retry_after_s))
        first_s, longest_s = _COOL_DOWN_S[kind]
        doubled_s = min(first_s * 2 ** min(tries - 1, 10), longest_s / (1 + _JITTER))
        return doubled_s * (1 + _JITTER * self._rng())

    def _tell(self, kind: _Kind, now: float) -> Notice | None:
        again = kind == "unavailable" and now - self._away_told_at < CALM_S
        patience = PATIENCE_TRIES if again or kind == "limited" else 1
        if kind in self._told or self._tries[kind] < patience:
            return None
        self._told.add(kind)
        self._owes_end = True
        text = _line(self._error)
        if kind == "unavailable":
            self._away_told_at = now
        if kind == "limited":
            text += " It does not clear: is the quota used up? See the account's limits and spend."
        return Notice(kind="warning", text=text)


def _kind(error: ProviderError) -> _Kind:
    if isinstance(error, RefusedError):
        return "refused"
    return "limited" if isinstance(error, RateLimitedError) else "unavailable"


def _line(error: ProviderError | None) -> str:
    return " ".join(str(error).split())
