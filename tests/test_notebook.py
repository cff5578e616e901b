"""Notebooks: what the model reads of the other cells, and how the server keeps them in step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS
from fim_lsp.document import Change, Documents, Position
from fim_lsp.notebook import Cell, Notebook
from tests.cursor import CURSOR
from tests.editor import Editor, editing
from tests.endpoint import Endpoint, Reply

NOTEBOOK = "file:///w/a.ipynb"
Cells = tuple[str, ...]


def cell_uri(number: int | str) -> str:
    return f"vscode-notebook-cell:/w/a.ipynb#{number}"


def language_of(text: str) -> str:
    return "markdown" if text.startswith("# ") else "python"


def notebook_of(cells: Cells) -> tuple[Documents, Notebook]:
    documents = Documents()
    notebook = Notebook(NOTEBOOK, documents)
    for number, text in enumerate(cells):
        plain = text.replace(CURSOR, "")
        notebook.open(cell_uri(number), language_of(text), 1, plain)
    notebook.splice(0, 0, [cell_uri(number) for number in range(len(cells))])
    return documents, notebook


def read(cells: Cells) -> tuple[str, str]:
    """The prefix and the suffix at the one mark among these cells."""
    documents, _ = notebook_of(cells)
    number = next(number for number, text in enumerate(cells) if CURSOR in text)
    before = cells[number].partition(CURSOR)[0]
    cell = documents.get(cell_uri(number))
    assert cell
    context = cell.context(before.count("\n"), len(before.rpartition("\n")[2]))
    return context.prefix, context.suffix


READ: dict[str, tuple[Cells, str, str]] = {
    "cells above and below": (
        ("import os", "x = ║1", "print(x)"),
        "import os\n\nx = ",
        "1\n\nprint(x)",
    ),
    "one blank line between cells, whatever their ends": (
        ("import os\n\n\n", "║\n", "\nprint(x)\n"),
        "import os\n\n",
        "\n\n\nprint(x)",
    ),
    "cells of another language are left out": (
        ("import os", "# Title", "x║", "# More", "y"),
        "import os\n\nx",
        "\n\ny",
    ),
    "prose reads prose": (
        ("# Title", "import os", "# More ║", "x = 1", "# End"),
        "# Title\n\n# More ",
        "\n\n# End",
    ),
    "cells with nothing in them are left out": (
        ("a", "", "\n", "b║", "", "c"),
        "a\n\nb",
        "\n\nc",
    ),
    "line ends become those of the model": (("a\r\nb", "c║\r\nd"), "a\nb\n\nc", "\nd"),
    "a cell alone": (("x = ║",), "x = ", ""),
}


@pytest.mark.parametrize(("cells", "prefix", "suffix"), READ.values(), ids=READ.keys())
def test_what_is_read_of_the_other_cells(cells: Cells, prefix: str, suffix: str) -> None:
    assert read(cells) == (prefix, suffix)


def test_a_cell_that_fills_the_window_hides_the_cells_beyond_it() -> None:
    """Were those added all the same, a hole in the code would go unseen."""
    long = "\n".join(f"x{number} = {number}" for number in range(4_000))
    prefix, suffix = read(("import os", f"{long}║\n{long}", "print(x)"))
    assert "import os" not in prefix
    assert "print(x)" not in suffix
    prefix, suffix = read(("import os", long, "║", long, "print(x)"))
    assert prefix.endswith("x3999 = 3999\n\n")
    assert "import os" not in prefix
    assert suffix.startswith("\n\nx0 = 0\n")
    assert "print(x)" not in suffix


@given(st.lists(st.text("ab\n", max_size=9_000), max_size=5), st.text("ab\n", max_size=9_000))
def test_the_windows_stay_within_their_bounds(cells: list[str], own: str) -> None:
    prefix, suffix = read((*cells, f"{own}{CURSOR}{own}", *cells))
    assert len(prefix) <= PREFIX_CHARS
    assert len(suffix) <= SUFFIX_CHARS
    assert prefix.endswith(own[-100:])
    assert suffix.startswith(own[:100])


def test_cells_beyond_the_window_are_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: set[str] = set()
    read_end, read_start = Cell.end, Cell.after

    def end(self: Cell, max_chars: int) -> tuple[str, bool]:
        looked_at.add(self.uri)
        return read_end(self, max_chars)

    def after(self: Cell, line: int, column: int, max_chars: int) -> tuple[str, bool]:
        looked_at.add(self.uri)
        return read_start(self, line, column, max_chars)

    documents, _ = notebook_of(tuple("x = 1\n" * 500 for _ in range(1_000)))
    monkeypatch.setattr(Cell, "end", end)
    monkeypatch.setattr(Cell, "after", after)
    cell = documents.get(cell_uri(500))
    assert cell
    cell.context(0, 0)
    assert looked_at == {cell_uri(number) for number in range(494, 503)}


def texts_at(documents: Documents, uri: str) -> tuple[str, str]:
    cell = documents.get(uri)
    assert cell
    context = cell.context(0, 0)
    return context.prefix, context.suffix


def test_cells_move_and_change_their_language() -> None:
    documents, notebook = notebook_of(("a", "b", "c"))
    notebook.splice(0, 3, [cell_uri(2), cell_uri(0), cell_uri(1)])
    assert texts_at(documents, cell_uri(0)) == ("c\n\n", "a\n\nb")
    notebook.open(cell_uri(2), "r", 2, "c")
    assert texts_at(documents, cell_uri(0)) == ("", "a\n\nb")


def test_an_edit_of_one_cell_is_seen_from_another() -> None:
    documents, _ = notebook_of(("a", "b"))
    change = Change(text="long ", start=Position(0, 0), end=Position(0, 0))
    documents.change(cell_uri(0), [change], 2, "utf-16")
    assert texts_at(documents, cell_uri(1)) == ("long a\n\n", "b")


# -- over the wire ---------------------------------------------------------------------------------

CLIENT = {
    "capabilities": {
        "general": {"positionEncodings": ["utf-16"]},
        "notebookDocument": {"synchronization": {"dynamicRegistration": True}},
    }
}


def item(number: int | str, text: str) -> dict[str, Any]:
    return {
        "uri": cell_uri(number),
        "languageId": language_of(text),
        "version": 1,
        "text": text.replace(CURSOR, ""),
    }


def cell(number: int | str, text: str) -> dict[str, Any]:
    return {"kind": 1 if text.startswith("# ") else 2, "document": cell_uri(number)}


def open_notebook(e: Editor, *cells: str, uri: str = NOTEBOOK) -> None:
    """Open a notebook, with the cursor in the cell that has the mark."""
    e.client.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": uri,
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [cell(number, text) for number, text in enumerate(cells)],
            },
            "cellTextDocuments": [item(number, text) for number, text in enumerate(cells)],
        },
    )
    number = next(number for number, text in enumerate(cells) if CURSOR in text)
    before, _, after = cells[number].partition(CURSOR)
    e.uri, e.text, e.offset = cell_uri(number), before + after, len(before)


def change_notebook(e: Editor, **cells: Any) -> None:
    e.client.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": NOTEBOOK, "version": 2}, "change": {"cells": cells}},
    )


def type_in_cell(e: Editor, text: str) -> None:
    place = e.at(e.offset)
    edit = {"range": {"start": place, "end": place}, "text": text}
    change_notebook(e, textContent=[{"document": {"uri": e.uri, "version": 2}, "changes": [edit]}])
    e.text = e.text[: e.offset] + text + e.text[e.offset :]
    e.offset += len(text)


async def test_a_client_that_knows_notebooks_is_asked_for_all_of_them(tmp_path: Path) -> None:
    async with Endpoint() as endpoint:
        async with editing(tmp_path, endpoint.settings(), initialize=CLIENT) as e:
            assert e.capabilities["notebookDocumentSync"] == {
                "notebookSelector": [{"notebook": "*"}]
            }
        async with editing(tmp_path, endpoint.settings()) as e:
            assert "notebookDocumentSync" not in e.capabilities


async def test_the_model_reads_the_cells_around_and_the_ghost_text_stays_in_its_own(
    tmp_path: Path,
) -> None:
    async with (
        Endpoint(Reply(text="os.getcwd()")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=CLIENT) as e,
    ):
        open_notebook(e, "import os", "x = 1\nhere║", "print(here)")
        type_in_cell(e, " = ")
        [found] = await e.ask()
        body = endpoint.calls[-1].body
        assert body["prompt"] == "import os\n\nx = 1\nhere = "
        assert body["suffix"] == "\n\nprint(here)"
        assert found["insertText"] == "os.getcwd()"
        assert found["range"]["start"] == found["range"]["end"] == {"line": 1, "character": 7}
        type_in_cell(e, "os.")
        assert await e.texts() == ["getcwd()"]
        assert len(endpoint.calls) == 1


async def test_cells_come_move_and_go(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=CLIENT) as e,
    ):
        open_notebook(e, "import os", "x = ║")
        new = {"start": 0, "deleteCount": 2, "cells": [cell("new", "y"), cell(1, "x")]}
        change_notebook(
            e,
            structure={
                "array": new,
                "didOpen": [item("new", "import sys")],
                "didClose": [{"uri": cell_uri(0)}],
            },
        )
        await e.ask()
        assert endpoint.calls[-1].body["prompt"] == "import sys\n\nx = "


async def test_a_closed_notebook_is_forgotten(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="1")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=CLIENT) as e,
    ):
        open_notebook(e, "import os", "x = ║")
        e.client.notify(
            "notebookDocument/didClose",
            {
                "notebookDocument": {"uri": NOTEBOOK},
                "cellTextDocuments": [{"uri": cell_uri(0)}, {"uri": cell_uri(1)}],
            },
        )
        assert await e.texts() == []
        type_in_cell(e, "1")  # too late, and no reason to fail
        assert await e.texts() == []
        assert endpoint.calls == []


async def test_what_is_no_text_may_change(tmp_path: Path) -> None:
    """A run of a cell changes its outputs and its number; saving changes nothing."""
    async with (
        Endpoint(Reply(text="1")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=CLIENT) as e,
    ):
        open_notebook(e, "import os", "x = ║")
        ran = {**cell(1, "x"), "executionSummary": {"executionOrder": 1, "success": True}}
        change_notebook(e, data=[ran])
        e.client.notify(
            "notebookDocument/didChange",
            {
                "notebookDocument": {"uri": NOTEBOOK, "version": 3},
                "change": {"metadata": {"language_info": {"name": "python"}}},
            },
        )
        e.client.notify("notebookDocument/didSave", {"notebookDocument": {"uri": NOTEBOOK}})
        assert await e.texts() == ["1"]
        assert e.messages == []


async def test_without_notebooks_in_the_client_a_cell_stands_alone(tmp_path: Path) -> None:
    async with Endpoint(Reply(text="1")) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open("import os║", uri=cell_uri(0))
        e.open("x = ║", uri=cell_uri(1))
        assert await e.texts() == ["1"]
        assert endpoint.calls[-1].body["prompt"] == "x = "


@pytest.mark.parametrize("synchronized", [True, False], ids=["as a notebook", "as documents"])
async def test_nothing_is_sent_of_an_excluded_notebook(tmp_path: Path, synchronized: bool) -> None:
    async with Endpoint(Reply(text="1")) as endpoint:
        settings = {**endpoint.settings(), "context": {"exclude": ["secret/*"]}}
        async with editing(tmp_path, settings, initialize=CLIENT if synchronized else None) as e:
            uri = "vscode-notebook-cell://some-host/w/secret/a.ipynb#1"
            if synchronized:
                open_notebook(e, "x = ║", uri="file:///w/secret/a.ipynb")
            else:
                e.open("x = ║", uri=uri)
            assert await e.texts(kind=1) == []
            assert endpoint.calls == []
