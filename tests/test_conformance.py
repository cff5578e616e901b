"""What the editors' page says is tested, is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
EDITORS = ("neovim", "vscode", "helix", "emacs", "vim", "coc", "ale")
BEHAVIOURS = (
    "show",
    "accept",
    "type through",
    "partial accept",
    "stale",
    "error",
    "undo",
    "CRLF",
    "mid-line",
    "multi-line",
)


def rows() -> dict[str, list[str]]:
    """Each behaviour's cells, an editor each."""
    page = (REPOSITORY / "editors/README.md").read_text("utf-8")
    table = page.partition("## What each does")[2]
    lines = [line.strip("|\n ").split(" | ") for line in table.split("\n") if line[:1] == "|"]
    return {name: cells for name, *cells in lines[2:]}


def test_every_behaviour_is_there_for_every_editor() -> None:
    assert tuple(rows()) == BEHAVIOURS
    assert {len(cells) for cells in rows().values()} == {len(EDITORS)}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_cell_names_a_test_or_says_why_not(behaviour: str) -> None:
    for editor, cell in zip(EDITORS, rows()[behaviour], strict=True):
        if cell.startswith("not possible in this client: "):
            continue
        source = (REPOSITORY / f"tests/editors/test_{editor}.py").read_text("utf-8")
        name = re.fullmatch(r"`(\w+)`", cell)
        assert name, cell
        assert f"def test_{name[1]}(" in source
