"""What a person has switched off while the server runs: everything, a language, or for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime


class Switches:
    """Nothing of it is kept beyond the server's life. ``clock`` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._is_on = True
        self._languages_off: set[str] = set()
        self._until = 0.0

    @property
    def wakes_in_s(self) -> float | None:
        """Seconds until snoozing ends; None where it does not snooze."""
        left = self._until - self._clock()
        return left if self._is_on and left > 0 else None

    @property
    def off(self) -> str:
        """Why nothing is suggested anywhere, in one line; empty where it is."""
        if not self._is_on:
            return "switched off"
        if self.wakes_in_s is not None:
            until = datetime.fromtimestamp(self._until).astimezone()
            return f"snoozing until {until:%H:%M}"
        return ""

    def off_for(self, language: str) -> str:
        """Why nothing is suggested in a language; empty where it is."""
        return self.off or (f"switched off for {language}" if self.is_off_for(language) else "")

    def is_off_for(self, language: str) -> bool:
        """Whether just this language is switched off."""
        return language in self._languages_off

    def toggle(self) -> bool:
        """Switch everything off, or on again; whether it is on now."""
        self._is_on = bool(self.off)
        self._until = 0.0
        return self._is_on

    def toggle_language(self, language: str) -> bool:
        """The same for one language."""
        self._languages_off ^= {language}
        return language not in self._languages_off

    def snooze(self, minutes: float) -> None:
        """Suggest nothing for so long; 0 ends it."""
        self._is_on = True
        self._until = self._clock() + minutes * 60
