r"""Random edits in the document store and in others that must agree, until they differ.

In UTF-16 the other is ``vscode-languageserver-textdocument``, the protocol's reference
implementation, in Node; in UTF-8 and UTF-32 it is a plain string. The reference gets each text
anew: behind an edit beyond the last line, its 1.0.16 contradicts itself.

Two things that the store does otherwise on purpose are left out: a lone ``\r`` is no line end
there, and a position inside a surrogate pair is before it.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fim_lsp.document import Change, Document, Encoding, Position
from tests.editors.terminal import VSCODE, program

REFERENCE = "textdocument"
_DRIVER = Path(__file__).parent / "textdocument_reference.cjs"
_PIECES = (
    "a",
    "word",
    "  ",
    "\t",
    "(",
    "é",
    "漢",
    "😀",
    "e\u0301",
    "\u2028",
    "\x0c",
    "\x0b",
    "\x85",
)
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
EDITS_A_DOCUMENT = 100


@dataclass(frozen=True, slots=True)
class Session:
    """A document and its edits, one after the other."""

    text: str
    changes: Sequence[Change]
    behind: Sequence[str]
    """A hash of the text behind each edit, by a plain string."""


def hash_of(text: str) -> str:
    """The same as the driver's."""
    return hashlib.md5(text.encode("utf-16-le"), usedforsecurity=False).hexdigest()


def sessions(count: int, encoding: Encoding, seed: int) -> Generator[Session]:
    """Documents with ``count`` edits in all."""
    rng = random.Random(seed)
    for at in range(0, count, EDITS_A_DOCUMENT):
        newline = rng.choice(("\n", "\r\n"))
        begun = text = _text(rng, newline, rng.randrange(60))
        changes: list[Change] = []
        behind: list[str] = []
        for _ in range(min(EDITS_A_DOCUMENT, count - at)):
            change, text = _edit(rng, text, newline, encoding)
            changes.append(change)
            behind.append(hash_of(text))
        yield Session(begun, changes, behind)


def _text(rng: random.Random, newline: str, pieces: int) -> str:
    return "".join(newline if rng.random() < 0.15 else rng.choice(_PIECES) for _ in range(pieces))


def _edit(rng: random.Random, text: str, newline: str, encoding: Encoding) -> tuple[Change, str]:
    """An edit, and the text behind it by a plain string."""
    inserted = _text(rng, newline, rng.choice((0, 1, 1, 1, 2, 8)))
    if rng.random() < 0.01:
        return Change(text=inserted), inserted
    lines = text.split("\n")
    places = [_place(rng, lines, encoding)]
    places.append(places[0] if rng.random() < 0.4 else _place(rng, lines, encoding))
    (start, low), (end, high) = sorted(places, key=lambda one: one[1])
    if len(text) > 2_000 and rng.random() < 0.5:
        (start, low), (end, high) = (Position(0, 0), 0), places[0]
    return Change(text=inserted, start=start, end=end), text[:low] + inserted + text[high:]


def _place(rng: random.Random, lines: list[str], encoding: Encoding) -> tuple[Position, int]:
    """A position, sometimes beyond a line or the document, and the offset that it stands for."""
    if rng.random() < 0.02:
        whole = sum(map(len, lines)) + len(lines) - 1
        return Position(len(lines) + rng.randrange(3), rng.randrange(5)), whole
    row = rng.randrange(len(lines))
    line = lines[row] if row == len(lines) - 1 else lines[row].removesuffix("\r")
    column = rng.randrange(len(line) + 1)
    codec, width = _CODECS[encoding]
    units = len(line[:column].encode(codec)) // width
    before = sum(map(len, lines[:row])) + row
    if column == len(line) and rng.random() < 0.2:
        units += rng.choice((1, 5, 2**31 - 1 - units))
    return Position(row, units), before + column


def differences(count: int, encoding: Encoding, seed: int = 1) -> int:
    """How many of so many edits end in another text than they should."""
    found = 0
    with _reference() if encoding == "utf-16" else _nobody() as reference:
        for session in sessions(count, encoding, seed):
            document = Document("file:///a", "x", 0, session.text)
            ours: list[str] = []
            for at, change in enumerate(session.changes):
                document.apply([change], at + 1, encoding)
                ours.append(hash_of(document.text))
            wanted = reference.behind(session) if reference else session.behind
            found += sum(one != other for one, other in zip(ours, wanted, strict=True))
    return found


class _Reference:
    """The other implementation, in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def behind(self, session: Session) -> list[str]:
        assert self._process.stdin
        assert self._process.stdout
        table = {"text": session.text, "changes": [_as_sent(one) for one in session.changes]}
        self._process.stdin.write(json.dumps(table) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def _reference() -> Generator[_Reference]:
    node = shutil.which("node", path=VSCODE / "node/bin") or shutil.which("node")
    assert node, "tests/editors/setup_vscode.sh installs it"
    pipe = subprocess.PIPE
    command = [node, str(_DRIVER), str(program(REFERENCE))]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield _Reference(process)
        assert process.stdin
        process.stdin.close()


@contextmanager
def _nobody() -> Generator[None]:
    yield None


def _as_sent(change: Change) -> dict[str, Any]:
    if change.start is None or change.end is None:
        return {"text": change.text}
    start, end = (
        {"line": one.line, "character": one.character} for one in (change.start, change.end)
    )
    return {"range": {"start": start, "end": end}, "text": change.text}
