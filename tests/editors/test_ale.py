"""Suggestions in the real ALE's completion menu in the real Vim: on screen and in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cursor import CURSOR
from tests.editors.conftest import writer
from tests.editors.readme import block
from tests.editors.terminal import reads, shows, until
from tests.editors.vim import Vim
from tests.endpoint import Endpoint, Reply

pytestmark = [pytest.mark.program("vim", "vim-ale"), pytest.mark.editor("tmux")]

OpenVim = Callable[[str], Vim]


@pytest.fixture
def vim(home: Path, fim_environment: dict[str, str], endpoint: Endpoint) -> Iterator[OpenVim]:
    """Open Vim with ALE on a document, in insert mode at its ``║``, with the server ready."""
    vimrc = "filetype plugin on\npackadd! ale\n" + block("Vim with ALE", "vim")
    with ExitStack() as opened:

        def start(document: str) -> Vim:
            before, _, after = document.partition(CURSOR)
            text = (before + after).encode()
            editor = Vim(home, vimrc=vimrc, text=text, environment=fim_environment)
            opened.callback(editor.close)
            assert until(lambda: len(endpoint.warm_ups), bool), "the server did not start"
            editor.insert_at(before)
            return editor

        yield start


# document, what is typed, what the model makes of it, the entry in the menu, the file afterwards
PLACES = {
    "in the middle of a line": ("f(║) + 1\n", "ab", "f(able, c", "able, c", "f(able, c) + 1\n"),
    "after wide characters": (
        "s = 'é🎉漢' + ║\n",
        "na",
        "s = 'é🎉漢' + name",
        "name",
        "s = 'é🎉漢' + name\n",
    ),
    "the first of several lines, with dos line ends": (
        "def f():\r\n    ║\r\nx = 1\r\n",
        "if",
        "def f():\n    if a:\n        b()",
        "if a:",
        "def f():\r\n    if a:\r\nx = 1\r\n",
    ),
    "up to a bracket": ("x = ║\n", "com", "x = compute(a, b)", "compute", "x = compute\n"),
}


@pytest.mark.parametrize(
    ("document", "typed", "wanted", "entry", "saved"), PLACES.values(), ids=PLACES.keys()
)
def test_the_menu_offers_it_and_a_key_takes_it(
    document: str,
    typed: str,
    wanted: str,
    entry: str,
    saved: str,
    vim: OpenVim,
    endpoint: Endpoint,
) -> None:
    endpoint.reply = writer(wanted)
    editor = vim(document)
    editor.type(typed)
    reads(editor.terminal.screen, f" {entry} v fim-lsp")
    editor.keys("C-n", "C-y")
    editor.shows_saved(saved)


def test_typing_on_through_it_keeps_it_and_undo_takes_it_back(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("x = common + b")
    editor = vim("x = ║\n")
    editor.type("com")
    reads(editor.terminal.screen, " common + b v fim-lsp")
    editor.type("mo")
    reads(editor.terminal.screen, "x = commo\n")
    reads(editor.terminal.screen, " common + b v fim-lsp")
    editor.keys("C-n", "C-y")
    editor.shows_saved("x = common + b\n")
    assert len(endpoint.calls) == 1
    editor.type("u")
    editor.shows_saved("x = \n")


def test_an_answer_that_comes_too_late_is_not_offered(vim: OpenVim, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="mon + b", ttft_s=1.0)]
    editor = vim("x = ║\n")
    editor.type("com")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("ma = ")
    assert until(lambda: endpoint.calls[0].ended, bool)
    editor.type("1")
    assert "fim-lsp" not in editor.terminal.screen()
    editor.shows_saved("x = comma = 1\n")


def test_a_failing_endpoint_offers_nothing_and_loses_nothing(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(status=401, body={"message": "Unauthorized"})
    editor = vim("x = ║\n")
    editor.type("com")
    assert until(lambda: [call for call in endpoint.calls if call.ended], bool)
    editor.type("ma = 1")
    shows(lambda: editor.terminal.screen().split("\n")[0], "x = comma = 1")
    assert "fim-lsp" not in editor.terminal.screen()
    editor.shows_saved("x = comma = 1\n")
