r"""Code as strings of one character for each token, so that string search finds contexts.

A token is a word, a number or an operator, with the one space before it if there is one. The end of
a line is a token that says how the next line is indented: statistics hold at every depth.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass

SAME, DEEPER, SHALLOWER, BLANK, EDGE, RARE = "\x01", "\x02", "\x03", "\x04", "\x05", "\x06"
"""Line ends by the next line's indentation, an empty line, a document's edge, an unknown word."""
LINE_ENDS = frozenset((SAME, DEEPER, SHALLOWER, BLANK))
_FIRST_WORD = 7

WORD, SPACED_WORD, NUMBER, SPACED_NUMBER = "i", "I", "n", "N"
"""Marks in a line's shape; what is no name and no number stands for itself."""

MAX_WORDS = 150_000
"""A vocabulary holds at most this many tokens; later ones are RARE."""
_CACHED_LINES = 8_000
_SURROGATES, _AFTER_SURROGATES = 0xD800, 0xE000
_TOKEN = re.compile(
    r" ?(?:[^\W\d]\w*|\d[\w.]*(?<!\.)|===|!==|[=!<>:+*/|&-]=|->|=>|&&|\|\||[^\w\s])|\s+"
)
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        and as assert async await bool break case catch char class const continue def
        default del delete do double elif else enum except export extends false finally
        float fn for from func function global if impl implements import in int interface
        is lambda let long match mut new nil none nonlocal not null number or package pass
        private protected pub public raise readonly return self short signed sizeof static
        string struct super switch this throw true try type typedef typeof undefined
        unsigned use using var void while with yield
        """,
    )
)


class Vocabulary:
    """Tokens and the one character that stands for each. Safe to fill from two threads."""

    def __init__(self) -> None:
        self._chars: dict[str, str] = {}
        self._texts: list[str] = [""] * _FIRST_WORD
        self._shapes: dict[int, str] = {}
        self._adding = threading.Lock()

    def __len__(self) -> int:
        return len(self._texts)

    def encode(self, text: str) -> str:
        """The tokens of a piece of one line."""
        chars = self._chars
        return "".join([chars.get(token) or self._add(token) for token in _TOKEN.findall(text)])

    def text(self, char: str) -> str:
        """The token that ``char`` stands for; empty for line ends."""
        code = ord(char)
        return self._texts[code - 0x800 if code >= _AFTER_SURROGATES else code]

    def shape(self, encoded: str) -> str:
        """The same string with names and numbers replaced by their marks."""
        return encoded.translate(self._shapes)

    def char(self, token: str) -> str:
        """The character for one whole token."""
        return self._chars.get(token) or self._add(token)

    def _add(self, token: str) -> str:
        with self._adding:
            code = len(self._texts)
            if known := self._chars.get(token):
                return known
            if code >= MAX_WORDS:
                return RARE
            self._texts.append(token)
            char = chr(code + 0x800 if code >= _SURROGATES else code)
            if mark := _mark(token):
                self._shapes[ord(char)] = mark
            self._chars[token] = char
            return char


def _mark(token: str) -> str:
    word = token.lstrip(" ")
    if not word or word.lower() in _KEYWORDS:
        return ""
    if word[0].isdigit():
        return NUMBER if word == token else SPACED_NUMBER
    if word[0] == "_" or word[0].isalpha():
        return WORD if word == token else SPACED_WORD
    return ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank, encoded."""

    indent: int
    """Columns before its first token, with tabs of four."""
    tokens: str
    shape: str


_MISSING = Line(0, "", "")


class Encoder:
    """Encodes lines; those seen lately cost a look-up."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._known: dict[str, Line | None] = {}

    def lines(self, texts: Sequence[str]) -> list[Line | None]:
        """Each line encoded, None for a blank one."""
        known = self._known
        if len(known) > _CACHED_LINES:
            known.clear()
        found: list[Line | None] = []
        for text in texts:
            line = known.get(text, _MISSING)
            if line is _MISSING:
                line = known[text] = self._line(text)
            found.append(line)
        return found

    def _line(self, text: str) -> Line | None:
        """One line encoded, without its indentation; None for a blank one."""
        body = text.strip()
        if not body:
            return None
        tokens = self.vocabulary.encode(body)
        return Line(indent_of(text), tokens, self.vocabulary.shape(tokens))


def indent_of(text: str) -> int:
    """Columns of white space at the start of a line, with tabs of four."""
    space = margin_of(text)
    return len(space.expandtabs(4)) if "\t" in space else len(space)


def margin_of(text: str) -> str:
    """The white space at the start of a line."""
    return text[: len(text) - len(text.lstrip())]


def line_end(before: int, after: int) -> str:
    """The token between two lines of these indentations."""
    if after == before:
        return SAME
    return DEEPER if after > before else SHALLOWER


def joined(lines: Sequence[Line | None], offset: int = 0) -> tuple[str, list[int]]:
    """Whole lines as one token string with line ends between them, and where each line begins."""
    pieces: list[str] = []
    starts: list[int] = []
    at = offset
    indent = -1
    blank = ""
    for line in lines:
        if line is None:
            blank = BLANK
            continue
        if indent >= 0:
            pieces.append(blank + line_end(indent, line.indent))
            at += len(pieces[-1])
        pieces.append(line.tokens)
        starts.append(at)
        at += len(line.tokens)
        indent, blank = line.indent, ""
    return "".join(pieces) + blank, starts
