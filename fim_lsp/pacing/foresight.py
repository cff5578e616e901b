"""Whether to ask for what comes behind a suggestion before it is taken.

A call made ahead is there at once when the suggestion is taken, and wasted when it is not. So it is
made only while the minute's budget is rich, for somebody who takes suggestions, and as long as the
calls made ahead in vain stay a small share of all.
"""

from __future__ import annotations

MAX_WASTED_SHARE = 0.1
"""At most this share of all calls is made ahead in vain."""
RICH_SHARE = 0.5
"""The budget is rich while less than this share of the minute's is used."""
READING_S = 0.25
"""Who has looked at a suggestion for so long without typing may take it."""


class Foresight:
    """What has become of the calls that were made ahead."""

    def __init__(self) -> None:
        self.asked = 0
        self.used = 0
        self._open: set[int] = set()

    def may_ask(self, *, calls: int, used_share: float) -> bool:
        """Whether one more would stay within bounds; one that was not used yet counts as wasted.

        ``calls`` are all that were made, ``used_share`` is how much of the budget is used, 0 to 1.
        """
        wasted = self.asked - self.used + 1
        return used_share < RICH_SHARE and wasted <= MAX_WASTED_SHARE * (calls + 1)

    def note_asked(self, call: int) -> None:
        """A call, by its number, was made ahead."""
        self.asked += 1
        self._open.add(call)

    def note_served(self, call: int | None) -> None:
        """An answer came from this call."""
        if call in self._open:
            self._open.discard(call)
            self.used += 1
