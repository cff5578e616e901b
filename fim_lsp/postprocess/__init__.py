"""What a person sees of what the model wrote: a pure, ordered list of filters."""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.context import CursorContext
from fim_lsp.trigger import Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the editor draws well; the default is the most cautious."""

    swallows_suffix: bool = False
    """It draws a range from the cursor to the end of the line well."""
    reindents: bool = False
    """It adds the current line's indentation to further lines by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """What to show."""

    text: str
    """What to insert at the cursor; empty where there is nothing to show."""
    swallowed_chars: int = 0
    """How many characters right of the cursor the text already contains."""
    reason: str = ""
    """Why it was cut, or why nothing is shown: one line, without document text."""


def shape(
    raw: str,
    context: CursorContext,
    *,
    lines: Lines,
    complete: bool = True,
    cut_off: bool = False,
    client: Client = Client(),  # noqa: B008 - a frozen value
) -> Shaped:
    """Shape the model's text for this position."""
    text = raw
    if context.line_suffix.strip() or lines == "one":
        text = text.partition("\n")[0]
        text = text.removesuffix(context.line_suffix) if context.line_suffix else text
    at = text.find(context.suffix[:40]) if len(context.suffix.strip()) > 8 else -1
    if at >= 0:
        text = text[:at]
    if (cut_off or not complete) and "\n" in text.strip():
        text = text[: text.rfind("\n")]
    text = text.rstrip()
    return Shaped(text=text, reason="" if text else "nothing to show: the answer is blank")
