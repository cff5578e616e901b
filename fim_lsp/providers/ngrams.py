"""Which tokens came after a context, and what that says of the next one.

Pure and synchronous. The project's files stand in one array with two hash chains over it (contexts
of two and of five tokens), as in an LZ77 coder; the open document is a string that is searched.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from math import exp, log

from fim_lsp.providers.tokens import EDGE

MAX_CORPUS_TOKENS = 2_500_000
"""About 250,000 lines; 30 MB with their chains."""
MAX_MATCH = 16
"""Longer contexts say no more."""
Votes = dict[int, dict[str, float]]
"""Match length to next tokens and how often they came."""

_SHORT, _LONG = 2, 5
_HASH_BITS = 18
_HASH_MASK = (1 << _HASH_BITS) - 1
_MIX = 40_503
_MATCHES_ABOVE, _MATCHES_BELOW, _CHAIN_STEPS = 64, 32, 32
_HERE_WEIGHT = 2.0


class Corpus:
    """The project's files of one language, as tokens with two hash chains."""

    def __init__(self) -> None:
        self._tokens = array("i", [ord(EDGE)] * _LONG)
        self._short_heads = array("i", [0]) * (_HASH_MASK + 1)
        self._long_heads = array("i", [0]) * (_HASH_MASK + 1)
        self._short_links = array("i", [0] * _LONG)
        self._long_links = array("i", [0] * _LONG)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def size_bytes(self) -> int:
        """What the arrays hold."""
        links = (self._tokens, self._short_links, self._long_links)
        return sum(len(one) * one.itemsize for one in (*links, self._short_heads, self._long_heads))

    def extend(self, encoded: str) -> None:
        """Learn a piece of a file; pieces of one file follow each other."""
        at = len(self._tokens)
        self._tokens.extend(map(ord, encoded))
        recent = self._tokens[at - _LONG + 1 :]
        pairs = zip(recent[_LONG - _SHORT :], recent[_LONG - _SHORT + 1 :], strict=False)
        shorts = [(d * _MIX ^ e) & _HASH_MASK for d, e in pairs]
        fives = zip(*(recent[skip:] for skip in range(_LONG)), strict=False)
        longs = [hash(five) & _HASH_MASK for five in fives]
        self._link(self._short_heads, self._short_links, shorts, at + 1)
        self._link(self._long_heads, self._long_links, longs, at + 1)

    def _link(
        self, heads: array[int], links: array[int], keys: Sequence[int], position: int
    ) -> None:
        """Put positions (those after each context) at the heads of their chains."""
        add = links.append
        for at, key in enumerate(keys, position):
            add(heads[key])
            heads[key] = at

    def matches(self, context: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The token after each occurrence of the context's end, with the match's length."""
        if len(context) < _LONG:
            return
        seen: set[int] = set()
        backwards = context[::-1]
        long = hash(tuple(context[-_LONG:])) & _HASH_MASK
        for at in self._chain(self._long_heads, self._long_links, long):
            length = self._common(at, backwards)
            if length >= _LONG:
                seen.add(at)
                yield self._tokens[at], length
        short = (context[-2] * _MIX ^ context[-1]) & _HASH_MASK
        for at in self._chain(self._short_heads, self._short_links, short):
            length = 0 if at in seen else self._common(at, backwards)
            if length >= _SHORT:
                yield self._tokens[at], length

    def _chain(self, heads: array[int], links: array[int], key: int) -> Iterator[int]:
        end = len(self._tokens)
        at = heads[key]
        for _ in range(_CHAIN_STEPS):
            if not at:
                return
            if at < end:
                yield at
            at = links[at - 1]  # written when its context ended, one token before

    def _common(self, at: int, backwards: Sequence[int]) -> int:
        tokens = self._tokens
        length = 0
        for token in backwards:
            at -= 1
            if tokens[at] != token:
                break
            length += 1
        return length


def votes(
    document: str,
    cursor: int,
    context: str,
    *,
    corpus: Corpus,
    edits: Mapping[int, str],
    alike: Mapping[str, str],
) -> Votes:
    """What came after the context's end, in the document around the cursor and in the project.

    ``edits`` replaces tokens of the document by their place; ``alike`` counts tokens as others.
    """
    tail = context[-MAX_MATCH:]
    found: Votes = {}
    for at in _occurrences(document, tail[-1], cursor):
        char = edits.get(at) or document[at]
        if char != EDGE:
            char = alike.get(char, char)
            counts = found.setdefault(_common_end(document, at, tail), {})
            counts[char] = counts.get(char, 0.0) + _HERE_WEIGHT
    for code, length in corpus.matches([*map(ord, tail)]):
        char = chr(code)
        if char != EDGE:
            char = alike.get(char, char)
            counts = found.setdefault(length, {})
            counts[char] = counts.get(char, 0.0) + 1.0
    return found


def mixed(by_length: Votes) -> dict[str, float]:
    """One distribution from the votes of every match length, the longest first.

    As in prediction by partial matching with exclusion: a length gives its new tokens what the
    longer ones left over. How much of it they get is a logistic rule fitted on real code.
    """
    everything: dict[str, float] = {}
    for votes in by_length.values():
        for char, weight in votes.items():
            everything[char] = everything.get(char, 0.0) + weight
    total = sum(everything.values())
    result: dict[str, float] = {}
    counts: dict[str, float] = {}
    left = 1.0
    for length in sorted(by_length, reverse=True):
        for char, weight in by_length[length].items():
            counts[char] = counts.get(char, 0.0) + weight
        new = {char: weight for char, weight in counts.items() if char not in result}
        if not new:
            continue
        weight = sum(new.values())
        share = sum([everything[char] for char in new]) / total
        score = (
            -0.474
            + 1.051 * log(length)
            + 1.143 * log(len(new))
            + (0.0 if result else 0.165)
            + 0.667 * log(share)
            + 0.932 * log(max(new.values()) / weight)
            + (0.687 if length == MAX_MATCH else 0.0)
            + 0.91 * log(sum(counts.values()))
            - 1.828 * log(len(counts))
        )
        part = left / (1.0 + exp(-score))
        left -= part
        for char, count in new.items():
            result[char] = part * count / weight
    return result


def _occurrences(tokens: str, last: str, cursor: int) -> Iterator[int]:
    """Positions after ``last``: the nearest above the cursor, then the nearest below."""
    at = cursor
    for _ in range(_MATCHES_ABOVE):
        at = tokens.rfind(last, 0, at)
        if at < 0:
            break
        yield at + 1
    at = cursor
    for _ in range(_MATCHES_BELOW):
        at = tokens.find(last, at, len(tokens) - 1) + 1
        if not at:
            break
        yield at


def _common_end(tokens: str, at: int, tail: str) -> int:
    """How many tokens before ``at`` agree with the end of ``tail``."""
    length = 1
    limit = min(len(tail), at)
    while length < limit and tokens[at - 1 - length] == tail[-1 - length]:
        length += 1
    return length
