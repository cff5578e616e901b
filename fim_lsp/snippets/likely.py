"""How likely each name is to be typed next: the one question that all snippets are ranked by.

A name counts for more where it stands near the names around the cursor, in this file and in the
files that it imports, or follows the last name before the cursor; and the more files use it at all.
The weights are a logistic regression's over a few projects (see benchmarks/context.md).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from fim_lsp.snippets.source import Source
from fim_lsp.snippets.words import WORD, code_of, keywords

NEAR_LINES_BEFORE = 6
NEAR_LINES_AFTER = 4
_FADE_BEFORE, _FADE_AFTER = 0.8, 0.7
MAX_NEAR_NAMES = 24
MAX_PLACES = 30
"""So many of a name's lines are looked at in one file."""
_LAST = re.compile(r"([^\W\d][\w$]*)(\W{0,3})$")

WEIGHTS = {
    "beside here": -0.44,
    "beside elsewhere": -0.45,
    "beside both": -0.26,
    "behind the last": 0.21,
    "member of the last": 1.4,
    "used by files": 0.15,
    "here at all": 1.04,
    "near here": 3.06,
    "member of what is named": 0.62,
    "used by neighbours": 0.8,
    "declared by an import": 0.16,
}
"""The first five are of logarithms below zero: each of the first two counts where the other says
nothing. A name without any of this has odds of about one to two thousand."""
_BEGUN_CHARS, _BEGUN_WEIGHT = 2, 4.0
"""A name whose beginning stands before the cursor; the weight is set by hand, for holes that were
cut between names have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The names around the cursor."""

    weights: dict[str, float]
    """Name to how much it says: the nearer and the rarer, the more; they sum to one."""
    last: str
    """The name right before the cursor, or none."""
    is_member: bool
    """A dot stands between that and the cursor."""
    last_few: frozenset[str]
    begun: str
    """What stands of a name that is being typed right now."""


def near_names(prefix: str, suffix: str, language: str, rarity: Callable[[str], float]) -> Near:
    """The names on the lines around the cursor, weighted."""
    no_names = keywords(language)
    before = code_of(prefix, language).split("\n")[-NEAR_LINES_BEFORE:]
    after = code_of(suffix, language).split("\n")[:NEAR_LINES_AFTER]
    weights: dict[str, float] = {}
    for away, line in enumerate(reversed(before)):
        for name in WORD.findall(line):
            weights.setdefault(name, _FADE_BEFORE**away)
    for away, line in enumerate(after):
        fade = _FADE_AFTER * _FADE_BEFORE**away
        for name in WORD.findall(line):
            weights[name] = max(weights.get(name, 0.0), fade)
    scored = {n: w * rarity(n) for n, w in weights.items() if n not in no_names}
    kept = sorted(scored, key=lambda name: -scored[name])[:MAX_NEAR_NAMES]
    total = sum(scored[name] for name in kept) or 1.0
    last = _LAST.search(before[-1])
    return Near(
        weights={name: scored[name] / total for name in kept},
        last=last[1] if last else "",
        is_member=bool(last and "." in last[2]),
        last_few=frozenset(WORD.findall(before[-1])[-3:]),
        begun=last[1] if last and not last[2] else "",
    )


@dataclass(slots=True)
class Evidence:
    """What speaks for each name, from one group of sources."""

    beside: dict[str, float] = field(default_factory=dict[str, float])
    behind_last: dict[str, float] = field(default_factory=dict[str, float])


def evidence(near: Near, sources: Sequence[Source]) -> Generator[None, None, Evidence]:
    """What sources say about the names around the cursor; a generator that returns it."""
    found = Evidence()
    followers: Counter[str] = Counter()
    for source in sources:
        for name, weight in near.weights.items():
            lines = source.at.get(name, ())[-MAX_PLACES:]
            for line in lines:
                _look_beside(source, line, found.beside, weight / (len(lines) + 1.5))
                if name == near.last:
                    _look_behind(source.words[line], name, followers)
            yield
    total = followers.total() + 2
    found.behind_last.update({name: count / total for name, count in followers.items()})
    return found


def _look_beside(source: Source, line: int, beside: dict[str, float], weight: float) -> None:
    """Count what stands from one line above to two below."""
    names: set[str] = set()
    for words in source.words[max(0, line - 1) : line + 3]:
        names.update(words)
    for name in names:
        beside[name] = beside.get(name, 0.0) + weight


def _look_behind(words: tuple[str, ...], name: str, followers: Counter[str]) -> None:
    for word, follower in pairwise(words):
        if word == name:
            followers[follower] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """All that is known about one place, from which each name's likelihood follows."""

    here: Evidence
    elsewhere: Evidence
    distance: dict[str, int]
    """Name to how many lines away it stands in this file, outside of the window."""
    imported: frozenset[str]
    """What the imported files declare."""
    members: frozenset[str]
    """What is declared in the classes and modules that are named around the cursor."""
    neighbours: Mapping[str, float]
    """Name to the share of the files like this one that use it."""
    used_by: Callable[[str], float]
    """How many of the workspace's files use a name: 0 for none, 1 for all, logarithmic."""

    def speaks_for(self, name: str) -> bool:
        """Whether other files name it near what is named at the cursor."""
        elsewhere = self.elsewhere
        return name in elsewhere.beside or name in elsewhere.behind_last

    def features(self, name: str, near: Near) -> tuple[float, ...]:
        """What speaks for a name, in the order of WEIGHTS."""
        here, elsewhere = self.here, self.elsewhere
        behind = max(here.behind_last.get(name, 0.0), elsewhere.behind_last.get(name, 0.0))
        away = self.distance.get(name)
        beside_here = math.log(here.beside.get(name, 0.0) + 0.01)
        beside_elsewhere = math.log(elsewhere.beside.get(name, 0.0) + 0.01)
        return (
            beside_here,
            beside_elsewhere,
            beside_here * beside_elsewhere,
            math.log(behind + 0.02),
            math.log((behind if near.is_member else 0.0) + 0.02),
            self.used_by(name),
            away is not None,
            0.0 if away is None else 1 / (1 + away / 30),
            name in self.members,
            self.neighbours.get(name, 0.0),
            name in self.imported,
        )

    def likelihood(self, name: str, near: Near) -> float:
        """The chance that a name is typed within the next lines, 0 to 1."""
        pairs = zip(WEIGHTS.values(), self.features(name, near), strict=True)
        odds = sum(weight * value for weight, value in pairs)
        if len(near.begun) >= _BEGUN_CHARS and name.startswith(near.begun):
            odds += _BEGUN_WEIGHT
        return 1 / (1 + math.exp(-odds))
