"""Vim as a person uses it: keys in, and what stands on its screen and in the file out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.editors.terminal import Terminal, program, reads, shows, until


class Vim:
    """One Vim in a terminal, with a ``.vimrc`` in an empty home."""

    def __init__(
        self, home: Path, *, vimrc: str, text: bytes, environment: Mapping[str, str]
    ) -> None:
        self._path = home / "project/a.py"
        if not (home / "project/.git").exists():
            (home / "project/.git").mkdir(parents=True)
        self._path.write_bytes(text)
        (home / ".vimrc").write_text(vimrc, "utf-8")
        command = [program("vim") or "vim", "-n", "-i", "NONE", str(self._path)]
        self.terminal = Terminal(home, command, environment=environment)
        reads(self.terminal.screen, "a.py")

    def insert_at(self, before: str) -> None:
        """Begin to insert behind the text ``before``."""
        *above, line = before.split("\n")
        self.type(f":call cursor({len(above) + 1}, {len(line.encode()) + 1})", pause_s=0)
        self.type(f" | startinsert{'!' * self._ends(line, len(above))}\n", pause_s=0)
        # the mode's name gives way to what only a person can mend
        begins = re.compile(r"^(-- INSERT --|fim-lsp: )", re.MULTILINE)
        assert until(lambda: begins.search(self.terminal.screen()), bool)

    def _ends(self, line: str, row: int) -> bool:
        text = self._path.read_bytes().decode()
        if text.count("\r\n") == text.count("\n"):
            text = text.replace("\r\n", "\n")  # as Vim has it
        return text.split("\n")[row] == line.removesuffix("\r")

    def keys(self, *names: str) -> None:
        """Press named keys."""
        self.terminal.keys(*names)

    def type(self, text: str, *, pause_s: float = 0.02) -> None:
        """Type characters."""
        self.terminal.type(text, pause_s=pause_s)

    def command(self, line: str) -> None:
        """Leave insert mode and run a command."""
        self.keys("Escape")
        self.type(f":{line}\n", pause_s=0)

    def text(self) -> str:
        """What stands in the window: the text, and the ghost text in it."""
        above, _, _ = self.terminal.screen().partition("project/a.py")
        return above.partition("\n~")[0].rstrip()

    def saved(self) -> str:
        """The file's text after saving it, line ends as they are."""
        self.command("w")
        return self._path.read_bytes().decode()

    def shows_saved(self, wanted: str) -> None:
        """Assert that the file comes to be ``wanted``."""
        shows(self.saved, wanted)

    def close(self) -> None:
        """Leave Vim as a person does."""
        self.command("qa!")
        self.terminal.close()
