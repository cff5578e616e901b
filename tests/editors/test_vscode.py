"""Ghost text in the real VS Code with our extension: what a person sees, and what is saved."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.editors import budget
from tests.editors.conftest import CONFIG, writer
from tests.editors.readme import symptoms
from tests.editors.terminal import reads, shows, until
from tests.editors.vscode import STATUS_ITEM, VSCode, running_vscode
from tests.endpoint import Endpoint, Reply, running_endpoint

pytestmark = [pytest.mark.editor("chromium", "code-server"), pytest.mark.timeout(240)]

KEY = "secret-storage-key"
PERSON = {"fim.apiKeyEnv": "FIM_TEST_KEY"}
ALONE = """
[context]
snippets = "off"
"""
"""The tests' files have nothing to do with each other, and the model knows them one by one."""
PROGRAM = Path(sys.executable).with_name("fim-lsp")


@dataclass(slots=True)
class Window:
    """VS Code and the endpoint, shared by this file's tests because a start takes long."""

    editor: VSCode
    endpoint: Endpoint
    pid_file: Path
    """Holds the process id of the server that was started last."""
    machine: dict[str, Any]
    """The settings that lead to the server's program."""
    numbers: count[int] = field(default_factory=count)
    name: str = ""

    def open(self, document: str) -> VSCode:
        """Open a new file with the cursor at its ``║``."""
        self.name = f"file{next(self.numbers)}.py"
        self.editor.open(self.name, document)
        return self.editor

    def shows_saved(self, wanted: str) -> None:
        """Assert that the open file comes to be ``wanted``."""
        self.editor.shows_saved(self.name, wanted)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Window]:
    folder = tmp_path_factory.mktemp("vscode")
    config, pid_file = folder / "fim.toml", folder / "pid"
    with running_endpoint(key=KEY) as endpoint:
        settings = CONFIG.format(base_url=json.dumps(endpoint.base_url))
        config.write_text(settings + ALONE, "utf-8")
        started = f'[ $# -gt 0 ] || echo $$ >{pid_file}; exec {PROGRAM} "$@"'
        machine = {"fim.command": ["/bin/sh", "-c", started, "fim-lsp"]}
        environment = {
            "FIM_LSP_CONFIG": str(config),
            # what the extension installs is a wheel of its own, over the packages that are here
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PYTHONPATH": sysconfig.get_path("purelib"),
        }
        with running_vscode(
            "vscode", settings=PERSON, machine=machine, environment=environment
        ) as editor:
            reads(editor.status, "idle", within_s=60)
            editor.command("fim-lsp: Set the API Key")
            editor.answer(KEY)
            reads(editor.status, "starting")
            reads(editor.status, "idle")
            window = Window(editor, endpoint, pid_file, machine)
            endpoint.reply = writer("x = 1")
            window.open("x ║\n").type("= ")  # for this VS Code does not always ask by itself
            editor.shows_ghost("1")
            yield window
        pid = int(pid_file.read_text("utf-8"))
        shows(lambda: Path(f"/proc/{pid}").exists(), wanted=False)


@pytest.fixture
def window(shared: Window, request: pytest.FixtureRequest) -> Generator[Window]:
    """The window, with the endpoint's and the person's settings as at the start."""
    shared.endpoint.reply = Reply(text="")
    shared.endpoint.listing = None
    shared.endpoint.script.clear()
    shared.endpoint.calls.clear()
    yield shared
    shared.editor.screenshot(request.node.name)
    assert shared.endpoint.violations == []
    assert shared.editor.toasts() == []
    shared.editor.keys("Escape")


def test_what_was_typed_before_the_server_was_there_is_asked_for(window: Window) -> None:
    window.endpoint.reply = writer("x = 1")
    go = window.pid_file.with_name("go")
    wait = f"while [ ! -e {go} ]; do sleep 0.05; done"
    shell, flag, started, name = window.machine["fim.command"]
    editor = window.open("x ║\n")
    editor.settings({"fim.command": [shell, flag, f"{wait}; {started}", name]})
    reads(editor.status, "starting")
    editor.type("= ")
    go.touch()
    editor.shows_ghost("1")
    editor.settings(window.machine)
    reads(editor.status, "starting")
    reads(editor.status, "idle")


def test_ghost_text_stands_on_the_screen_and_tab_accepts_it(window: Window) -> None:
    body = "\n    total = a + b\n    return total"
    window.endpoint.reply = writer("import os\n\ndef add(a, b):" + body)
    editor = window.open("import os\n\n║\n")
    editor.type("def add(a, b):")
    editor.shows_ghost(body)
    editor.screenshot("ghost-text")
    editor.keys("Tab")
    window.shows_saved("import os\n\ndef add(a, b):" + body + "\n")
    assert window.endpoint.calls[0].headers["authorization"] == f"Bearer {KEY}"


# document, what is typed at its mark, what the model would make of it, the file after <Tab>
PLACES = {
    "in the middle of a line": ("foo(║) + 1\n", "x, ", "foo(x, a, b", "foo(x, a, b) + 1\n"),
    "before a bracket that closes by itself": ("║\n", "foo(", "foo(a, b", "foo(a, b)\n"),
    "where the model repeats that bracket": ("║\n", "foo(", "foo(a, b)", "foo(a, b)\n"),
    "after wide characters": ("s = 'é🎉漢'║\n", " + ", "s = 'é🎉漢' + n", "s = 'é🎉漢' + n\n"),
    "with dos line ends": (
        "║\r\nx = 1\r\n",
        "if a:",
        "if a:\n    b()",
        "if a:\r\n    b()\r\nx = 1\r\n",
    ),
}


@pytest.mark.parametrize(
    ("document", "typed", "wanted", "saved"), PLACES.values(), ids=PLACES.keys()
)
def test_ghost_text_is_accepted_where_it_belongs(
    document: str, typed: str, wanted: str, saved: str, window: Window
) -> None:
    window.endpoint.reply = writer(wanted)
    editor = window.open(document)
    editor.type(typed)
    assert until(editor.ghost, bool)
    editor.keys("Tab")
    window.shows_saved(saved)


def asked_again(window: Window, calls: int) -> list[str]:
    """The prompts since then, but for what comes behind a suggestion: that may be asked ahead."""
    prompts = [str(call.body["prompt"]) for call in window.endpoint.calls[calls:]]
    return [prompt for prompt in prompts if not prompt.endswith("compute(a, b)")]


def test_typing_on_through_it_and_back_costs_no_further_request(window: Window) -> None:
    window.endpoint.reply = writer("x = compute(a, b)")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("compute(a, b)")
    calls = len(window.endpoint.calls)
    editor.type("comp", pause_ms=250)
    editor.shows_ghost("ute(a, b)")
    editor.keys("Backspace", "Backspace")
    editor.shows_ghost("mpute(a, b)")
    assert asked_again(window, calls) == []
    editor.keys("Tab")
    window.shows_saved("x = compute(a, b)\n")


def test_a_word_can_be_accepted_and_the_rest_stays(window: Window) -> None:
    window.endpoint.reply = writer("x = compute(a, b)")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("compute(a, b)")
    calls = len(window.endpoint.calls)
    editor.keys("Control+ArrowRight")
    editor.shows_ghost("(a, b)")
    assert asked_again(window, calls) == []
    editor.keys("Tab")
    window.shows_saved("x = compute(a, b)\n")


def test_undo_takes_the_accepted_text_back(window: Window) -> None:
    window.endpoint.reply = writer("x = compute(a, b)")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("compute(a, b)")
    editor.keys("Tab")
    window.shows_saved("x = compute(a, b)\n")
    editor.keys("Control+Z")
    window.shows_saved("x = \n")


def test_it_continues_the_entry_that_is_chosen_in_the_suggestions(window: Window) -> None:
    def rest(prompt: str, _: str) -> str:
        return "(1, 2)" if prompt.endswith("\ncompute_area") else ""

    window.endpoint.reply = Reply(text=rest)
    editor = window.open("compute_area = 1\n║\n")
    editor.type("compute_")
    editor.keys("Control+Space")
    editor.page.locator(".suggest-widget.visible").wait_for()
    editor.shows_ghost("area(1, 2)")
    editor.screenshot("suggestions")


def test_in_a_notebook_the_model_reads_the_cells_around(window: Window) -> None:
    window.endpoint.reply = writer("import math\n\nx = 1\narea = math.pi * x")
    editor = window.editor
    editor.open_notebook("cells.ipynb", "import math", "x = 1║", "print(area)")
    editor.keys("Enter")
    editor.type("area = ")
    editor.shows_ghost("math.pi * x")
    editor.screenshot("notebook")
    body = window.endpoint.calls[-1].body
    assert body["suffix"] == "\n\nprint(area)"
    editor.keys("Tab")
    wanted = ["import math", "x = 1\narea = math.pi * x", "print(area)"]
    shows(lambda: editor.saved_cells("cells.ipynb"), wanted)


def test_a_stale_answer_is_not_shown(window: Window) -> None:
    window.endpoint.reply = replace(writer("x = compute(a, b)"), ttft_s=1.0)
    editor = window.open("x ║\n")
    editor.type("= ")
    assert until(lambda: len(window.endpoint.calls), bool)
    editor.type("1")
    editor.page.wait_for_timeout(1_500)
    assert editor.ghost() == ""
    window.shows_saved("x = 1\n")


def test_escape_cancels_it(window: Window) -> None:
    window.endpoint.reply = writer("x = compute(a, b)")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("compute(a, b)")
    editor.keys("Escape")
    editor.shows_ghost("")
    window.shows_saved("x = \n")


def test_an_answer_that_takes_longer_than_a_second_is_shown(window: Window) -> None:
    """By itself VS Code gives up after 750 ms inside a word; the extension's defaults mend that."""
    window.endpoint.reply = replace(writer("result = 1"), ttft_s=1.5)
    editor = window.open("║\n")
    editor.type("res")
    editor.shows_ghost("ult = 1")


def test_typing_on_does_not_end_a_call_that_still_fits(window: Window) -> None:
    """VS Code cancels its request at every key; the answer that is under way stays useful."""
    window.endpoint.reply = replace(writer("x = compute(a, b)"), ttft_s=1.5)
    editor = window.open("x ║\n")
    editor.type("= ")
    assert until(lambda: len(window.endpoint.calls), bool)
    editor.type("comp", pause_ms=100)
    editor.shows_ghost("ute(a, b)")
    assert asked_again(window, 1) == []


def test_it_can_be_asked_for(window: Window) -> None:
    window.endpoint.reply = Reply(text="1 + 2")
    editor = window.open("x = ║\n")
    editor.command("Trigger Inline Suggestion")
    editor.shows_ghost("1 + 2")


def test_it_can_be_switched_off_for_a_language_and_on_again(window: Window) -> None:
    window.endpoint.reply = writer("x = 3 + 1 + 2")
    editor = window.open("x ║\n")
    editor.command("fim-lsp: Toggle Suggestions for This Language")
    reads(editor.status, "off for python")
    editor.type("= ")
    window.shows_saved("x = \n")
    assert editor.ghost() == ""
    assert window.endpoint.calls == []
    editor.command("fim-lsp: Toggle Suggestions for This Language")
    reads(editor.status, "idle")
    editor.type("3 + ")
    editor.shows_ghost("1 + 2")


def test_it_tells_why_in_a_document_of_its_own(window: Window) -> None:
    window.endpoint.reply = writer("x = 1 + 2")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("1 + 2")
    editor.command("fim-lsp: Why Nothing?")
    page = editor.page.locator(".editor-group-container.active .view-lines")
    reads(lambda: plain(page.inner_text()), "5 chars")
    assert f"Ghost text in {window.name} (python)" in plain(page.inner_text())
    assert editor.page.locator(".tab.active.dirty").count() == 0  # nothing to be saved
    editor.screenshot("why")


def test_the_menu_goes_on_with_another_model(window: Window) -> None:
    window.endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "codestral-next"}]}
    window.endpoint.reply = Reply(text=lambda prompt, _: "1" if prompt.endswith("= ") else "")
    editor = window.open("║\n")
    for model in ("codestral-next", "codestral-2501"):
        editor.menu().get_by_text("Choose the model", exact=True).click()
        editor.screenshot("models")
        editor.page.locator(".quick-input-list .monaco-list-row").get_by_text(model).click()
        editor.shows_toast(f"The model is {model}")
        editor.type(f"{model[-4:]} = ")
        editor.shows_ghost("1")
        assert window.endpoint.calls[-1].body["model"] == model
        editor.keys("Tab", "Enter")


def test_what_the_model_has_said_is_forgotten_on_demand(window: Window) -> None:
    window.endpoint.reply = Reply(text=lambda prompt, _: "1" if prompt.endswith("= ") else "")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("1")
    editor.keys("Escape")
    window.endpoint.reply = Reply(text=lambda prompt, _: "2" if prompt.endswith("= ") else "")
    editor.command("fim-lsp: Forget What the Model Has Said")
    reads(editor.page.locator(".part.statusbar").inner_text, "has forgotten what the model said")
    editor.keys("Backspace", "Space")
    editor.shows_ghost("2")


def test_the_status_is_told_in_words(window: Window) -> None:
    window.open("x = ║\n").command("fim-lsp: Show the Status")
    window.editor.shows_toast("fim-lsp is idle; mistral codestral-2501; ")


def test_the_menu_snoozes(window: Window) -> None:
    editor = window.open("x = ║\n")
    editor.menu().get_by_text("Snooze for 10 minutes").click()
    reads(editor.status, "snoozing until")
    editor.command("fim-lsp: Toggle Suggestions Everywhere")
    reads(editor.status, "idle")


def test_the_menu_switches_off_and_on(window: Window) -> None:
    editor = window.open("x = ║\n")
    for entry, status in (
        ("Switch off for python", "off for python"),
        ("Switch on for python", "idle"),
        ("Switch off", "fim-lsp: off"),
        ("Switch on", "idle"),
    ):
        editor.menu().get_by_text(entry, exact=True).click()
        reads(editor.status, status)


# an entry of the menu, where its page is, and what stands there
PAGES = {
    "the settings": ("Settings", ".settings-editor", "Settings Found"),
    "the log": ("Log", ".part.panel", "Output"),
    "the doctor": ("Find out what is wrong", ".editor-group-container.active", "It works."),
}


@pytest.mark.parametrize(("entry", "place", "text"), PAGES.values(), ids=PAGES.keys())
def test_the_menu_opens(entry: str, place: str, text: str, window: Window) -> None:
    window.endpoint.reply = writer("x = 1 + 2")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("1 + 2")
    window.endpoint.reply = Reply(text="height")  # the doctor asks, too
    editor.menu().get_by_text(entry, exact=True).click()
    reads(lambda: plain(editor.page.locator(place).inner_text()), text)


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


SHELF = """from datetime import date


class Shelf:
    def __init__(self):
        self.lent = {}

    def lend(self, title, until):
        self.lent[title] = until

    def overdue(self, today):
        late = [title for title, until in self.lent.items() if until < today]
        return sorted(late, key=self.lent.get)
"""


def test_pointing_at_the_status_bar_tells_model_and_budget(window: Window) -> None:
    window.endpoint.reply = writer(SHELF)
    before, head, _ = SHELF.partition("def overdue(self, today)")
    with window.editor.page_of(900, 460):
        editor = window.open(before + head + "║\n")
        editor.type(":")
        assert until(editor.ghost, bool)
        editor.page.locator(STATUS_ITEM).hover()
        tooltip = editor.page.locator(".monaco-hover:visible")
        said = until(lambda: "".join(tooltip.all_inner_texts()), lambda text: "idle" in text)
        editor.screenshot("vscode")
    assert re.search(
        r"idle\s+mistral codestral-2501\s+\d+ % of the minute's tokens used", plain(said)
    )


def test_the_status_bar_tells_of_thinking(window: Window) -> None:
    held = threading.Event()
    window.endpoint.reply = replace(writer("x = 1"), held=held)
    editor = window.open("x ║\n")
    editor.type("= ")
    reads(editor.status, "thinking")
    held.set()
    editor.shows_ghost("1")
    reads(editor.status, "idle")


def test_the_status_bar_tells_until_when_it_is_limited(window: Window) -> None:
    body = {"message": "Requests rate limit exceeded"}
    window.endpoint.reply = Reply(status=429, body=body, headers={"retry-after": "6"})
    editor = window.open("x ║\n")
    editor.type("= ")
    reads(editor.status, "limited until")
    editor.screenshot("limited")
    reads(editor.status, "idle")


def test_the_status_bar_tells_of_a_minutes_budget_that_is_much_used(window: Window) -> None:
    window.endpoint.reply = budget.REPLY
    editor = window.open(f"{budget.ABOVE}║\n")
    assert re.search(r"fim, fim-lsp: idle\n.*\n\d+ % of the minute's tokens used", editor.status())
    editor.settings({**window.machine, "fim.limits.tokensPerMinute": budget.LIMIT})
    try:
        used = r"fim ([5-9]\d) %, .*\nmistral codestral-2501\n\1 % of the minute's tokens used"
        for number in count():  # until VS Code has noticed that the file was written
            editor.type(f"x{number} = ")
            if until(lambda: re.search(used, editor.status()), bool, within_s=2):
                break
            assert number < 10, editor.status()
            editor.keys("Enter")
        editor.screenshot("budget")
    finally:
        editor.settings(window.machine)


def test_a_setting_applies_at_once(window: Window) -> None:
    window.endpoint.reply = Reply(text=lambda prompt, _: "1" if prompt.endswith("= ") else "")
    changed = {**window.machine, "fim.request.maxTokens": 17}
    window.editor.settings(changed)
    try:
        editor = window.open("║\n")
        for number in count():  # until VS Code has noticed that the file was written
            editor.type(f"x{number} = ")
            editor.shows_ghost("1")
            if window.endpoint.calls[-1].body["max_tokens"] == 17:
                break
            assert number < 20, [call.body["max_tokens"] for call in window.endpoint.calls]
            editor.keys("Tab", "Enter")
    finally:
        window.editor.settings(window.machine)


def test_a_mistake_in_the_settings_stands_in_the_status_bar(window: Window) -> None:
    editor = window.open("x = ║\n")
    editor.settings({**window.machine, "fim.trigger.debounceMs": "soon"})
    try:
        reads(editor.status, "trigger.debounce_ms = 'soon' does not fit", within_s=30)
        reads(editor.status, "warning  fim: editor: ")
        editor.screenshot("mistake")
    finally:
        editor.settings(window.machine)
    assert until(lambda: "does not fit" not in editor.status(), bool, within_s=30)
    assert "idle" in editor.status()


FAILURES = {
    "a wrong key": Reply(status=401, body={"message": "Unauthorized"}),
    "too many requests": Reply(status=429, body={"message": "Requests rate limit exceeded"}),
    "a broken endpoint": Reply(status=500, body="Internal Server Error"),
    "a reset connection": Reply(fault="reset"),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_endpoint_shows_no_toast_and_loses_nothing(reply: Reply, window: Window) -> None:
    window.endpoint.reply = reply
    editor = window.open("║\n")
    editor.type("x = ")
    assert until(lambda: [call for call in window.endpoint.calls if call.ended], bool)
    editor.type("1; y = 2")
    window.shows_saved("x = 1; y = 2\n")
    assert editor.ghost() == ""
    if reply.status == 401:
        reads(editor.status, "fim: 127.0.0.1 " + symptoms("vscode")[2][0])  # in the bar instead
    if reply.fault:
        editor.page.wait_for_timeout(2_000)  # longer than until the next try
        reads(editor.status, "debug-disconnect  fim: ")  # away until it has answered
    editor.command("fim-lsp: Restart the Server")
    reads(editor.status, "starting")
    reads(editor.status, "idle")


def test_a_server_that_ends_is_started_again(window: Window) -> None:
    window.endpoint.reply = writer("x = 1 + 2")
    before = window.pid_file.read_text("utf-8")
    os.kill(int(before), signal.SIGKILL)
    until(lambda: window.pid_file.read_text("utf-8"), lambda pid: pid not in {before, ""})
    reads(window.editor.status, "idle")
    editor = window.open("x ║\n")
    editor.type("= ")
    editor.shows_ghost("1 + 2")


def test_a_restart_while_the_server_starts_leaves_one_server(
    window: Window, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    started = f'[ $# -gt 0 ] || {{ echo $$ >>{pids}; sleep 3; }}; exec {PROGRAM} "$@"'
    slow = {"fim.command": ["/bin/sh", "-c", started, "fim-lsp"]}

    def seen() -> list[str]:
        return pids.read_text("utf-8").split() if pids.exists() else []

    window.editor.settings(slow)
    try:
        assert until(seen, bool)
        window.editor.settings({**slow, "fim.apiKeyEnv": "ANOTHER_KEY"})
        assert until(lambda: len(seen()) > 1, bool)
        reads(window.editor.status, "idle")
        shows(lambda: [pid for pid in seen() if Path(f"/proc/{pid}").exists()], seen()[-1:])
    finally:
        window.editor.settings(window.machine)
    reads(window.editor.status, "starting")
    reads(window.editor.status, "idle")


def test_a_program_that_is_no_server_shows_no_toast(window: Window) -> None:
    window.editor.settings({"fim.command": ["/bin/false"]})
    try:
        reads(window.editor.status, "log")
    finally:
        window.editor.settings(window.machine)
    reads(window.editor.status, "idle")


@pytest.mark.parametrize("folder", ["bin", ".local/bin"], ids=["on the PATH", "by pipx"])
def test_the_server_is_found(folder: str, window: Window) -> None:
    editor = window.editor
    program = editor.home / folder / "fim-lsp"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.symlink_to(PROGRAM)
    editor.settings({})
    try:
        reads(editor.status, "starting")
        reads(editor.status, "idle")
    finally:
        program.unlink()
        editor.settings(window.machine)
    reads(editor.status, "starting")
    reads(editor.status, "idle")


def test_the_installation_is_offered_where_the_server_is_missing(window: Window) -> None:
    window.endpoint.reply = writer("x = 1 + 2")
    editor = window.editor
    editor.settings({})
    try:
        reads(lambda: "".join(editor.toasts()), "not installed yet")
        reads(editor.status, symptoms("vscode")[1][0])
        editor.screenshot("offer")
        editor.page.locator(".notification-toast").get_by_text("Install", exact=True).click()
        reads(editor.status, "idle", within_s=60)
        window.open("x ║\n")
        editor.type("= ")
        editor.shows_ghost("1 + 2")
        (note,) = (editor.home / "user").rglob("globalStorage/*/server/installed")
        wheel = note.read_text("utf-8")
        note.write_text("fim_lsp-0.0.1-py3-none-any.whl", "utf-8")  # as an older extension left it
        editor.command("fim-lsp: Restart the Server")
        shows(lambda: note.read_text("utf-8"), wheel)
        reads(editor.status, "idle", within_s=60)
    finally:
        editor.settings(window.machine)
    reads(editor.status, "starting")
    reads(editor.status, "idle")


def test_package_json_knows_every_setting() -> None:
    script = Path(__file__).parents[2] / "editors/vscode/write_settings.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, f"run: python {script}"
