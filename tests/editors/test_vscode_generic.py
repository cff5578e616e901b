"""The server in VS Code without our extension: published clients of any server do no more."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import CONFIG, writer
from tests.editors.terminal import shows, until
from tests.editors.vscode import VSCode, running_vscode
from tests.endpoint import Endpoint, Reply, running_endpoint

pytestmark = [pytest.mark.editor("chromium", "code-server"), pytest.mark.timeout(120)]

PROGRAM = Path(sys.executable).with_name("fim-lsp")
MENU = {"fim": {"trigger": {"completionMenu": "always"}}}


@contextmanager
def generic_client(
    folder: Path, version: str, options: dict[str, Any]
) -> Generator[tuple[VSCode, Endpoint]]:
    """A window whose only extension is a client on this version of vscode-languageclient."""
    config = folder / "fim.toml"
    settings = {"generic.languageclient": version, "generic.initializationOptions": options}
    with running_endpoint(Reply(text="")) as endpoint:
        config.write_text(CONFIG.format(base_url=json.dumps(endpoint.base_url)), "utf-8")
        environment = {"FIM_LSP_CONFIG": str(config), "FIM_TEST_KEY": "test-key"}
        machine = {"generic.command": [str(PROGRAM)]}
        with running_vscode(
            "generic_client", settings=settings, machine=machine, environment=environment
        ) as editor:
            assert until(lambda: len(endpoint.warm_ups), bool, within_s=60)
            editor.page.wait_for_timeout(2_000)  # the client registers what the server can do
            yield editor, endpoint
        assert endpoint.violations == []


def test_ghost_text_on_vscode_languageclient_11(tmp_path: Path) -> None:
    with generic_client(tmp_path, "11", {}) as (editor, endpoint):
        endpoint.reply = writer("x = compute(a, b)")
        editor.open("a.py", "x ║\n")
        editor.type_until_asked("= ")
        editor.shows_ghost("compute(a, b)")
        editor.screenshot("generic-client-11")
        editor.keys("Control+ArrowRight")
        editor.shows_ghost("(a, b)")
        editor.keys("Tab")
        editor.shows_saved("a.py", "x = compute(a, b)\n")

        endpoint.reply = Reply(status=500, body="Internal Server Error")
        editor.open("b.py", "y ║\n")
        editor.type("= ")
        assert until(lambda: endpoint.calls[-1].ended, bool)
        editor.type("2")
        editor.shows_saved("b.py", "y = 2\n")
        assert editor.ghost() == ""


def test_the_completion_menu_on_vscode_languageclient_9(tmp_path: Path) -> None:
    """It knows inline completion as a proposal only, so that the menu is all it can show."""
    with generic_client(tmp_path, "9", MENU) as (editor, endpoint):
        endpoint.reply = writer("x = compute(\n    a, b)")
        editor.open("a.py", "x ║\n")
        editor.type("= ")
        editor.keys("Control+Space")
        chosen = editor.page.locator(".suggest-widget.visible .monaco-list-row.focused")
        shows(chosen.inner_text, "compute( …\nfim-lsp")
        editor.screenshot("generic-client-9")
        editor.keys("Tab")
        editor.shows_saved("a.py", "x = compute(\n    a, b)\n")
        assert editor.toasts() == []
