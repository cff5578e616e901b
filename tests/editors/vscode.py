"""VS Code as a person uses it: code-server in a browser, with the extension that is asked for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import Error, Locator, Page, Route, sync_playwright

from tests.editors.terminal import VSCODE, program, reads, shows, until

BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
QUIET = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoCheckUpdates": False,
    "files.hotExit": "off",
    "files.autoSave": "off",
    "security.workspace.trust.startupPrompt": "never",
}
# What a person sees as ghost text: the rest of the cursor's line, then the lines below it.
GHOST = """() => {
  const editor = document.querySelector('.monaco-editor.focused')  // a notebook's cell, too
    ?? document.querySelector('.editor-group-container.active .monaco-editor');
  const texts = (selector) => [...(editor?.querySelectorAll(selector) ?? [])]
    .map((element) => element.textContent.replace(/\\u00a0/g, ' '));
  const inline = texts('.ghost-text-decoration, .ghost-text-decoration-preview').join('');
  return [inline, ...texts('.suggest-preview-text .view-line')].join('\\n');
}"""

STATUS_ITEM = '[id^="fim-lsp.fim-lsp"]'
STATUS = """(items) => items.map((item) => item.getAttribute('aria-label'))"""


def extension(name: str) -> Path:
    """The package that ``setup_vscode.sh`` has built of the extension."""
    return VSCODE / f"{name}.vsix"


class VSCode:
    """One window on one folder."""

    def __init__(self, page: Page, home: Path) -> None:
        self.page = page
        self.home = home
        """The person's home; programs in its ``bin`` are on the PATH."""
        self.folder = home / "project"
        self._settings = home / "user/Machine"
        self._keys = page.keyboard

    def settings(self, changed: Mapping[str, Any]) -> None:
        """Write this machine's settings; VS Code does not always notice it of the person's."""
        _write_settings(self._settings, changed)

    def open(self, name: str, document: str) -> None:
        """Make the file ``name`` and open it with the cursor at the document's ``║``."""
        before, mark, after = document.partition("║")
        assert mark, "the document has no cursor"
        path = self.folder / name
        path.write_bytes((before + after).encode())
        lines = before.split("\n")
        self._pick("Control+P", f"{path}:{len(lines)}:{len(lines[-1]) + 1}", shown=name)
        self.page.locator(f'.tab.active[data-resource-name="{name}"]').wait_for()
        self.page.locator(".quick-input-widget").wait_for(state="hidden")
        self.page.locator(".editor-group-container.active .monaco-editor.focused").wait_for()
        if re.match(r"\r?\n|$", after):
            self.keys("End")  # VS Code counts the columns of wide characters in its own way

    def open_notebook(self, name: str, *cells: str) -> None:
        """Make the notebook ``name`` of Python cells and open it, with the cursor at the ``║``.

        The cursor's cell has nothing behind the cursor.
        """
        path = self.folder / name
        made = [_cell(text.replace("║", "")) for text in cells]
        metadata = {"language_info": {"name": "python"}}
        notebook = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(notebook), "utf-8")
        self._pick("Control+P", str(path), shown=name)
        self.page.locator(f'.tab.active[data-resource-name="{name}"]').wait_for()
        number = next(number for number, text in enumerate(cells) if "║" in text)
        self.page.locator(".notebookOverlay .monaco-list-row .monaco-editor").nth(number).click()
        self.page.locator(".notebookOverlay .monaco-editor.focused").wait_for()
        self.keys("Control+End")

    def _pick(self, key: str, text: str, *, shown: str) -> None:
        box = self.page.locator(".quick-input-widget input[type=text]")
        # the list is filtered late, and Enter takes what is focused
        row = self.page.locator(".quick-input-list .monaco-list-row.focused").filter(has_text=shown)
        for _ in range(5):  # a page that takes the focus late closes it again
            self._keys.press(key)
            with suppress(Error):
                box.fill(text, timeout=5_000)
                row.wait_for(timeout=6_000)
                break
            self._keys.press("Escape")
        row.wait_for()
        self._keys.press("Enter")

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self._pick("F1", f">{title}", shown=title)

    def menu(self) -> Locator:
        """Click on our item in the status bar; the entries of the menu that opens."""
        self.page.locator(STATUS_ITEM).click()
        entries = self.page.locator(".quick-input-list .monaco-list-row")
        entries.first.wait_for()
        return entries

    def answer(self, secret: str) -> None:
        """Answer a question for a secret."""
        box = self.page.locator(".quick-input-widget input[type=password]")
        box.fill(secret)
        self._keys.press("Enter")
        box.wait_for(state="hidden")

    def type(self, text: str, *, pause_ms: int = 30) -> None:
        """Type characters."""
        self._keys.type(text, delay=pause_ms)

    def type_until_asked(self, text: str) -> None:
        """Type until there is ghost text: a window that has just opened does not always ask."""
        for _ in range(10):
            self.type(text)
            if until(self.ghost, bool, within_s=3):
                return
            self.keys(*["Backspace"] * len(text))
        raise AssertionError("VS Code never asks for ghost text")

    def keys(self, *names: str) -> None:
        """Press named keys, such as ``Control+Z``."""
        for name in names:
            self._keys.press(name)

    def ghost(self) -> str:
        """The ghost text that is on the screen."""
        return str(self.page.evaluate(GHOST))

    def shows_ghost(self, wanted: str) -> None:
        """Assert that the ghost text comes to be ``wanted``."""
        shows(self.ghost, wanted)

    def saved(self, name: str) -> str:
        """The file's text after saving it, line ends as they are."""
        self.keys("Control+S")
        self.page.locator(".tab.active.dirty").wait_for(state="detached")
        return (self.folder / name).read_bytes().decode()

    def saved_cells(self, name: str) -> list[str]:
        """The texts of a notebook's cells after saving it."""
        return ["".join(cell["source"]) for cell in json.loads(self.saved(name))["cells"]]

    def shows_saved(self, name: str, wanted: str) -> None:
        """Assert that the file comes to be ``wanted``."""
        shows(lambda: self.saved(name), wanted)

    def toasts(self) -> list[str]:
        """The notifications that are on the screen."""
        return self.page.locator(".notification-toast").all_inner_texts()

    def shows_toast(self, wanted: str) -> None:
        """Assert that a notification with this text comes, and close it."""
        reads(lambda: "".join(self.toasts()), wanted)
        self.command("Notifications: Clear All Notifications")
        self.page.locator(".notification-toast").wait_for(state="detached")

    def status(self) -> str:
        """Our item in the status bar: its icon, and what it tells when pointed at."""
        return " ".join(self.page.locator(STATUS_ITEM).evaluate_all(STATUS))

    @contextmanager
    def page_of(self, width: int, height: int) -> Generator[None]:
        """A window of this size for a moment, without the side bar."""
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": width, "height": height})
        self.command("View: Toggle Primary Side Bar Visibility")
        try:
            yield
        finally:
            self.command("View: Toggle Primary Side Bar Visibility")
            assert before
            self.page.set_viewport_size(before)

    def screenshot(self, name: str) -> None:
        """Keep a picture in the folder that ``FIM_SCREENSHOTS`` names, where it names one."""
        if folder := os.environ.get("FIM_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@contextmanager
def running_vscode(
    extension_name: str,
    *,
    settings: Mapping[str, Any],
    machine: Mapping[str, Any],
    environment: Mapping[str, str],
    trusting: bool = True,
) -> Generator[VSCode]:
    """A window with one extension, and nothing left behind afterwards.

    Unless it is ``trusting``, the folder is a stranger's until somebody says that they trust it.
    """
    with tempfile.TemporaryDirectory(prefix="fim", ignore_cleanup_errors=True) as name:
        home = Path(name)  # short, because a socket in it may have 107 bytes
        for folder in ("project", "user/User", "user/Machine", "extensions", "bin"):
            (home / folder).mkdir(parents=True)
        (home / ".profile").write_text('PATH="$HOME/bin:$PATH"\n', "utf-8")
        trust = {"security.workspace.trust.enabled": not trusting}
        _write_settings(home / "user/User", {**trust, **settings})
        _write_settings(home / "user/Machine", machine)
        with (
            _code_server(home, extension_name, environment, trusting=trusting) as address,
            _page(address, home / "project") as page,
        ):
            yield VSCode(page, home)


def _cell(text: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {},
        "source": text,
        "execution_count": None,
        "outputs": [],
    }


def _write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    # VS Code must not read half of it, nor would it notice another file in its place: one write,
    # and blanks over the rest of what was there.
    file = folder / "settings.json"
    before = file.stat().st_size if file.exists() else 0
    text = json.dumps({**QUIET, **settings}).encode().ljust(before)
    with file.open("r+b" if before else "wb", buffering=0) as stream:
        stream.write(text)


@contextmanager
def _code_server(
    home: Path, extension_name: str, environment: Mapping[str, str], *, trusting: bool
) -> Generator[str]:
    command = [
        str(VSCODE / "node/bin/node"),
        program("code-server") or "",
        "--user-data-dir",
        str(home / "user"),
    ]
    command += ["--extensions-dir", str(home / "extensions"), "--config", str(home / "config.yaml")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", **environment}
    package = str(extension(extension_name))
    install = [*command, "--install-extension", package]
    subprocess.run(install, env=env, capture_output=True, check=True, timeout=120)
    command += ["--bind-addr", "127.0.0.1:0", "--auth", "none", "--disable-telemetry"]
    command += ["--disable-update-check", "--disable-proxy"]
    command += ["--disable-workspace-trust"] if trusting else []
    command += ["--reconnection-grace-time", "5"]
    log = home / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        listening = re.compile(r"HTTP server listening on (http://127\.0\.0\.1:\d+)")
        found = until(lambda: listening.search(log.read_text("utf-8")), bool, within_s=60)
        assert found, log.read_text("utf-8")
        yield found[1]
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()


@contextmanager
def _page(address: str, folder: Path) -> Generator[Page]:
    def only_ours(route: Route) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(address).netloc:
            route.continue_()
        else:
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium"), args=BROWSER_FLAGS, headless=True
        )
        page = browser.new_page(viewport={"width": 1100, "height": 700})
        page.set_default_timeout(30_000)
        page.route("**/*", only_ours)  # no look-ups of extension galleries
        page.goto(f"{address}/?folder={quote(str(folder))}")
        page.wait_for_selector(".monaco-workbench", timeout=90_000)
        yield page
        # Leaving the page ends the extension host and the language server; closing would not.
        page.goto("about:blank")
        browser.close()
