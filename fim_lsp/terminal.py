"""Text on a person's terminal: harmless, cut to its width, and redrawn only where it changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import unicodedata
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, TextIO

Style = Literal["plain", "bold", "ghost", "bar", "good", "quiet"]

LEAST_COLUMNS = 40
LEAST_LINES = 10

_CODES: Mapping[Style, str] = {
    "plain": "",
    "bold": "1",
    "ghost": "2;3",  # dim, and italic for terminals that know no dim
    "bar": "7",
    "good": "32",
    "quiet": "2",
}
_COLOURLESS: Mapping[Style, str] = {**_CODES, "good": "1"}
"""For NO_COLOR, which leaves bold, dim and italic alone."""
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that show a text in another order than it has."""


class Span(NamedTuple):
    """A piece of one row."""

    text: str
    style: Style = "plain"


Row = Sequence[Span]

_ASCII = str.maketrans("·│─‹›✓✗▓░", "-|-<>+x#.", "") | {0x2026: "..", 0x2192: "->"}


def writable(text: str, encoding: str | None) -> str:
    """The text with this program's own signs in ASCII where the encoding has no others."""
    return text if (encoding or "").lower().replace("-", "") == "utf8" else text.translate(_ASCII)


def visible(text: str) -> str:
    r"""The text with what a terminal would obey made visible; ``\n`` and tabs stay.

    A model's text is a stranger's text: an escape sequence in it could rename the window or worse.
    """
    if text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if character in "\n\t":
        return character
    hidden = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _BIDI
    return ascii(character)[1:-1] if hidden else character


def columns(text: str) -> int:
    """How many columns a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def clip(text: str, most: int) -> str:
    """As much of the beginning as fits in ``most`` columns."""
    if columns(text) <= most:
        return text
    taken = 0
    for at, character in enumerate(text):
        taken += _columns_of(character)
        if taken > most:
            return text[:at]
    return text


def rendered(row: Row, most: int, *, colours: bool = True) -> str:
    """One row for the terminal, at most ``most`` columns wide."""
    codes = _CODES if colours else _COLOURLESS
    pieces: list[str] = []
    for text, style in row:
        piece = clip(visible(text).replace("\n", " ").replace("\t", "    "), most)
        most -= columns(piece)
        code = codes[style]
        pieces.append(f"\x1b[{code}m{piece}\x1b[0m" if code and piece else piece)
    return "".join(pieces)


def can_draw(out: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether ``out`` is a terminal that understands escapes and is large enough."""
    if not out.isatty() or environment.get("TERM") == "dumb":
        return False
    if sys.platform != "win32" and not environment.get("TERM"):
        return False
    size = shutil.get_terminal_size()
    return size.columns >= LEAST_COLUMNS and size.lines >= LEAST_LINES


class Screen:
    """The whole terminal, left as it was found whatever happens."""

    def __init__(self, out: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._out = out
        self._colours = not environment.get("NO_COLOR")
        self._shown: list[str] = []
        self._size = os.terminal_size((0, 0))

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines now; 80 x 24 where the terminal does not say."""
        return shutil.get_terminal_size()

    @contextmanager
    def opened(self) -> Generator[Screen]:
        """Take the terminal's second screen, and give it back."""
        with _silent_keyboard():
            self._out.write("\x1b[?1049h\x1b[2J")
            try:
                yield self
            finally:
                self._out.write("\x1b[0m\x1b[?25h\x1b[?1049l")
                self._out.flush()

    def forget(self) -> None:
        """Draw everything again the next time: somebody else may have written there."""
        self._size = os.terminal_size((0, 0))

    def draw(self, rows: Sequence[Row], cursor: tuple[int, int]) -> None:
        """Show these rows and put the cursor at ``(row, column)``; writes what has changed."""
        size = self.size
        pieces: list[str] = []
        if size != self._size:
            self._size, self._shown = size, []
            pieces.append("\x1b[2J")
        # the last column stays free: some terminals would wrap there
        most, colours = size.columns - 1, self._colours
        lines = [rendered(row, most, colours=colours) for row in rows[: size.lines]]
        for at, line in enumerate(lines):
            if at >= len(self._shown) or self._shown[at] != line:
                pieces.append(f"\x1b[{at + 1};1H{line}\x1b[K")
        self._shown = lines
        row, column = cursor
        pieces.append(f"\x1b[{row + 1};{min(column, size.columns - 1) + 1}H")
        self._out.write(writable("".join(pieces), self._out.encoding))
        self._out.flush()


@contextmanager
def _silent_keyboard() -> Generator[None]:
    """Keep keys from being printed over the picture; Ctrl-C still works."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import termios

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:]]
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
