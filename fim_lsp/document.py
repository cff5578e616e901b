r"""The open documents' text, kept so that one key costs the same in a small file and a huge one.

Lines end at ``\n`` and nowhere else: form feeds, U+2028 and a lone ``\r`` are ordinary characters,
as the editors count them. The ``\r`` of a ``\r\n`` stays in the store, so that edits land where the
editor made them, but no caller sees it: a line and a context come without.

A *position* counts in the client's encoding; a *column* counts characters (code points).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS, CursorContext

Encoding = Literal["utf-8", "utf-16", "utf-32"]
_Direction = Literal[-1, 1]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """A place as a client names it. Out of range is fine: it is clamped where it is used."""

    line: int
    """From 0."""
    character: int
    """From 0, in the units of the client's encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One edit: ``text`` replaces what lies between ``start`` and ``end``, or all without them."""

    text: str
    start: Position | None = None
    end: Position | None = None


class Document:
    """One open document: its text, and where a client's position lies in it."""

    __slots__ = ("_lines", "_neighbours", "_returns_are_text", "language", "uri", "version")

    def __init__(
        self,
        uri: str,
        language: str,
        version: int | None,
        text: str,
        *,
        returns_are_text: bool = False,
    ) -> None:
        self.uri = uri
        self.language = language
        """The LSP language id; empty where unknown."""
        self.version = version
        """What the client last called this text; None where it does not count."""
        self._lines = text.split("\n")
        self._returns_are_text = returns_are_text
        self._neighbours: dict[_Direction, _Neighbours] = {}

    @property
    def file_uri(self) -> str:
        """The URI of the file that holds the text; a cell's is another than its own."""
        return self.uri

    @property
    def text(self) -> str:
        """The whole text as the client has it; copies it all, so not for the hot path."""
        return "\n".join(self._lines)

    def beginning(self, lines: int) -> str:
        """The text's first lines; costs what these hold."""
        return "\n".join(self._lines[:lines])

    @property
    def line_count(self) -> int:
        """At least 1; the empty line after a final newline counts."""
        return len(self._lines)

    @property
    def newline(self) -> Literal["\n", "\r\n"]:
        """How the first line ends, and thus how inserted lines should."""
        return "\r\n" if self._end(0) < len(self._lines[0]) else "\n"

    def line(self, number: int) -> str:
        """The text of a line that is there, without its end."""
        return self._lines[number][: self._end(number)]

    def apply(self, changes: Iterable[Change], version: int | None, encoding: Encoding) -> None:
        """Edit the text, one change after the other, each counted in the text before it."""
        for change in changes:
            if change.start is None or change.end is None:
                self._lines = change.text.split("\n")
                self._neighbours.clear()
            else:
                self._replace(change.start, change.end, change.text, encoding)
        self.version = version

    def clamp(self, position: Position, encoding: Encoding) -> tuple[int, int]:
        """The line and column of ``position``, or the nearest there are.

        Past the last line is the document's end; past a line's end is before its line end; inside
        a character that takes several units is before it.
        """
        if position.line < 0:
            return 0, 0
        last = len(self._lines) - 1
        if position.line > last:
            return last, len(self._lines[last])
        column = _column(self._lines[position.line], max(position.character, 0), encoding)
        return position.line, min(column, self._end(position.line))

    def units(self, line: int, column: int, encoding: Encoding) -> int:
        """The position's ``character`` for a column of a line."""
        return _units(self._lines[line][: min(column, self._end(line))], encoding)

    def context(self, line: int, column: int) -> CursorContext:
        """The text around a place that ``clamp`` gave; costs what the windows hold, at most."""
        return CursorContext(
            uri=self.uri,
            language=self.language,
            prefix=self.before(line, column, PREFIX_CHARS)[0],
            suffix=self.after(line, column, SUFFIX_CHARS)[0],
        )

    def before(self, line: int, column: int, max_chars: int) -> tuple[str, bool]:
        """What stands before a place, and whether that is all of it.

        At most ``max_chars``: whole lines, or a part of one that is longer.
        """
        above = self._lines_beside(line, -1, max_chars - column)
        current = self._lines[line][max(0, column - max_chars) : column]
        is_all = above.outermost == 0 and column <= max_chars
        return _sendable(above.text + current), is_all

    def after(self, line: int, column: int, max_chars: int) -> tuple[str, bool]:
        """What stands after a place, at most ``max_chars``, and whether that is all of it."""
        below = self._lines_beside(line, 1, max_chars - (self._end(line) - column))
        suffix = self._lines[line][column : max(column, column + max_chars + 1)] + below.text
        reaches_end = below.outermost == len(self._lines) - 1
        if not reaches_end:
            suffix = suffix.removesuffix("\r")  # half of a line end that is not in the window
        suffix = _sendable(suffix)
        return suffix[: max(0, max_chars)], reaches_end and len(suffix) <= max_chars

    def _lines_beside(self, line: int, direction: _Direction, room: int) -> _Neighbours:
        """As many whole lines above (-1) or below (1) a line as there is room for, in characters.

        Those above come with their line ends, those below behind one each.
        """
        kept = self._neighbours.get(direction)
        if kept and kept.line == line:
            left = room - len(kept.text)
            if left >= 0 and not self._fits(kept.outermost + direction, left):
                return kept
        outermost, left, lines = line, room, self._lines
        end = -1 if direction < 0 else len(lines)
        for at in range(line + direction, end, direction):
            left -= len(lines[at]) + 1
            if left < 0:
                break
            outermost = at
        if direction < 0:
            text = "\n".join([*lines[outermost:line], ""])
        else:
            text = "\n".join(["", *lines[line + 1 : outermost + 1]])
        found = self._neighbours[direction] = _Neighbours(line, outermost, text)
        return found

    def _fits(self, line: int, room: int) -> bool:
        """Whether there is such a line, and room for it and a line end."""
        return 0 <= line < len(self._lines) and len(self._lines[line]) < room

    def _end(self, number: int) -> int:
        r"""The column at which the line's end begins; a last line's ``\r`` is a character."""
        line = self._lines[number]
        if self._returns_are_text or number == len(self._lines) - 1:
            return len(line)
        return len(line) - line.endswith("\r")

    def _replace(self, start: Position, end: Position, text: str, encoding: Encoding) -> None:
        # Some clients send the ends of a selection in the order in which it was made.
        (top, left), (bottom, right) = sorted(
            (self.clamp(start, encoding), self.clamp(end, encoding))
        )
        inserted = text.split("\n")
        only = top if top == bottom and len(inserted) == 1 else None
        if any(kept.line != only for kept in self._neighbours.values()):
            self._neighbours.clear()
        inserted[0] = self._lines[top][:left] + inserted[0]
        inserted[-1] += self._lines[bottom][right:]
        self._lines[top : bottom + 1] = inserted


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The lines above or below one line, joined: at most keys they are as they were."""

    line: int
    outermost: int
    """The number of the line farthest from it."""
    text: str


class Documents:
    """The documents that the client has open, by URI. What is not open is not here."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}
        self.mixed_returns_are_text = False
        r"""Whether the editor shows the ``\r`` of a document that does not always end lines so.

        Neovim does (as ``^M``) and sends places behind it; VS Code makes all line ends equal.
        """

    def open(self, uri: str, language: str, version: int | None, text: str) -> Document:
        """Take a document in; one that is open already starts anew."""
        is_mixed = text.count("\r\n") < max(1, text.count("\n"))
        returns_are_text = self.mixed_returns_are_text and is_mixed
        document = Document(uri, language, version, text, returns_are_text=returns_are_text)
        self.add(document)
        return document

    def add(self, document: Document) -> None:
        """Keep a document in the place of the one with its URI, if there is one."""
        self._open[document.uri] = document

    def change(
        self, uri: str, changes: Iterable[Change], version: int | None, encoding: Encoding
    ) -> Document | None:
        """Edit a document; None, and nothing happens, where it is not open.

        The version is noted, not checked: clients that count backwards still mean their edits.
        """
        document = self._open.get(uri)
        if document is None:
            _log.debug("ignored a change of a document that is not open")
            return None
        document.apply(changes, version, encoding)
        return document

    def close(self, uri: str) -> None:
        """Forget a document, if it was open."""
        self._open.pop(uri, None)

    def get(self, uri: str) -> Document | None:
        """The open document, or None."""
        return self._open.get(uri)

    def all(self) -> tuple[Document, ...]:
        """Every open document, the one opened first first."""
        return tuple(self._open.values())


_WIDEST = {"utf-8": 4, "utf-16": 2}
"""The most units that one character takes; in UTF-32 a unit is a character."""


def _units(text: str, encoding: Encoding) -> int:
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))


def _column(line: str, units: int, encoding: Encoding) -> int:
    """The most characters of ``line`` that take no more than ``units``.

    Starts from one unit a character and steps back over the excess. Each step goes back by no more
    than surely needed and at least by a quarter of what is left, so that a few encodings of ever
    shorter pieces do, at C speed, where counting characters takes a fifth of a second a megabyte.
    """
    column = min(units, len(line))
    if encoding == "utf-32" or line.isascii():
        return column
    excess = _units(line[:column], encoding) - units
    while excess > 0:
        back = -(-excess // _WIDEST[encoding])
        excess -= _units(line[column - back : column], encoding)
        column -= back
    return column


def _sendable(text: str) -> str:
    r"""With ``\n`` for ``\r\n`` and no half of a surrogate pair, which UTF-8 cannot say."""
    text = text.replace("\r\n", "\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
