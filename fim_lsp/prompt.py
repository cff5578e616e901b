"""What the model may read: windows of the text around the cursor, in tokens, cut at line edges.

Consecutive prompts share their beginning, because that is what a server's prefix cache reuses
(llama.cpp, vLLM): the window's left edge stays where it is while the text grows, and moves in one
step when the window is full. The suffix ends at a line's end and does not move while one types
before it, because Codestral lays the suffix before the prefix
(``[SUFFIX]…[PREFIX]…`` in mistral-common).
"""

from __future__ import annotations

from dataclasses import dataclass

from fim_lsp.context import CursorContext

SUFFIX_SHARE = 0.25
"""How much of the budget the suffix may take; twice that while there is little before it."""
REFILL = 0.75
"""Right after its left edge has moved, the prefix's window is filled this far."""
_ANCHOR_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The text that is sent from this document."""

    prompt: str
    suffix: str

    @property
    def chars(self) -> int:
        """Their length together."""
        return len(self.prompt) + len(self.suffix)

    @property
    def anchor(self) -> str:
        """What the next prompt of this document should begin with, if it still can."""
        return self.prompt[:_ANCHOR_CHARS]


def cut(context: CursorContext, *, max_chars: int, anchor: str = "") -> Windows:
    """Fit the text around the cursor into ``max_chars``.

    ``anchor`` is the last prompt's: the window begins there again where that fits.
    """
    few_before = len(context.prefix) < max_chars * SUFFIX_SHARE
    share = 2 * SUFFIX_SHARE if few_before else SUFFIX_SHARE
    suffix = _whole_lines_of(context.suffix, int(max_chars * share))
    room = max_chars - len(suffix)
    start = _window_start(context.prefix, room, anchor)
    return Windows(prompt=context.prefix[start:], suffix=suffix)


def _window_start(prefix: str, room_chars: int, anchor: str) -> int:
    """Where the prompt begins: at the anchor, else at a line's start that leaves room to grow."""
    if len(prefix) <= room_chars:
        return 0
    earliest = len(prefix) - room_chars
    if anchor and (at := prefix.find(anchor, earliest)) >= 0:
        return at
    wanted = len(prefix) - int(room_chars * REFILL)
    at = prefix.find("\n", wanted - 1) + 1
    return at if at and len(prefix) - at > room_chars // 3 else wanted  # else: very long lines


def _whole_lines_of(suffix: str, max_chars: int) -> str:
    """The suffix's beginning up to a line's end; a part of the first line where that is long."""
    if len(suffix) <= max_chars:
        return suffix
    at = suffix.rfind("\n", 0, max_chars)
    return suffix[: at + 1] if at > 0 else suffix[:max_chars]
