"""What a trace comes to: where answers came from, how long they took, and what was in vain."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from fim_lsp.errors import UsageError

_OVERTAKEN = "overtaken"
_MAX_REASONS = 8
_Line = Mapping[str, Any]


def read(path: Path) -> list[_Line]:
    """A trace's lines; what is none is left out. Raises ``UsageError`` where there is no line."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [found for line in file if (found := _parsed(line))]
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): name a file of fim-lsp serve --trace."
        raise UsageError(message) from None
    if not lines:
        raise UsageError(f"{path} holds no trace yet: use an editor whose server has --trace FILE.")
    return lines


def _parsed(line: str) -> _Line | None:
    """A line, where it is one of ours: the last one may be half written."""
    try:
        found: object = json.loads(line)
    except ValueError:
        return None
    is_ours = isinstance(found, dict) and "run" in found and "type" in found
    return cast("_Line", found) if is_ours else None


def summary(lines: Sequence[_Line]) -> dict[str, Any]:
    """The figures, as JSON takes them; times are in milliseconds."""
    requests = [line for line in lines if line["type"] == "request"]
    calls = [line for line in lines if line["type"] == "call"]
    groups: dict[str, list[_Line]] = {}
    for line in requests:
        groups.setdefault(_source(line), []).append(line)
    nothing = Counter(line["reason"] or "(no reason)" for line in requests if not line["items"])
    return {
        "from": lines[0]["at"],
        "to": lines[-1]["at"],
        "runs": len({line["run"] for line in lines}),
        "requests": len(requests),
        "sources": {
            source: _source_figures(group, len(requests))
            for source, group in sorted(groups.items(), key=lambda pair: -len(pair[1]))
        },
        "paused_ms": _percentiles(line["paused_ms"] for line in requests if line["paused_ms"]),
        "calls": _call_figures(calls, requests),
        "nothing_because": dict(nothing.most_common(_MAX_REASONS)),
    }


def _source(line: _Line) -> str:
    return _OVERTAKEN if line["reason"].startswith(_OVERTAKEN) else line["source"]


def _source_figures(group: Sequence[_Line], requests: int) -> dict[str, Any]:
    return {
        "requests": len(group),
        "share": round(len(group) / requests, 4),
        "with_text": sum(1 for line in group if line["items"]),
        "ms": _percentiles(line["ms"] for line in group),
    }


def _call_figures(calls: Sequence[_Line], requests: Sequence[_Line]) -> dict[str, Any]:
    shown = {(line["run"], line["call"]) for line in requests if line["items"]}
    in_vain = [call for call in calls if (call["run"], call["call"]) not in shown]
    tokens = _tokens(calls)
    return {
        "calls": len(calls),
        "ends": dict(Counter(call["end"] for call in calls)),
        "tokens": tokens,
        "in_vain": _part(in_vain, tokens),
        "made_ahead": {
            **_part(_ahead(calls), tokens),
            "in_vain": _part(_ahead(in_vain), tokens),
        },
        "first_text_ms": _percentiles(
            call["first_text_ms"] for call in calls if call["first_text_ms"] is not None
        ),
        "total_ms": _percentiles(call["total_ms"] for call in calls),
    }


def _ahead(calls: Iterable[_Line]) -> list[_Line]:
    return [call for call in calls if call.get("made_ahead")]  # older traces do not say


def _part(calls: Sequence[_Line], all_tokens: int) -> dict[str, Any]:
    tokens = _tokens(calls)
    share = round(tokens / all_tokens, 4) if all_tokens else 0.0
    return {"calls": len(calls), "tokens": tokens, "share_of_tokens": share}


def _tokens(calls: Iterable[_Line]) -> int:
    """What calls have cost; a failed one costs nothing that is known."""
    paid = [call for call in calls if call["end"] != "failed"]
    return sum(call["prompt_tokens"] + call["completion_tokens"] for call in paid)


def _percentiles(values: Iterable[float]) -> dict[str, float] | None:
    """The value that so many percent do not exceed; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return {f"p{part}": ordered[-(-len(ordered) * part // 100) - 1] for part in (50, 95, 99)}


def readable(found: Mapping[str, Any]) -> str:
    """The figures for a person."""
    return "\n".join([*_sources(found), "", *_calls(found["calls"]), "", *_reasons(found)]) + "\n"


def _sources(found: Mapping[str, Any]) -> Iterable[str]:
    runs = "1 run" if found["runs"] == 1 else f"{found['runs']} runs"
    since, until = found["from"][:19], found["to"][:19]
    yield f"{found['requests']:,} requests in {runs}, {since} to {until} UTC"
    yield ""
    times = "".join(f"{name:>10}" for name in ("p50", "p95", "p99"))
    yield f"{'answers':<16}{'requests':>9}{'share':>7}{'with text':>11}{times}"
    for source, figures in found["sources"].items():
        times = "".join(f"{value:>7,.0f} ms" for value in figures["ms"].values())
        yield (
            f"{'not asked' if source == 'none' else source:<16}{figures['requests']:>9,}"
            f"{figures['share']:>7.0%}{figures['with_text']:>11,}{times}"
        )
    if paused := found["paused_ms"]:
        yield f"Waited on purpose before asking: {_words(paused)}."


def _calls(calls: Mapping[str, Any]) -> Iterable[str]:
    ends = ", ".join(f"{number} {end}" for end, number in calls["ends"].items())
    yield f"{calls['calls']:,} calls" + (f" ({ends}), {calls['tokens']:,} tokens." if ends else ".")
    for name, words in (("first_text_ms", "First text"), ("total_ms", "All of it")):
        if times := calls[name]:
            yield f"{words} after {_words(times)}."
    vain = calls["in_vain"]
    if calls["calls"]:
        yield (
            f"In vain: {vain['calls']:,} calls with {vain['tokens']:,} tokens "
            f"({vain['share_of_tokens']:.0%}), of which nothing was ever shown."
        )
    ahead = calls["made_ahead"]
    if ahead["calls"]:
        vain = ahead["in_vain"]
        yield (
            f"Made ahead: {ahead['calls']:,} calls with {ahead['tokens']:,} tokens; "
            f"in vain of these: {vain['calls']:,} with {vain['tokens']:,} "
            f"({vain['share_of_tokens']:.1%} of all)."
        )


def _reasons(found: Mapping[str, Any]) -> Iterable[str]:
    if found["nothing_because"]:
        yield "Nothing was shown because:"
    for reason, number in found["nothing_because"].items():
        yield f"{number:>7,}  {reason}"


def _words(times: Mapping[str, float]) -> str:
    return f"{times['p50']:,.0f} ms usually, {times['p95']:,.0f} ms at most in 95 %"
