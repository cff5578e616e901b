"""Record the demo as the README's animated picture: ``python docs/record_demo.py docs/demo.svg``.

It is the real thing: the server process answers, and each row of the terminal is drawn for as long
as it was to be seen. No script, no font and no picture from elsewhere is in the file.
"""

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

from fim_lsp.demo import human_pace
from fim_lsp.demo.scene import Fate, Scene, Tally
from fim_lsp.demo.stage import Stage
from fim_lsp.demo.views import View, picture
from fim_lsp.terminal import Row, Span, Style, clip, columns, visible

COLUMNS, LINES = 80, 24
CELL_W, CELL_H = 8.4, 18
SHOWN = 0.9
"""The size at which a page shows it, of its own: letters like those of a page's code."""
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
PAUSE_S = 3.0
"""The last picture stays for so long before all begins again."""
LEAST_S = 0.03
"""What was shorter to be seen than this is left out."""
INKS: dict[Style, str] = {
    "plain": "#d8dee9",
    "bold": "#ffffff",
    "ghost": "#7b88a1",
    "bar": "#1d2430",
    "good": "#8fce7a",
    "quiet": "#59657d",
}


@dataclass(slots=True)
class Recording:
    """What was to be seen, and from when on: a ``View``."""

    clock: Callable[[], float]
    frames: list[tuple[float, list[Row], tuple[int, int]]] = field(default_factory=list)  # pyright: ignore[reportUnknownVariableType] - declared beside it

    def show(self, scene: Scene, tally: Tally) -> None:
        """Keep the moment; a later one that comes too soon replaces it."""
        rows, cursor = picture(scene, tally, COLUMNS, LINES)
        now = self.clock()
        if self.frames and now - self.frames[-1][0] < LEAST_S:
            now = self.frames.pop()[0]
        self.frames.append((now, rows, cursor))

    def suggested(self, line: str, ghost: str, fate: Fate, answer_ms: float) -> None:
        """It was to be seen."""


@dataclass(frozen=True, slots=True)
class Showing:
    """One row's content and when it was to be seen."""

    row: int
    drawing: str
    begin_s: float
    end_s: float


def showings(recording: Recording, end_s: float) -> Iterator[Showing]:
    """Each row's contents, one after the other; unchanged ones are one."""
    start_s = recording.frames[0][0]
    for row in range(LINES):
        drawn = [
            (at_s - start_s, drawing(rows[row], cursor[1] if cursor[0] == row else None))
            for at_s, rows, cursor in recording.frames
        ]
        runs = [
            (next(group)[0], content)
            for content, group in itertools.groupby(drawn, key=lambda pair: pair[1])
        ]
        ends = [begin for begin, _ in runs[1:]] + [end_s]
        for (begin, content), end in zip(runs, ends, strict=True):
            if content:
                yield Showing(row, content, begin, end)


def drawing(row: Row, cursor: int | None) -> str:
    """A row's elements, at the top of the picture."""
    pieces: list[str] = []
    at = 0
    for span in row:
        text = clip(visible(span.text), COLUMNS - at)
        pieces += _text(Span(text, span.style), at)
        at += columns(text)
    if cursor is not None:
        pieces.append(f'<rect class="cursor" x="{_x(cursor)}" y="1.5" width="2" height="15"/>')
    return "".join(pieces)


def _text(span: Span, at: int) -> Iterator[str]:
    """The letters at their places: a font of another width must not move them."""
    if span.style == "bar":
        width = columns(span.text) * CELL_W
        yield f'<rect fill="#8fa3c8" x="{_x(at)}" width="{width:.1f}" height="{CELL_H}"/>'
    text = span.text.rstrip()
    indentation = len(text) - len(text.lstrip())
    text, at = text.lstrip(), at + indentation
    if text:
        width = columns(text) * CELL_W
        yield (
            f'<text class="{span.style}" x="{_x(at)}" y="13.5" textLength="{width:.1f}">'
            f"{escape(text)}</text>"
        )


def _x(column: int) -> str:
    return f"{column * CELL_W:.1f}"


def svg(recording: Recording) -> str:
    """The animated picture; where nothing moves, its last moment."""
    length_s = recording.frames[-1][0] - recording.frames[0][0] + PAUSE_S
    inks = "".join(f".{style}{{fill:{ink}}}" for style, ink in INKS.items())
    width, height = COLUMNS * CELL_W + 24, LINES * CELL_H + 24
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * SHOWN:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="fim-lsp: ghost text while somebody types" xml:space="preserve">'
        f"<style>text{{font:14px {FONT};white-space:pre}}{inks}"
        ".ghost{font-style:italic}.bold{font-weight:bold}.cursor{fill:#ffd479}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="#1d2430"/>'
        '<rect width="0" height="0"><animate id="t" attributeName="x" from="0" to="0" '
        f'begin="0s;t.end" dur="{length_s:.2f}s"/></rect><g transform="translate(12 12)">'
    )
    rows = "\n".join(map(partial(_shown, length_s=length_s), showings(recording, length_s)))
    return f"{head}\n{rows}\n</g></svg>\n"


def _shown(showing: Showing, length_s: float) -> str:
    place = f'transform="translate(0 {showing.row * CELL_H})"'
    begin, end = showing.begin_s, showing.end_s
    if begin <= 0 and end >= length_s:
        return f"<g {place}>{showing.drawing}</g>"
    if end >= length_s:  # what is still there at the end is there without animation too
        hidden = f'<set attributeName="visibility" to="hidden" begin="t.begin" dur="{begin:.2f}s"/>'
        return f"<g {place}>{hidden}{showing.drawing}</g>"
    seen = (
        f'<set attributeName="visibility" to="visible" begin="t.begin+{begin:.2f}s" '
        f'dur="{end - begin:.2f}s"/>'
    )
    return f'<g {place} visibility="hidden">{seen}{showing.drawing}</g>'


@contextmanager
def _recorded(recording: Recording, _: str) -> Generator[View]:
    yield recording


def main() -> None:
    """Play the demo once and write what was to be seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--speed", type=float, default=1.0)
    options = parser.parse_args()
    recording = Recording(time.monotonic)
    stage = Stage(
        overrides={},
        pace=human_pace(options.speed),
        audience=partial(_recorded, recording),
    )
    asyncio.run(stage.play())
    options.file.write_text(svg(recording), encoding="utf-8")


if __name__ == "__main__":
    main()
