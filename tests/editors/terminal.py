"""A terminal of a test's own: tmux shows a program to the test as a person would see it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
XDG = ("CONFIG", "STATE", "DATA", "CACHE")
CACHE = Path.home() / ".cache/fim-lsp"
VSCODE = Path(os.environ.get("VSCODE_PREFIX") or CACHE / "vscode")
EDITORS = Path(os.environ.get("EDITORS_PREFIX") or CACHE / "editors")


def program(name: str) -> str | None:
    """The path of an editor, from the folders that the set-up scripts fill or from the PATH."""
    places = {
        "code-server": VSCODE / "code-server/node_modules/code-server/out/node/entry.js",
        "textdocument": VSCODE
        / "textdocument/node_modules/vscode-languageserver-textdocument/lib/umd/main.js",
        "coc": VSCODE / "coc/node_modules/coc.nvim/bin/server.js",
        "node": VSCODE / "node/bin/node",
        "vim-ale": Path("/usr/share/vim/vimfiles/pack/dist-bundle/opt/ale"),  # Debian's package
    }
    ours = places.get(name, EDITORS / "bin" / name)
    return str(ours) if ours.exists() else shutil.which(name)


def until(look: Callable[[], _T], wanted: Callable[[_T], bool], *, within_s: float = 40.0) -> _T:
    """Look again and again until it is as wanted; the last look either way, for an assert."""
    end = time.monotonic() + within_s
    while not wanted(seen := look()) and time.monotonic() < end:
        time.sleep(0.03)
    return seen


def shows(look: Callable[[], _T], wanted: _T, *, within_s: float = 40.0) -> None:
    """Assert that ``look()`` comes to equal ``wanted``."""
    seen = until(look, lambda found: found == wanted, within_s=within_s)
    assert seen == wanted


def reads(look: Callable[[], str], part: str, *, within_s: float = 40.0) -> None:
    """Assert that ``part`` comes to stand in ``look()``."""
    seen = until(look, lambda found: part in found, within_s=within_s)
    assert part in seen


class Terminal:
    """One program in one tmux session with nothing of the tester's environment."""

    def __init__(
        self,
        home: Path,
        command: list[str],
        *,
        environment: Mapping[str, str],
        columns: int = 90,
        rows: int = 20,
    ) -> None:
        tmux = program("tmux")
        assert tmux, "tmux is missing: run tests/editors/setup_editors.sh"
        self._tmux = [tmux, "-S", str(home / "tmux"), "-f", "/dev/null"]
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",  # `fim-lsp` is on it
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "HOME": str(home),
            **{f"XDG_{name}_HOME": str(home / name.lower()) for name in XDG},
            **environment,
        }
        size = ["-x", str(columns), "-y", str(rows)]
        self._run("new-session", "-d", *size, "-c", str(home), "--", *command)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press named keys, such as ``Escape`` or ``C-x``."""
        self._run("send-keys", *names)

    def type(self, text: str, *, pause_s: float = 0.02) -> None:
        """Type characters as a quick person does."""
        for character in text:
            # a semicolon alone would end tmux's command
            self._run("send-keys", "-l", "--", "\\;" if character == ";" else character)
            time.sleep(pause_s)

    def screen(self) -> str:
        """What stands on the screen now, without trailing blanks.

        A program may have moved on by a tab; tmux gives that back as one.
        """
        return self._run("capture-pane", "-p").expandtabs().rstrip()

    def has_ended(self) -> bool:
        """Whether the program has ended, and tmux with it."""
        try:
            self._run("has-session")
        except subprocess.CalledProcessError:
            return True
        return False

    def close(self) -> None:
        """Wait a moment for the program to end, and end it if it does not."""
        if not until(self.has_ended, bool, within_s=5):
            self._run("kill-server")
