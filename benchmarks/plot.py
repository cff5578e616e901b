"""Line and bar charts as SVG, so that figures can be looked at without any library."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60
COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#475569")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement."""

    x: float
    y: float
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Measurements that belong together, in the order in which they are joined."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From where to where, on which scale, and what it says."""

    title: str
    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values between the ends."""
        if self.is_log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        else:
            step = _round_step((self.high - self.low) / 6)
            first = math.ceil(self.low / step)
            values = [step * number for number in range(first, first + 12)]
        return [value for value in values if self.low <= value <= self.high * 1.0001]


def _round_step(about: float) -> float:
    power = 10.0 ** math.floor(math.log10(about))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= about)


def axis_for(title: str, values: Sequence[float], *, is_log: bool = False) -> Axis:
    """An axis on which all values have room."""
    low, high = min(values), max(values)
    if is_log:
        return Axis(title=title, low=low / 1.3, high=high * 1.3, is_log=True)
    room = 0.08 * (high - low) or 1.0
    return Axis(title=title, low=low - room, high=high + room)


def chart(path: Path, title: str, x: Axis, y: Axis, series: Sequence[Series]) -> None:
    """Write a chart of lines with a mark at each measurement."""
    parts = [*_frame(title, x, y)]
    places = [[(_across(x, point.x), _down(y, point.y)) for point in one.points] for one in series]
    names_top = _free_top(places, [one.name for one in series])
    for number, (one, at) in enumerate(zip(series, places, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        joined = " ".join(f"{left:.1f},{top:.1f}" for left, top in at)
        parts.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        for point, (left, top) in zip(one.points, at, strict=True):
            parts.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3.5" fill="{colour}"/>')
            parts.append(_text(left + 6, top - 6, point.label, size=11, colour=colour))
        parts.append(_text(LEFT + 12, names_top + 17 * number, one.name, colour=colour))
    _write(path, parts)


def _free_top(places: Sequence[Sequence[tuple[float, float]]], names: Sequence[str]) -> float:
    """Where the names of the lines stand on the fewest of them."""
    width, height = 8 * max(map(len, names)), 17 * len(names)
    on_the_left = [
        top + (further - top) * (step / 20)
        for line in places
        for (left, top), (end, further) in itertools.pairwise(line)
        for step in range(21)
        if left + (end - left) * (step / 20) < LEFT + 12 + width
    ]
    tops = range(TOP + 18, HEIGHT - BOTTOM - height, 17)
    return min(tops, key=lambda top: sum(top - 24 < at < top + height for at in on_the_left))


def _across(axis: Axis, value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * axis.share(value)


def _down(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * axis.share(value)


def _frame(title: str, x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [_text(WIDTH / 2, 24, title, size=15, anchor="middle")]
    for value in x.ticks():
        left = _across(x, value)
        parts.append(f'<path d="M{left:.1f} {TOP}V{bottom}" stroke="#e2e8f0"/>')
        parts.append(_text(left, bottom + 18, f"{value:,.10g}", size=11, anchor="middle"))
    for value in y.ticks():
        top = _down(y, value)
        parts.append(f'<path d="M{LEFT} {top:.1f}H{right}" stroke="#e2e8f0"/>')
        parts.append(_text(LEFT - 8, top + 4, f"{value:,.10g}", size=11, anchor="end"))
    parts.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#475569"/>')
    parts.append(_text((LEFT + right) / 2, HEIGHT - 14, x.title, anchor="middle"))
    middle = (TOP + bottom) / 2
    turned = f'transform="rotate(-90 18 {middle})"'
    parts.append(_text(18, middle, y.title, anchor="middle", more=turned))
    return parts


def _text(
    left: float,
    top: float,
    text: str,
    *,
    size: int = 13,
    anchor: str = "start",
    colour: str = "#1e293b",
    more: str = "",
) -> str:
    return (
        f'<text x="{left:.1f}" y="{top:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{colour}" {more}>{escape(text)}</text>'
    )


def _write(path: Path, parts: Sequence[str]) -> None:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif">'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    path.write_text("\n".join([head, ground, *parts, "</svg>"]) + "\n", encoding="utf-8")
