"""Emacs as a person uses it: keys in, and what stands on its screen and in the file out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.editors.readme import clone_in, snippet
from tests.editors.terminal import Terminal, program, reads, shows, until

# Runs before the README's own lines, so that the screen holds the text alone from its first line
# on, and nothing waits for an answer of the person.
PLAIN = """
(menu-bar-mode -1)
(setq make-backup-files nil auto-save-default nil create-lockfiles nil
      confirm-kill-processes nil ring-bell-function #'ignore
      python-indent-guess-indent-offset nil
      lsp-headerline-breadcrumb-enable nil lsp-diagnostics-provider :none
      lsp-client-packages nil) ; 150 other servers' clients, which nobody has compiled here
(with-eval-after-load 'eglot (setq eglot-stay-out-of '(flymake)))
(global-set-key [f12] #'kill-emacs) ; asks nothing about what is not saved
(add-hook 'kill-emacs-hook
          (lambda () (with-current-buffer (messages-buffer)
                       (write-region (point-min) (point-max) "~/messages.txt" nil 'quiet))))
"""


class Emacs:
    """One Emacs in a terminal, set up by blocks of the README in an empty home."""

    def __init__(
        self,
        home: Path,
        *,
        text: bytes,
        environment: Mapping[str, str],
        blocks: tuple[int, ...] = (0,),
        ready: str = " fim",
        earlier: str = "",
    ) -> None:
        self._path = home / "project/a.py"
        (home / "project/.git").mkdir(parents=True)  # where it ends, the project ends
        self._path.write_bytes(text)
        clone_in(home)
        init = home / ".emacs.d/init.el"
        init.parent.mkdir()
        pasted = (snippet("emacs", "elisp", block) for block in blocks)
        init.write_text(PLAIN + earlier + "".join(pasted), "utf-8")
        self.messages = home / "messages.txt"
        command = [program("emacs") or "emacs", "-nw", str(self._path)]
        self.terminal = Terminal(home, command, environment=environment)
        reads(self.terminal.screen, ready, within_s=30)

    def insert_at(self, before: str) -> None:
        """Put the cursor behind the text ``before``, line ends counting as one character."""
        self.keys("M-g", "c")
        self.type(str(len(before) + 1))
        self.keys("Enter")

    def keys(self, *names: str) -> None:
        """Press named keys."""
        self.terminal.keys(*names)

    def type(self, text: str, *, pause_s: float = 0.02) -> None:
        """Type characters."""
        self.terminal.type(text, pause_s=pause_s)

    def command(self, name: str) -> None:
        """Run a command by its name."""
        self.keys("M-x")
        self.type(name, pause_s=0)
        self.keys("Enter")

    def text(self) -> str:
        """What stands in the window: the text, and the ghost text in it."""
        lines = self.terminal.screen().split("\n")
        modes = [row for row, line in enumerate(lines) if line.startswith(("-UU", "-UUU"))]
        return "\n".join(lines[: modes[0] if modes else None]).rstrip()

    def shows(self, wanted: str) -> None:
        """Assert that the window comes to show ``wanted``, ghost text included."""
        shows(self.text, wanted.rstrip())

    def offers(self, wanted: str) -> None:
        """Assert that ghost text is on and the window shows it as ``wanted``."""
        self.shows(wanted)
        reads(self.terminal.screen, "Accept: [")

    def saved(self) -> str:
        """The file's text after saving it, line ends as they are."""
        self.keys("C-x", "C-s")
        return self._path.read_bytes().decode()

    def shows_saved(self, wanted: str) -> None:
        """Assert that the file comes to be ``wanted``."""
        shows(self.saved, wanted)

    def close(self) -> str:
        """Leave Emacs; what it has said in its echo area."""
        self.keys("F12")
        self.terminal.close()
        return until(
            lambda: self.messages.read_text("utf-8") if self.messages.exists() else "", bool
        )
