"""Whether a place is worth asking about, and whether for one line or for many. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from fim_lsp.context import CursorContext

Lines = Literal["one", "many"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do at a place."""

    wanted: bool
    """False keeps automatic requests from being sent; known answers are shown all the same."""
    lines: Lines
    reason: str
    """One line for the trace, without document text."""


def decide(
    context: CursorContext, *, disabled_languages: Collection[str] = (), invoked: bool = False
) -> Decision:
    """Decide from the text around the cursor alone."""
    lines: Lines = "one" if context.line_suffix.strip() else "many"
    if context.language in disabled_languages:
        return Decision(wanted=False, lines=lines, reason="not wanted: the language is disabled")
    following = context.suffix[:1]
    if not invoked and (following.isalnum() or following == "_"):
        return Decision(wanted=False, lines=lines, reason="not wanted: inside a word")
    return Decision(wanted=True, lines=lines, reason="wanted")
