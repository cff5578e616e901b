"""Ghost text in the real Neovim: what a person sees, and what is in the buffer afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editors import budget
from tests.editors.conftest import Open, writer
from tests.editors.neovim import Neovim
from tests.editors.readme import symptoms, type_first_lines
from tests.editors.terminal import reads, shows, until
from tests.endpoint import Endpoint, Reply

pytestmark = pytest.mark.editor("nvim", "tmux")

BODY = "\n    total = a + b\n    return total"


def test_ghost_text_stands_on_the_screen_and_tab_accepts_it(
    neovim: Open, endpoint: Endpoint
) -> None:
    endpoint.reply = writer("def add(a, b):" + BODY)
    editor = neovim()
    editor.type("def add(a, b):")
    shows(
        lambda: editor.terminal.screen().split("\n")[:4],
        ["def add(a, b):", "    total = a + b", "    return total", "~"],
    )
    assert editor.probe().text == "def add(a, b):║"
    editor.keys("Tab")
    editor.shows_text("def add(a, b):" + BODY + "║")
    assert editor.probe().messages == ""


@pytest.mark.embedded
def test_the_readmes_first_ghost_text_needs_no_key(neovim: Open) -> None:
    editor = neovim()
    wanted = type_first_lines("neovim", editor) + " * count\n~"
    shows(lambda: editor.terminal.screen()[: len(wanted)], wanted)


def test_what_was_typed_before_the_server_was_there_is_asked_for(
    neovim: Open, endpoint: Endpoint, late_server: Callable[[], None]
) -> None:
    endpoint.reply = Reply(text="a + b")
    editor = neovim("║\n", attaches=False)
    editor.type("x = ")
    editor.shows_text("x = ║")
    late_server()
    editor.shows_ghost("a + b")


def test_a_name_that_is_new_is_shown_once_it_is_reached(neovim: Open, endpoint: Endpoint) -> None:
    known = "".join(f"value_{n:02} = compute({n})\n" for n in range(60))
    endpoint.reply = writer(known + "x = compute(made_up(1))")
    editor = neovim(known + "║\n")
    editor.type("x = ")
    editor.shows_ghost("compute(")
    editor.keys("Tab")
    editor.shows_ghost("made_up(1))")


# document, what the model says there, the screen's first lines, the buffer after <Tab>
PLACES = {
    "at the end of a line": ("x = ║\n", "a + b", ["x = a + b", "~"], "x = a + b║"),
    "in the middle of a line": ("foo(║)\n", "a, b", ["foo(a, b)", "~"], "foo(a, b║)"),
    "in the middle, with a line below": (
        "foo(║) + 1\nbar\n",
        "a, b",
        ["foo(a, b) + 1", "bar"],
        "foo(a, b║) + 1\nbar",
    ),
    "several lines, with a line below": (
        "if a:║\nelse:\n",
        "\n    b()\n    c()",
        ["if a:", "    b()", "    c()", "else:"],
        "if a:\n    b()\n    c()║\nelse:",
    ),
    "after characters of several bytes": (
        "s = 'é🎉漢' + ║\n",
        "'ü🎉'",
        ["s = 'é🎉漢' + 'ü🎉'", "~"],
        "s = 'é🎉漢' + 'ü🎉'║",
    ),
    "below a line separator that is no line end": (
        "a = '\u2028'\nb = ║\n",
        "a + a",
        None,  # a terminal draws the separator as it likes
        "a = '\u2028'\nb = a + a║",
    ),
    "with tabs": ("if a:\n\tb = ║\n", "1", ["if a:", "    b = 1"], "if a:\n\tb = 1║"),
}


@pytest.mark.parametrize(
    ("document", "said", "screen", "accepted"), PLACES.values(), ids=PLACES.keys()
)
def test_ghost_text_stands_where_it_belongs(
    document: str,
    said: str,
    screen: list[str] | None,
    accepted: str,
    neovim: Open,
    endpoint: Endpoint,
) -> None:
    endpoint.reply = Reply(text=said)
    editor = neovim(document)
    editor.shows_ghost(said)
    if screen:
        shown = editor.terminal.screen().split("\n")[: len(screen)]
        assert shown == screen
    editor.keys("Tab")
    editor.shows_text(accepted)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_every_position_encoding_leads_to_the_same_place(
    encoding: str, neovim: Open, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(text="n + 1")
    general = f"{{ positionEncodings = {{ '{encoding}' }} }}"
    only = f"vim.lsp.config('fim_lsp', {{ capabilities = {{ general = {general} }} }})"
    editor = neovim("s('é🎉漢', ║)\n", extra=only)
    editor.shows_ghost("n + 1")
    prompt = endpoint.calls[-1].body["prompt"]
    editor.keys("Tab")
    editor.shows_text("s('é🎉漢', n + 1║)")
    assert prompt == "s('é🎉漢', "


def test_typing_on_through_it_costs_no_further_request(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = neovim("x = ║\n")
    editor.shows_ghost("compute(a, b)")
    calls = len(endpoint.calls)
    done = editor.probe().done
    editor.type("comp", pause_s=0.3)  # slowly: Neovim asks again after each
    editor.shows_ghost("ute(a, b)")
    editor.answered(done)
    assert len(endpoint.calls) == calls
    editor.keys("Tab")
    editor.shows_text("x = compute(a, b)║")


def test_backspace_brings_it_back(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = neovim("x = ║\n")
    editor.shows_ghost("compute(a, b)")
    editor.type("cz")
    editor.shows_ghost("")
    editor.keys("BSpace", "BSpace")
    editor.shows_ghost("compute(a, b)")
    editor.keys("Tab")
    editor.shows_text("x = compute(a, b)║")


def test_undo_takes_back_the_accepted_text_alone(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = writer("def add(a, b):" + BODY)
    editor = neovim()
    editor.type("def add(a, b):")
    editor.shows_ghost(BODY)
    editor.keys("Tab")
    editor.shows_text("def add(a, b):" + BODY + "║")
    editor.keys("Escape", "u")
    shows(lambda: editor.probe().text.replace("║", ""), "def add(a, b):")


def test_it_goes_with_insert_mode_and_comes_back_with_it(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(text="a + b")
    editor = neovim("x = ║\n")
    editor.shows_ghost("a + b")
    editor.keys("Escape")
    editor.shows_ghost("")
    editor.keys("A")
    editor.shows_ghost("a + b")


def test_leaving_insert_mode_ends_the_call(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(fault="hang")
    editor = neovim()
    editor.type("x = ")
    assert until(lambda: len(endpoint.calls), bool)
    editor.keys("Escape")
    shows(lambda: [call.hung_up for call in endpoint.calls], [True] * len(endpoint.calls))
    assert editor.probe().ghost == ""
    assert editor.probe().text.replace("║", "") == "x = "


def test_an_overtaken_answer_never_shows(neovim: Open, endpoint: Endpoint) -> None:
    """Neovim shows whichever answer comes last, so the server must not give the older one."""
    endpoint.script = [Reply(text="OLD", ttft_s=1.5)]
    endpoint.reply = Reply(text="ew")
    editor = neovim("x = ║\n")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("n")
    editor.shows_ghost("ew")
    assert until(lambda: endpoint.calls[0].ended, bool)
    done = editor.probe().done
    editor.keys("Left")  # asks again: whatever was on its way has come before
    seen = editor.answered(done)
    editor.keys("Right")
    editor.answered(seen.done)
    editor.shows_ghost("ew")


def test_a_slow_answer_stands_behind_what_was_typed_meanwhile(
    neovim: Open, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(text="compute(a, b)", ttft_s=1.5)
    editor = neovim("x = ║\n")
    assert until(lambda: len(endpoint.calls), bool)
    editor.type("comp")
    editor.shows_ghost("ute(a, b)")
    assert len(endpoint.calls) == 1
    editor.keys("Tab")
    editor.shows_text("x = compute(a, b)║")


def test_accepting_at_once_after_a_key_repeats_nothing(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="compute(a, b)")]
    endpoint.reply = Reply(fault="hang")
    editor = neovim("x = ║\n")
    editor.shows_ghost("compute(a, b)")
    editor.terminal.keys("c", "o", "Tab")  # quicker than Neovim asks again
    editor.shows_text("x = compute(a, b)║")


def test_what_contradicts_it_takes_it_off_the_screen_at_once(
    neovim: Open, endpoint: Endpoint
) -> None:
    endpoint.script = [Reply(text="compute(a, b)")]
    endpoint.reply = Reply(fault="hang")
    editor = neovim("x = ║\n", extra="vim.o.expandtab = true vim.o.softtabstop = 2")
    editor.shows_ghost("compute(a, b)")
    editor.type("zz")
    editor.shows_ghost("")  # no answer has come that could have removed it
    editor.keys("Tab")
    editor.shows_text("x = zz  ║")  # <Tab> is a tab again


# keys, with the buffer and the ghost text after each; inside a line the rest of it is offered first
PARTS = {
    "a word": [
        ("M-Right", "def add(a):\n    total║", " = a"),
        ("Tab", "def add(a):\n    total = a║", "\n    return total"),
        ("Tab", "def add(a):\n    total = a\n    return total║", ""),
    ],
    "a line": [
        ("C-M-Right", "def add(a):\n    total = a║", ""),
        ("Enter", "def add(a):\n    total = a\n    ║", "return total"),
        ("C-M-Right", "def add(a):\n    total = a\n    return total║", ""),
    ],
}


@pytest.mark.parametrize("steps", PARTS.values(), ids=PARTS.keys())
def test_a_part_can_be_accepted_and_the_rest_stays(
    steps: list[tuple[str, str, str]], neovim: Open, endpoint: Endpoint
) -> None:
    body = "\n    total = a\n    return total"
    endpoint.reply = writer("def add(a):" + body)
    editor = neovim("def add(a):║")
    editor.shows_ghost(body)
    calls = len(endpoint.calls)
    for key, text, ghost in steps:
        assert len(endpoint.calls) == calls
        editor.keys(key)
        editor.shows_text(text)
        editor.shows_ghost(ghost)


def test_dos_line_ends_stay_dos_line_ends(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(text="\n    b()\n    c()")
    editor = neovim("if a:║\r\nelse:\r\n    d()\r\n")
    editor.shows_ghost("\n    b()\n    c()")
    editor.keys("Tab")
    editor.shows_text("if a:\n    b()\n    c()║\nelse:\n    d()")
    editor.keys("Escape")
    editor.type(":w\n")
    shows(editor.path.read_bytes, b"if a:\r\n    b()\r\n    c()\r\nelse:\r\n    d()\r\n")


FAILURES = {
    "a wrong key": Reply(status=401, body={"message": "Unauthorized"}),
    "too many requests": Reply(status=429, body={"message": "Requests rate limit exceeded"}),
    "a broken endpoint": Reply(status=500, body="Internal Server Error"),
    "a refused request": Reply(status=422, body={"object": "error", "message": "bad"}),
    "a reset connection": Reply(fault="reset"),
    "a reset in the middle": Reply(text="some text", fault="reset midway"),
    "something that is not HTTP": Reply(fault="garbage"),
    "a page instead of an answer": Reply(fault="html"),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_endpoint_shows_nothing_and_loses_nothing(
    reply: Reply, neovim: Open, endpoint: Endpoint
) -> None:
    endpoint.reply = reply
    editor = neovim()
    editor.type("x = ")
    seen = editor.answered(0)
    editor.type("1; y = 2")
    seen = editor.answered(seen.done)
    assert endpoint.calls
    assert seen.ghost == ""
    assert seen.mode == "i"  # and not waiting for <Enter> below a message
    assert seen.text == "x = 1; y = 2║"
    assert len(seen.messages.split("\n")) <= 1
    assert "Traceback" not in seen.messages


STATUSLINE = """vim.o.statusline = "[%{v:lua.require'fim_lsp'.status()}]" """


def test_a_failure_that_only_a_person_can_mend_is_said_once_and_can_be_looked_up(
    neovim: Open, endpoint: Endpoint
) -> None:
    endpoint.reply = Reply(status=401, body={"message": "Unauthorized"})
    editor = neovim(extra=STATUSLINE)
    editor.type("x = ")
    (said, prefix) = symptoms("neovim")[1]
    reads(lambda: editor.probe().messages, said)
    reads(editor.terminal.screen, said)  # and not only where nobody looks
    assert prefix in editor.terminal.screen()
    reads(editor.terminal.screen, "[fim ✗]")
    seen = editor.answered(0)
    editor.type("1 + ")
    seen = editor.answered(seen.done)
    assert len(seen.messages.split("\n")) == 1
    assert "127.0.0.1 does not accept the key" in editor.terminal.screen().split("\n")[-1]
    editor.keys("Escape")
    shows(lambda: editor.lua("vim.o.showmode"), "true")
    reads(lambda: editor.terminal.screen().split("\n")[-1], "127.0.0.1 does not accept the key")
    editor.type(":FimWhy\n")
    reads(lambda: " ".join(editor.terminal.screen().split()), "check FIM_TEST_KEY; or base_url")
    editor.type("q")
    text = _checkhealth(editor)
    assert "ERROR The server says: 127.0.0.1 does not accept the key" in text


def _last_line(editor: Neovim) -> str:
    return editor.terminal.screen().split("\n")[-1]


def test_what_to_do_has_room_on_a_narrow_screen(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(status=404, body={"message": "No such model: mistral-medium-2312"})
    editor = neovim(columns=80)
    editor.type("x = ")
    reads(lambda: _last_line(editor), "127.0.0.1 does not offer…: set model to o")
    assert _last_line(editor).endswith("… (:FimWhy)")
    assert editor.answered(0).mode == "i"


def test_a_mistake_that_is_said_before_insert_mode_is_said_in_it_too(
    neovim: Open, correct_the_spelling: Callable[[], None]
) -> None:
    editor = neovim("x = ║\n")
    reads(lambda: _last_line(editor), "did you mean base_url?")
    editor.type("1")
    editor.shows_text("x = 1║")
    assert "did you mean base_url?" in _last_line(editor)
    correct_the_spelling()
    reads(lambda: _last_line(editor), "-- INSERT --")  # and no word of it any more
    editor.keys("Escape")
    shows(lambda: "did you mean" in editor.terminal.screen(), wanted=False)


def test_the_statusline_tells_of_a_minutes_budget_that_is_much_used(
    neovim: Open, endpoint: Endpoint
) -> None:
    few = f"{{ settings = {{ fim = {{ limits = {{ tokens_per_minute = {budget.LIMIT} }} }} }} }}"
    endpoint.reply = budget.REPLY
    configured = f"{STATUSLINE}\nvim.lsp.config('fim_lsp', {few})"
    editor = neovim(f"{budget.ABOVE}x = ║\n", extra=configured)
    editor.shows_ghost("1")
    reads(editor.terminal.screen, "[fim]")
    used = budget.use_half(editor, endpoint, seen=lambda: editor.shows_ghost("1"))
    reads(editor.terminal.screen, f"[fim {used:.0%}]".replace("%", " %"))
    said = f"Of the minute's tokens {used:.0%} are used".replace("%", " %")
    assert said in _checkhealth(editor)


@pytest.mark.embedded
def test_of_a_minutes_budget_nothing_is_said_where_there_is_none(neovim: Open) -> None:
    editor = neovim("x = ║\n", extra=STATUSLINE)
    reads(editor.terminal.screen, "[fim]")
    text = _checkhealth(editor)
    assert "The server says: idle" in text
    assert "minute" not in text


def test_it_can_be_switched_off_and_on_in_a_buffer(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(text="a + b")
    editor = neovim("x = ║\n", extra=STATUSLINE)
    editor.shows_ghost("a + b")
    reads(editor.terminal.screen, "[fim]")
    editor.keys("Escape")
    editor.type(":FimToggle\n")
    reads(editor.terminal.screen, "[fim off]")
    calls = len(endpoint.calls)
    editor.type("A1 + ")
    shows(lambda: editor.probe().text, "x = 1 + ║")
    assert editor.probe().ghost == ""
    editor.keys("Escape")
    editor.type(":FimToggle\n")
    editor.type("oy = ")
    editor.shows_ghost("a + b")
    assert len(endpoint.calls) > calls


def test_it_tells_why_and_what_it_is_doing(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = Reply(text="a + b")
    endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "codestral-next"}]}
    editor = neovim("x = ║\n")
    editor.shows_ghost("a + b")
    editor.keys("Escape")
    editor.type(":FimWhy\n")
    reads(editor.terminal.screen, "model asked")
    assert "Ghost text in a.py (python), as of" in editor.terminal.screen()
    editor.type("q")
    for command, said in {
        "FimStatus": "fim-lsp is idle; mistral codestral-2501",
        "FimToggleLanguage": "fim-lsp is off for python",
        "FimToggleLanguage ": "fim-lsp is on for python",
        "FimSnooze 5": "fim-lsp is snoozing until",
        "FimSnooze 0": "fim-lsp is on.",
        "FimForget": "fim-lsp has forgotten",
        "FimModel codestral-other": "The model is codestral-other",
    }.items():
        editor.type(f":{command}\n")
        reads(lambda: editor.probe().messages, said)
    editor.type(":FimModel\n")
    reads(editor.terminal.screen, "2: codestral-next")
    editor.type("2\n")
    reads(lambda: editor.probe().messages, "The model is codestral-next")
    editor.type("oy = ")
    editor.shows_ghost("a + b")
    assert endpoint.calls[-1].body["model"] == "codestral-next"


def test_enabling_the_server_alone_is_enough(neovim: Open, endpoint: Endpoint) -> None:
    bare = """
        vim.opt.runtimepath:prepend(vim.fn.expand('~/src/fim-lsp/editors/neovim'))
        vim.lsp.enable('fim_lsp')
    """
    endpoint.reply = writer("x = total + b")
    editor = neovim("x = ║\n", init=bare)
    editor.shows_ghost("total + b")
    editor.keys("M-Right")
    editor.shows_text("x = total║")
    editor.shows_ghost(" + b")
    editor.keys("Tab")
    editor.shows_text("x = total + b║")


def test_other_suggestions_are_asked_for_and_gone_through(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.script = [Reply(text="a + b"), Reply(text="a - b")]
    endpoint.reply = Reply(text="a + b")
    editor = neovim("x = ║\n")
    editor.shows_ghost("a + b")
    assert len(endpoint.calls) == 1
    editor.keys("M-]")
    shows(lambda: editor.probe().ghost.partition(" (")[0], "a - b")
    editor.keys("M-]")
    shows(lambda: editor.probe().ghost.partition(" (")[0], "a + b")
    editor.lua('vim.api.nvim_input("<M-[>")')  # which tmux would take for an escape sequence
    shows(lambda: editor.probe().ghost.partition(" (")[0], "a - b")
    editor.keys("Tab")
    editor.shows_text("x = a - b║")


def test_asking_for_another_where_there_is_none_asks_at_all(
    neovim: Open, endpoint: Endpoint
) -> None:
    editor = neovim("x = ║y\n")
    editor.answered(0)
    endpoint.reply = Reply(text="a + ")
    assert editor.probe().ghost == ""
    editor.keys("M-]")
    editor.shows_ghost("a + ")


MENU = """
vim.lsp.config('fim_lsp', { init_options = { fim = { trigger = { completion_menu = 'always' } } } })
vim.api.nvim_create_autocmd('LspAttach', { callback = function(ev)
  vim.lsp.completion.enable(true, ev.data.client_id, ev.buf)
end })
vim.o.completeopt = 'menuone,noinsert'
vim.keymap.set('i', '<F3>', vim.lsp.completion.get)
"""


def test_with_the_menu_on_as_well_only_one_of_them_offers(neovim: Open, endpoint: Endpoint) -> None:
    endpoint.reply = writer("x = compute(a, b)")
    editor = neovim("x = com║\n", extra=MENU)
    editor.shows_ghost("pute(a, b)")
    editor.keys("F3")
    editor.type("p")
    editor.shows_ghost("ute(a, b)")
    assert editor.lua("vim.fn.pumvisible()") == "0"
    editor.keys("Escape")
    editor.lua("vim.lsp.inline_completion.enable(false)")
    editor.type(":lua for _, c in ipairs(vim.lsp.get_clients()) do c:stop() end\n")
    assert until(lambda: editor.lua("#vim.lsp.get_clients()") == "0", bool)
    editor.type(":edit!\n")
    assert until(editor.ready, bool)
    editor.keys("A", "F3")
    assert until(lambda: editor.lua("vim.fn.pumvisible()") == "1", bool)


def test_the_key_does_what_it_did_before_where_there_is_no_ghost_text(
    neovim: Open, endpoint: Endpoint
) -> None:
    earlier = "vim.keymap.set('i', '<Tab>', function() return '[tab]' end, { expr = true })\n"
    readme = "vim.opt.runtimepath:prepend(vim.fn.expand('~/src/fim-lsp/editors/neovim'))\n"
    endpoint.reply = Reply(text="")
    editor = neovim(init=earlier + readme + "require('fim_lsp').setup()")
    editor.type("x")
    editor.keys("Tab")
    editor.shows_text("x[tab]║")


def test_checkhealth_finds_nothing_wrong(neovim: Open) -> None:
    editor = neovim()
    text = _checkhealth(editor)
    assert "✅ OK fim-lsp" in text
    assert "Attached to 1 buffer" in text
    assert "Settings that Neovim sends" in text
    assert "ERROR" not in text
    assert "WARNING" not in text


def test_checkhealth_names_a_missing_program(neovim: Open) -> None:
    editor = neovim(
        extra="\nvim.schedule(function() vim.lsp.config('fim_lsp', { cmd = { 'no-such' } }) end)"
    )
    assert "ERROR 'no-such' is not an executable on the PATH" in _checkhealth(editor)


def test_a_missing_program_is_told_when_neovim_starts(home: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    editor = Neovim(home, file="a.py", text=b"", environment=environment, attaches=False)
    reads(editor.terminal.screen, symptoms("neovim")[0][0])
    assert "is not an executable on the PATH" in _checkhealth(editor)
    editor.close()


def test_checkhealth_names_a_key_that_something_else_has_taken(neovim: Open) -> None:
    _, _, said = symptoms("neovim")[2]
    assert said in _checkhealth(neovim(extra="\nvim.keymap.set('i', '<Tab>', 'x')"))


def _checkhealth(editor: Neovim) -> str:
    report = editor.path.with_name("health.txt")
    editor.keys("Escape")
    editor.type(f":checkhealth fim_lsp | write! {report} | close\n")
    return until(lambda: report.read_text("utf-8") if report.exists() else "", bool)


def test_the_help_file_is_found(neovim: Open) -> None:
    editor = neovim()
    editor.keys("Escape")
    editor.type(":help fim-lsp-keys\n")
    reads(editor.terminal.screen, "<M-C-Right>     Accept its next line.")


def test_the_help_file_s_tags_are_up_to_date(neovim: Open) -> None:
    editor = neovim()
    doc = editor.path.parents[1] / "src/fim-lsp/editors/neovim/doc"
    copy = editor.path.parent / "doc"
    copy.mkdir()
    (copy / "fim-lsp.txt").write_text((doc / "fim-lsp.txt").read_text("utf-8"), "utf-8")
    editor.keys("Escape")
    editor.type(f":helptags {copy}\n")
    tags = until(
        lambda: (copy / "tags").read_text("utf-8") if (copy / "tags").exists() else "", bool
    )
    assert tags == (doc / "tags").read_text("utf-8")
