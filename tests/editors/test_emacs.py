"""Ghost text in the real Emacs with lsp-mode, completions with eglot; on screen and in the file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editors import budget
from tests.editors.conftest import OpenEmacs, writer
from tests.editors.readme import REPOSITORY, symptoms, type_first_lines
from tests.editors.terminal import program, reads, until
from tests.endpoint import Endpoint, Reply

pytestmark = pytest.mark.editor("emacs", "tmux")

BODY = "\n    total = a + b\n    return total"


def test_ghost_text_stands_on_the_screen_tab_accepts_it_and_undo_takes_it_back(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("def add(a, b):" + BODY)
    editor = emacs("║\n")
    editor.type("def add(a, b):")
    editor.offers("def add(a, b):" + BODY)
    editor.keys("Tab")
    editor.shows_saved("def add(a, b):" + BODY + "\n")
    editor.keys("C-/")
    editor.shows_saved("def add(a, b):\n")


@pytest.mark.embedded
def test_the_readmes_first_ghost_text_needs_no_key(emacs: OpenEmacs) -> None:
    editor = emacs()
    editor.offers(type_first_lines("emacs", editor) + " * count")


def test_what_was_typed_before_the_server_was_there_is_asked_for(
    emacs: OpenEmacs, endpoint: Endpoint, late_server: Callable[[], None]
) -> None:
    endpoint.reply = Reply(text="a + b")
    editor = emacs("║\n", ready="/starting]")
    editor.type("x = ")
    late_server()
    editor.offers("x = a + b")


def test_a_mistake_in_the_settings_is_told_until_it_is_corrected(
    emacs: OpenEmacs, correct_the_spelling: Callable[[], None]
) -> None:
    editor = emacs(ready=" fim! ")
    remedy = "did you mean base_url?"
    for _ in range(10):  # typing takes it away, and it comes again with the next rest
        editor.type("x")
        if remedy in until(editor.terminal.screen, lambda screen: remedy in screen, within_s=4):
            break
    assert remedy in editor.terminal.screen()
    correct_the_spelling()
    reads(editor.terminal.screen, " fim ")


def test_a_missing_program_is_told_when_emacs_starts(emacs: OpenEmacs) -> None:
    emacs(path="/usr/bin:/bin", ready=symptoms("emacs")[0][0])


# Stands for lsp-mode 9.
OLD = """(define-advice require (:around (actual feature &rest more) old)
  (unless (eq feature 'lsp-inline-completion) (apply actual feature more)))
"""


def test_an_old_lsp_mode_is_told_when_emacs_starts(emacs: OpenEmacs) -> None:
    emacs(earlier=OLD, ready=symptoms("emacs")[1][0])


def test_a_wrong_key_is_told_in_the_mode_line_and_by_why(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(status=401, body={"message": "Unauthorized"})
    editor = emacs()
    editor.type("x = ")
    reads(editor.terminal.screen, f" {symptoms('emacs')[2][0]} ")
    editor.command("fim-lsp-why")
    reads(editor.terminal.screen, "does not accept the key")


# document, what is typed, what the model makes of it, what the screen shows, the file after <Tab>
PLACES = {
    "at the end of a line": ("x║\n", " = ", "x = a + b", "x = a + b", "x = a + b\n"),
    "in the middle of a line, with a line below": (
        "foo(║) + 1\nbar\n",
        "a",
        "foo(a, b",
        "foo(a, b) + 1\nbar",
        "foo(a, b) + 1\nbar\n",
    ),
    "several lines, with a line below": (
        "if a║\nelse:\n",
        ":",
        "if a:\n    b()\n    c()",
        "if a:\n    b()\n    c()\nelse:",
        "if a:\n    b()\n    c()\nelse:\n",
    ),
    "after characters beyond the first plane": (
        "s = 'é🎉漢' +║\n",
        " ",
        "s = 'é🎉漢' + 'ü🎉'",
        "s = 'é🎉漢' + 'ü🎉'",
        "s = 'é🎉漢' + 'ü🎉'\n",
    ),
    "with dos line ends": (
        "if a║\r\nelse:\r\n",
        ":",
        "if a:\n    b()\n    c()",
        "if a:\n    b()\n    c()\nelse:",
        "if a:\r\n    b()\r\n    c()\r\nelse:\r\n",
    ),
}


@pytest.mark.parametrize(
    ("document", "typed", "wanted", "screen", "saved"), PLACES.values(), ids=PLACES.keys()
)
def test_ghost_text_stands_where_it_belongs(
    document: str,
    typed: str,
    wanted: str,
    screen: str,
    saved: str,
    emacs: OpenEmacs,
    endpoint: Endpoint,
) -> None:
    endpoint.reply = writer(wanted)
    editor = emacs(document)
    editor.type(typed)
    editor.offers(screen)
    editor.keys("Tab")
    editor.shows_saved(saved)


def test_typing_on_through_it_keeps_it_and_costs_no_further_request(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = emacs("x =║\n")
    editor.type(" ")
    editor.offers("x = compute(a, b)")
    calls = len(endpoint.calls)
    for character in "comp":
        editor.type(character, pause_s=0.3)  # slowly: Emacs asks again after each
        editor.offers("x = compute(a, b)")
    assert len(endpoint.calls) == calls
    editor.keys("Tab")
    editor.shows_saved("x = compute(a, b)\n")


def test_typing_through_it_needs_no_answer(emacs: OpenEmacs, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="compute(a, b)")]
    endpoint.reply = Reply(fault="hang")
    editor = emacs("x =║\n")
    editor.type(" ")
    editor.offers("x = compute(a, b)")
    editor.terminal.keys("c", "o", "Tab")  # quicker than Emacs asks again
    editor.shows_saved("x = compute(a, b)\n")


def test_what_contradicts_it_takes_it_away_and_backspace_brings_it_back(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = emacs("x =║\n")
    editor.type(" ")
    editor.offers("x = compute(a, b)")
    editor.type("cz")
    editor.shows("x = cz")
    editor.keys("BSpace", "BSpace")
    editor.offers("x = compute(a, b)")
    editor.keys("Tab")
    editor.shows_saved("x = compute(a, b)\n")


def test_an_overtaken_answer_never_shows(emacs: OpenEmacs, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="OLD", ttft_s=1.5)]
    endpoint.reply = Reply(text="ew")
    editor = emacs("x =║\n")
    editor.type(" ")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("n")
    editor.offers("x = new")
    assert until(lambda: endpoint.calls[0].ended, bool)
    editor.offers("x = new")


def test_a_slow_answer_stands_behind_what_was_typed_meanwhile(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(text="compute(a, b)", ttft_s=1.5)
    editor = emacs("x =║\n")
    editor.type(" ")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("comp")
    editor.offers("x = compute(a, b)")
    assert len(endpoint.calls) == 1
    editor.keys("Tab")
    editor.shows_saved("x = compute(a, b)\n")


def test_a_word_and_a_line_can_be_accepted_and_the_rest_stays(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("def add(a, b):" + BODY)
    editor = emacs("def add(a, b)║\n")
    editor.type(":")
    editor.offers("def add(a, b):" + BODY)
    editor.keys("C-M-Right", "M-Right")
    editor.offers("def add(a, b):" + BODY)
    editor.shows_saved("def add(a, b):\n    total = a + b\n    return\n")
    editor.type(" ")
    editor.offers("def add(a, b):" + BODY)
    editor.keys("M-Right")
    editor.shows_saved("def add(a, b):" + BODY + "\n")


def test_the_keys_are_their_own_again_where_there_is_no_ghost_text(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("if a:\n    b()", "if a:\n    b()\nc\n")
    editor = emacs("if a║\nc\n")
    editor.type(":")
    editor.offers("if a:\n    b()\nc")
    editor.keys("C-n")  # only one suggestion: the key moves down
    editor.shows("if a:\nc")
    editor.keys("Tab")
    editor.shows_saved("if a:\n    c\n")


def test_it_can_be_switched_off_and_asked_for_by_hand(emacs: OpenEmacs, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = a + b")
    editor = emacs("x║\n")
    editor.command("fim-lsp-mode")
    assert until(lambda: " fim " not in editor.terminal.screen(), bool)
    editor.type(" = ")
    editor.shows_saved("x = \n")
    assert endpoint.calls == []
    editor.command("lsp-inline-completion-display")
    editor.offers("x = a + b")
    editor.keys("C-g")
    editor.shows("x = ")
    editor.type("a ")
    editor.shows_saved("x = a \n")
    editor.shows("x = a")
    editor.command("fim-lsp-mode")
    editor.type("+ ")
    editor.offers("x = a + b")


def test_several_suggestions_can_be_gone_through(emacs: OpenEmacs, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="a + b"), Reply(text="a - b")]
    endpoint.reply = Reply(text="a + b")
    editor = emacs("x =║\n")
    editor.type(" ")
    editor.offers("x = a + b")
    editor.keys("M-n")
    editor.offers("x = a - b")
    editor.keys("M-p")
    editor.offers("x = a + b")
    editor.keys("M-n", "Tab")
    editor.shows_saved("x = a - b\n")


def test_the_mode_line_tells_of_a_minutes_budget_that_is_much_used(
    emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = budget.REPLY
    few = f"(setq fim-lsp-settings '(:limits (:tokens_per_minute {budget.LIMIT})))\n"
    editor = emacs(f"{budget.ABOVE}x =║\n", earlier=few)
    editor.type(" ")
    used = budget.use_half(
        editor, endpoint, seen=lambda: reads(editor.terminal.screen, "Accept: [")
    )
    reads(editor.terminal.screen, f" fim {used:.0%} ")


# what is pressed, and what Emacs says then
COMMANDS = {
    "its state": (["C-c", "f", "i"], "fim-lsp is idle; mistral codestral-2501"),
    "a language off": (["C-c", "f", "l"], "fim-lsp is off for python"),
    "a language on": (["C-c", "f", "l"], "fim-lsp is on for python"),
    "everything off": (["C-c", "f", "t"], "fim-lsp is off."),
    "everything on": (["C-c", "f", "t"], "fim-lsp is on."),
    "a nap": (["C-u", "5", "C-c", "f", "s"], "fim-lsp is snoozing until"),
    "the end of the nap": (["M-0", "C-c", "f", "s"], "fim-lsp is on."),
    "nothing remembered": (["C-c", "f", "f"], "fim-lsp has forgotten"),
}


def test_it_tells_why_and_what_it_is_doing(emacs: OpenEmacs, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = a + b")
    endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "codestral-next"}]}
    editor = emacs("x =║\n", blocks=(0, 1))
    editor.type(" ")
    editor.offers("x = a + b")
    editor.keys("C-g")
    for keys, said in COMMANDS.values():
        editor.keys(*keys)
        reads(editor.terminal.screen, said)
    editor.command("fim-lsp-why")
    reads(editor.terminal.screen, "Ghost text in a.py (python), as of")
    reads(editor.terminal.screen, "model asked")
    editor.keys("C-x", "1", "C-c", "f", "m")
    reads(editor.terminal.screen, "Which model")
    editor.type("codestral-next\n")
    reads(editor.terminal.screen, "The model is codestral-next")
    editor.type(" ")
    assert until(lambda: endpoint.calls[-1].body["model"] == "codestral-next", bool)


def test_without_a_server_it_says_how_to_start_one(emacs: OpenEmacs) -> None:
    editor = emacs()
    editor.command("lsp-workspace-shutdown")
    assert until(lambda: " fim " not in editor.terminal.screen(), bool)
    editor.command("fim-lsp-why")
    reads(editor.terminal.screen, "No buffer has fim-lsp: start it with M-x lsp")


FAILURES = {
    "a wrong key": Reply(status=401, body={"message": "Unauthorized"}),
    "a broken endpoint": Reply(status=500, body="Internal Server Error"),
    "a reset in the middle": Reply(text="some text", fault="reset midway"),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_endpoint_shows_nothing_and_loses_nothing(
    reply: Reply, emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = reply
    editor = emacs()
    editor.type("x = ")
    assert until(lambda: [call for call in endpoint.calls if call.ended], bool)
    editor.type("1; y = 2")
    editor.shows_saved("x = 1; y = 2\n")
    editor.shows("x = 1; y = 2")


# document, what is typed, what the model makes of it, the file after asking in eglot
EGLOT = {
    "within a word": ("x = ║\n", "com", "x = compute(a, b)", "x = compute(a, b)\n"),
    "in the middle of a line": ("foo(║) + 1\n", "ab", "foo(able, c", "foo(able, c) + 1\n"),
    "several lines": (
        "def f():\n    ║\nx = 1\n",
        "if",
        "def f():\n    if a:\n        b()",
        "def f():\n    if a:\n        b()\nx = 1\n",
    ),
    "behind no word": ("x = ║\n", "", "x = a + b", "x = a + b\n"),
}


@pytest.mark.parametrize(("document", "typed", "wanted", "saved"), EGLOT.values(), ids=EGLOT.keys())
def test_eglot_completes_with_it(
    document: str, typed: str, wanted: str, saved: str, emacs: OpenEmacs, endpoint: Endpoint
) -> None:
    endpoint.reply = writer(wanted)
    editor = emacs(document, blocks=(2,), ready="[eglot:")
    editor.type(typed)
    editor.command("completion-at-point")
    editor.shows(saved)
    editor.shows_saved(saved)


def test_eglot_tells_why(emacs: OpenEmacs, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(status=401, body={"message": "Unauthorized"})
    editor = emacs("x = ║\n", blocks=(2, 3), ready="[eglot:")
    editor.type("com")
    editor.command("completion-at-point")
    assert until(lambda: [call for call in endpoint.calls if call.ended], bool)
    editor.command("fim-why")
    reads(editor.terminal.screen, "does not accept the key")


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    source = REPOSITORY / "editors/emacs/fim-lsp.el"
    (tmp_path / source.name).write_bytes(source.read_bytes())
    strict = ["--eval", "(setq byte-compile-error-on-warn t)"]
    compiled = subprocess.run(
        [program("emacs") or "emacs", "--batch", *strict, "-f", "batch-byte-compile", source.name],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (compiled.stderr, compiled.returncode) == ("", 0)
