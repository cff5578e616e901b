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


def clone_in(home: Path) -> None:
    """Put the clone where the READMEs say that it is."""
    (home / "src").mkdir()
    (home / "src/fim-lsp").symlink_to(REPOSITORY)
