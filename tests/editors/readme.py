"""What the editors' READMEs tell people to paste: the tests set the editors up with just that."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def snippet(editor: str, language: str, number: int = 0) -> str:
    """The first block in a language of an editor's README, or a later one."""
    readme = (REPOSITORY / "editors" / editor / "README.md").read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert len(found) > number, f"editors/{editor}/README.md has no such {language} block"
    return found[number]


def first_lines(editor: str) -> tuple[str, ...]:
    """What an editor's README has people type to see ghost text for the first time."""
    return tuple(snippet(editor, "text").rstrip("\n").split("\n"))


def symptoms(editor: str) -> list[list[str]]:
    """What an editor's README says that a person sees where it fails: each row's quotations."""
    readme = (REPOSITORY / "editors" / editor / "README.md").read_text("utf-8")
    table = readme.partition("| what you see |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0] for line in table.split("\n")[2:]]
    return [re.findall(r"`([^`]+)`", row) for row in rows]


def clone_in(home: Path) -> None:
    """Put the clone where the READMEs say that it is."""
    (home / "src").mkdir()
    (home / "src/fim-lsp").symlink_to(REPOSITORY)
