"""When an answer that still streams is whole, and when the rest of it can be of no use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fim_lsp.context import CursorContext
from fim_lsp.place import place
from fim_lsp.postprocess import run
from fim_lsp.postprocess.draft import Draft
from fim_lsp.trigger import Lines

MOST_CHARS = 8_000
"""Twice as much as is ever shown; a model that says more says nothing of use, and takes time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the text so far allows."""

    shown_whole: bool
    """More text could not change what is shown: the answer can go out now."""
    finished: bool
    """Nothing that follows can be of use: the stream can be hung up."""
    reason: str = ""
    """Why, in one line without document text."""


@lru_cache(maxsize=8)  # who reads the stream asks, and then who waits for it
def progress(raw: str, context: CursorContext, *, lines: Lines) -> Progress:
    """Judge the whole text so far; called once for each chunk.

    The rules are those that shape the text; what is kept for the position after an accept is
    judged as if many lines were wanted.
    """
    here = place(context)
    draft = run(Draft(text=raw, place=here, lines=lines, complete=False))
    finished = draft.over
    if draft.whole and not finished and lines == "one":
        finished = run(Draft(text=raw, place=here, lines="many", complete=False)).over
    return Progress(shown_whole=draft.whole, finished=finished, reason=draft.reason)
