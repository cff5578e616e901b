"""What the editors' READMEs tell people to paste: the tests set the editors up with just that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).parents[2]


def snippet(editor: str, language: str, number: int = 0) -> str:
    """The first block in a language of an editor's README, or a later one."""
    readme = (REPOSITORY / "editors" / editor / "README.md").read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert len(found) > number, f"editors/{editor}/README.md has no such {language} block"
    return found[number]


def block(section: str, language: str, number: int = 0) -> str:
    """The first block in a language below a heading of the editors' page, or a later one."""
    page = (REPOSITORY / "editors/README.md").read_text("utf-8")
    below = page.partition(f"### {section}\n")[2].partition("\n### ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", below, re.DOTALL | re.MULTILINE)
    assert len(found) > number, section
    return found[number]


class Typist(Protocol):
    """Whatever keys can be pressed in."""

    def keys(self, *names: str) -> None:
        """Press named keys."""

    def type(self, text: str) -> None:
        """Type characters."""


def type_first_lines(name: str, editor: Typist, *, behind: str = "") -> str:
    """Type what an editor's README has people type, and ``behind`` it; all of the text then."""
    *lines, last = snippet(name, "text").rstrip("\n").split("\n")
    for line in lines:
        editor.type(line)
        editor.keys("Enter")
    editor.type(last + behind)
    return "\n".join([*lines, last])


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
