"""Notebooks: every cell is a document, and what the model reads goes on in the cells around it.

Only cells in the cursor's own language are read, and no more of them than the windows hold: a
request costs the same in a notebook of ten cells and of ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS, CursorContext
from fim_lsp.document import Document, Documents

GAP = "\n\n"
"""What stands between two cells. A blank line, because a cell begins a new paragraph."""


class Cell(Document):
    """One cell of a notebook."""

    __slots__ = ("_notebook",)

    def __init__(
        self, notebook: Notebook, uri: str, language: str, version: int | None, text: str
    ) -> None:
        super().__init__(uri, language, version, text)
        self._notebook = notebook

    @property
    def file_uri(self) -> str:
        """The notebook's URI."""
        return self._notebook.uri

    def context(self, line: int, column: int) -> CursorContext:
        """The text around a place, in this cell and then in those around it."""
        prefix, is_all = self.before(line, column, PREFIX_CHARS)
        if is_all:
            prefix = self._notebook.above(self, PREFIX_CHARS - len(prefix)) + prefix
        suffix, is_all = self.after(line, column, SUFFIX_CHARS)
        if is_all:
            suffix += self._notebook.below(self, SUFFIX_CHARS - len(suffix))
        return CursorContext(uri=self.uri, language=self.language, prefix=prefix, suffix=suffix)

    def end(self, max_chars: int) -> tuple[str, bool]:
        """The text's end, at most ``max_chars``, and whether that is all of it."""
        last = self.line_count - 1
        return self.before(last, len(self.line(last)), max_chars)


class Notebook:
    """The order of the cells of one open notebook; their texts are among the documents."""

    def __init__(self, uri: str, documents: Documents) -> None:
        self.uri = uri
        self._documents = documents
        self._uris: list[str] = []
        self._rows: dict[str, tuple[list[Cell], int]] | None = None
        """By URI: all cells of the same language in order, and which of them it is."""

    def open(self, uri: str, language: str, version: int | None, text: str) -> None:
        """Take a cell's text in; ``splice`` says where it stands."""
        self._documents.add(Cell(self, uri, language, version, text))
        self._rows = None

    def splice(self, start: int, delete_count: int, uris: Sequence[str]) -> None:
        """Put other cells in the place of some."""
        self._uris[start : start + delete_count] = uris
        self._rows = None

    def above(self, cell: Cell, max_chars: int) -> str:
        """The end of what stands above a cell in its language."""
        texts: list[str] = []
        for other in self._next(cell, -1):
            max_chars -= len(GAP)
            text, is_all = other.end(max_chars)
            max_chars -= len(text)
            texts.append(text.strip("\n"))
            if not is_all:
                break
        return "".join(text + GAP for text in reversed(texts) if text)

    def below(self, cell: Cell, max_chars: int) -> str:
        """The start of what stands below a cell in its language."""
        texts: list[str] = []
        for other in self._next(cell, 1):
            max_chars -= len(GAP)
            text, is_all = other.after(0, 0, max_chars)
            max_chars -= len(text)
            texts.append(text.strip("\n"))
            if not is_all:
                break
        return "".join(GAP + text for text in texts if text)

    def _next(self, cell: Cell, step: int) -> Iterator[Cell]:
        """The next cells of the same language, the nearest first."""
        if self._rows is None:
            self._rows = self._numbered()
        row, number = self._rows.get(cell.uri, ([], 0))
        for at in count(number + step, step):
            if not 0 <= at < len(row):
                return
            yield row[at]

    def _numbered(self) -> dict[str, tuple[list[Cell], int]]:
        rows: dict[str, list[Cell]] = {}
        numbered: dict[str, tuple[list[Cell], int]] = {}
        for uri in self._uris:
            cell = self._documents.get(uri)
            if isinstance(cell, Cell):
                row = rows.setdefault(cell.language, [])
                numbered[uri] = row, len(row)
                row.append(cell)
        return numbered
