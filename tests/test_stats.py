"""What is counted: what became of each suggestion, what stays of it, and that nobody waits."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from io import StringIO
from pathlib import Path

import pytest

from fim_lsp import lsp_client
from fim_lsp.calls import Bill
from fim_lsp.document import Change, Document, Position
from fim_lsp.stats import counts as counting
from fim_lsp.stats import page, report, table
from fim_lsp.stats.counts import Counts, Key
from fim_lsp.stats.report import price_of
from fim_lsp.stats.suggestion import Kept, Suggestion, standing
from fim_lsp.stats.watch import Shown, Watch, bucket_of, ms_of
from tests.cursor import CURSOR
from tests.editor import editing
from tests.endpoint import Endpoint, Reply
from tests.patience import PATIENCE_S
from tests.virtual_time import in_virtual_time

URI = "file:///w/a.py"


class Sums(Counts):
    """Counts that stay in memory."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def add(self, table: str, key: Key, **sums: int) -> None:
        del table, key
        self.found.update(sums)


class Desk:
    """A document with a cursor, and a watch over what is shown there."""

    def __init__(self, marked: str) -> None:
        before, _, after = marked.partition(CURSOR)
        self.document = Document(URI, "python", 0, before + after)
        self.line, self.column = before.count("\n"), len(before) - before.rfind("\n") - 1
        self.sums = Sums()
        self.watch = Watch(self.sums, provider="mistral", model="m", document_of=self._found)
        self._numbers = 0

    def _found(self, _: str) -> Document:
        return self.document

    def show(self, *texts: str) -> None:
        """Show suggestions at the cursor, or none; their items' numbers go on from 1."""
        numbers = tuple(range(self._numbers + 1, self._numbers + 1 + len(texts)))
        self._numbers += len(texts)
        self.watch.shown(
            self.document, Shown(place=(self.line, self.column), texts=texts, numbers=numbers)
        )

    def insert(self, text: str, *, swallowed: int = 0) -> None:
        """Insert at the cursor in one edit, over some characters right of it."""
        here = Position(self.line, self.column)
        end = Position(self.line, self.column + swallowed)
        self.edit(Change(text=text, start=here, end=end))
        first, *more = text.split("\n")
        self.line += len(more)
        self.column = len(more[-1]) if more else self.column + len(first)

    def backspace(self) -> None:
        self.column -= 1
        here = Position(self.line, self.column)
        self.edit(Change(text="", start=here, end=Position(self.line, self.column + 1)))

    def edit(self, change: Change) -> None:
        """Make an edit anywhere."""
        self.document.apply([change], None, "utf-32")
        self.watch.edited(self.document, [change])

    def type(self, text: str) -> None:
        """Type key by key."""
        for key in text:
            self.insert(key)

    @property
    def fates(self) -> dict[str, int]:
        """What became of what was shown, without what did not happen."""
        names = ("shown", "accepted_by_edit", "accepted_by_command", "partly", "typed")
        return {name: self.sums.found[name] for name in names if self.sums.found[name]}


def accept(desk: Desk) -> None:
    desk.insert("bar(1)")


def accept_after_typing(desk: Desk) -> None:
    desk.type("ba")
    desk.show("r(1)")
    desk.insert("r(1)")


def accept_a_word(desk: Desk) -> None:
    desk.insert("bar")
    desk.show("(1)")
    desk.type("x")
    desk.show()


def accept_in_parts(desk: Desk) -> None:
    desk.insert("bar")
    desk.show("(1)")
    desk.insert("(1)")


def type_to_the_end(desk: Desk) -> None:
    for key, rest in zip("bar(1)", ("ar(1)", "r(1)", "(1)", "1)", ")", ""), strict=True):
        desk.type(key)
        desk.show(*filter(None, [rest]))


def type_something_else(desk: Desk) -> None:
    desk.type("q")
    desk.show("ux()")


def type_into_it_and_leave(desk: Desk) -> None:
    desk.type("ba")
    desk.show("r(1)")
    desk.type("z")
    desk.show()


def slip_and_come_back(desk: Desk) -> None:
    desk.type("bx")
    desk.backspace()
    desk.show("ar(1)")
    desk.insert("ar(1)")


def paste_something_else(desk: Desk) -> None:
    desk.insert("completely_different()")
    desk.show()


# what the person does after "bar(1)" was shown; what is counted
FATES = {
    accept: {"shown": 1, "accepted_by_edit": 1},
    accept_after_typing: {"shown": 1, "accepted_by_edit": 1},
    accept_in_parts: {"shown": 1, "accepted_by_edit": 1},
    accept_a_word: {"shown": 1, "partly": 1},
    type_to_the_end: {"shown": 1, "typed": 1},
    type_something_else: {"shown": 2},
    type_into_it_and_leave: {"shown": 1},
    slip_and_come_back: {"shown": 1, "accepted_by_edit": 1},
    paste_something_else: {"shown": 1},
}


@pytest.mark.parametrize(
    ("act", "wanted"), FATES.items(), ids=lambda one: getattr(one, "__name__", "")
)
@in_virtual_time
async def test_what_became_of_a_suggestion_is_seen_in_the_text(
    act: Callable[[Desk], None], wanted: dict[str, int]
) -> None:
    desk = Desk("x = ║\n")
    desk.show("bar(1)")
    act(desk)
    assert desk.fates == wanted


# document, what is shown, what the editor inserts for it, characters it swallows
PLACES: dict[str, tuple[str, str, str, int]] = {
    "in the middle of a line": ("foo(║) + 1\n", "a, b", "a, b", 0),
    "over the rest of the line": ("foo(║)\n", "a, b)", "a, b)", 1),
    "several lines": ("def f():\n    ║\n", "a = 1\n    return a", "a = 1\n    return a", 0),
    "several lines, indented by the editor": ("\t║\nx\n", "a\n    b", "a\n\t\tb", 0),
    "the next line": ("a = 1║\nz\n", "\nb = 2", "\nb = 2", 0),
}


@pytest.mark.parametrize(
    ("marked", "shown", "inserted", "swallowed"), PLACES.values(), ids=PLACES.keys()
)
@in_virtual_time
async def test_an_accept_is_seen_wherever_it_lands(
    marked: str, shown: str, inserted: str, swallowed: int
) -> None:
    desk = Desk(marked)
    desk.show(shown)
    desk.insert(inserted, swallowed=swallowed)
    assert desk.fates == {"shown": 1, "accepted_by_edit": 1}
    assert desk.sums.found["accepted_chars"] >= len(shown) - 2


@in_virtual_time
async def test_the_command_tells_what_the_edit_could_not() -> None:
    desk = Desk("x = ║\n")
    desk.show("bar(1)")
    desk.insert("BAR(1)")  # an editor that changes what it inserts
    desk.watch.accepted(1)
    assert desk.fates == {"shown": 1, "accepted_by_command": 1}


@in_virtual_time
async def test_an_accept_that_both_tell_counts_once() -> None:
    desk = Desk("x = ║\n")
    desk.show("one()", "other()")
    desk.insert("other()")
    desk.watch.accepted(2)
    desk.watch.accepted(2)
    assert desk.fates == {"shown": 1, "accepted_by_command": 1}
    assert desk.sums.found["accepted_chars"] == len("other()")


# what happens between the accept and the look: the part that is still there
STAYING: dict[str, tuple[Sequence[Change], float]] = {
    "nothing": ([], 1.0),
    "lines above it": ([Change(text="#\n" * 50, start=Position(0, 0), end=Position(0, 0))], 1.0),
    "a line of it goes": ([Change(text="", start=Position(2, 0), end=Position(3, 0))], 0.5),
    "all of it goes": ([Change(text="", start=Position(1, 0), end=Position(3, 0))], 0.0),
    "it is typed over": ([Change(text="other", start=Position(1, 0), end=Position(1, 6))], 0.5),
}


@pytest.mark.parametrize(("changes", "part"), STAYING.values(), ids=STAYING.keys())
@in_virtual_time
async def test_what_was_accepted_is_looked_for_later(
    changes: Sequence[Change], part: float
) -> None:
    desk = Desk("a = 1\n║\nz\n")
    desk.show("b = f1\nc = f2")
    desk.insert("b = f1\nc = f2")
    for change in changes:
        desk.edit(change)
    await asyncio.sleep(29)
    assert desk.sums.found["asked_30s"] == 0
    await asyncio.sleep(2)
    found = desk.sums.found
    assert (found["kept_30s"] / found["asked_30s"], found["asked_5m"]) == (part, 0)
    await asyncio.sleep(300)
    assert found["kept_5m"] / found["asked_5m"] == part


@in_virtual_time
async def test_nothing_is_looked_for_in_a_closed_document() -> None:
    desk = Desk("x = ║\n")
    desk.show("bar(1)")
    desk.insert("bar(1)")
    desk.watch.closed(URI)
    await asyncio.sleep(400)
    assert desk.sums.found["asked_30s"] == 0


def test_a_time_finds_its_bucket_again() -> None:
    for ms in (0.1, 1, 3, 40, 250, 1999, 10_000):
        assert ms_of(bucket_of(ms)) == pytest.approx(ms, rel=0.1) or ms < 1


def test_what_stands_in_a_document_is_counted_from_its_place() -> None:
    document = Document(URI, "python", 0, "ab\n  cd\nef\n")
    assert standing(document, 0, 1, "b\n    cd\nex") == len("b\n    cd\ne")
    assert Suggestion(line=0, column=1, text="bc").fate_when_left() == "dismissed"
    assert Kept(line=0, text="ab\ncd").chars(document) == (4, 4)


# -- the file --------------------------------------------------------------------------------------

ROW: Key = ("2026-03-01", "python", "mistral", "codestral-2508")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the last write, however long it takes on a busy machine."""
    monkeypatch.setattr(counting, "_LEAVE_S", PATIENCE_S)


def filled(path: Path) -> None:
    counts = Counts(path, flush_s=0.01)
    sums = {"shown": 10, "shown_chars": 100, "accepted_by_edit": 2, "accepted_by_command": 1}
    kept = {"accepted_chars": 60, "kept_30s": 40, "asked_30s": 50, "partly": 1, "typed": 2}
    counts.add("suggestions", ROW, **sums, **kept)
    counts.add("suggestions", ("2026-02-27", "rust", "local", ""), shown=1)
    for ms, number in ((0.2, 50), (180, 40), (900, 10)):
        counts.add("answers", (*ROW[:2], "called", bucket_of(ms)), answers=number)
    tokens = {"prompt_tokens": 1_000_000, "answer_tokens": 100_000}
    counts.add("calls", ROW, calls=4, failed=1, hung_up=1, **tokens)
    counts.close()


def read(path: Path, days: int = 3, prices: Sequence[str] = ()) -> report.Report:
    return report.read(path, days=days, today=date(2026, 3, 1), prices=prices)


def test_the_report_adds_up(tmp_path: Path) -> None:
    filled(tmp_path / "stats.db")
    filled(tmp_path / "stats.db")  # another server adds to it
    found = read(tmp_path / "stats.db")
    assert [(day.name, day.shown) for day in found.days] == [
        ("2026-02-27", 2),
        ("2026-02-28", 0),
        ("2026-03-01", 20),
    ]
    total = found.total
    assert (total.shown, total.accepted, total.partly, total.saved_chars) == (22, 6, 2, 120 - 8)
    assert (total.kept_30s, total.kept_5m) == (0.8, None)
    assert [one.name for one in found.languages] == ["python", "rust"]
    assert [one.name for one in found.models] == ["mistral codestral-2508", "local"]
    (speed,) = found.speeds
    assert (speed.answers, speed.p50_ms) == (200, 0.5)
    assert speed.p95_ms == pytest.approx(900, rel=0.1)
    (cost,) = found.costs
    assert (cost.calls, cost.failed, cost.dollars) == (8, 2, pytest.approx(0.78))
    assert read(tmp_path / "stats.db", days=1).total.shown == 20
    assert json.dumps(found.as_table())


PRICED: dict[str, tuple[str, str, tuple[float, float] | None]] = {
    "a list price": ("mistral", "codestral-2508", (0.3, 0.9)),
    "one's own": ("mistral", "codestral-mine", (1.5, 2.0)),
    "a model on this machine": ("ollama", "qwen2.5-coder:1.5b", (0.0, 0.0)),
    "nobody knows": ("openai", "some-model", None),
}


@pytest.mark.parametrize(("provider", "model", "price"), PRICED.values(), ids=PRICED.keys())
def test_prices(provider: str, model: str, price: tuple[float, float] | None) -> None:
    assert price_of(provider, model, ["codestral-mine: 1.5 2"]) == price


def test_a_disk_that_cannot_be_written_ends_the_counting_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    counts = Counts(tmp_path / "file" / "stats.db", flush_s=0.01)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            counts.add("calls", ROW, calls=1)
            counts.close()
    assert len(caplog.records) == 1
    assert "statistics are off" in caplog.text


def test_what_is_no_database_is_left_alone_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "stats.db"
    path.write_text("somebody's notes, longer than a database's head " * 20)
    counts = Counts(path, flush_s=0.01)
    with caplog.at_level(logging.WARNING):
        counts.add("calls", ROW, calls=1)
        counts.close()
    assert len(caplog.records) == 1
    assert path.read_text().startswith("somebody's notes")
    with pytest.raises(report.UsageError, match="move it away"):
        read(path)


def test_a_file_that_another_server_writes_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "stats.db"
    filled(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    counts = Counts(path, flush_s=0.01)
    counts.add("calls", ROW, calls=1)
    other.execute("COMMIT")
    other.close()
    counts.close()
    assert read(path).costs[0].calls == 5


# -- to be seen ------------------------------------------------------------------------------------


def shown(found: report.Report, encoding: str = "utf-8") -> str:
    class Out(StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    out = Out()
    table.show(found, Path("stats.db"), out)
    return out.getvalue()


@pytest.mark.parametrize(("days", "title"), [(42, "day by day"), (90, "every 3 days")])
def test_many_days_fit_a_terminal(tmp_path: Path, days: int, title: str) -> None:
    filled(tmp_path / "stats.db")
    text = shown(read(tmp_path / "stats.db", days))
    (head,) = [line.rstrip() for line in text.split("\n") if line.startswith(title)]
    assert head.endswith("most")
    assert re.search(r"^characters saved [ ▁▂▃▄▅▆▇█]{30,44} +\d+ *$", text, re.MULTILINE)
    assert re.search(r"^codestral-2508 *$", text, re.MULTILINE)  # and not folded within


def test_the_table_fits_a_terminal_without_colours(tmp_path: Path) -> None:
    filled(tmp_path / "stats.db")
    text = shown(read(tmp_path / "stats.db"))
    assert "11 suggestions shown, 3 accepted and 1 in part, 56 characters saved" in text
    assert max(len(line.rstrip()) for line in text.split("\n")) <= 80
    assert "\x1b" not in text
    assert "0.39" in text
    assert "█" in text
    assert shown(read(tmp_path / "stats.db"), "ascii").isascii()


def test_without_any_counts_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for name in ("none.db", "empty.db"):
        text = shown(read(tmp_path / name))
        assert text.endswith("see what is wrong: fim-lsp doctor\n")
        assert text.count("\n") == 2


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    counts = Counts(tmp_path / "stats.db", flush_s=0.01)
    counts.add("suggestions", ("2026-03-01", "<i>evil", "openai", "a&b"), shown=3)
    counts.close()
    html = page.page(read(tmp_path / "stats.db"))
    assert "&lt;i&gt;evil" in html
    for foreign in ("<script", "http://", "https://", "@import", "url(", "src=", "<i>evil"):
        assert foreign not in html


# -- in the server ---------------------------------------------------------------------------------


def stats_of(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), "FIM_LSP_CONFIG": os.devnull}
    environment.pop("XDG_STATE_HOME", None)
    command = [sys.executable, "-m", "fim_lsp", "stats", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


PATIENT = f"""
from fim_lsp.stats import counts
counts._LEAVE_S = {PATIENCE_S}
from fim_lsp.cli import main
raise SystemExit(main(["serve"]))
"""
"""A server that ends when all is written, however long that takes on a busy machine."""


async def test_a_server_counts_and_the_command_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lsp_client, "FAREWELL_S", PATIENCE_S)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    first, then = "hidden_name = compute(1)", "hidden_too = compute(2)"
    reply = Reply(text=lambda prompt, _: then if "hidden" in prompt else first)
    command = (sys.executable, "-c", PATIENT)
    async with (
        Endpoint(reply) as endpoint,
        editing(tmp_path, endpoint.settings(), command=command) as e,
    ):
        e.open("a = 1\n║\n")
        for _ in range(2):
            (item,) = await e.ask(kind=1)
            e.type(item["insertText"])
            await e.client.request("workspace/executeCommand", item["command"])
            e.type("\n")
    done = stats_of(tmp_path, "--json")
    found = json.loads(done.stdout)
    total = found["total"]
    assert (total["shown"], total["accepted_by_command"]) == (2, 2)
    assert total["accepted_chars"] == len(first + then)
    assert found["costs"][0]["calls"] == len(endpoint.calls)
    assert {speed["source"] for speed in found["speeds"]} >= {"called"}
    state = tmp_path / ".local/state/fim-lsp"
    kept = b"".join(path.read_bytes() for path in state.glob("stats.db*"))
    assert b"hidden" not in kept
    assert b"a.py" not in kept
    assert f"to {datetime.now().astimezone():%Y-%m-%d}" in stats_of(tmp_path).stdout
    written = stats_of(tmp_path, "--html", str(tmp_path / "page.html"))
    assert written.stdout == f"Written: {tmp_path / 'page.html'}\n"
    bad = stats_of(tmp_path, "--html", str(tmp_path / "none" / "page.html"))
    assert (bad.returncode, "name another file" in bad.stderr) == (2, True)


async def test_one_setting_keeps_it_from_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    async with Endpoint(Reply(text="f(1)")) as endpoint:
        settings = {**endpoint.settings(), "stats": {"enabled": False}}
        async with editing(tmp_path, settings) as e:
            e.open("x = ║\n")
            assert await e.texts() == ["f(1)"]
    assert not list((tmp_path / ".local/state/fim-lsp").glob("stats.db*"))


def test_a_call_that_failed_costs_nothing_that_is_known() -> None:
    desk = Desk("║")
    bill = Bill(
        number=1,
        language="python",
        end="failed",
        prompt_tokens=400,
        completion_tokens=0,
        is_estimated=True,
        first_text_ms=None,
        total_ms=20.0,
    )
    desk.watch.billed(bill)
    assert (desk.sums.found["failed"], desk.sums.found["prompt_tokens"]) == (1, 0)
