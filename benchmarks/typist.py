"""A person at a keyboard: which key comes next, and after what pause; and the text to type.

People do not type evenly. They think where a line begins, hesitate before a name, run through the
rest of a word, hit the key beside the right one now and then and notice a little later, and leave
indentation to the editor as far as it gets it right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path

LANGUAGES = {".py": "python", ".ts": "typescript", ".tsx": "typescriptreact", ".js": "javascript"}
NEIGHBOURS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SLIPS = 0.02
"""How many of the letters go wrong at first."""
NOT_TYPED = frozenset(
    {"site-packages", "test", "tests", "idle_test", "node_modules", "locales", "encodings"}
)
"""Folders whose texts are copies, tables, or nobody's style."""
SHORTEST_CHARS, MOST_CHARS = 6_000, 80_000
"""Files outside of these are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A document with some lines missing, which are to be typed."""

    name: str
    language: str
    before: str
    middle: str
    after: str

    @property
    def truth(self) -> str:
        """The document as it will be."""
        return self.before + self.middle + self.after


def holes(root: Path, endings: tuple[str, ...], count: int, seed: int) -> list[Hole]:
    """Holes of 4 to 9 lines in blocks of real files, one a file, the same for a seed."""
    rng = random.Random(seed)
    files = sorted(
        path for path in root.rglob("*") if path.suffix in endings and _is_fit(path, root)
    )
    rng.shuffle(files)
    found: list[Hole] = []
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        if hole := _hole(path.relative_to(root).as_posix(), text, rng):
            found.append(hole)
        if len(found) == count:
            break
    return found


def _is_fit(path: Path, root: Path) -> bool:
    if not NOT_TYPED.isdisjoint(path.relative_to(root).parts):
        return False
    return path.is_file() and SHORTEST_CHARS < path.stat().st_size < MOST_CHARS


def _hole(name: str, text: str, rng: random.Random) -> Hole | None:
    """A hole a little below a line that opens a block; None where that line is a bad one."""
    lines = text.split("\n")
    opening = [at for at, line in enumerate(lines[:-16]) if line.endswith((":", "{"))]
    if not opening:
        return None
    start = rng.choice(opening) + rng.randint(1, 4)
    block = lines[start : start + rng.randint(4, 9)]
    middle = "\n".join(block)
    is_code = not re.search(r'"""|\'\'\'|/\*|\*/', "\n".join(lines[start - 6 : start]) + middle)
    is_long = sum(len(line.strip()) for line in block) >= 100 and max(map(len, block)) < 140
    if not (is_code and is_long and block[0].strip() and block[-1].strip()):
        return None
    if text.count(middle[-40:]) > 1:
        return None
    return Hole(
        name=name,
        language=LANGUAGES[Path(name).suffix],
        before="\n".join(lines[:start]) + "\n",
        middle=middle,
        after="\n" + "\n".join(lines[start + len(block) :]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: what the editor does with it, and how long the person took to press it."""

    pause_s: float
    insert: str = ""
    delete: int = 0
    """Characters before the cursor that it takes away first."""


class Typist:
    """One person, a little faster or slower than others; ``speed`` times as fast as people are."""

    def __init__(self, rng: random.Random, *, speed: float = 1.0) -> None:
        self._rng = rng
        self._tempo = rng.lognormvariate(0, 0.2) / speed

    def keys(self, before: str, text: str, unit: str) -> Iterator[Key]:
        """The keys that type ``text`` behind ``before``; ``unit`` is a step of indentation."""
        at = 0
        while at < len(text):
            if text[at] == "\n":
                blanks = re.match(r"[ \t]*", text[at + 1 :])
                wanted = blanks[0] if blanks else ""
                yield from self._newline(
                    before + text[:at], wanted, unit, is_last=_is_blank(text, at)
                )
                at += 1 + len(wanted)
                continue
            pause_s = self._pause_s(before + text[:at], text[at])
            if text[at].isalpha() and self._rng.random() < SLIPS:
                yield from self._slip(text[at:], pause_s)
                pause_s = self._about_s(0.15, 0.3)
            yield Key(pause_s=pause_s, insert=text[at])
            at += 1

    def reading_s(self, shown: str) -> float:
        """How long it takes to see that a suggestion is right, and to take it."""
        return self._about_s(0.25, 0.2) + 0.005 * len(shown)

    def _about_s(self, middle_s: float, spread: float) -> float:
        return self._rng.lognormvariate(log(middle_s * self._tempo), spread)

    def _pause_s(self, before: str, char: str) -> float:
        line = before[before.rfind("\n") + 1 :]
        if not line.strip():
            thought_s = self._about_s(3.0, 0.5) if self._rng.random() < 0.1 else 0.0
            return self._about_s(0.75, 0.6) + thought_s
        if char.isalnum() and not (line[-1].isalnum() or line[-1] == "_"):
            return self._about_s(0.5 if self._rng.random() < 0.25 else 0.19, 0.5)
        return self._about_s(0.13 if char.isalnum() or char == "_" else 0.19, 0.4)

    def _newline(self, before: str, wanted: str, unit: str, *, is_last: bool) -> Iterator[Key]:
        """Enter, and what it takes to correct the editor's indentation."""
        given = "" if is_last else _indentation(before, unit)
        yield Key(pause_s=self._about_s(0.3, 0.4), insert="\n" + given)
        if given == wanted:
            return
        common = len(given) if wanted.startswith(given) else 0
        if given.startswith(wanted):
            common = len(wanted)
        pause_s = self._about_s(0.35, 0.4)
        yield Key(pause_s=pause_s, insert=wanted[common:], delete=len(given) - common)

    def _slip(self, text: str, pause_s: float) -> Iterator[Key]:
        """A wrong key, perhaps a few right ones on top, and the way back."""
        yield Key(pause_s=pause_s, insert=_neighbour(text[0], self._rng))
        word = re.match(r"\w+", text[1:])
        further = (word[0] if word else "")[: self._rng.choice((0, 0, 0, 1, 2))]
        for char in further:
            yield Key(pause_s=self._about_s(0.13, 0.4), insert=char)
        yield Key(pause_s=self._about_s(0.3, 0.3), delete=1)
        for _ in further:
            yield Key(pause_s=self._about_s(0.11, 0.2), delete=1)


def _is_blank(text: str, at: int) -> bool:
    """Whether the line that begins behind ``at`` has nothing on it."""
    return text[at + 1 : at + 2] == "\n"


def _indentation(before: str, unit: str) -> str:
    """What an editor puts behind a newline: as above, one step more behind what opens a block."""
    line = before[before.rfind("\n") + 1 :]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return indent + (unit if line.rstrip().endswith((":", "{", "(", "[")) else "")


def _neighbour(char: str, rng: random.Random) -> str:
    row = next((row for row in NEIGHBOURS if char.lower() in row), "xz")
    at = row.find(char.lower())
    near = [row[i] for i in (at - 1, at + 1) if 0 <= i < len(row)]
    wrong = rng.choice(near)
    return wrong.upper() if char.isupper() else wrong


def unit_of(text: str) -> str:
    """One step of indentation in a document."""
    found = re.search(r"\n(\t| {2,8})\S", text)
    return found[1] if found else "    "
