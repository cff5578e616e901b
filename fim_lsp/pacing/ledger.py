"""What was asked of the endpoint in the last minute, call by call.

The rule that keeps any sixty seconds within the limits, wherever they begin: **a call counts from
its start until sixty seconds after its end.** When exactly an endpoint counts a call is not known:
the prompt perhaps on arrival, the answer perhaps token by token or when it is whole. But it is
between the start and the end as the client sees them. Take any sixty seconds of the endpoint's
account, and of the calls in it the one that was entered last: every other one was then still
running or had ended less than sixty seconds ago, so it was in this ledger, and the sum was checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol

WINDOW_S = 60.0
"""How far back limits a minute count."""
LONGEST_CALL_S = 600.0
"""No call runs longer; one that has not been settled by then was lost, and counts as ended."""


class Spent(NamedTuple):
    """Requests and tokens, as counted or as allowed."""

    requests: int
    tokens: int


class Ledger(Protocol):
    """The account of one endpoint's limits; a shared store may keep it for several processes.

    ``now`` is in seconds and never goes back. Entries are known by the number that ``enter`` gave.
    """

    is_teams: bool
    """Whether the limits of a whole team are counted here, and not one person's."""
    account: str
    """Which account it keeps, where others may keep it too; empty in memory."""

    def parts(self, shared_by: int) -> int:
        """Of how many equal parts of the limits those who enter calls here have one."""
        ...

    def enter(self, tokens: int, *, most: Spent, now: float) -> int | None:
        """Count a call that starts now, or None where it would take the sums over ``most``."""
        ...

    async def confirm(self, entry: int) -> bool:
        """Whether a call that was entered may be made; where not, it is struck already.

        To be asked once, right before the call: who keeps the account elsewhere asks there.
        """
        ...

    def settle(self, entry: int, tokens: int, *, now: float) -> None:
        """Note that a call has ended and what it cost; nothing where that was noted before."""
        ...

    def strike(self, entry: int) -> None:
        """Take a call that never reached the endpoint out of the account."""
        ...

    def spent(self, *, now: float) -> Spent:
        """What counts now, running calls included."""
        ...

    def leaving(self, *, now: float) -> Iterator[tuple[float, int]]:
        """When each call will count no more if it ends now, soonest first, and its tokens."""
        ...

    def close(self) -> None:
        """Let go of what it is kept in; what was counted stays counted there."""
        ...


def fits(spent: Spent, tokens: int, most: Spent) -> bool:
    """Whether one more call of so many tokens stays within ``most``."""
    return spent.requests < most.requests and spent.tokens + tokens <= most.tokens


class MemoryLedger:
    """The ledger of this process. Each call costs the same, however many there are."""

    __slots__ = ("_ended", "_entries", "_running", "_tokens")

    is_teams = False
    account = ""

    def __init__(self) -> None:
        self._entries = 0
        self._running: dict[int, tuple[float, int]] = {}
        """Entry to start and tokens, in the order of the starts."""
        self._ended: deque[tuple[float, int]] = deque()
        """End and tokens, in the order of the ends."""
        self._tokens = 0

    def parts(self, shared_by: int) -> int:
        """As many as people share the limits."""
        return shared_by

    def enter(self, tokens: int, *, most: Spent, now: float) -> int | None:
        """Count a call that starts now, or None where it would take the sums over ``most``."""
        if not fits(self.spent(now=now), tokens, most):
            return None
        self._entries += 1
        self._running[self._entries] = (now, tokens)
        self._tokens += tokens
        return self._entries

    async def confirm(self, entry: int) -> bool:
        """Whether the call may be made: as it was entered."""
        return entry in self._running

    def settle(self, entry: int, tokens: int, *, now: float) -> None:
        """Note that a call has ended and what it cost; nothing where that was noted before."""
        if (running := self._running.pop(entry, None)) is not None:
            self._tokens += tokens - running[1]
            self._ended.append((now, tokens))

    def strike(self, entry: int) -> None:
        """Take a call that never reached the endpoint out of the account."""
        if (running := self._running.pop(entry, None)) is not None:
            self._tokens -= running[1]

    def spent(self, *, now: float) -> Spent:
        """What counts now, running calls included."""
        self._forget(now)
        return Spent(len(self._running) + len(self._ended), self._tokens)

    def leaving(self, *, now: float) -> Iterator[tuple[float, int]]:
        """When each call will count no more if it ends now, soonest first, and its tokens."""
        self._forget(now)
        for ended, tokens in self._ended:
            yield ended + WINDOW_S, tokens
        for _, tokens in self._running.values():
            yield now + WINDOW_S, tokens

    def close(self) -> None:
        """There is nothing to let go of."""

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0][0] + WINDOW_S <= now:
            self._tokens -= self._ended.popleft()[1]
        while self._running:
            entry = next(iter(self._running))
            started, tokens = self._running[entry]
            if started + LONGEST_CALL_S > now:
                break
            self.settle(entry, tokens, now=now)
