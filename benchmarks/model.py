"""A model of a model: it knows the finished document, and gets some of it wrong.

A language model writes what was to be expected, so it fails where the text is surprising: at a name
that is nowhere in what it was given to read, at a line's first word, rarely at a bracket. Each
token of a document is a surprise or not, whenever one asks; the answer is right up to the next
surprise, and once that has been typed (or enough of it to guess the rest), it is right beyond. So
the same line gets easier as it is typed, and a longer prompt helps, as with real models.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from benchmarks.typist import Hole

CHARS_PER_TOKEN = 3.5
PIECE_CHARS = 4
_TOKEN = re.compile(r"\w+|[^\w\s]+|[ \t]+")
_COMMON = re.compile(
    r"self|this|return|if|else|elif|for|in|not|and|or|is|None|True|False|null|true|false|undefined|"
    r"const|let|new|import|from|function|async|await|try|except|catch|raise|throw|def|class|\W.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How good and how fast the model is."""

    surprises: float = 1.0
    """1 is a model about as good as the endpoint's; 0 knows everything, 2 fails twice as often."""
    overrun: float = 0.3
    """How often it runs on, over what already follows the cursor."""
    ttft_s: float = 0.18
    per_token_s: float = 0.006
    seed: int = 1


class Model:
    """One document's reader. It knows where it is by the end of the prompt."""

    def __init__(self, skill: Skill) -> None:
        self.skill = skill
        self._truth = ""
        self._hole_end = 0
        self._latency = random.Random(skill.seed)

    def open(self, hole: Hole) -> None:
        """Read the finished document."""
        self._truth = hole.truth
        self._hole_end = len(hole.before) + len(hole.middle)

    def answer(self, prompt: str, suffix: str) -> str:
        """What it writes between the two."""
        at = self._place(prompt)
        if at is None:
            return "None"
        line_start = self._truth.rfind("\n", 0, at) + 1
        luck = self._luck(line_start, "length")
        lines = luck.choice((1, 1, 2, 3, 5))
        end = self._hole_end
        if luck.random() < self.skill.overrun:
            lines, end = lines + 4, self._hole_end + 160
        if at >= end:
            return ""
        return self._written(at, end, lines, prompt + suffix)

    def right_part(self, prompt: str, text: str) -> str:
        """As much of a text as is what really comes, in whole tokens."""
        at = self._place(prompt)
        comes = self._truth[at : self._hole_end] if at is not None else ""
        end = 0
        for token in _TOKEN.finditer(text.partition("\n")[0]):
            if comes[token.start() : token.end()] != token[0]:
                break
            end = token.end()
        return text[:end]

    def ttft_s(self) -> float:
        """How long the next answer's first token takes; one in fifty takes long."""
        slow = 5.0 if self._latency.random() < 0.02 else 1.0
        return self.skill.ttft_s * slow * self._latency.lognormvariate(0, 0.3)

    def _place(self, prompt: str) -> int | None:
        for size in (300, 120, 50):
            tail = prompt[-size:]
            if (found := self._truth.find(tail)) >= 0:
                return found + len(tail)
        return None

    def _luck(self, at: int, what: str) -> random.Random:
        """The same at the same place of the same document."""
        return random.Random(f"{self.skill.seed}:{self._truth[:80]}:{at}:{what}")

    def _written(self, at: int, end: int, lines: int, read: str) -> str:
        """The truth from ``at`` on, line by line, up to where it goes wrong."""
        said: list[str] = []
        for _ in range(lines):
            line_end = self._truth.find("\n", at, end)
            line_end = end if line_end < 0 else line_end
            line, is_right = self._line(at, line_end, read)
            said.append(line)
            at = line_end + 1
            if not is_right or at > end:
                break
        return "\n".join(said)

    def _line(self, at: int, end: int, read: str) -> tuple[str, bool]:
        """The rest of a line as the model has it."""
        start = self._truth.rfind("\n", 0, at) + 1
        for token in _TOKEN.finditer(self._truth, start, end):
            if token.end() <= at or token[0].isspace():
                continue
            is_first = not self._truth[start : token.start()].strip()
            is_seen = token[0] in read or token[0] in self._truth[at : token.start()]
            if self._is_surprise(token, is_first=is_first, is_seen=is_seen):
                guessed = (
                    token.start() + len(token[0]) * self._luck(token.start(), "enough").random()
                )
                if at > token.start() and at >= guessed:
                    continue
                return self._gone_wrong(at, token, end), False
        return self._truth[at:end], True

    def _is_surprise(self, token: re.Match[str], *, is_first: bool, is_seen: bool) -> bool:
        chance = 0.015 if _COMMON.fullmatch(token[0]) else 0.06 if is_seen else 0.22
        chance += 0.06 * is_first
        return self._luck(token.start(), "surprise").random() < chance * self.skill.surprises

    def _gone_wrong(self, at: int, token: re.Match[str], end: int) -> str:
        """Right up to a token, and then something else from the same document."""
        luck = self._luck(token.start(), "instead")
        near = re.findall(r"[A-Za-z_]\w{2,}", self._truth[max(0, at - 2_000) : at])
        names = [name for name in near if name != token[0] and not _COMMON.fullmatch(name)]
        typed = self._truth[token.start() : at]
        instead = luck.choice(names or ["value"])
        if typed:
            instead = instead[1:]  # whatever it is, it goes on with the word
        rest = (
            self._truth[token.end() : end] if luck.random() < 0.5 else luck.choice(("", "()", ")"))
        )
        return self._truth[at : token.start()] + instead + rest
