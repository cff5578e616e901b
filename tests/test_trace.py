"""The trace of a real server, and what ``fim-lsp trace`` makes of it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from fim_lsp.cli import main
from fim_lsp.trace_summary import readable, summary
from tests.editor import CANCELLED, code_of, editing
from tests.endpoint import Endpoint, Reply
from tests.patience import until

AT = "2026-03-01T10:00:00.000+00:00"


def request(source: str, call: int | None, items: int, ms: float, **more: Any) -> dict[str, Any]:
    line = {"type": "request", "at": AT, "run": "r", "source": source, "call": call, "ms": ms}
    return {**line, "items": items, "reason": "", "paused_ms": 0.0, **more}


def call(number: int, end: str, prompt: int, answer: int, **more: Any) -> dict[str, Any]:
    line = {"type": "call", "at": AT, "run": "r", "call": number, "end": end, "total_ms": 300.0}
    tokens = {"prompt_tokens": prompt, "completion_tokens": answer, "first_text_ms": 200.0}
    return {**line, **tokens, **more}


LINES = [
    request("called", 1, 1, 250.0, paused_ms=40.0),
    call(1, "whole", 400, 20),
    *[request("typed through", 1, 1, 0.1 * n) for n in range(1, 7)],
    request("none", None, 0, 0.0, reason="not wanted: inside a word"),
    request("none", None, 0, 80.0, reason="overtaken by the next request, or cancelled"),
    request("called", 2, 0, 300.0, reason="cut to nothing"),
    call(2, "whole", 500, 80),
    call(3, "failed", 500, 0, first_text_ms=None),
    call(1, "hung up", 100, 0, run="another"),
]
AHEAD = [
    request("called", 1, 1, 250.0),
    call(1, "whole", 400, 20, made_ahead=False),
    call(2, "whole", 410, 10, made_ahead=True),
    request("speculation", 2, 1, 0.2),
    request("typed through", 2, 1, 0.1),
    call(3, "hung up", 160, 0, made_ahead=True),
]


def test_the_shares_the_times_and_the_waste() -> None:
    found = summary(LINES)
    shares = {name: (one["requests"], one["share"]) for name, one in found["sources"].items()}
    assert shares == {
        "typed through": (6, 0.6),
        "called": (2, 0.2),
        "none": (1, 0.1),
        "overtaken": (1, 0.1),
    }
    assert found["sources"]["typed through"]["ms"] == pytest.approx(
        {"p50": 0.3, "p95": 0.6, "p99": 0.6}
    )
    assert found["sources"]["called"]["with_text"] == 1
    assert found["paused_ms"] == {"p50": 40.0, "p95": 40.0, "p99": 40.0}
    calls = found["calls"]
    assert (calls["calls"], calls["tokens"]) == (4, 420 + 580 + 100)
    assert calls["in_vain"] == {"calls": 3, "tokens": 680, "share_of_tokens": 0.6182}
    assert calls["first_text_ms"]["p50"] == 200.0
    text = readable(found)
    assert "In vain: 3 calls with 680 tokens (62%)" in text
    assert "      1  not wanted: inside a word" in text
    assert max(map(len, text.split("\n"))) <= 80


async def test_a_servers_trace_is_summed_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    held = threading.Event()
    async with (
        Endpoint(Reply(text="compute(1)", held=held)) as endpoint,
        editing(tmp_path, endpoint.settings(), options=("--trace", str(trace))) as e,
    ):
        e.open("x = ║\n")
        ready = {"command": "fim.status"}
        await e.client.request("workspace/executeCommand", ready)
        overtaken = asyncio.ensure_future(e.ask())
        await until(lambda: endpoint.calls)
        joining = asyncio.ensure_future(e.ask())
        assert await code_of(overtaken) == CANCELLED
        held.set()
        await joining
        for key in "comp":
            e.type(key)
            await e.ask()
    capfd.readouterr()
    assert main(["trace", str(trace), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    numbers = {name: one["requests"] for name, one in found["sources"].items()}
    assert numbers == {"typed through": 4, "in flight": 1, "overtaken": 1}
    assert found["calls"]["in_vain"]["tokens"] == 0
    assert main(["trace", str(trace)]) == 0
    assert capfd.readouterr().out.startswith("6 requests in 1 run, ")


async def test_the_text_is_traced_only_where_that_is_wished(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    options = ("--trace", str(trace), "--trace-text")
    async with (
        Endpoint(Reply(text="compute(1)")) as endpoint,
        editing(tmp_path, endpoint.settings(), options=options) as e,
    ):
        e.open("x = ║\n")
        await e.ask()
        assert "will hold your code" in e.client.last_complaint
    line = json.loads(trace.read_text().split("\n")[0])
    assert (line["before"], line["after"], line["text"]) == ("x = ", "", "compute(1)")


def test_what_was_asked_ahead_counts_by_itself_and_so_does_its_waste() -> None:
    found = summary(AHEAD)
    assert found["sources"]["speculation"]["requests"] == 1
    assert found["calls"]["made_ahead"] == {
        "calls": 2,
        "tokens": 580,
        "share_of_tokens": 0.58,
        "in_vain": {"calls": 1, "tokens": 160, "share_of_tokens": 0.16},
    }
    said = "Made ahead: 2 calls with 580 tokens; in vain of these: 1 with 160 (16.0% of all)."
    assert said in readable(found).split("\n")
    assert "Made ahead" not in readable(summary(LINES))


MISTAKES = {
    "no such file": (["trace", "missing.jsonl"], "name a file of fim-lsp serve --trace"),
    "not a trace": (["trace", __file__], "holds no trace yet"),
    "text without a trace": (["serve", "--trace-text"], "--trace-text needs --trace FILE"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_one_line(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    complaint = capfd.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
