"""A small language model of code: what came after these tokens, here and elsewhere in the project.

Pure and synchronous. A document becomes a string of one character for each token, so that Python's
own string search finds earlier occurrences of a context. The project's files stand in one array
with two hash chains over it (contexts of two and of five tokens), as in an LZ77 coder. A line is
predicted token by token; the longest contexts speak first and back off to shorter ones.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r" ?(?:[^\W\d]\w*|\d\w*|[=!<>:+*/|&-]=|->|=>|&&|\|\||[^\w\s])|\s+")
_SAME, _DEEPER, _SHALLOWER, _BLANK, _EDGE = "\x01", "\x02", "\x03", "\x04", "\x05"
_LINE_ENDS = frozenset((_SAME, _DEEPER, _SHALLOWER, _BLANK))
_FIRST_WORD = 6
_SHORT, _LONG = 2, 5
_HASH_BITS = 18
_HASH_MASK = (1 << _HASH_BITS) - 1
_MAX_MATCH = 16
_LOCAL_MATCHES = 96
_CHAIN_STEPS = 48
MAX_LINE_TOKENS = 32


class Vocabulary:
    """Tokens and the one character that stands for each."""

    def __init__(self) -> None:
        self._chars: dict[str, str] = {}
        self._texts: list[str] = [""] * _FIRST_WORD

    def encode(self, text: str) -> str:
        """The tokens of a piece of one line."""
        chars = self._chars
        return "".join([chars.get(token) or self._add(token) for token in _TOKEN.findall(text)])

    def text(self, char: str) -> str:
        """The token that ``char`` stands for; empty for line ends."""
        code = ord(char)
        return self._texts[code - 0x800 if code > 0xDFFF else code]

    def _add(self, token: str) -> str:
        code = len(self._texts)
        self._texts.append(token)
        char = chr(code + 0x800 if code >= 0xD800 else code)
        self._chars[token] = char
        return char


class Encoder:
    """Turns documents into token strings; lines seen before cost a look-up."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lines: dict[str, tuple[int, str]] = {}

    def document(self, lines: list[str]) -> str:
        """The tokens of whole lines; line ends say how the next line is indented."""
        pieces: list[str] = []
        indent = -1
        blank = False
        for line in lines:
            width, tokens = self._line(line)
            if not tokens:
                blank = True
                continue
            if indent >= 0:
                pieces.append((_BLANK if blank else "") + _line_end(indent, width))
            pieces.append(tokens)
            indent, blank = width, False
        return "".join(pieces) + (_BLANK if blank else "")

    def _line(self, line: str) -> tuple[int, str]:
        known = self._lines.get(line)
        if known is None:
            body = line.strip()
            width = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip()) if body else 0
            known = (width, self._vocabulary.encode(body))
            if len(self._lines) > 20_000:
                self._lines.clear()
            self._lines[line] = known
        return known


def _line_end(before: int, after: int) -> str:
    if after == before:
        return _SAME
    return _DEEPER if after > before else _SHALLOWER


class Corpus:
    """The project's files of one language, as tokens with two hash chains."""

    def __init__(self) -> None:
        self.tokens = array("i", [ord(_EDGE)])
        self._heads = tuple(array("i", [0]) * (_HASH_MASK + 1) for _ in range(2))
        self._links = (array("i", [0]), array("i", [0]))

    def extend(self, encoded: str) -> None:
        """Learn a piece of a file; pieces of one file follow each other."""
        tokens = self.tokens
        short_heads, long_heads = self._heads
        short_links, long_links = self._links
        start = len(tokens)
        tokens.extend(map(ord, encoded))
        for at in range(start, len(tokens)):
            if at < _LONG:
                short_links.append(0)
                long_links.append(0)
                continue
            a, b, c, d, e = tokens[at - 5 : at]
            short = (d * 0x9E3779B1 ^ e * 0x85EBCA6B) >> 7 & _HASH_MASK
            long = (((a * 31 + b) * 0x9E3779B1 + c) * 31 ^ d * 0xC2B2AE35 ^ e * 0x85EBCA6B) >> 7
            long &= _HASH_MASK
            short_links.append(short_heads[short])
            short_heads[short] = at
            long_links.append(long_heads[long])
            long_heads[long] = at

    def matches(self, context: list[int]) -> Iterator[tuple[int, int]]:
        """Positions after an occurrence of the context's end, with the match's length."""
        if len(context) < _LONG:
            return
        a, b, c, d, e = context[-5:]
        long = (((a * 31 + b) * 0x9E3779B1 + c) * 31 ^ d * 0xC2B2AE35 ^ e * 0x85EBCA6B) >> 7
        short = (d * 0x9E3779B1 ^ e * 0x85EBCA6B) >> 7 & _HASH_MASK
        seen: set[int] = set()
        for chain, key, least in ((1, long & _HASH_MASK, _LONG), (0, short, _SHORT)):
            at, links = self._heads[chain][key], self._links[chain]
            for _ in range(_CHAIN_STEPS):
                if not at:
                    break
                if at not in seen:
                    seen.add(at)
                    length = self._length(at, context)
                    if length >= least:
                        yield at, length
                at = links[at]

    def _length(self, at: int, context: list[int]) -> int:
        tokens = self.tokens
        length = 0
        for token in reversed(context):
            at -= 1
            if tokens[at] != token or length == _MAX_MATCH:
                break
            length += 1
        return length


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The rest of a line, and how likely it is right."""

    text: str
    confidence: float


class Model:
    """Everything learned about one language."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self.encoder = Encoder(self.vocabulary)
        self.corpus = Corpus()

    def learn(self, text: str) -> None:
        """Add a whole file."""
        self.corpus.extend(self.encoder.document(text.split("\n")) + _EDGE)

    def predict(self, prefix: str, suffix: str) -> Prediction:
        """The likeliest rest of the cursor's line."""
        lines = prefix.split("\n")
        line = lines.pop()
        typed = line.lstrip()
        partial = _partial(typed)
        context = self.encoder.document([*lines, line[: len(line) - len(partial)] + "x"])[:-1]
        if typed[: len(typed) - len(partial)]:
            head = self.vocabulary.encode(typed[: len(typed) - len(partial)])
            context = self.encoder.document([*lines, line])
            whole = self.vocabulary.encode(typed)
            context = context[: len(context) - len(whole)] + head
        below = self.encoder.document(suffix.split("\n")[1:])
        return self._decode(context, partial, below)

    def _decode(self, context: str, partial: str, below: str) -> Prediction:
        here = _EDGE + context + _EDGE + below
        cursor = len(context) + 1
        confidence = 1.0
        pieces: list[str] = []
        for _ in range(MAX_LINE_TOKENS):
            weights = self._next(here, cursor, context)
            if partial:
                text = self.vocabulary.text
                weights = {c: w for c, w in weights.items() if text(c).startswith(partial)}
            total = sum(weights.values())
            if not total:
                return Prediction(text="", confidence=0.0)
            ends = sum(weights.get(end, 0.0) for end in _LINE_ENDS)
            char = max(weights, key=weights.__getitem__)
            if char in _LINE_ENDS or ends > weights[char]:
                return Prediction(text="".join(pieces), confidence=confidence * ends / total)
            confidence *= weights[char] / total
            pieces.append(self.vocabulary.text(char)[len(partial) :])
            partial = ""
            context += char
            if confidence < 0.05:
                break
        return Prediction(text="", confidence=0.0)

    def _next(self, here: str, cursor: int, context: str) -> dict[str, float]:
        """Next tokens with interpolated probabilities, longest contexts last."""
        by_length: dict[int, dict[str, float]] = {}
        last = context[-1:]
        if not last:
            return {}
        tail = context[-_MAX_MATCH:]
        for at in _occurrences(here, last, cursor):
            length = _common_end(here, at, tail)
            votes = by_length.setdefault(length, {})
            char = here[at]
            votes[char] = votes.get(char, 0.0) + 2.0
        codes = [ord(c) for c in tail]
        tokens = self.corpus.tokens
        for at, length in self.corpus.matches(codes):
            if at < len(tokens):
                votes = by_length.setdefault(length, {})
                char = chr(tokens[at])
                votes[char] = votes.get(char, 0.0) + 1.0
        return _interpolate(by_length)


def _interpolate(by_length: dict[int, dict[str, float]]) -> dict[str, float]:
    """Witten-Bell back-off over suffix counts."""
    counts: dict[str, float] = {}
    cumulative: list[dict[str, float]] = []
    for length in sorted(by_length, reverse=True):
        for char, weight in by_length[length].items():
            counts[char] = counts.get(char, 0.0) + weight
        cumulative.append(dict(counts))
    mixed: dict[str, float] = {}
    for level in reversed(cumulative):
        level.pop(_EDGE, None)
        total, kinds = sum(level.values()), len(level)
        escape = kinds / (total + kinds) if total else 1.0
        mixed = {char: p * escape for char, p in mixed.items()}
        for char, weight in level.items():
            mixed[char] = mixed.get(char, 0.0) + (1 - escape) * weight / total
    return mixed


def _occurrences(here: str, last: str, cursor: int) -> Iterator[int]:
    """Positions after ``last``: the nearest above the cursor, then the nearest below."""
    at = cursor - 1
    for _ in range(_LOCAL_MATCHES):
        at = here.rfind(last, 0, at)
        if at < 0:
            break
        yield at + 1
    at = cursor
    for _ in range(_LOCAL_MATCHES // 2):
        at = here.find(last, at, len(here) - 1)
        if at < 0:
            break
        at += 1
        yield at


def _common_end(here: str, at: int, tail: str) -> int:
    length = 1
    limit = len(tail)
    while length < limit and here[at - 1 - length] == tail[-1 - length]:
        length += 1
    return length


def _partial(typed: str) -> str:
    """The end of the typed text that may still become another token."""
    match = re.search(r" ?\w+$| $", typed)
    return match.group() if match else ""
