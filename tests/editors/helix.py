"""Helix as a person uses it: keys in, and what stands on its screen and in the file out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.editors.readme import snippet
from tests.editors.terminal import Terminal, program, reads, shows


def configure(home: Path) -> None:
    """Put the README's lines where they belong."""
    config = home / "config/helix/languages.toml"
    config.parent.mkdir(parents=True)
    config.write_text(snippet("helix", "toml"), "utf-8")
    config.with_name("config.toml").write_text(snippet("helix", "toml", 1), "utf-8")


class Helix:
    """One Helix in a terminal, set up by the README's lines in an empty home."""

    def __init__(self, home: Path, *, text: bytes, environment: Mapping[str, str]) -> None:
        self._path = home / "project/a.py"
        (home / "project/.git").mkdir(parents=True)  # where it ends, the workspace ends
        self._path.write_bytes(text)
        configure(home)
        self.log = home / "helix.log"
        command = [program("hx") or "hx", "-v", "--log", str(self.log), str(self._path)]
        self.terminal = Terminal(home, command, environment=environment)
        reads(self.terminal.screen, "NOR")

    def insert_at(self, before: str) -> None:
        """Begin to insert behind the text ``before``."""
        lines = before.split("\n")
        self.type(f"{len(lines)}ggi")
        self.keys("Home", *["Right"] * len(lines[-1]))
        reads(self.terminal.screen, "INS")

    def keys(self, *names: str) -> None:
        """Press named keys."""
        self.terminal.keys(*names)

    def normal(self) -> None:
        """Leave insert mode; what follows ESC at once would be read as Alt and that key."""
        if " INS " in self.terminal.screen():
            self.keys("Escape")
            reads(self.terminal.screen, " NOR ")

    def command(self, line: str) -> None:
        """Run a command by its name."""
        self.normal()
        self.type(f":{line}")
        self.keys("Enter")

    def type(self, text: str) -> None:
        """Type characters."""
        self.terminal.type(text)

    def offers(self, label: str) -> None:
        """Assert that an entry comes into the menu."""
        reads(self.terminal.screen, f" {label} text")

    def offers_nothing(self) -> None:
        """Assert that no entry of ours is in the menu."""
        assert " text" not in self.terminal.screen()

    def accept(self) -> None:
        """Choose the first entry and keep it."""
        self.keys("Tab")
        reads(self.terminal.screen, "fim-lsp")  # the preview, beside what is chosen
        self.keys("Enter")

    def chooses(self, title: str) -> None:
        """Choose the only entry of a picker."""
        reads(self.terminal.screen, title)
        self.keys("Enter")

    def saved(self) -> str:
        """The file's text after saving it, line ends as they are."""
        self.command("w")
        try:
            return self._path.read_bytes().decode()
        except FileNotFoundError:
            return ""  # Helix puts a new file in its place

    def shows_saved(self, wanted: str) -> None:
        """Assert that the file comes to be ``wanted``."""
        shows(self.saved, wanted)

    def close(self) -> None:
        """Leave Helix as a person does."""
        self.command("q!")
        self.terminal.close()
