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

from playwright.sync_api import Page, Route, sync_playwright

from tests.editors.terminal import program, shows, until

PREFIX = Path(os.environ.get("VSCODE_PREFIX") or Path.home() / ".cache/fim-lsp/vscode")
NODE = PREFIX / "node/bin/node"
ENTRY = PREFIX / "code-server/node_modules/code-server/out/node/entry.js"
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
    "security.workspace.trust.enabled": False,
}
# What a person sees as ghost text: the rest of the cursor's line, then the lines below it.
GHOST = """() => {
  const editor = document.querySelector('.editor-group-container.active .monaco-editor');
  const texts = (selector) => [...(editor?.querySelectorAll(selector) ?? [])]
    .map((element) => element.textContent.replace(/\\u00a0/g, ' '));
  const inline = texts('.ghost-text-decoration, .ghost-text-decoration-preview').join('');
  return [inline, ...texts('.suggest-preview-text .view-line')].join('\\n');
}"""


def extension(name: str) -> Path:
    """The package that ``setup_vscode.sh`` has built of the extension."""
    return PREFIX / f"{name}.vsix"


def is_installed() -> bool:
    """Whether everything is there that the tests need."""
    return ENTRY.exists() and extension("vscode").exists() and program("chromium") is not None


class VSCode:
    """One window on one folder."""

    def __init__(self, page: Page, folder: Path, settings: Path) -> None:
        self.page = page
        self.folder = folder
        self._settings = settings
        self._keys = page.keyboard

    def settings(self, **changed: Any) -> None:
        """Write the person's settings: the quiet ones and ``changed``, dots as two underscores."""
        named = {name.replace("__", "."): value for name, value in changed.items()}
        self._settings.write_text(json.dumps({**QUIET, **named}), "utf-8")

    def open(self, name: str, document: str) -> None:
        """Make the file ``name`` and open it with the cursor at the document's ``║``."""
        before, mark, after = document.partition("║")
        assert mark, "the document has no cursor"
        (self.folder / name).write_bytes((before + after).encode())
        self._pick("Control+P", name)
        self.page.locator(f'.tab.active[data-resource-name="{name}"]').wait_for()
        self.page.locator(".editor-group-container.active .view-lines").first.click()
        lines = before.split("\n")
        column = len(lines[-1].encode("utf-16-le")) // 2 + 1
        self._pick("Control+G", f":{len(lines)}:{column}")

    def _pick(self, key: str, text: str, *, shown: str | None = None) -> None:
        box = self.page.locator(".quick-input-widget input[type=text]")
        self._keys.press(key)
        box.wait_for(state="visible")
        box.fill(text)
        if not text.startswith(":"):  # the list is filtered late, and Enter takes what is focused
            row = self.page.locator(".quick-input-list .monaco-list-row.focused")
            row.filter(has_text=shown or text).wait_for()
        self._keys.press("Enter")
        if shown is None:
            box.wait_for(state="hidden")

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self._pick("F1", f">{title}", shown=title)

    def type(self, text: str, *, pause_ms: int = 30) -> None:
        """Type characters."""
        self._keys.type(text, delay=pause_ms)

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

    def shows_saved(self, name: str, wanted: str) -> None:
        """Assert that the file comes to be ``wanted``."""
        shows(lambda: self.saved(name), wanted)

    def toasts(self) -> list[str]:
        """The notifications that are on the screen."""
        return self.page.locator(".notification-toast").all_inner_texts()

    def status(self) -> str:
        """The icon of our status bar item, and what it tells when pointed at."""
        item = self.page.locator('[id="fim-lsp.fim-lsp"], [id^="fim-lsp.fim-lsp"]').first
        icon = item.locator(".codicon").first.get_attribute("class") or ""
        name = re.search(r"codicon-([a-z-]+)", icon)
        return f"{name[1] if name else ''}: {item.get_attribute('aria-label')}"

    def screenshot(self, name: str) -> None:
        """Keep a picture in the folder that ``FIM_SCREENSHOTS`` names, where it names one."""
        if folder := os.environ.get("FIM_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@contextmanager
def running_vscode(
    *, extension_name: str, settings: Mapping[str, Any], environment: Mapping[str, str]
) -> Generator[VSCode]:
    """A window with one extension, and nothing left behind afterwards."""
    with tempfile.TemporaryDirectory(prefix="fim", ignore_cleanup_errors=True) as name:
        home = Path(name)  # short, because a socket in it may have 107 bytes
        for folder in ("project", "user/User", "extensions"):
            (home / folder).mkdir(parents=True)
        user_settings = home / "user/User/settings.json"
        user_settings.write_text(json.dumps({**QUIET, **settings}), "utf-8")
        with (
            _code_server(home, extension_name, environment) as address,
            _page(address, home / "project") as page,
        ):
            yield VSCode(page, home / "project", user_settings)


@contextmanager
def _code_server(home: Path, extension_name: str, environment: Mapping[str, str]) -> Generator[str]:
    command = [str(NODE), str(ENTRY), "--user-data-dir", str(home / "user")]
    command += ["--extensions-dir", str(home / "extensions"), "--config", str(home / "config.yaml")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", **environment}
    package = str(extension(extension_name))
    subprocess.run([*command, "--install-extension", package], env=env, check=True, timeout=120)
    command += ["--bind-addr", "127.0.0.1:0", "--auth", "none", "--disable-telemetry"]
    command += ["--disable-update-check", "--disable-workspace-trust", "--disable-proxy"]
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
