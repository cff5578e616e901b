"""What the counts come to: the sums of some days, by day, language and model."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fim_lsp.errors import UsageError
from fim_lsp.stats.counts import KEYS, SUMS, opened
from fim_lsp.stats.watch import ms_of

FREE_PROVIDERS = frozenset({"local", "llamacpp", "ollama"})
PRICES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"codestral": (0.30, 0.90), "mercury": (0.25, 0.75)}
)
"""What a model's name begins with, and dollars for a million tokens of prompts and of answers: the
makers' list prices of 2025."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What became of some suggestions."""

    name: str
    """The day, the language or the model that they have in common."""
    shown: int
    accepted_by_command: int
    accepted_by_edit: int
    """Seen in the text alone: the editor told nothing."""
    partly: int
    """A word or a line of it was accepted."""
    typed: int
    """Nothing was accepted: it was typed to its end as it stood there."""
    accepted_chars: int
    kept_30s: float | None
    """The part of what was accepted that was still there; None where it was not looked for."""
    kept_5m: float | None

    @property
    def accepted(self) -> int:
        """Accepted whole."""
        return self.accepted_by_command + self.accepted_by_edit

    @property
    def saved_chars(self) -> int:
        """Characters that nobody had to type: an accept costs a key."""
        return max(0, self.accepted_chars - self.accepted - self.partly)

    @property
    def accepted_share(self) -> float:
        """The part that was accepted, whole or in part, 0 to 1."""
        return (self.accepted + self.partly) / self.shown if self.shown else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast answers came from one source, in milliseconds."""

    source: str
    answers: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one model was asked, and what that cost."""

    provider: str
    model: str
    calls: int
    failed: int
    hung_up: int
    prompt_tokens: int
    answer_tokens: int
    dollars: float | None
    """By ``stats.prices`` or the list prices; None where none is known."""

    @property
    def name(self) -> str:
        """Provider and model, as a person reads them."""
        return f"{self.provider} {self.model}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Some days' figures."""

    since: date
    until: date
    total: Worth
    days: tuple[Worth, ...]
    """Every day from ``since`` to ``until``, those without anything too."""
    languages: tuple[Worth, ...]
    """The one that is used most first."""
    models: tuple[Worth, ...]
    speeds: tuple[Speed, ...]
    costs: tuple[Cost, ...]

    def as_table(self) -> dict[str, Any]:
        """For JSON."""
        table = dataclasses.asdict(self)
        table["since"], table["until"] = self.since.isoformat(), self.until.isoformat()
        return table


def read(path: Path, *, days: int, today: date, prices: Sequence[str] = ()) -> Report:
    """The report of the last days. Raises ``UsageError`` where the file cannot be read."""
    since = today - timedelta(days=days - 1)
    rows = {table: list(_rows(path, table, since)) for table in KEYS}
    worths, calls = rows["suggestions"], rows["calls"]
    every_day = [(since + timedelta(days=n)).isoformat() for n in range(days)]
    by_day = {one.name: one for one in _grouped(worths, "day")}
    return Report(
        since=since,
        until=today,
        total=_worth("all", worths),
        days=tuple(by_day.get(day) or _worth(day, []) for day in every_day),
        languages=_grouped(worths, "language"),
        models=_grouped(worths, "provider", "model"),
        speeds=_speeds(rows["answers"]),
        costs=_costs(calls, prices),
    )


_Row = Mapping[str, Any]


def in_words(ms: float) -> str:
    """A time for a person."""
    return "under 1 ms" if ms < 1 else f"{ms:,.0f} ms"


def _rows(path: Path, table: str, since: date) -> Iterable[_Row]:
    if not path.exists() or path.stat().st_size == 0:  # where a full disk let nothing be written
        return ()
    names = [*KEYS[table], *SUMS[table]]
    query = f"SELECT {', '.join(names)} FROM {table} WHERE day >= ? ORDER BY day"  # noqa: S608 - names of our own
    try:
        file = opened(path, to_read=True)
        try:
            found = file.execute(query, (since.isoformat(),)).fetchall()
        finally:
            file.close()
    except sqlite3.Error as error:
        message = f"{path} cannot be read ({error}): move it away to count anew."
        raise UsageError(message) from error
    return [dict(zip(names, row, strict=True)) for row in found]


def _grouped(rows: Sequence[_Row], *by: str) -> tuple[Worth, ...]:
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(" ".join(str(row[name]) for name in by).strip(), []).append(row)
    worths = [_worth(name, group) for name, group in groups.items()]
    return tuple(sorted(worths, key=lambda worth: -worth.shown))


def _worth(name: str, rows: Sequence[_Row]) -> Worth:
    sums = Counter[str]()
    for row in rows:
        sums.update({column: row[column] for column in SUMS["suggestions"]})
    return Worth(
        name=name,
        shown=sums["shown"],
        accepted_by_command=sums["accepted_by_command"],
        accepted_by_edit=sums["accepted_by_edit"],
        partly=sums["partly"],
        typed=sums["typed"],
        accepted_chars=sums["accepted_chars"],
        kept_30s=_share(sums["kept_30s"], sums["asked_30s"]),
        kept_5m=_share(sums["kept_5m"], sums["asked_5m"]),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _speeds(rows: Sequence[_Row]) -> tuple[Speed, ...]:
    buckets: dict[str, Counter[int]] = {}
    for row in rows:
        buckets.setdefault(row["source"], Counter())[row["bucket"]] += row["answers"]
    speeds = [
        Speed(
            source=source,
            answers=counts.total(),
            p50_ms=_percentile(counts, 0.5),
            p95_ms=_percentile(counts, 0.95),
        )
        for source, counts in buckets.items()
    ]
    return tuple(sorted(speeds, key=lambda speed: -speed.answers))


def _percentile(counts: Counter[int], share: float) -> float:
    wanted, seen = share * counts.total(), 0
    for bucket, count in sorted(counts.items()):
        seen += count
        if seen >= wanted:
            return round(ms_of(bucket), 1)
    return 0.0


def _costs(rows: Sequence[_Row], prices: Sequence[str]) -> tuple[Cost, ...]:
    groups: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        sums = groups.setdefault((row["provider"], row["model"]), Counter())
        sums.update({column: row[column] for column in SUMS["calls"]})
    costs = [
        Cost(
            provider=provider,
            model=model,
            **{column: sums[column] for column in SUMS["calls"]},
            dollars=_dollars(provider, model, sums, prices),
        )
        for (provider, model), sums in groups.items()
    ]
    return tuple(sorted(costs, key=lambda cost: -cost.calls))


def _dollars(provider: str, model: str, sums: Counter[str], prices: Sequence[str]) -> float | None:
    price = price_of(provider, model, prices)
    if price is None:
        return None
    return (sums["prompt_tokens"] * price[0] + sums["answer_tokens"] * price[1]) / 1_000_000


def price_of(provider: str, model: str, prices: Sequence[str]) -> tuple[float, float] | None:
    """Dollars for a million tokens of prompts and of answers; None where nobody has said."""
    for line in prices:
        name, _, numbers = line.rpartition(":")
        if name == model:
            prompt, answer = map(float, numbers.split())
            return prompt, answer
    if provider in FREE_PROVIDERS:
        return 0.0, 0.0
    return next((price for name, price in PRICES.items() if model.startswith(name)), None)
