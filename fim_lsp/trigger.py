"""Whether a place is worth asking about, and whether for one line or for many. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from fim_lsp.context import CursorContext
from fim_lsp.place import Place, place

Lines = Literal["one", "many"]

_ENDS_STATEMENT = (";", "}", '"""', "'''", "*/", "-->", ">")


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
    here = place(context)
    lines = _lines(here)
    if context.language in disabled_languages:
        return Decision(wanted=False, lines=lines, reason="not wanted: the language is disabled")
    if not invoked and (reason := _unwanted(here)):
        return Decision(wanted=False, lines=lines, reason=f"not wanted: {reason}")
    return Decision(wanted=True, lines=lines, reason=f"wanted: {lines}")


def _lines(here: Place) -> Lines:
    if here.rest.strip():
        return "one"
    if here.blank:
        return "many"
    if here.inside:
        return "one"
    line = here.context.line_prefix
    if here.opens:
        within = line.rstrip().endswith(("(", "[")) or line.endswith((": ", "=> "))
        return "one" if within else "many"
    return "many" if line.endswith(_ENDS_STATEMENT) else "one"


def _unwanted(here: Place) -> str:
    following = here.rest[:1]
    if following.isalnum() or following == "_":
        return "inside a word"
    return ""
