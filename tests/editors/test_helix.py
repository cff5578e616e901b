"""Suggestions in the real Helix's completion menu: what a person sees, and what is saved."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.editors.conftest import OpenHelix, writer
from tests.editors.helix import configure
from tests.editors.readme import symptoms, type_first_lines
from tests.editors.terminal import program, reads, until
from tests.endpoint import Endpoint, Reply

pytestmark = pytest.mark.editor("hx", "tmux")

# document, what is typed, what the model makes of it, the entry's label, the file after the accept
PLACES = {
    "at the end of a line": (
        "x = ║\n",
        "com",
        "x = compute(a, b)",
        "compute(a, b)",
        "x = compute(a, b)\n",
    ),
    "in the middle of a line": (
        "foo(║) + 1\n",
        "ab",
        "foo(able, c",
        "able, c",
        "foo(able, c) + 1\n",
    ),
    "an indented line below a block's head": (
        "def f():\n    if a:\n        ║\n",
        "retu",
        "def f():\n    if a:\n        return b\n    return c",
        "return b",  # within a line no more than the line
        "def f():\n    if a:\n        return b\n",
    ),
    "after wide characters": (
        "s = 'é🎉漢' + ║\n",
        "na",
        "s = 'é🎉漢' + name",
        "name",
        "s = 'é🎉漢' + name\n",
    ),
    "several lines": (
        "def f():\n    ║\nx = 1\n",
        "if",
        "def f():\n    if a:\n        b()",
        "if a: …",
        "def f():\n    if a:\n        b()\nx = 1\n",
    ),
    "with dos line ends": (
        "def f():\r\n    ║\r\nx = 1\r\n",
        "if",
        "def f():\n    if a:\n        b()",
        "if a: …",
        "def f():\r\n    if a:\r\n        b()\r\nx = 1\r\n",
    ),
}


@pytest.mark.parametrize(
    ("document", "typed", "wanted", "label", "saved"), PLACES.values(), ids=PLACES.keys()
)
def test_the_menu_offers_it_and_enter_keeps_it(
    document: str,
    typed: str,
    wanted: str,
    label: str,
    saved: str,
    helix: OpenHelix,
    endpoint: Endpoint,
) -> None:
    endpoint.reply = writer(wanted)
    editor = helix(document)
    editor.type(typed)
    editor.offers(label)
    editor.accept()
    editor.shows_saved(saved)


@pytest.mark.embedded
def test_the_readmes_first_suggestion_needs_no_key(helix: OpenHelix) -> None:
    editor = helix("║\n")
    typed = type_first_lines("helix", editor)
    editor.offers("price * count")
    editor.accept()
    editor.shows_saved(f"{typed} * count\n")


def test_health_names_a_missing_program_and_the_other_servers(home: Path) -> None:
    configure(home)
    (_, said), (_, others) = symptoms("helix")[0], symptoms("helix")[2][:2]
    health = subprocess.run(
        [program("hx") or "hx", "--health", "python"],
        env={"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert said in health.stdout
    assert others in health.stdout
    assert "pylsp" in health.stdout  # which the README repeats


def test_it_can_be_asked_for_on_an_empty_line(helix: OpenHelix, endpoint: Endpoint) -> None:
    endpoint.reply = writer("def f():\n    if a:\n        b()\n    return 1")
    editor = helix("def f():\n    ║\n")
    editor.keys("C-x")
    editor.offers("if a: …")
    editor.accept()
    editor.shows_saved("def f():\n    if a:\n        b()\n    return 1\n")


def test_a_code_action_completes_where_the_cursor_is(helix: OpenHelix, endpoint: Endpoint) -> None:
    endpoint.reply = writer("def f():\n    if a:\n        b()\n    return 1")
    editor = helix("def f():\r\n    ║\r\nx = 1\r\n")
    editor.normal()
    editor.type(" a")
    editor.chooses("Complete here (fim-lsp)")
    editor.shows_saved("def f():\r\n    if a:\r\n        b()\r\n    return 1\r\nx = 1\r\n")
    editor.keys("u")
    editor.shows_saved("def f():\r\n    \r\nx = 1\r\n")


def test_a_code_action_says_why_nothing_comes(helix: OpenHelix, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(status=401, body={"message": "Unauthorized"})
    editor = helix("x = ║\n")
    editor.normal()
    editor.type(" a")
    editor.chooses("Complete here (fim-lsp)")
    reads(editor.terminal.screen, "does not accept the key")


def test_undo_takes_it_back(helix: OpenHelix, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = helix("x = ║\n")
    editor.type("com")
    editor.offers("compute(a, b)")
    editor.keys("Tab")
    # beside the entry the detail, and below that the documentation: the text as code
    reads(lambda: editor.terminal.screen().partition("fim-lsp")[2], "compute(a, b)")
    editor.keys("Enter")
    editor.shows_saved("x = compute(a, b)\n")
    editor.keys("u")
    editor.shows_saved("x = com\n")


def test_an_answer_that_fits_what_was_typed_meanwhile_is_offered(
    helix: OpenHelix, endpoint: Endpoint
) -> None:
    """Helix undoes what was typed since it asked, so the entry has to contain it."""
    endpoint.reply = Reply(text="pute(a, b)", ttft_s=1.0)
    editor = helix("x = ║\n")
    editor.type("com")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("put")
    editor.offers("compute(a, b)")
    editor.accept()
    editor.shows_saved("x = compute(a, b)\n")


def test_an_answer_that_contradicts_what_was_typed_meanwhile_is_not_offered(
    helix: OpenHelix, endpoint: Endpoint
) -> None:
    endpoint.script = [Reply(text="pute(a, b)", ttft_s=1.0)]
    editor = helix("x = ║\n")
    editor.type("com")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("ma = ")
    assert until(lambda: endpoint.calls[0].ended, bool)
    editor.type("1")
    editor.offers_nothing()
    editor.shows_saved("x = comma = 1\n")


# the key behind `space F`, and what stands in the last line then
COMMANDS = {
    "i": "fim-lsp is idle; mistral codestral-2501",
    "l": "fim-lsp is off for python",
    "t": "fim-lsp is off.",
    "s": "fim-lsp is snoozing until",
    "f": "fim-lsp has forgotten",
}


def test_it_tells_why_and_what_it_is_doing(helix: OpenHelix, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "codestral-next"}]}
    editor = helix("x = ║\n")
    editor.normal()
    for key, said in COMMANDS.items():
        editor.type(f" F{key}")
        reads(editor.terminal.screen, said)
    editor.command('lsp-workspace-command fim.snooze {"minutes": 0}')
    reads(editor.terminal.screen, "fim-lsp is on.")
    editor.type(" Fl")
    reads(editor.terminal.screen, "fim-lsp is on for python")
    editor.type(" Fm")
    reads(editor.terminal.screen, "fim-lsp: which model? Now it is codestral-2501")
    editor.keys("Down", "Enter")
    editor.type("A")
    editor.type("com")
    editor.offers("compute(a, b)")
    assert endpoint.calls[-1].body["model"] == "codestral-next"
    editor.normal()
    editor.type(" Fw")
    reads(editor.terminal.screen, "Ghost text in a.py (python), as of")
    reads(editor.terminal.screen, "model asked")
    editor.command("bc")
    reads(editor.terminal.screen, "x = com")


FAILURES = {
    "a wrong key": Reply(status=401, body={"message": "Unauthorized"}),
    "a broken endpoint": Reply(status=500, body="Internal Server Error"),
    "a reset connection": Reply(fault="reset"),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_endpoint_offers_nothing_and_loses_nothing(
    reply: Reply, helix: OpenHelix, endpoint: Endpoint
) -> None:
    endpoint.reply = reply
    editor = helix("x = ║\n")
    editor.type("com")
    assert until(lambda: [call for call in endpoint.calls if call.ended], bool)
    editor.type("ma = 1")
    editor.offers_nothing()
    editor.shows_saved("x = comma = 1\n")


def test_a_wrong_key_is_told_in_the_last_line(helix: OpenHelix, endpoint: Endpoint) -> None:
    said, prefix = symptoms("helix")[1]
    endpoint.reply = Reply(status=401, body={"message": "Unauthorized"})
    editor = helix("x = ║\n")
    editor.type("com")
    reads(editor.terminal.screen, said)
    assert prefix in editor.terminal.screen()
