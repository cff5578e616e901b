"""The two ways to watch the demo: drawn on a terminal, or as plain lines."""

from __future__ import annotations

from typing import Protocol, TextIO

from fim_lsp.demo.scene import Fate, Scene, Tally
from fim_lsp.terminal import Row, Screen, Span, visible, writable

_WAYS = {
    "typed through": "typed through, nothing sent",
    "streak": "the next line, known already",
    "memory": "known already, nothing sent",
    "speculation": "asked for ahead, there at once",
    "in flight": "from an answer that was still coming",
    "called": "the model was asked",
}
_MARGIN = 5
"""Columns for line numbers."""


class View(Protocol):
    """Somebody to show the demo to."""

    def show(self, scene: Scene, tally: Tally) -> None:
        """Show one moment."""
        ...

    def suggested(self, line: str, ghost: str, fate: Fate, answer_ms: float) -> None:
        """Tell what became of a suggestion."""
        ...


class PlainView:
    """One line for each suggestion, for pipes, logs and simple terminals."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, scene: Scene, tally: Tally) -> None:
        """Only what became of a suggestion is told."""

    def suggested(self, line: str, ghost: str, fate: Fate, answer_ms: float) -> None:
        """Print the line with the ghost text in it."""
        first, *more = ghost.split("\n")
        shown = f"{line}‹{first}›" + (f" (+{len(more)} lines)" if more else "")
        text = f"{_left(visible(shown), 49):<49} {answer_ms:4.0f} ms  {fate}\n"
        self._out.write(writable(text, self._out.encoding))
        self._out.flush()


def _left(text: str, most: int) -> str:
    """The end of a text that is too long for one line of a usual terminal."""
    return text if len(text) <= most else f"…{text[1 - most :]}"


class DrawnView:
    """The document as an editor shows it, with the ghost text dim behind the cursor."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def suggested(self, line: str, ghost: str, fate: Fate, answer_ms: float) -> None:
        """Nothing to do: it was to be seen."""

    def show(self, scene: Scene, tally: Tally) -> None:
        """Draw the moment."""
        size = self._screen.size
        self._screen.draw(*picture(scene, tally, size.columns, size.lines))


def picture(
    scene: Scene, tally: Tally, columns: int, lines: int
) -> tuple[list[Row], tuple[int, int]]:
    """The rows of one moment, and where the cursor is: ``(row, column)``."""
    code, cursor_row, cursor_column = _code(scene)
    room = lines - 4
    top = max(0, min(cursor_row - room // 2, len(code) - room))
    window = [*code[top : top + room], *[()] * (room - len(code))]
    title = f" fim-lsp demo · {scene.source} · Ctrl-C ends "
    rows: list[Row] = [
        [Span(title.ljust(columns), "bar")],
        *window,
        [Span("─" * columns, "quiet")],
        _measures(scene),
        _counts(tally, scene.budget),
    ]
    return rows, (1 + cursor_row - top, cursor_column)


def _code(scene: Scene) -> tuple[list[Row], int, int]:
    """The document's rows, and where the cursor is in them."""
    above = scene.before.split("\n")
    rest, *below = scene.after.split("\n")
    ghost, *more = scene.ghost.split("\n")
    rows: list[Row] = [_numbered(at, line) for at, line in enumerate(above[:-1], start=1)]
    here = _numbered(len(above), above[-1])
    rows.append([*here, Span(ghost, "ghost"), Span(rest)])
    rows += [[Span(" " * _MARGIN), Span(line, "ghost")] for line in more]
    rows += [_numbered(at, line) for at, line in enumerate(below, start=len(above) + 1)]
    return rows, len(above) - 1, _MARGIN + len(above[-1])


def _numbered(number: int, line: str) -> list[Span]:
    return [Span(f"{number:>{_MARGIN - 1}} ", "quiet"), Span(line)]


def _measures(scene: Scene) -> Row:
    took = "" if scene.answer_ms is None else f"answered after {scene.answer_ms:.0f} ms"
    style = "good" if "accepted" in scene.caption else "bold"
    parts = [took, _WAYS.get(scene.way, "")]
    return [
        Span(f" {scene.caption:<20}", style),
        Span("  ·  ".join(part for part in parts if part)),
    ]


def _counts(tally: Tally, budget: str) -> Row:
    text = f" {tally.shown} shown · {tally.accepted} accepted"
    keys = f" · {tally.keys_typed} of {tally.keys_needed} keys typed"
    return [Span(text), Span(keys, "quiet"), Span(f" · {budget}" if budget else "")]
