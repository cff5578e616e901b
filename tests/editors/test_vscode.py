"""Ghost text in the real VS Code with our extension: what a person sees, and what is saved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from tests.editors.conftest import CONFIG, writer
from tests.editors.terminal import reads, shows, until
from tests.editors.vscode import VSCode, running_vscode
from tests.endpoint import Endpoint, Reply, running_endpoint

pytestmark = [pytest.mark.editor("chromium", "code-server"), pytest.mark.timeout(240)]

KEY = "secret-storage-key"
PERSON = {"fim.apiKeyEnv": "FIM_TEST_KEY"}
PROGRAM = Path(sys.executable).with_name("fim-lsp")


@dataclass(slots=True)
class Window:
    """VS Code and the endpoint, shared by this file's tests because a start takes long."""

    editor: VSCode
    endpoint: Endpoint
    pid_file: Path
    """Holds the process id of the server that was started last."""
    machine: dict[str, list[str]]
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
        config.write_text(CONFIG.format(base_url=json.dumps(endpoint.base_url)), "utf-8")
        machine = {"fim.command": ["/bin/sh", "-c", f"echo $$ >{pid_file}; exec {PROGRAM}"]}
        environment = {"FIM_LSP_CONFIG": str(config)}
        with running_vscode(
            "vscode", settings=PERSON, machine=machine, environment=environment
        ) as editor:
            reads(editor.status, "idle", within_s=60)
            editor.command("fim-lsp: Set the API Key")
            editor.answer(KEY)
            reads(editor.status, "starting")
            reads(editor.status, "idle")
            yield Window(editor, endpoint, pid_file, machine)
        pid = int(pid_file.read_text("utf-8"))
        shows(lambda: Path(f"/proc/{pid}").exists(), wanted=False)


@pytest.fixture
def window(shared: Window, request: pytest.FixtureRequest) -> Generator[Window]:
    """The window, with the endpoint's and the person's settings as at the start."""
    shared.endpoint.reply = Reply(text="")
    shared.endpoint.script.clear()
    shared.endpoint.calls.clear()
    yield shared
    shared.editor.screenshot(request.node.name)
    assert shared.endpoint.violations == []
    assert shared.editor.toasts() == []
    shared.editor.keys("Escape")


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
    assert len(window.endpoint.calls) == calls
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
    assert len(window.endpoint.calls) == calls
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
    window.endpoint.reply = writer("compute_area = 1\ncompute_area(1, 2)")
    editor = window.open("compute_area = 1\n║\n")
    editor.type("compute_")
    editor.keys("Control+Space")
    editor.page.locator(".suggest-widget.visible").wait_for()
    reads(editor.ghost, "(1, 2)")
    prompts = [call.body["prompt"] for call in window.endpoint.calls]
    assert prompts[-1] == "compute_area = 1\ncompute_area"


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
    assert len(window.endpoint.calls) == 1


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
    reads(lambda: page.inner_text().replace("\xa0", " "), "model asked")
    assert f"Ghost text in {window.name} (python)" in page.inner_text().replace("\xa0", " ")
    editor.screenshot("why")


def test_the_menu_snoozes(window: Window) -> None:
    editor = window.open("x = ║\n")
    editor.page.locator('[id^="fim-lsp.fim-lsp"]').click()
    editor.page.locator(".quick-input-list").get_by_text("Snooze").click()
    reads(editor.status, "snoozing until")
    editor.command("fim-lsp: Toggle Suggestions Everywhere")
    reads(editor.status, "idle")


def test_a_setting_applies_at_once(window: Window) -> None:
    window.endpoint.reply = Reply(text="1 + 2")
    window.editor.settings({**PERSON, "fim.request.maxTokens": 17})
    try:
        editor = window.open("║\n")
        for number in count():  # until VS Code has noticed that the file was written
            editor.type(f"x{number} = ")
            reads(editor.ghost, "1")
            if window.endpoint.calls[-1].body["max_tokens"] == 17:
                break
            assert number < 20, [call.body for call in window.endpoint.calls]
            editor.keys("Tab", "Enter")
    finally:
        window.editor.settings(PERSON)


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
        reads(editor.status, "key")  # said in the status bar instead
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


def test_a_program_that_is_no_server_shows_no_toast(window: Window) -> None:
    window.editor.settings({"fim.command": ["/bin/false"]}, level="Machine")
    try:
        reads(window.editor.status, "log")
    finally:
        window.editor.settings(window.machine, level="Machine")
    reads(window.editor.status, "idle")


def test_the_installation_is_offered_where_the_server_is_missing(window: Window) -> None:
    editor = window.editor
    editor.settings({}, level="Machine")
    try:
        reads(lambda: "".join(editor.toasts()), "not installed yet")
        editor.command("Notifications: Clear All Notifications")
        shows(editor.toasts, [])
    finally:
        editor.settings(window.machine, level="Machine")
    reads(editor.status, "idle")


def test_package_json_knows_every_setting() -> None:
    script = Path(__file__).parents[2] / "editors/vscode/write_settings.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, f"run: python {script}"
