"""The next words as the text around the cursor has them: no call, and nothing to learn beforehand.

It bridges the places where the model has just been wrong and is not asked again yet. A name that
stands near is completed, and what a similar line says is said here; nothing where that is unlikely.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fim_lsp.context import CursorContext

if TYPE_CHECKING:
    from fim_lsp.providers.line_model import LineModel

MIN_CONFIDENCE = 0.6
"""Below this it says nothing."""
WORDS = 2
"""At most so many at a time."""
_BEFORE_CHARS, _AFTER_CHARS = 6_000, 2_000
_MAX_TOKENS = 20_000
"""With so many words in its vocabulary the model is made anew, to stay small."""
_WORDS = re.compile(rf"(?:\s*(?:\w+|[^\w\s]+)){{1,{WORDS}}}")


class Nearby:
    """Predicts words from one window of text at a time."""

    def __init__(self) -> None:
        self._model: LineModel | None = None

    def next_words(self, context: CursorContext) -> str:
        """One or two words to insert at the cursor; empty where none is likely."""
        if not context.line_prefix.strip():
            return ""
        model = self._fresh()
        found = model.predict(context.prefix[-_BEFORE_CHARS:], context.suffix[:_AFTER_CHARS])
        words = _WORDS.match(found.text.partition("\n")[0])
        return words[0] if words and found.confidence >= MIN_CONFIDENCE else ""

    def _fresh(self) -> LineModel:
        from fim_lsp.providers.line_model import LineModel

        if self._model is None or len(self._model.vocabulary) > _MAX_TOKENS:
            self._model = LineModel()
        return self._model
