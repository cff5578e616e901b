"""What is known about one cursor position: a value, cut from the document once per request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

PREFIX_CHARS = 16_000
"""At most this much text before the cursor is looked at, in characters."""
SUFFIX_CHARS = 8_000
"""At most this much text after the cursor is looked at, in characters."""


@dataclass(frozen=True, kw_only=True)
class CursorContext:
    r"""The text around the cursor, with line ends as ``\n``, and what language it is in.

    ``prefix`` and ``suffix`` are windows, not the whole document: building one costs the same at
    the end of a large file as in a small one.
    """

    uri: str
    language: str
    """The LSP language id, such as ``python`` or ``typescriptreact``; empty where unknown."""
    prefix: str
    """Up to PREFIX_CHARS before the cursor; starts at the start of a line unless that is longer."""
    suffix: str
    """Up to SUFFIX_CHARS after the cursor."""
    tab_size: int = 4
    """Columns of a tab; no request tells them."""

    @cached_property
    def line_prefix(self) -> str:
        """The cursor's line left of the cursor."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @cached_property
    def line_suffix(self) -> str:
        """The cursor's line right of the cursor, without its line end."""
        return self.suffix.partition("\n")[0]

    @cached_property
    def lines_above(self) -> list[str]:
        """The lines above the cursor's, first to last, as far as the window reaches."""
        return self.prefix.split("\n")[:-1]

    @cached_property
    def lines_below(self) -> list[str]:
        """The lines below the cursor's, first to last, as far as the window reaches."""
        return self.suffix.split("\n")[1:]

    def moved(self, typed: str) -> CursorContext:
        """The same place after ``typed`` was inserted at the cursor."""
        return CursorContext(
            uri=self.uri,
            language=self.language,
            prefix=self.prefix + typed,
            suffix=self.suffix,
            tab_size=self.tab_size,
        )
