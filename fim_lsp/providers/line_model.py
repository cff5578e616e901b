"""Predicts the rest of a line, and further lines when they are certain. Pure and synchronous.

A line grows token by token. At each step the contexts seen before vote (``ngrams``), and similar
lines nearby vote in the names used here (``analogy``); the product of the shares is the
prediction's confidence, which is close to the share of predictions that are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from types import MappingProxyType

from fim_lsp.providers.analogy import Analogy, Surroundings, analogies
from fim_lsp.providers.ngrams import MAX_CORPUS_TOKENS, Corpus, mixed, votes
from fim_lsp.providers.tokens import (
    BLANK,
    DEEPER,
    EDGE,
    LINE_ENDS,
    RARE,
    SAME,
    SHALLOWER,
    Encoder,
    Line,
    Vocabulary,
    indent_of,
    joined,
    line_end,
    margin_of,
)

MAX_LINE_TOKENS = 40
"""A longer rest of a line is never right."""
MAX_LINES = 6
"""At most this many lines in one suggestion."""
SURE = 0.8
"""Further lines are added while the whole is at least this likely."""
_GIVE_UP = 0.1
_UNSEEN = 0.02
"""The share kept for a partial word that continues as none seen so far."""
WORD_ALONE = 0.6
"""A word begun is completed alone when it is this likely and the line's rest is not."""
_NAMED_HERE, _AS_TYPED = 1.0, 0.25
"""Weights of a name found elsewhere in the document, and of the typed word, as the next token."""
_NAME_CHARS = 2
"""A name is looked for in the whole document once this much of it is typed."""
_PARTIAL = re.compile(r" ?\w+$| $")
_BRANCH, _BRANCH_LINES = re.compile(r"\s*(?:\} )?(?:elif|else if|case|when)\b"), 24
_ANY_END: Mapping[str, str] = MappingProxyType(dict.fromkeys(LINE_ENDS, SAME))
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Text to insert at the cursor, and how likely it is right."""

    text: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class _Place:
    """The document around the cursor as tokens."""

    tokens: str
    """An edge, what stands above up to the cursor, an edge, what stands below, an edge."""
    context: str
    """``tokens`` up to the cursor."""
    similar: list[Analogy]
    edits: Mapping[int, str]
    """Tokens of similar lines in the names used here, by their place in ``tokens``."""


class LineModel:
    """Everything learned about one language."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self.encoder = Encoder(self.vocabulary)
        self.corpus = Corpus()

    @property
    def full(self) -> bool:
        """True where nothing more is learned."""
        return len(self.corpus) >= MAX_CORPUS_TOKENS

    def learn(self, lines: Sequence[str], slice_lines: int = 64) -> Iterator[None]:
        """Add a file's lines; a slice of a millisecond or two is done at each step."""
        encode = self.vocabulary.encode
        indent, blank = -1, ""
        for start in range(0, len(lines), slice_lines):
            pieces: list[str] = []
            for line in lines[start : start + slice_lines]:
                body = line.strip()
                if not body:
                    blank = BLANK
                    continue
                before, indent = indent, indent_of(line)
                if before >= 0:
                    pieces.append(blank + line_end(before, indent))
                pieces.append(encode(body))
                blank = ""
            if self.full:
                return
            self.corpus.extend("".join(pieces))
            yield
        self.corpus.extend(EDGE)

    def predict(self, prefix: str, suffix: str) -> Prediction:
        """The likeliest rest of the cursor's line, and lines after it that are nearly certain."""
        above = prefix.split("\n")
        first = above.pop()
        rest, *below = suffix.split("\n")
        if not first:
            found = self._new_line(above, below, "")
        else:
            found = self._rest_of_line(above, first, below)
        found = _fitted(found, above, first, rest, below)
        if not found.confidence:
            return Prediction()
        if rest.strip():
            return found
        return self._further(found, above, first, below)

    def next_word(self, prefix: str, suffix: str) -> Prediction:
        """The likeliest end of the word that is being typed, or else the next word."""
        above = prefix.split("\n")
        typed, below = above.pop(), suffix.split("\n")[1:]
        match = _PARTIAL.search(typed.lstrip())
        certainty = 1.0
        if match:
            partial = match.group()
            place = self._place(above, typed.removesuffix(partial), below)
            token, share = self._token(place, partial)
            if token == partial:
                certainty = share
            elif token or partial.strip():
                return Prediction(text=token[len(partial) :], confidence=share)
        place = self._place(above, typed, below)
        char, share = self._likeliest(place, place.context, place.similar, 0)
        text = "" if char in {"", SAME, RARE} else self.vocabulary.text(char)
        return Prediction(text=text, confidence=share * certainty)

    def _further(
        self, found: Prediction, above: list[str], first: str, below: list[str]
    ) -> Prediction:
        """Add lines while the whole stays certain."""
        next_below = next((line.strip() for line in below if line.strip()), "")
        for _ in range(MAX_LINES - 1):
            if found.confidence < SURE:
                break
            lines = (first + found.text).split("\n")
            more = self._new_line([*above, *lines[:-1]], below, lines[-1])
            confidence = found.confidence * more.confidence
            shown = {next_below, "", *(line.strip() for line in lines)}
            if confidence < SURE or more.text.strip() in shown:
                break
            found = Prediction(text=f"{found.text}\n{more.text}", confidence=confidence)
        return found if found.text.strip() else Prediction()

    def _new_line(self, above: list[str], below: list[str], last: str) -> Prediction:
        """A whole line after ``last``, with its indentation."""
        before = [*above, last] if last else above
        margin, share = self._margin(before, below)
        if not share:
            return Prediction()
        found = self._rest_of_line(before, margin, below)
        if not found.text.strip():
            return Prediction()
        return Prediction(text=margin + found.text, confidence=found.confidence * share)

    def _margin(self, above: list[str], below: list[str]) -> tuple[str, float]:
        """How the next line is probably indented, and how probably."""
        place = self._place(above, None, below)
        shares = mixed(
            votes(
                place.tokens,
                len(place.context),
                place.context,
                corpus=self.corpus,
                edits=place.edits,
                alike=_NO_NAMES,
            )
        )
        ends = {end: shares.get(end, 0.0) for end in (SAME, DEEPER, SHALLOWER)}
        end = max(ends, key=ends.__getitem__)
        total = sum(shares.values())
        return _margin_after(end, above, below), ends[end] / total if total else 0.0

    def _rest_of_line(self, above: list[str], typed: str, below: list[str]) -> Prediction:
        """Complete the token that is being typed, then the line."""
        match = _PARTIAL.search(typed.lstrip())
        if match is None:
            return self._decode(self._place(above, typed, below))
        partial = match.group()
        place = self._place(above, typed[: len(typed) - len(partial)], below)
        token, share = self._token(place, partial)
        if partial == " " and not token:
            return self._decode(self._place(above, typed, below))
        rest = token[len(partial) :]
        if not token or share < _GIVE_UP:
            return Prediction()
        found = self._decode(self._place(above, typed + rest, below))
        confidence = found.confidence * share
        if rest and partial.strip() and confidence < share / 2 and share >= WORD_ALONE:
            return Prediction(text=rest, confidence=share)
        return Prediction(text=rest + found.text, confidence=confidence)

    def _token(self, place: _Place, partial: str) -> tuple[str, float]:
        """The likeliest token that begins with what is typed, and how likely it is."""
        text = self.vocabulary.text
        shares = _continuing(self._shares(place, place.context), partial, self.vocabulary)
        if not shares:
            shares = _named_here(place, partial, self.vocabulary)
        similar = [one for one in place.similar if text(one.rest[0]).startswith(partial)]
        shares = _with_analogies(shares, similar, 0)
        if not shares:
            return "", 0.0
        char = max(shares, key=shares.__getitem__)
        return text(char), shares[char]

    def _place(self, above: list[str], typed: str | None, below: list[str]) -> _Place:
        """The tokens around the cursor; ``typed`` is the cursor's line so far, if it has begun."""
        lines_above = self.encoder.lines(above)
        lines_below = self.encoder.lines(below)
        head = self.vocabulary.encode((typed or "").lstrip())
        line = Line(indent_of(typed or ""), head, self.vocabulary.shape(head))
        before = lines_above if typed is None else [*lines_above, line]
        context, starts_above = joined(before, 1)
        after, starts_below = joined(lines_below, len(context) + 2)
        similar: list[Analogy] = []
        if typed is not None:
            here = Surroundings(
                typed=line,
                above=[one for one in lines_above if one is not None],
                below=[one for one in lines_below if one is not None],
                starts=[*starts_above[:-1], *starts_below],
            )
            similar = analogies(here, self.vocabulary)
        edits: dict[int, str] = {}
        for one in reversed(similar):
            edits |= one.edits
        return _Place(f"{EDGE}{context}{EDGE}{after}{EDGE}", EDGE + context, similar, edits)

    def _decode(self, place: _Place) -> Prediction:
        """Token by token to the end of the line."""
        context, similar = place.context, place.similar
        confidence = 1.0
        pieces: list[str] = []
        for step in range(MAX_LINE_TOKENS):
            char, share = self._likeliest(place, context, similar, step)
            confidence *= share
            if char == SAME:
                return Prediction(text="".join(pieces), confidence=confidence)
            if confidence < _GIVE_UP or char == RARE:
                break
            pieces.append(self.vocabulary.text(char))
            context += char
            similar = [replace(one, rest=one.rest[1:]) for one in similar if one.rest[0] == char]
        return Prediction()

    def _likeliest(
        self, place: _Place, context: str, similar: Sequence[Analogy], step: int
    ) -> tuple[str, float]:
        """The likeliest next token, and its share; empty and 0 where nothing is known."""
        shares = _with_analogies(self._shares(place, context), similar, step)
        if not shares:
            return "", 0.0
        char = max(shares, key=shares.__getitem__)
        return char, shares[char]

    def _shares(self, place: _Place, context: str) -> dict[str, float]:
        return mixed(
            votes(
                place.tokens,
                len(place.context),
                context,
                corpus=self.corpus,
                edits=place.edits,
                alike=_ANY_END,
            )
        )


def _continuing(
    shares: Mapping[str, float], partial: str, vocabulary: Vocabulary
) -> dict[str, float]:
    """Only the tokens that begin with what is typed, and their shares among themselves."""
    text = vocabulary.text
    fitting = {char: share for char, share in shares.items() if text(char).startswith(partial)}
    total = sum(fitting.values()) + _UNSEEN
    return {char: share / total for char, share in fitting.items()}


def _named_here(place: _Place, partial: str, vocabulary: Vocabulary) -> dict[str, float]:
    """Words of the document that begin with what is typed, and the typed word as it is."""
    word = partial.lstrip(" ")
    space = partial[: len(partial) - len(word)]
    if not word:
        return {}
    named: dict[str, float] = {vocabulary.char(partial): _AS_TYPED}
    for char in set(place.tokens) if len(word) >= _NAME_CHARS else ():
        name = vocabulary.text(char).lstrip(" ")
        if name.startswith(word) and name != word:
            named[vocabulary.char(space + name)] = _NAMED_HERE
    total = max(1.0, sum(named.values()))
    return {char: share / total for char, share in named.items()}


def _with_analogies(
    shares: dict[str, float], similar: Sequence[Analogy], step: int
) -> dict[str, float]:
    """Mix in what similar lines say, as far as they are to be trusted (fitted on real code)."""
    if not similar:
        return shares
    said: dict[str, float] = {}
    for one in similar:
        said[one.rest[0]] = said.get(one.rest[0], 0.0) + one.weight
    total = sum(said.values())
    top = max(said, key=said.__getitem__)
    best = max([one for one in similar if one.rest[0] == top], key=lambda one: one.support)
    score = (
        -5.23
        + 0.19 * best.support
        + 4.1 * said[top] / total
        + 0.84 * log(len(similar))
        + 0.09 * min(step, 6)
        + 0.05 * log(best.distance)
        + (0.77 if best.edits else 0.0)
    )
    trust = 1.0 / (1.0 + exp(-score))
    result = {char: share * (1.0 - trust) for char, share in shares.items()}
    for char, weight in said.items():
        result[char] = result.get(char, 0.0) + trust * weight / total
    return result


def _fitted(
    found: Prediction, above: Sequence[str], first: str, rest: str, below: Sequence[str]
) -> Prediction:
    """Respect what stands right of the cursor and below it."""
    right = rest.strip()
    if right:
        if not found.text.endswith(right):
            return Prediction()
        found = replace(found, text=found.text.removesuffix(right))
    line = first + found.text + right
    next_below = next((one.strip() for one in below if one.strip()), "")
    if len(line.strip()) > 3 and line.strip() == next_below:
        return Prediction()
    if _BRANCH.match(line) and line in above[-_BRANCH_LINES:]:
        return Prediction()  # two branches with one condition
    return found


def _margin_after(end: str, above: Sequence[str], below: Sequence[str]) -> str:
    """The white space that a line has after this line end."""
    margins = [margin_of(line) for line in above if line.strip()]
    last = margins[-1] if margins else ""
    if end == DEEPER:
        return last + _step(margins)
    if end != SHALLOWER:
        return last
    next_below = next((margin_of(line) for line in below if line.strip()), None)
    if next_below is not None and len(next_below) < len(last):
        return next_below
    return next((one for one in reversed(margins) if len(one) < len(last)), "")


def _step(margins: Sequence[str]) -> str:
    """One step of indentation as this file has it."""
    for shallow, deep in zip(reversed(margins[:-1]), reversed(margins[1:]), strict=True):
        if deep.startswith(shallow) and deep != shallow:
            return deep[len(shallow) :]
    return "    "
