"""Ghost text in the real Vim: what stands on its screen, and in the file afterwards."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cursor import CURSOR
from tests.editors.conftest import writer
from tests.editors.readme import REPOSITORY, clone_in, snippet, symptoms, type_first_lines
from tests.editors.terminal import program, reads, shows, until
from tests.editors.vim import Vim
from tests.endpoint import Endpoint, Reply

pytestmark = [pytest.mark.program("vim"), pytest.mark.editor("tmux")]

STATUSLINE = "set laststatus=2 statusline=%f\\ [%{fim_lsp#Status()}]\n"
BODY = "\n    total = a + b\n    return total"

OpenVim = Callable[..., Vim]


@pytest.fixture
def vim(home: Path, fim_environment: dict[str, str]) -> Iterator[OpenVim]:
    """Open Vim on a document, in insert mode at its ``║``, with the server ready."""
    with ExitStack() as opened:

        def start(
            document: str = CURSOR,
            *,
            earlier: str = "",
            ready: str = "[fim]",
            environment: dict[str, str] | None = None,
        ) -> Vim:
            before, _, after = document.partition(CURSOR)
            clone_in(home)
            editor = Vim(
                home,
                vimrc=STATUSLINE + earlier + snippet("vim", "vim"),
                text=(before + after).encode(),
                environment={**fim_environment, **(environment or {})},
            )
            opened.callback(editor.close)
            reads(editor.terminal.screen, ready)
            editor.insert_at(before)
            return editor

        yield start


def test_ghost_text_stands_on_the_screen_tab_accepts_it_and_undo_takes_it_back(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("def add(a, b):" + BODY)
    editor = vim("║\n")
    editor.type("def add(a, b):")
    shows(editor.text, "def add(a, b):" + BODY)
    editor.shows_saved("def add(a, b):\n")
    shows(editor.text, "def add(a, b):")
    editor.type("A")
    shows(editor.text, "def add(a, b):" + BODY)
    editor.keys("Tab")
    editor.shows_saved("def add(a, b):" + BODY + "\n")
    editor.type("u")
    shows(editor.text, "def add(a, b):")
    editor.shows_saved("def add(a, b):\n")


@pytest.mark.parametrize("is_worktree", [False, True], ids=["a clone", "a worktree"])
def test_the_project_is_the_files_whatever_folder_vim_was_started_in(
    vim: OpenVim, endpoint: Endpoint, home: Path, is_worktree: bool
) -> None:
    """A worktree's ``.git`` is a file."""
    if is_worktree:
        (home / "project").mkdir()
        (home / "project/.git").write_text("gitdir: /nowhere\n", "utf-8")
    (home / "project/shop.py").parent.mkdir(exist_ok=True)
    (home / "project/shop.py").write_text("def put_away(parcel, shelf): ...\n", "utf-8")
    endpoint.reply = Reply(text="away(parcel, shelf)")
    editor = vim("from shop import put_away\n\nput_║\n")

    def has_read() -> bool:
        return any("+++++ shop.py" in str(call.body["prompt"]) for call in endpoint.calls)

    for _ in range(40):  # at another place each time, until the project was read
        if until(has_read, bool, within_s=0.5):
            break
        editor.command("put ='put_' | startinsert!")
    assert has_read()


@pytest.mark.embedded
def test_the_readmes_first_ghost_text_needs_no_key(vim: OpenVim) -> None:
    editor = vim()
    wanted = type_first_lines("vim", editor) + " * count"
    shows(editor.text, wanted)


def test_what_was_typed_before_the_server_was_there_is_asked_for(
    vim: OpenVim, endpoint: Endpoint, late_server: Callable[[], None]
) -> None:
    endpoint.reply = Reply(text="a + b")
    editor = vim("║\n", ready="[]")
    editor.type("x = ")
    shows(editor.text, "x =")
    late_server()
    shows(editor.text, "x = a + b")


# document, what is typed, what the model makes of it, what the screen shows, the file after <Tab>
PLACES = {
    "in the middle of a line, with a line below": (
        "foo(║) + 1\nbar\n",
        "a",
        "foo(a, b",
        "foo(a, b) + 1\nbar",
        "foo(a, b) + 1\nbar\n",
    ),
    "after characters beyond the first plane": (
        "s = 'é🎉漢' +║\n",
        " ",
        "s = 'é🎉漢' + 'ü🎉'",
        "s = 'é🎉漢' + 'ü🎉'",
        "s = 'é🎉漢' + 'ü🎉'\n",
    ),
    "several lines with tabs, with a line below": (
        "if a║\nelse:\n\tpass\n",
        ":",
        "if a:\n\tb()\n\tc()",
        "if a:\n    b()\n    c()\nelse:\n    pass",  # as Vim's own settings have it
        "if a:\n\tb()\n\tc()\nelse:\n\tpass\n",
    ),
    "before a return that is text, as not all lines end so": (
        "a\r\nx║\r\nb\n",
        " =",
        "a\nx = y",  # what the model reads has none of them
        "a^M\nx = y^M\nb",
        "a\r\nx = y\r\nb\n",
    ),
    "several lines with dos line ends": (
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
    vim: OpenVim,
    endpoint: Endpoint,
) -> None:
    endpoint.reply = writer(wanted)
    editor = vim(document)
    editor.type(typed)
    shows(editor.text, screen)
    editor.keys("Tab")
    editor.shows_saved(saved)


def test_typing_on_through_it_and_back_costs_no_further_request(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = vim("x =║\n")
    editor.type(" ")
    shows(editor.text, "x = compute(a, b)")
    editor.type("comp")
    shows(editor.text, "x = compute(a, b)")
    editor.keys("BSpace", "BSpace")
    shows(editor.text, "x = compute(a, b)")
    editor.keys("Tab")
    editor.shows_saved("x = compute(a, b)\n")
    assert len([call for call in endpoint.calls if "x =" in call.body["prompt"][-9:]]) == 1


def test_a_word_and_a_line_can_be_accepted_and_the_rest_stays(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("def add(a, b):" + BODY)
    editor = vim("def add(a, b):║\n")
    shows(editor.text, "def add(a, b):" + BODY)
    calls = len(endpoint.calls)
    editor.keys("M-C-Right")
    shows(editor.text, "def add(a, b):\n    total = a + b")
    editor.keys("Enter")
    shows(editor.text, "def add(a, b):" + BODY)
    editor.keys("M-Right")
    shows(editor.text, "def add(a, b):" + BODY)
    assert len(endpoint.calls) == calls
    editor.shows_saved("def add(a, b):\n    total = a + b\n    return\n")


def test_an_overtaken_answer_never_shows(vim: OpenVim, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="OLD", ttft_s=1.0)]
    endpoint.reply = Reply(text="ew")
    editor = vim("x = ║\n")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("n")
    shows(editor.text, "x = new")
    assert until(lambda: endpoint.calls[0].ended, bool)
    editor.keys("Left", "Right")  # asks again: whatever was on its way has come before
    shows(editor.text, "x = new")


def test_a_slow_answer_stands_behind_what_was_typed_meanwhile(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(text="compute(a, b)", ttft_s=1.0)
    editor = vim("x = ║\n")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("comp")
    shows(editor.text, "x = compute(a, b)")
    assert len(endpoint.calls) == 1
    editor.keys("Tab")
    editor.shows_saved("x = compute(a, b)\n")


def test_what_contradicts_it_takes_it_off_the_screen(vim: OpenVim, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="a + b")]
    endpoint.reply = Reply(fault="hang")
    editor = vim("x =║\n")
    editor.type(" ")
    shows(editor.text, "x = a + b")
    editor.type("z")
    shows(editor.text, "x = z")
    editor.keys("Escape")
    shows(editor.text, "x = z")


FAILURES = {
    "a wrong key": Reply(status=401, body={"message": "Unauthorized"}),
    "a reset connection": Reply(fault="reset"),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_endpoint_shows_nothing_and_loses_nothing(
    reply: Reply, vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = reply
    editor = vim("x =║\n")
    editor.type(" ")
    assert until(lambda: [call for call in endpoint.calls if call.ended], bool)
    editor.type("y + 1")
    shows(editor.text, "x = y + 1")
    editor.shows_saved("x = y + 1\n")


def test_a_wrong_key_is_told_and_can_be_looked_up(vim: OpenVim, endpoint: Endpoint) -> None:
    endpoint.reply = FAILURES["a wrong key"]
    editor = vim("x =║\n")
    editor.type(" ")
    reads(editor.terminal.screen, "[fim✗]")
    reads(editor.terminal.screen, "does not accept the key: check FIM_TEST_KEY")
    editor.type("1")
    shows(editor.text, "x = 1")
    reads(editor.terminal.screen, "does not accept the key: check FIM_TEST_KEY")
    editor.command("messages")
    for said in symptoms("vim")[1]:
        reads(editor.terminal.screen, said)
    editor.keys("Enter")
    editor.command("FimWhy")
    reads(editor.terminal.screen, "does not accept the key (status 401)")
    editor.type("q")
    shows(editor.text, "x = 1")


def test_a_mistake_in_the_settings_stays_on_the_screen_until_it_is_corrected(
    vim: OpenVim, correct_the_spelling: Callable[[], None]
) -> None:
    editor = vim("x =║\n", ready="[fim!]")
    reads(editor.terminal.screen, "did you mean base_url?")
    editor.type(" 1")
    shows(editor.text, "x = 1")
    assert "did you mean base_url?" in editor.terminal.screen()
    correct_the_spelling()
    reads(editor.terminal.screen, "[fim]")
    reads(editor.terminal.screen, "-- INSERT --")
    assert "did you mean" not in editor.terminal.screen()


def test_a_missing_program_is_told_when_vim_starts(vim: OpenVim) -> None:
    vim(environment={"PATH": "/usr/bin:/bin"}, ready=symptoms("vim")[0][0])


# what is typed as a command, and what stands in the last line then
COMMANDS = {
    "FimStatus": "fim-lsp is idle; mistral codestral-2501",
    "FimToggleLanguage": "fim-lsp is off for python",
    "FimToggleLanguage ": "fim-lsp is on for python",
    "FimSnooze 5": "fim-lsp is snoozing until",
    "FimSnooze 0": "fim-lsp is on.",
    "FimForget": "fim-lsp has forgotten",
    "FimModel codestral-next": "The model is codestral-next",
    "FimToggle": "fim-lsp is off in this buffer",
}


def test_it_does_what_a_person_asks(vim: OpenVim, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(text="a + b")
    endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "codestral-next"}]}
    editor = vim("x = ║\n")
    for command, said in COMMANDS.items():
        editor.command(command)
        reads(editor.terminal.screen, said)
    reads(editor.terminal.screen, "[fim off]")
    asked = len(endpoint.calls)
    editor.type("A1 + ")
    editor.command("FimToggle")
    reads(editor.terminal.screen, "[fim]")
    assert len(endpoint.calls) == asked
    editor.command("FimModel")
    reads(editor.terminal.screen, "2. codestral-next")
    editor.type("2\n")
    reads(editor.terminal.screen, "The model is codestral-next")
    editor.command("saveas b.py")
    reads(editor.terminal.screen, "b.py [fim]")
    editor.type("A2 + ")
    assert until(lambda: len(endpoint.calls), lambda calls: calls > asked) > asked


def test_several_suggestions_can_be_gone_through(vim: OpenVim, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="a + b"), Reply(text="a - b")]
    endpoint.reply = Reply(text="a + b")
    editor = vim("x = ║\n")
    shows(editor.text, "x = a + b")
    editor.keys("M-Down")
    shows(lambda: editor.text().partition("  (")[0], "x = a - b")
    editor.keys("M-Down")
    shows(lambda: editor.text().partition("  (")[0], "x = a + b")
    editor.keys("M-Down", "Tab")
    editor.shows_saved("x = a - b\n")


def test_the_key_does_what_it_did_before_where_there_is_no_ghost_text(
    vim: OpenVim, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(text="")
    editor = vim("x║\n", earlier="inoremap <expr> <Tab> 'y' .. 'z'\n")
    editor.keys("Tab")
    editor.shows_saved("xyz\n")


def test_without_a_mapping_of_its_own_the_key_is_itself(vim: OpenVim) -> None:
    editor = vim("x║\n")
    editor.command("source ~/.vimrc | echo 'read again'")
    reads(editor.terminal.screen, "\nread again")
    assert "Error" not in editor.terminal.screen()
    editor.type("A")
    editor.keys("Tab")
    editor.shows_saved("x   \n")  # as Vim's own settings for Python have it


# edits as a person makes them, of a file with numbered lines
EDITS = (
    ":2,4d | 9s/line/LINE/\n",  # deleting above, changing below
    ":2,3m 9\n",
    "3GJ5GA\rnew\x1b",
    ":%s/line/l\\rine/\n",
    ":g/[24]/d\nu",  # each line on its own, and all of them back
    "GddGo end\x1b",
    "2Gyyp5GP3p",
)


def test_the_server_knows_the_text_after_any_edit(vim: OpenVim, endpoint: Endpoint) -> None:
    editor = vim("".join(f"line {number} é🎉\n" for number in range(12)) + "║\n")
    editor.keys("Escape")
    for keys in EDITS:
        for part in keys.split("\x1b"):
            editor.type(part, pause_s=0)
            editor.keys("Escape")
    editor.command("6s/$/ = / | startinsert!")
    ours = until(lambda: [c for c in endpoint.calls if c.body["prompt"].endswith(" = ")], bool)
    editor.shows_saved(ours[0].body["prompt"] + ours[0].body["suffix"])


def test_the_server_knows_a_file_that_something_else_has_changed(
    vim: OpenVim, endpoint: Endpoint, home: Path
) -> None:
    editor = vim("x║\ny\nz\n", earlier="set autoread\n")
    editor.keys("Escape")
    (home / "project/a.py").write_text("first\nsecond\nthird\n")
    editor.command("checktime")
    shows(editor.text, "first\nsecond\nthird")
    editor.command("$s/$/ = / | startinsert!")
    ours = until(lambda: [c for c in endpoint.calls if c.body["prompt"].endswith(" = ")], bool)
    assert ours[0].body["prompt"] == "first\nsecond\nthird = "


def test_the_help_file_is_found_and_its_tags_are_up_to_date(vim: OpenVim, tmp_path: Path) -> None:
    editor = vim()
    editor.command("help fim-lsp-trouble")
    reads(editor.terminal.screen, "names the reason for the last requests")
    doc = REPOSITORY / "editors/vim/doc"
    shutil.copy(doc / "fim-lsp.txt", tmp_path)
    made = [program("vim") or "vim", "-es", "-u", "NONE", "-c", f"helptags {tmp_path}", "-c", "q"]
    subprocess.run(made, stdin=subprocess.DEVNULL, check=False, timeout=20)
    assert (tmp_path / "tags").read_bytes() == (doc / "tags").read_bytes()
