"""The report as one HTML page that needs nothing else: no script, no font, no picture from outside.

Charts are SVG in the page. It follows the reader's wish for light or dark, and a narrow window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

from fim_lsp.stats.report import Cost, Report, Speed, Worth, in_words

_WIDTH, _HEIGHT, _GAP = 640, 150, 2
_NOTHING = '<p class="quiet">Nothing yet.</p>'
_BAR = ' class="bar"'
_Layers = Sequence[tuple[str, Sequence[int]]]
"""Each with its style."""

_STYLE = """
:root { color-scheme: light dark; --ground: #fbfaf8; --ink: #22262e; --quiet: #667080;
  --line: #dfdcd6; --card: #ffffff; --one: #b9c6d8; --two: #2f6f9f; --three: #b4632d; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181d; --ink: #e4e6ea;
  --quiet: #98a1ae; --line: #2d333c; --card: #1d2128; --one: #45566d; --two: #6fb1de;
  --three: #e39a63; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 3rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1rem; margin: 0 0 .6rem }
p { margin: .2rem 0 1rem; color: var(--quiet) }
.tiles, .cards { display: grid; gap: .8rem; margin-top: .8rem }
.tiles { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)) }
.tiles > div, section { background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .8rem 1rem; min-width: 0 }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums }
.tiles span, figcaption, .quiet { color: var(--quiet); font-size: .85rem }
.cards { grid-template-columns: minmax(0, 1fr) } figure { margin: 0 }
svg { display: block; width: 100% } figure svg { height: 9rem }
.ends { display: flex; justify-content: space-between }
.one { fill: var(--one) } .two { fill: var(--two) } .three { fill: var(--three) }
i { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin: 0 .3em 0 .8em }
i.one { background: var(--one) } i.two { background: var(--two) }
i.three { background: var(--three) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums }
th { font-weight: 500; color: var(--quiet); text-align: right; padding: .25rem .5rem }
td { text-align: right; padding: .25rem .5rem; border-top: 1px solid var(--line);
  white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal;
  overflow-wrap: anywhere; min-width: 6rem }
td.bar { width: 30%; min-width: 5rem } td.bar svg { height: .7rem }
@media (max-width: 36rem) { .bar { display: none } body { padding: 1rem .5rem 2rem }
  section { padding: .8rem .6rem }
  th, td { padding: .2rem .15rem; font-size: .72rem; white-space: normal }
  th:first-child, td:first-child { min-width: 4.5rem } }
"""


def page(report: Report) -> str:
    """The whole page."""
    total = report.total
    title = f"fim-lsp: ghost text from {report.since} to {report.until}"
    sections = [
        _section("Suggestions by day", _by_day(report.days)),
        _section("Characters saved by day", _saved_by_day(report.days)),
        _section("Languages", _worths("language", report.languages)),
        _section("Models", _worths("model", report.models)),
        _section("How fast, by where the answer came from", _speeds(report.speeds)),
        _section("What it cost", _costs(report.costs)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>What ghost text was worth</h1><p>{report.since} to {report.until}. Counted on this "
        "machine by fim-lsp, and sent to nobody.</p>"
        f'<div class="tiles">{_tiles(total, report)}</div>'
        f'<div class="cards">{"".join(sections)}</div></body></html>\n'
    )


def _tiles(total: Worth, report: Report) -> str:
    known = [cost.dollars for cost in report.costs if cost.dollars is not None]
    tiles = {
        "suggestions shown": f"{total.shown:,}",
        "accepted, whole or in part": f"{total.accepted_share:.0%}",
        "characters saved": f"{total.saved_chars:,}",
        "of it still there after 5 min": _share(total.kept_5m) or "–",
        "tokens": _short(sum(c.prompt_tokens + c.answer_tokens for c in report.costs)),
        "by list prices": f"${sum(known):.2f}" if known else "–",
    }
    return "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in tiles.items())


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body or _NOTHING}</section>"


def _by_day(days: Sequence[Worth]) -> str:
    drawn = _columns(
        days,
        [
            ("one", [day.shown for day in days]),
            ("two", [day.accepted + day.partly for day in days]),
        ],
        lambda day: f"{day.name}: {day.shown} shown, {day.accepted} accepted, {day.partly} in part",
    )
    return _figure(drawn, '<i class="one"></i>shown <i class="two"></i>accepted, whole or in part')


def _saved_by_day(days: Sequence[Worth]) -> str:
    drawn = _columns(
        days,
        [("three", [day.saved_chars for day in days])],
        lambda day: f"{day.name}: {day.saved_chars:,} characters saved",
    )
    return _figure(drawn, "each accept costs a key, which is taken off")


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>" if drawn else ""


def _columns(days: Sequence[Worth], layers: _Layers, words: Callable[[Worth], str]) -> str:
    """Columns for the days, each layer before the one before it; empty where all are zero."""
    most = max((max(values) for _, values in layers), default=0)
    if not most:
        return ""
    step = _WIDTH / len(days)
    drawn: list[str] = []
    for at, day in enumerate(days):
        bars = "".join(
            f'<rect class="{kind}" x="{at * step:.1f}" width="{max(step - _GAP, 1):.1f}" '
            f'y="{_HEIGHT - values[at] / most * _HEIGHT:.1f}" '
            f'height="{values[at] / most * _HEIGHT:.1f}"/>'
            for kind, values in layers
        )
        drawn.append(f"<g><title>{escape(words(day))}</title>{bars}</g>")
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none"'
    drawing = f'<svg {size} role="img" aria-label="by day">{"".join(drawn)}</svg>'
    ends = f"<span>{days[0].name}</span><span>most: {most:,}</span><span>{days[-1].name}</span>"
    return f'{drawing}<figcaption class="ends">{ends}</figcaption>'


def _bar(share: float, kind: str = "two") -> str:
    return (
        '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="one" width="100" height="8" rx="2"/>'
        f'<rect class="{kind}" width="{min(share, 1) * 100:.1f}" height="8" rx="2"/></svg>'
    )


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell that is a drawing takes its own room."""
    cells = "".join(f"<th>{name}</th>" if name else f"<th{_BAR}></th>" for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells}</tr>{lines}</table></div>' if lines else ""


def _cell(content: str) -> str:
    return f"<td{_BAR if content.startswith('<svg') else ''}>{content}</td>"


def _worths(name: str, worths: Sequence[Worth]) -> str:
    return _table(
        (name, "shown", "accepted", "", "saved", "kept 5 min"),
        (
            (
                escape(one.name) or "(none)",
                f"{one.shown:,}",
                f"{one.accepted_share:.0%}",
                _bar(one.accepted_share),
                f"{one.saved_chars:,}",
                _share(one.kept_5m),
            )
            for one in worths
        ),
    )


def _speeds(speeds: Sequence[Speed]) -> str:
    total = sum(speed.answers for speed in speeds) or 1
    return _table(
        ("source", "answers", "", "usually", "95 % within"),
        (
            (
                "(nothing asked)" if one.source == "none" else one.source,
                f"{one.answers:,}",
                _bar(one.answers / total, "three"),
                in_words(one.p50_ms),
                in_words(one.p95_ms),
            )
            for one in speeds
        ),
    )


def _costs(costs: Sequence[Cost]) -> str:
    return _table(
        ("model", "calls", "failed", "prompt tokens", "answer tokens", "dollars"),
        (
            (
                escape(one.name),
                f"{one.calls:,}",
                f"{one.failed:,}",
                f"{one.prompt_tokens:,}",
                f"{one.answer_tokens:,}",
                "set stats.prices" if one.dollars is None else f"{one.dollars:.2f}",
            )
            for one in costs
        ),
    )


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f} {letter}"
    return str(number)
