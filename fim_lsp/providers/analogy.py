"""What a similar line nearby becomes when its names are exchanged for the names used here.

After ``self.name = name``, the line ``self.age =`` goes on with ``age``; below ``def get_age``, the
``return self.name`` of ``get_name`` becomes ``return self.age``. A line is similar when it has the
same shape as far as the cursor's line is typed, or follows lines that do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fim_lsp.providers.tokens import NUMBER, SAME, SPACED_NUMBER, Line, Vocabulary

_REACH_LINES = 60
_MAX_ANALOGIES = 12
_LINES_COMPARED = 3
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_NUMBERS = frozenset((NUMBER, SPACED_NUMBER))
_Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Analogy:
    """A similar line, from its next token on, in the names used here."""

    rest: str
    """Adapted tokens after the typed part, ending with a line end."""
    support: int
    """How similar the place is: 2 (barely) to 9 (three tokens and three lines agree)."""
    distance: int
    """In lines."""
    edits: dict[int, str]
    """Exchanged tokens by their place in the document's token string."""

    @property
    def weight(self) -> float:
        """How much its vote counts among others."""
        return 1.6**self.support / (1.0 + self.distance / 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The cursor's line as far as it is typed, and the lines around it that are not blank."""

    typed: Line
    above: Sequence[Line]
    below: Sequence[Line]
    starts: Sequence[int]
    """Where the lines above, then those below, begin in the document's token string."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A line that may be similar, and the lines before it, nearest first."""

    line: Line
    before: Sequence[Line]
    start: int
    distance: int


def analogies(here: Surroundings, vocabulary: Vocabulary) -> list[Analogy]:
    """Similar lines around the cursor, the most similar first."""
    typed = here.typed
    before = here.above[: -_LINES_COMPARED - 1 : -1]
    found: list[tuple[int, int, _Candidate]] = []
    for candidate in _candidates(here):
        line = candidate.line
        if line.shape.startswith(typed.shape) and (line.indent == typed.indent or not typed.shape):
            support = min(len(typed.shape), 3) + 2 * _agreeing(candidate.before, before)
            if support >= 2:
                found.append((-support, candidate.distance, candidate))
    found.sort(key=lambda one: one[:2])
    adapted = (
        _adapted(candidate, -support, typed, before, vocabulary)
        for support, _, candidate in found[:_MAX_ANALOGIES]
    )
    return [analogy for analogy in adapted if analogy is not None]


def _candidates(here: Surroundings) -> Iterator[_Candidate]:
    above, below, starts = here.above, here.below, here.starts
    count = len(above)
    for index in range(max(0, count - _REACH_LINES), count):
        before = above[max(0, index - _LINES_COMPARED) : index][::-1]
        yield _Candidate(above[index], before, starts[index], count - index)
    for index, line in enumerate(below[:_REACH_LINES]):
        before = below[max(0, index - _LINES_COMPARED) : index][::-1]
        yield _Candidate(line, before, starts[count + index], index + 1)


def _agreeing(there: Sequence[Line], here: Sequence[Line]) -> int:
    """How many lines before both have the same shape."""
    count = 0
    for old, new in zip(there, here, strict=False):
        if old.shape != new.shape:
            break
        count += 1
    return count


def _adapted(
    candidate: _Candidate,
    support: int,
    typed: Line,
    before: Sequence[Line],
    vocabulary: Vocabulary,
) -> Analogy | None:
    """The candidate in the names used here; None where these contradict each other."""
    exchange = _Exchange(vocabulary)
    count = len(typed.tokens)
    if not exchange.align(candidate.line.tokens[:count], typed.tokens):
        return None
    for old, new in zip(candidate.before, before, strict=False):
        if old.shape != new.shape or not exchange.align(old.tokens, new.tokens):
            break
    rest = candidate.line.tokens[count:]
    adapted = "".join([exchange.token(char) for char in rest])
    if candidate.distance == 1 and candidate.before:
        adapted = _counted_on(adapted, candidate.before[0], candidate.line, vocabulary)
    first = candidate.start + count
    edits = {first + at: new for at, new in enumerate(adapted) if new != rest[at]}
    return Analogy(adapted + SAME, support, candidate.distance, edits)


def _counted_on(adapted: str, before: Line, line: Line, vocabulary: Vocabulary) -> str:
    """After 1 and 2 comes 3: numbers that grew from one line to the next grow again."""
    if before.shape != line.shape:
        return adapted
    size = len(adapted)
    chars = list(adapted)
    for at, mark in enumerate(line.shape[len(line.shape) - size :]):
        if mark in _NUMBERS:
            index = at - size
            old, new = vocabulary.text(before.tokens[index]), vocabulary.text(line.tokens[index])
            if old.strip().isdecimal() and new.strip().isdecimal() and old != new:
                space = new[: len(new) - len(new.lstrip(" "))]
                chars[at] = vocabulary.char(f"{space}{2 * int(new) - int(old)}")
    return "".join(chars)


@dataclass(slots=True)
class _Exchange:
    """Names there to names here, whole and in parts."""

    vocabulary: Vocabulary
    whole: dict[str, str] = field(default_factory=dict[str, str])
    parts: dict[_Parts, _Parts] = field(default_factory=dict[_Parts, _Parts])

    def align(self, there: str, here: str) -> bool:
        """Note the pairs of two token strings of one shape; False where they contradict."""
        text = self.vocabulary.text
        for old, new in zip(there, here, strict=True):
            if not self._add(text(old).lstrip(" "), text(new).lstrip(" ")):
                return False
        return True

    def token(self, char: str) -> str:
        """The token as it would be written here."""
        token = self.vocabulary.text(char)
        word = token.lstrip(" ")
        new = self._word(word)
        if new == word:
            return char
        return self.vocabulary.char(token[: len(token) - len(word)] + new)

    def _add(self, there: str, here: str) -> bool:
        if self.whole.setdefault(there, here) != here:
            return False
        if there != here and (pair := _difference(_parts(there), _parts(here))):
            self.parts.setdefault(*pair)
        return True

    def _word(self, word: str) -> str:
        if word in self.whole:
            return self.whole[word]
        for there, here in self.parts.items():
            word = _exchanged(word, there, here)
        return word


def _parts(word: str) -> _Parts:
    return tuple(part.lower() for part in _PART.findall(word))


def _difference(there: _Parts, here: _Parts) -> tuple[_Parts, _Parts] | None:
    """What is left of both without the parts that they share at their ends."""
    shorter = min(len(there), len(here))
    start = 0
    while start < shorter and there[start] == here[start]:
        start += 1
    end = 0
    while end < shorter - start and there[-1 - end] == here[-1 - end]:
        end += 1
    if len(there) == start + end and end:
        end -= 1  # ``name`` to ``first_name``: something must be left to be found again
    old, new = there[start : len(there) - end], here[start : len(here) - end]
    return (old, new) if old and new else None


def _exchanged(word: str, there: _Parts, here: _Parts) -> str:
    """The word with its parts ``there`` called ``here``, in the word's own style."""
    matches = list(_PART.finditer(word))
    size = len(there)
    for at in range(len(matches) - size + 1):
        if tuple(match.group().lower() for match in matches[at : at + size]) == there:
            start, end = matches[at].start(), matches[at + size - 1].end()
            return word[:start] + _styled(here, word, word[start:end]) + word[end:]
    return word


def _styled(parts: _Parts, word: str, old: str) -> str:
    """Parts as a piece of ``word`` that stands where ``old`` stood."""
    if old.isupper() and len(old) > 1:
        return "_".join(parts).upper()
    if "_" in word or word.islower():
        return "_".join(parts)
    capitals = [part.capitalize() for part in parts]
    return "".join(capitals) if old[:1].isupper() else parts[0] + "".join(capitals[1:])
