"""The editor's notebooks, kept in step: what changes in them becomes what changes in documents.

A client that does not know notebooks opens their cells as documents, and each stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from fim_lsp.notebook import Notebook

if TYPE_CHECKING:
    from fim_lsp.server.language_server import FimServer

ALL_NOTEBOOKS = lsp.NotebookDocumentSyncOptions(
    notebook_selector=[lsp.NotebookDocumentFilterWithNotebook(notebook="*")]
)
"""What to ask a client for: all cells of all notebooks, but no word when they are saved."""


class Notebooks:
    """The notebooks that the client has open, by URI."""

    def __init__(self, server: FimServer) -> None:
        self._server = server
        self._open: dict[str, Notebook] = {}

    def opened(self, params: lsp.DidOpenNotebookDocumentParams) -> None:
        """Take a notebook in; one that is open already starts anew."""
        sent = params.notebook_document
        notebook = self._open[sent.uri] = Notebook(sent.uri, self._server.documents)
        self._open_cells(notebook, params.cell_text_documents)
        notebook.splice(0, 0, [cell.document for cell in sent.cells])

    def changed(self, params: lsp.DidChangeNotebookDocumentParams) -> None:
        """Put cells in the place of others, then edit texts; what else changes is not text."""
        notebook = self._open.get(params.notebook_document.uri)
        cells = params.change.cells
        if notebook is None or cells is None:
            return
        if cells.structure:
            self._restructure(notebook, cells.structure)
        for edited in cells.text_content or ():
            self._server.changed(lsp.DidChangeTextDocumentParams(edited.document, edited.changes))

    def closed(self, params: lsp.DidCloseNotebookDocumentParams) -> None:
        """Forget a notebook and its cells."""
        self._open.pop(params.notebook_document.uri, None)
        for cell in params.cell_text_documents:
            self._server.closed(cell.uri)

    def _restructure(
        self, notebook: Notebook, change: lsp.NotebookDocumentCellChangeStructure
    ) -> None:
        self._open_cells(notebook, change.did_open or ())
        array = change.array
        added = [cell.document for cell in array.cells or ()]
        notebook.splice(array.start, array.delete_count, added)
        for cell in change.did_close or ():
            self._server.closed(cell.uri)

    def _open_cells(self, notebook: Notebook, items: Iterable[lsp.TextDocumentItem]) -> None:
        for item in items:
            notebook.open(item.uri, item.language_id, item.version, item.text)
            self._server.teaching.soon(item.uri)
