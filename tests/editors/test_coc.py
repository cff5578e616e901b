"""Suggestions in the menu of the last coc.nvim that npm has, in Neovim.

What newer ones do with ghost text: ``tests/test_coc.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cursor import CURSOR
from tests.editors.conftest import writer
from tests.editors.neovim import Neovim
from tests.editors.readme import snippet
from tests.editors.terminal import program, reads, until
from tests.endpoint import Endpoint, Reply

pytestmark = pytest.mark.editor("nvim", "tmux", "coc")

OpenCoc = Callable[[str], Neovim]


@pytest.fixture
def coc(home: Path, fim_environment: dict[str, str], endpoint: Endpoint) -> Iterator[OpenCoc]:
    """Open Neovim with coc on a document, in insert mode at its ``║``, with the server ready."""
    settings = home / ".vim/coc-settings.json"
    settings.parent.mkdir()
    settings.write_text(snippet("coc", "json", 1), "utf-8")
    environment = {
        **fim_environment,
        "COC_NODE": program("node") or "node",
        "COC_SERVER": program("coc") or "",
    }
    source = Path(__file__).parent / "coc/init.vim"
    with ExitStack() as opened:

        def start(document: str) -> Neovim:
            before, _, after = document.partition(CURSOR)
            editor = Neovim(
                home,
                file="a.py",
                text=(before + after).encode(),
                init=f"vim.cmd.source('{source}')\n",
                attaches=False,
                environment=environment,
            )
            opened.callback(editor.close)
            assert until(lambda: len(endpoint.warm_ups), bool), editor.terminal.screen()
            editor.insert_at(before)
            return editor

        yield start


# document, what is typed, what the model makes of it, the entry in the menu, the buffer afterwards
PLACES = {
    "in the middle of a line": ("f(║) + 1\n", "ab", "f(able, c", "able, c", "f(able, c║) + 1"),
    "after characters beyond the first plane": (
        "s = 'é🎉漢' + ║\n",
        "na",
        "s = 'é🎉漢' + name(a)",
        "name(a)",
        "s = 'é🎉漢' + name(a)║",
    ),
    "several lines": (
        "def f():\n    ║\nx = 1\n",
        "if",
        "def f():\n    if a:\n        b()",
        "if a: …",
        "def f():\n    if a:\n        b()║\nx = 1",
    ),
}


@pytest.mark.parametrize(
    ("document", "typed", "wanted", "entry", "text"), PLACES.values(), ids=PLACES.keys()
)
def test_the_menu_offers_it_and_a_key_takes_it(
    document: str,
    typed: str,
    wanted: str,
    entry: str,
    text: str,
    coc: OpenCoc,
    endpoint: Endpoint,
) -> None:
    endpoint.reply = writer(wanted)
    editor = coc(document)
    editor.type(typed)
    reads(editor.terminal.screen, f" {entry} v fim-lsp [LS]")
    editor.keys("C-n", "C-y")
    editor.shows_text(text)
    assert editor.probe().messages == ""


def test_typing_on_through_it_keeps_it_in_the_menu(coc: OpenCoc, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = coc("x = ║\n")
    editor.type("com")
    reads(editor.terminal.screen, " compute(a, b) v fim-lsp [LS]")
    editor.type("pu")
    editor.shows_text("x = compu║")
    reads(editor.terminal.screen, " compute(a, b) v fim-lsp [LS]")
    editor.keys("C-n", "C-y")
    editor.shows_text("x = compute(a, b)║")
    assert len(endpoint.calls) == 1
    editor.keys("Escape")
    editor.type("u")
    assert "compute(" not in until(editor.probe, lambda seen: "(" not in seen.text).text


def test_dos_line_ends_stay_dos_line_ends(coc: OpenCoc, endpoint: Endpoint) -> None:
    endpoint.reply = writer("def f():\n    if a:\n        b()")
    editor = coc("def f():\r\n    ║\r\nx = 1\r\n")
    editor.type("if")
    reads(editor.terminal.screen, " if a: … v fim-lsp [LS]")
    editor.keys("C-n", "C-y")
    editor.shows_text("def f():\n    if a:\n        b()║\nx = 1")
    editor.keys("Escape")
    editor.type(":w\n")
    saved = b"def f():\r\n    if a:\r\n        b()\r\nx = 1\r\n"
    assert until(editor.path.read_bytes, lambda found: found == saved) == saved


def test_an_answer_that_contradicts_what_was_typed_meanwhile_is_not_offered(
    coc: OpenCoc, endpoint: Endpoint
) -> None:
    endpoint.script = [Reply(text="pute(a, b)", ttft_s=1.0)]
    editor = coc("x = ║\n")
    editor.type("com")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("ma = ")
    assert until(lambda: endpoint.calls[0].ended, bool)
    editor.type("1")
    editor.shows_text("x = comma = 1║")
    assert "fim-lsp" not in editor.terminal.screen()


def test_a_failing_endpoint_offers_nothing_and_loses_nothing(
    coc: OpenCoc, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(status=500, body="Internal Server Error")
    editor = coc("x = ║\n")
    editor.type("com")
    assert until(lambda: [call for call in endpoint.calls if call.ended], bool)
    editor.type("ma = 1")
    editor.shows_text("x = comma = 1║")
    assert "fim-lsp" not in editor.terminal.screen()
    said = editor.probe().messages  # once, in one line
    assert said.startswith("[coc.nvim] fim-lsp: 127.0.0.1 has trouble at the moment")
    assert "\n" not in said
