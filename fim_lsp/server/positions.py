"""Positions and edits, from the protocol's terms into ours and back."""

from __future__ import annotations

from dataclasses import replace

from lsprotocol import types as lsp

from fim_lsp.document import Change, Document, Encoding, Position


class Place:
    """Where a request stands in its document, with the popup's selected entry applied."""

    def __init__(
        self,
        document: Document,
        at: lsp.Position,
        encoding: Encoding,
        selected: lsp.SelectedCompletionInfo | None = None,
    ) -> None:
        position = Position(at.line, at.character)
        line, column = document.clamp(position, encoding)
        self._document = document
        self._encoding: Encoding = encoding
        self._line, self._start, self._end = line, column, column
        text = document.line(line)
        self._before, self._after = text[:column], text[column:]
        self.context = document.context(line, column)
        self.file_uri = document.file_uri
        self.selected = ""
        if selected:
            self._select(selected)

    def _select(self, selected: lsp.SelectedCompletionInfo) -> None:
        start, end = (
            self._document.clamp(Position(at.line, at.character), self._encoding)
            for at in (selected.range.start, selected.range.end)
        )
        here = (self._line, self._start)
        if start[0] == end[0] == self._line and start <= here <= end:
            typed, after = self._start - start[1], end[1] - self._start
            self._start, self._end = start[1], end[1]
            self.selected = selected.text
            context = self.context
            self.context = replace(
                context,
                prefix=context.prefix[: len(context.prefix) - typed] + selected.text,
                suffix=context.suffix[after:],
            )

    @property
    def document(self) -> Document:
        """The document that it is in."""
        return self._document

    @property
    def start(self) -> tuple[int, int]:
        """The line and column where an item is inserted."""
        return self._line, self._start

    def typed_since(self, document: Document) -> str | None:
        """What was inserted at the place since then; None where anything else was changed."""
        if self._line >= document.line_count:
            return None
        line, before, after = document.line(self._line), self._before, self._after
        if len(line) < len(before) + len(after) or not line.endswith(after):
            return None
        typed = line[: len(line) - len(after)]
        return typed[len(before) :] if typed.startswith(before) else None

    @property
    def last_char(self) -> str:
        """The character before the place, on its line; empty at the line's beginning."""
        return self.context.line_prefix[-1:]

    def range(self, swallowed_chars: int, *, repeated_chars: int = 0) -> lsp.Range:
        """The item's range: on the cursor's line, and the cursor lies in it."""
        return lsp.Range(
            self._position(self._start - repeated_chars),
            self._position(self._end + swallowed_chars),
        )

    def _position(self, column: int) -> lsp.Position:
        units = self._document.units(self._line, column, self._encoding)
        return lsp.Position(self._line, units)


def change_of(change: lsp.TextDocumentContentChangeEvent) -> Change:
    """An edit in our terms."""
    if isinstance(change, lsp.TextDocumentContentChangeWholeDocument):
        return Change(text=change.text)
    start, end = change.range.start, change.range.end
    return Change(
        start=Position(start.line, start.character),
        end=Position(end.line, end.character),
        text=change.text,
    )


def behind(change: Change, document: Document, encoding: Encoding) -> tuple[int, int] | None:
    """The line and column behind what an edit has just inserted: there the cursor most likely is.

    None where the whole text was replaced.
    """
    if change.start is None:
        return None
    line, column = document.clamp(change.start, encoding)
    first, *more = change.text.split("\n")
    return (line + len(more), len(more[-1])) if more else (line, column + len(first))
