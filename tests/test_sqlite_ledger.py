"""The ledger in a file: as exact as the one in memory, for all processes, and never in the way."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import sqlite3
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fim_lsp.pacing import sqlite_ledger
from fim_lsp.pacing.accounts import account_of, shared_ledger
from fim_lsp.pacing.budget import Budget
from fim_lsp.pacing.ledger import MemoryLedger, Spent
from fim_lsp.pacing.sqlite_ledger import RETRY_S, SqliteLedger
from fim_lsp.settings import Layer, LimitSettings, Settings, parse
from tests.editor import editing
from tests.endpoint import Endpoint, Reply
from tests.test_budget import most_in_any_minute

MINUTE = 60.0
NOW = 1_000.0
ENOUGH = Spent(100, 100_000)
SPAWN = multiprocessing.get_context("spawn")
PATIENT = """
from fim_lsp.pacing import sqlite_ledger
sqlite_ledger.BUSY_S, sqlite_ledger.SLOW_S = 10.0, 60.0
from fim_lsp.cli import main
raise SystemExit(main(["serve"]))
"""
"""A server to which a busy machine is no slow disk."""


@pytest.fixture(autouse=True, scope="module")
def patient() -> Generator[None]:
    """A busy machine is no slow disk here either."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite_ledger, "BUSY_S", 10.0)
        patched.setattr(sqlite_ledger, "SLOW_S", 60.0)
        yield


@contextmanager
def windows(path: Path, count: int, *, account: str = "a") -> Generator[list[SqliteLedger]]:
    """Several ledgers on one file, as several servers would have them."""
    opened = [SqliteLedger(path, account, now=NOW) for _ in range(count)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


# -- the same as in memory -------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "settle", "strike", "look"]),
        st.integers(0, 1_200),
        st.sampled_from([0, 1, 3, 20, 59, 60, 61, 400, 601]),
    ),
    max_size=40,
)


@given(steps=STEPS)
@hypothesis_settings(max_examples=60)
def test_one_process_alone_sees_what_memory_would_say(steps: list[tuple[str, int, int]]) -> None:
    most, now = Spent(6, 3_000), NOW
    with (
        TemporaryDirectory() as folder,
        windows(Path(folder) / "calls", 1) as (file,),
    ):
        memory = MemoryLedger()
        for step, number, seconds in steps:
            now += seconds
            match step:
                case "enter":
                    both = [one.enter(number, most=most, now=now) for one in (file, memory)]
                    assert both[0] == both[1]
                case "settle":
                    for one in (file, memory):
                        one.settle(1 + number % 8, number, now=now)
                case "strike":
                    for one in (file, memory):
                        one.strike(1 + number % 8)
                case _:
                    pass
            assert file.spent(now=now) == memory.spent(now=now)
            assert sorted(file.leaving(now=now)) == sorted(memory.leaving(now=now))
        assert file.is_shared


# -- several windows -------------------------------------------------------------------------------


def test_windows_draw_from_one_account(tmp_path: Path) -> None:
    with windows(tmp_path / "calls", 3) as (one, two, three):
        most = Spent(10, 1_000)
        entry = one.enter(600, most=most, now=NOW)
        assert entry is not None
        assert two.enter(600, most=most, now=NOW) is None
        one.settle(entry, 300, now=NOW + 1)
        assert two.enter(600, most=most, now=NOW + 2) is not None
        assert [ledger.spent(now=NOW + 2) for ledger in (one, two, three)] == [Spent(2, 900)] * 3
        assert list(three.leaving(now=NOW + 2)) == [(NOW + 61, 300), (NOW + 62, 600)]


def test_another_account_counts_for_itself(tmp_path: Path) -> None:
    with (
        windows(tmp_path / "calls", 1) as (one,),
        windows(tmp_path / "calls", 1, account="b") as (b,),
    ):
        one.enter(600, most=ENOUGH, now=NOW)
        assert b.spent(now=NOW) == Spent(0, 0)


def test_what_was_counted_before_the_last_start_of_the_machine_is_dropped(tmp_path: Path) -> None:
    with windows(tmp_path / "calls", 2) as (before, after):
        before.enter(600, most=ENOUGH, now=9_000_000)
        assert after.spent(now=NOW) == Spent(0, 0)


SCALE = 100
"""Seconds of the limits' time in one of the test's."""
LIMITS = Spent(40, 20_000)


def typing_window(path: str, log: str, seed: int, lasts_s: float) -> None:
    """A process that asks as often as it may, and logs what an endpoint would count."""
    sqlite_ledger.BUSY_S, sqlite_ledger.SLOW_S = 10.0, 60.0  # exactness is tested here, not speed

    def now() -> float:
        return time.monotonic() * SCALE

    draw, until_s = random.Random(seed), time.monotonic() + lasts_s
    ledger = SqliteLedger(Path(path), "a", now=now())
    with Path(log).open("a", encoding="utf-8", buffering=1) as counted:
        while time.monotonic() < until_s:
            prompt, answer = draw.randint(100, 900), draw.randint(0, 100)
            entry = ledger.enter(prompt + answer, most=LIMITS, now=now())
            if entry is None:
                counted.write("[]\n")
            else:
                counted.write(json.dumps([now(), 1, prompt]) + "\n")
                time.sleep(draw.uniform(0, 0.02))
                counted.write(json.dumps([now(), 0, answer]) + "\n")
                ledger.settle(entry, prompt + answer, now=now())
            time.sleep(draw.uniform(0, 0.01))
    ledger.close()


def test_several_processes_never_exceed_the_limits_in_any_sixty_seconds(tmp_path: Path) -> None:
    """Four servers, each for some minutes; one is killed in its work, another replaces it."""
    logs = [tmp_path / f"log{number}" for number in range(5)]

    def started(number: int) -> Any:
        arguments = (str(tmp_path / "calls"), str(logs[number]), number, 4.0)
        process = SPAWN.Process(target=typing_window, args=arguments)
        process.start()
        return process

    processes = [started(number) for number in range(4)]
    while not logs[0].exists() and processes[0].is_alive():
        time.sleep(0.05)
    processes[0].kill()
    processes.append(started(4))
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes[1:]] == [0] * 4
    lines = [line for log in logs for line in log.read_text("utf-8").split("\n") if line]
    events = [json.loads(line) for line in lines if line.endswith("]")]
    counted = [(at, requests, tokens) for at, requests, tokens in filter(None, events)]
    requests, tokens = most_in_any_minute(counted)
    assert requests <= LIMITS.requests
    assert tokens <= LIMITS.tokens
    assert [] in events, "the limits were reached"
    assert sum(requests for _, requests, _ in counted) > LIMITS.requests, "time went on"


def leave_a_call_behind(path: str) -> None:
    """A server that crashes while a call runs."""
    SqliteLedger(Path(path), "a", now=NOW).enter(600, most=ENOUGH, now=NOW)
    os._exit(1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system tells of no crash")
def test_a_crashed_process_gives_its_reservations_back_within_a_minute(tmp_path: Path) -> None:
    process = SPAWN.Process(target=leave_a_call_behind, args=(str(tmp_path / "calls"),))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == 1
    with windows(tmp_path / "calls", 1) as (ledger,):
        assert ledger.spent(now=NOW + 5) == Spent(1, 600)
        assert ledger.spent(now=NOW + 64) == Spent(1, 600)
        assert ledger.spent(now=NOW + 65) == Spent(0, 0)


# -- a file that does not work ---------------------------------------------------------------------


def test_a_locked_file_is_left_and_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_ledger, "BUSY_S", 0.02)
    with windows(tmp_path / "calls", 2) as (one, two):
        lock = sqlite3.connect(tmp_path / "calls", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        assert one.enter(600, most=Spent(10, 1_000), now=NOW) is not None
        assert one.enter(600, most=Spent(10, 1_000), now=NOW) is None, "its own calls count"
        assert not one.is_shared
        lock.execute("ROLLBACK")
        lock.close()
        assert two.spent(now=NOW) == Spent(0, 0)
        assert one.spent(now=NOW + RETRY_S) == Spent(1, 600)
        assert one.is_shared
        assert two.spent(now=NOW + RETRY_S) == Spent(1, 600), "what was missed is made good"


def test_a_file_that_was_left_in_the_middle_of_a_reckoning_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others spent is in the sum, and when it leaves is not known any more."""
    with windows(tmp_path / "calls", 2) as (one, two):
        assert two.enter(900, most=ENOUGH, now=NOW) is not None
        limits = LimitSettings(tokens_per_minute=1_000)
        budget = Budget(limits, lambda: NOW + 1, one)
        assert budget.free_in_s(200, invoked=True) == MINUTE
        monkeypatch.setattr(sqlite_ledger, "SLOW_S", -1.0)
        assert 0 <= budget.free_in_s(200, invoked=True) <= MINUTE
        assert not one.is_shared


def test_a_file_that_is_no_database_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "calls").write_bytes(b"no database at all, but long enough to be one" * 100)
    with windows(tmp_path / "calls", 1) as (ledger,):
        assert not ledger.is_shared
        assert ledger.enter(600, most=ENOUGH, now=NOW) == 1
        assert ledger.spent(now=NOW + RETRY_S) == Spent(1, 600)
        assert ledger.is_shared


def test_a_file_that_is_deleted_meanwhile_is_made_anew(tmp_path: Path) -> None:
    """By who tidies up, say; a window that starts then makes another one."""
    most, later = Spent(10, 1_000), NOW + 5
    with windows(tmp_path / "calls", 1) as (one,):
        assert one.enter(600, most=most, now=NOW) is not None
        for file in tmp_path.iterdir():
            file.unlink()
        with windows(tmp_path / "calls", 1) as (two,):
            assert two.enter(300, most=most, now=NOW + 1) is not None
            assert one.spent(now=later) == Spent(2, 900)
            assert two.enter(600, most=most, now=later) is None
            assert one.is_shared


def test_a_folder_that_cannot_be_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with windows(tmp_path / "file" / "calls", 1) as (ledger,):
        entry = ledger.enter(600, most=ENOUGH, now=NOW)
        assert entry is not None
        ledger.settle(entry, 500, now=NOW + 1)
        assert list(ledger.leaving(now=NOW + 1)) == [(NOW + 61, 500)]
        assert ledger.spent(now=NOW + 61) == Spent(0, 0)
        assert not ledger.is_shared


# -- who counts together ---------------------------------------------------------------------------


def settings_of(**table: Any) -> Settings:
    return parse(Layer(source="test", table=table)).settings


def test_an_account_is_one_endpoint_model_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "not a real key")
    monkeypatch.setenv("OTHER_KEY", "not a real key either")
    monkeypatch.setenv("SAME_KEY", "not a real key")
    names = [
        account_of(settings_of(preset="mistral", **more))
        for more in (
            {},
            {"model": "codestral-2508"},
            {"model": "half a character: \ud83d"},
            {"base_url": "https://api.eu.mistral.ai/v1"},
            {"api_key_env": "OTHER_KEY"},
            {"api_key_command": ["pass", "show", "a"]},
            {"api_key_command": ["pass", "show", "b"]},
        )
    ]
    assert len(set(names)) == len(names)
    assert names[0] == account_of(settings_of(preset="mistral", api_key_env="SAME_KEY"))
    assert all("key" not in name for name in names)


STORES = {
    "a hosted endpoint": ({"preset": "mistral"}, True),
    "one's own machine": ({"preset": "ollama"}, False),
    "one's own machine, if wanted": ({"preset": "ollama", "limits": {"store": "file"}}, True),
    "memory, if wanted": ({"preset": "mistral", "limits": {"store": "memory"}}, False),
    "no endpoint": ({"provider": "local", "limits": {"store": "file"}}, False),
}


@pytest.mark.parametrize(("table", "is_file"), STORES.values(), ids=STORES)
def test_where_calls_are_counted(
    table: dict[str, Any], *, is_file: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ledger = shared_ledger(settings_of(**table), now=NOW)
    assert (ledger is not None) is is_file
    if ledger is not None:
        assert ledger.is_shared
        ledger.close()


def test_entries_have_numbers_of_their_own(tmp_path: Path) -> None:
    with windows(tmp_path / "calls", 2) as (one, two):
        entries = [ledger.enter(1, most=ENOUGH, now=NOW) for ledger in (one, two, one, two)]
        assert entries == [1, 1, 2, 2]
        two.settle(1, 500, now=NOW)
        two.strike(2)
        assert one.spent(now=NOW) == Spent(3, 502)
        assert list(itertools.islice(one.leaving(now=NOW), 3)) == list(two.leaving(now=NOW))


async def test_two_servers_on_one_machine_share_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with Endpoint(Reply(text="return a + b")) as endpoint:
        table = endpoint.settings(limits={"store": "file", "requests_per_minute": 1})
        command = (sys.executable, "-c", PATIENT)
        async with (
            editing(tmp_path, table, command=command) as one,
            editing(tmp_path, table, command=command) as two,
        ):
            for editor, expected in ((one, ["return a + b"]), (two, [])):
                editor.open("def add(a, b):\n    ║\n")
                assert await editor.texts() == expected
            assert len(endpoint.calls) == 1
