"""The report in a terminal: tables with small plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from fim_lsp.stats.report import Report, Worth, in_words

_BLOCKS, _ASCII_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#%@"
_BAR_CELLS = 8
_MOST_CELLS = 42
"""In 80 columns a longer line of days has no room."""
_MAX_ROWS = 12

NOTHING_YET = (
    "Nothing was counted from {since} to {until}.\n"
    "Type with ghost text in your editor, or see what is wrong: fim-lsp doctor"
)


def show(report: Report, file: Path, out: TextIO) -> None:
    """Print the report; ``file`` is where the counts are."""
    console = Console(file=out, highlight=False)
    if not (report.total.shown or report.speeds):
        nothing = NOTHING_YET.format(since=report.since, until=report.until)
        console.print(nothing, markup=False)
        return
    plots = _Plots(is_ascii=console.options.ascii_only)
    console.print(f"[bold]Ghost text from {report.since} to {report.until}[/bold]")
    console.print(_headline(report.total), markup=False)
    tables = [_by_day(report.days, plots)]
    for title, worths in (("language", report.languages), ("model", report.models)):
        tables += [_by(title, worths[:_MAX_ROWS], plots)] if worths else []
    tables += [_speeds(report, plots)] if report.speeds else []
    tables += [_costs(report)] if report.costs else []
    for one in tables:
        console.print()
        console.print(one)
    console.print(f"\nKept in {file}; sent to nobody. Off: stats.enabled = false", markup=False)


def _headline(total: Worth) -> str:
    kept = "" if total.kept_5m is None else f", {total.kept_5m:.0%} of that still there after 5 min"
    return (
        f"{total.shown:,} suggestions shown, {total.accepted:,} accepted and {total.partly:,} in "
        f"part, {total.saved_chars:,} characters saved{kept}"
    )


class _Plots:
    """Bars and lines of characters."""

    def __init__(self, *, is_ascii: bool) -> None:
        self._blocks = _ASCII_BLOCKS if is_ascii else _BLOCKS

    def line(self, values: Sequence[float]) -> str:
        """A character for each value, as high as it is."""
        most = max(values, default=0) or 1
        steps = len(self._blocks) - 1
        return "".join(
            self._blocks[-(-int(value * steps * 100) // int(most * 100))] for value in values
        )

    def bar(self, share: float) -> str:
        """A bar for a part of 1."""
        full = round(min(share, 1.0) * _BAR_CELLS)
        return self._blocks[-1] * full + self._blocks[1] * (_BAR_CELLS - full)


def _table(*columns: str) -> Table:
    first, *numbers = columns
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _by_day(days: Sequence[Worth], plots: _Plots) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    step = -(-len(days) // _MOST_CELLS)
    table.add_column("day by day" if step == 1 else f"every {step} days", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("most", justify="right")
    rows = {
        "shown": [day.shown for day in days],
        "accepted": [day.accepted + day.partly for day in days],
        "characters saved": [day.saved_chars for day in days],
    }
    for name, by_day in rows.items():
        values = [sum(by_day[at : at + step]) for at in range(0, len(by_day), step)]
        table.add_row(name, plots.line(values), f"{max(values):,}")
    return table


def _by(title: str, worths: Sequence[Worth], plots: _Plots) -> Table:
    table = _table(title, "shown", "accepted", "", "in part", "saved", "kept 30 s", "5 min")
    for one in worths:
        table.add_row(
            one.name or "(none)",
            f"{one.shown:,}",
            f"{one.accepted_share:.0%}",
            plots.bar(one.accepted_share),
            f"{one.partly:,}",
            f"{one.saved_chars:,}",
            _share(one.kept_30s),
            _share(one.kept_5m),
        )
    return table


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _speeds(report: Report, plots: _Plots) -> Table:
    table = _table("answers by source", "answers", "", "usually", "95 % within")
    total = sum(speed.answers for speed in report.speeds)
    for speed in report.speeds:
        table.add_row(
            "(nothing asked)" if speed.source == "none" else speed.source,
            f"{speed.answers:,}",
            plots.bar(speed.answers / total),
            in_words(speed.p50_ms),
            in_words(speed.p95_ms),
        )
    return table


def _costs(report: Report) -> Table:
    table = _table("cost by model", "calls", "failed", "prompt", "answers", "dollars")
    for cost in report.costs:
        table.add_row(
            cost.name,
            f"{cost.calls:,}",
            f"{cost.failed:,}",
            f"{cost.prompt_tokens:,}",
            f"{cost.answer_tokens:,}",
            "set stats.prices" if cost.dollars is None else f"{cost.dollars:.2f}",
        )
    return table
