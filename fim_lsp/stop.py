"""When an answer that still streams is whole, and when the rest of it can be of no use. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.context import CursorContext
from fim_lsp.trigger import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the text so far allows."""

    shown_whole: bool
    """More text could not change what is shown: the answer can go out now."""
    finished: bool
    """Nothing that follows can be of use: the stream can be hung up."""
    reason: str = ""
    """Why, in one line without document text."""


def progress(raw: str, context: CursorContext, *, lines: Lines) -> Progress:
    """Judge the whole text so far; called once for each chunk."""
    whole = lines == "one" and "\n" in raw.lstrip("\n")
    head = context.suffix[:40]
    if len(head.strip()) > 8 and head in raw:
        return Progress(shown_whole=True, finished=True, reason="reached the text below")
    return Progress(shown_whole=whole, finished=False)
