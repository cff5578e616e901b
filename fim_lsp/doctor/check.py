"""One thing that was looked at, and how it was found: a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["fine", "warning", "settings", "endpoint"]
"""``settings`` and ``endpoint`` are failures: the user's to put right, or the endpoint's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A line of the report. Holds no key, and no path that names the user."""

    name: str
    found: str
    state: State = "fine"
    remedy: str = ""
    """What to do about it; empty where nothing is to be done."""

    @property
    def failed(self) -> bool:
        """Whether fim-lsp cannot work like this."""
        return self.state in {"settings", "endpoint"}


def at_home(path: Path | str) -> str:
    """A path with the user's folder as ``~``, so that a report can be shown to others."""
    text, home = str(path), str(Path.home())
    return f"~{text[len(home) :]}" if len(home) > 1 and text.startswith(home) else text


def from_error(name: str, message: str, state: State) -> Check:
    """A check that failed with a message of the form *cause: remedy*."""
    found, _, remedy = message.partition(": ")
    return Check(name=name, found=found.rstrip("."), state=state, remedy=remedy)
