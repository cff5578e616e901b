"""What a person sees of what the model wrote: a pure, ordered list of filters.

Each takes a draft and gives one back, shorter or the same; only ``indentation`` may change blanks
at the start of lines. ``stop`` runs the same list on a stream, so that what ends a text here also
ends the stream.
"""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.context import CursorContext
from fim_lsp.place import place
from fim_lsp.postprocess import (
    below,
    clean,
    depth,
    ending,
    extent,
    indentation,
    leading,
    repetition,
    right,
    wrapping,
)
from fim_lsp.postprocess.draft import Draft, Filter
from fim_lsp.trigger import Lines

FILTERS: tuple[Filter, ...] = (
    clean.normalise_line_ends,
    clean.end_at_unsafe,
    clean.end_at_sentinel,
    clean.end_at_header,
    wrapping.unwrap_fence,
    wrapping.end_with_embedded,
    wrapping.drop_prose,
    wrapping.hold_fence,
    leading.drop_echo,
    leading.drop_blank_lines,
    leading.drop_blanks,
    indentation.use_document_blanks,
    indentation.lift_further_lines,
    depth.bring_to_depth,
    right.swallow_rest_of_line,
    right.end_at_rest_of_line,
    below.end_at_lines_below,
    repetition.end_at_repetition,
    extent.end_with_block,
    ending.drop_unfinished_line,
    ending.cap,
    ending.trim,
    ending.drop_copy_of_above,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the editor draws well; the default is the most cautious."""

    swallows_suffix: bool = False
    """It draws a range from the cursor to the end of the line well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """What to show."""

    text: str
    """What to insert at the cursor; empty where there is nothing to show."""
    swallowed_chars: int = 0
    """How many characters right of the cursor the text already contains."""
    reason: str = ""
    """Why it was cut, or why nothing is shown: one line, without document text."""


_CAUTIOUS = Client()


def shape(
    raw: str,
    context: CursorContext,
    *,
    lines: Lines,
    complete: bool = True,
    cut_off: bool = False,
    client: Client = _CAUTIOUS,
) -> Shaped:
    """Shape the model's text for this position."""
    draft = run(
        Draft(
            text=raw,
            place=place(context),
            lines=lines,
            complete=complete,
            cut_off=cut_off,
            swallows=client.swallows_suffix,
        )
    )
    if not draft.text.strip():
        why = draft.reason or "the answer is blank"
        return Shaped(text="", reason=f"cut to nothing: {why}" if raw.strip() else why)
    reason = f"cut: {draft.reason}" if draft.reason else ""
    return Shaped(text=draft.text, swallowed_chars=draft.swallowed_chars, reason=reason)


def run(draft: Draft) -> Draft:
    """Pass a draft through all filters."""
    for step in FILTERS:
        draft = step(draft)
    return draft
