"""The next word as the text around the cursor has them: no call, and nothing to learn beforehand.

It bridges the places where the model has just been wrong, until it is asked again. A name that
stands near is completed, and the word that follows in a similar line follows here; nothing where
that is unlikely.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fim_lsp.context import CursorContext

if TYPE_CHECKING:
    from fim_lsp.providers.line_model import LineModel

MIN_CONFIDENCE = 0.6
"""Below this it says nothing."""
_BEFORE_CHARS, _AFTER_CHARS = 6_000, 2_000
_MAX_TOKENS = 20_000
"""With so many words in its vocabulary the model is made anew, to stay small."""
_WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)")


class Nearby:
    """Predicts a word from one window of text at a time."""

    def __init__(self) -> None:
        self._model: LineModel | None = None

    def next_word(self, context: CursorContext) -> str:
        """A word to insert at the cursor, or the end of one; empty where none is likely."""
        if not context.line_prefix.strip():
            return ""
        above, below = context.prefix[-_BEFORE_CHARS:], context.suffix[:_AFTER_CHARS]
        model = self._fresh()
        ends_here = not context.line_suffix.strip()
        found = model.next_word(above, below) if ends_here else model.predict(above, below)
        word = _WORD.match(found.text.partition("\n")[0])
        return word[0] if word and found.confidence >= MIN_CONFIDENCE else ""

    def _fresh(self) -> LineModel:
        from fim_lsp.providers.line_model import LineModel

        if self._model is None or len(self._model.vocabulary) > _MAX_TOKENS:
            self._model = LineModel()
        return self._model
