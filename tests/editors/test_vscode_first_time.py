"""VS Code for the first time: an empty home, no key, and a folder that may be a stranger's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.editors.readme import type_first_lines
from tests.editors.terminal import reads, until
from tests.editors.vscode import running_vscode

pytestmark = [pytest.mark.editor("chromium", "code-server"), pytest.mark.timeout(120)]

PROGRAM = Path(sys.executable).with_name("fim-lsp")


def test_a_trusted_folder_gets_ghost_text_as_the_readme_says() -> None:
    machine = {"fim.command": [str(PROGRAM)]}
    with running_vscode(
        "vscode", settings={}, machine=machine, environment={}, trusting=False
    ) as editor:
        restricted = editor.page.locator('[id="status.workspaceTrust"]')
        restricted.wait_for()
        editor.page.wait_for_timeout(1_000)
        assert editor.status() == ""
        restricted.click()
        editor.page.get_by_text("Trust", exact=True).click()
        reads(editor.status, "idle", within_s=60)

        editor.open("a.py", "║")
        typed = type_first_lines("vscode", editor, behind=" ")
        assert until(lambda: editor.ghost().startswith("* count"), bool)
        goes_on = editor.ghost() != "* count"  # once it has learned enough to be sure of more
        editor.screenshot("first-ghost-text")
        editor.keys("Tab")
        editor.shows_saved("a.py", f"{typed} * count" + "\nprint(total)" * goes_on)
        assert editor.toasts() == []
