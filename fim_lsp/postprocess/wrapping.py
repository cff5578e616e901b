"""An answer that talks: prose before the code, and a fence around it."""

from __future__ import annotations

import re
from dataclasses import replace

from fim_lsp.postprocess.draft import Draft

_FENCE = re.compile(r"(?:\s*\n|\A)[ \t]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)[ \t]*\n")
_WRAPS = re.compile(r"\n(?:`{3,}|~{3,})[ \t]*(?:\n\s*[A-Z][^\n]*)?\s*\Z")
"""A fence that ends the answer, but for a closing remark."""
_PROSE_LINES = 4
_PROSE = re.compile(
    r"\s*(?:here(?:'s| is| are)|sure\b|certainly|of course|okay|below is|the (?:following|complet)"
    r"|this (?:code|completes)|i(?:'ve| have|'ll) |to complete|you can)[^\n]{0,200}[:.!]"
    r"[ \t]*(?:\n\s*\n|\n)",
    re.IGNORECASE,
)


def unwrap_fence(draft: Draft) -> Draft:
    """Take what stands inside a fence around the whole answer, with any prose before it."""
    if "```" not in draft.text and "~~~" not in draft.text:
        return draft
    opening = _FENCE.search(draft.text)
    if opening is None or not _introduces(draft, opening):
        return _without_closing_fence(draft)
    inner = draft.without_head(opening.end())
    closing = re.search(rf"(?:\n|\A)[ \t]*{opening[1]}[ \t]*(?:\n|\Z)", inner.text)
    return inner.cut(closing.start(), "the end of a fence") if closing else inner


def end_with_embedded(draft: Draft) -> Draft:
    """End where the part ends that is written in another language than the document."""
    ending = draft.place.ending
    found = ending and re.search(rf"(?:\A|\n)[ \t]*{ending}", draft.text)
    if not found or (found.end() == len(draft.text) and not draft.ended):
        return draft
    return draft.cut(found.start(), "the embedded language ends")


def drop_prose(draft: Draft) -> Draft:
    """Leave out a first line that speaks of the code below it."""
    rules = draft.place.rules
    if draft.place.inside or rules.markup or rules.blocks == "none":
        return draft  # it may be what is wanted
    found = _PROSE.match(draft.text)
    if not found:
        return draft
    code = draft.without_head(found.end())
    return code if code.text.strip() else replace(code, reason="it speaks of the code alone")


def hold_fence(draft: Draft) -> Draft:
    """Show nothing of a fence's first line while it still comes."""
    begins = draft.text.lstrip().startswith(("```", "~~~"))
    held = begins and not draft.ended and not draft.place.rules.markup
    return replace(draft, text="") if held else draft


def _introduces(draft: Draft, opening: re.Match[str]) -> bool:
    """Whether what stands before a fence can be an introduction to it."""
    if draft.place.ending and re.match(draft.place.ending, opening[1]) and not opening[2]:
        return False  # it ends the fence around the cursor
    before = draft.text[: opening.start()]
    if before.strip() and _PROSE.match(before.strip() + "\n"):
        return True
    if draft.place.rules.markup:
        return False
    if len(draft.place.inside) > 1:  # a fence may be a part of the comment
        return draft.ended and bool(_WRAPS.search(draft.text, opening.end()))
    lines = [line for line in before.split("\n") if line.strip()]
    return len(lines) <= _PROSE_LINES and all(" " in line.strip() for line in lines)


def _without_closing_fence(draft: Draft) -> Draft:
    """End at a fence that was opened in the prompt."""
    if draft.place.rules.markup or draft.place.inside:
        return draft
    end = r"(?:\n|\Z)" if draft.ended else "\n"  # it may become the first line of a fence
    closing = re.search(rf"\n```[ \t]*{end}", draft.text)
    return draft.cut(closing.start(), "the end of a fence") if closing else draft
