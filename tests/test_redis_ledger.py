"""The team's ledger on a real Redis: exact for all servers, and never in the way of one."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from fim_lsp import store
from fim_lsp.doctor import network_checks
from fim_lsp.errors import SettingError
from fim_lsp.pacing import redis_ledger
from fim_lsp.pacing.accounts import team_account_of
from fim_lsp.pacing.ledger import Spent
from fim_lsp.pacing.redis_ledger import RedisLedger
from fim_lsp.settings import Layer, Settings, parse
from fim_lsp.store import PASSWORD_VARIABLE, Store, name_of
from tests import patience
from tests.redis_server import RedisServer, running_redis

pytestmark = pytest.mark.program("redis-server")

MINUTE = 60.0
ENOUGH = Spent(100, 100_000)
TIGHT = Spent(10, 1_000)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back soon, so that a test need not wait for it."""
    monkeypatch.setattr(redis_ledger, "YOUNG_S", 0.0)
    monkeypatch.setattr(redis_ledger, "REFRESH_S", 0.1)
    monkeypatch.setattr(store, "LONGEST_RETRY_S", 0.3)
    monkeypatch.setattr(store, "LIMIT_S", 20.0)  # a busy machine is no slow store


@asynccontextmanager
async def servers(
    url: str, count: int, *, account: str = "a", window_s: float = MINUTE, call_s: float = 15.0
) -> AsyncGenerator[list[RedisLedger]]:
    """Several ledgers in one store, as several servers would have them."""
    ledgers = [
        RedisLedger(Store(url), account, window_s=window_s, longest_call_s=call_s)
        for _ in range(count)
    ]
    async with AsyncExitStack() as opened:
        for ledger in ledgers:
            opened.push_async_callback(ledger.aclose)
            ledger.begin()
        yield ledgers


async def entered(ledger: RedisLedger, tokens: int, most: Spent = TIGHT) -> int | None:
    """An entry that the store has admitted."""
    entry = ledger.enter(tokens, most=most, now=time.monotonic())
    return entry if entry is not None and await ledger.confirm(entry) else None


def spent(ledger: RedisLedger) -> Spent:
    return ledger.spent(now=time.monotonic())


async def until(look: Callable[[], object], wanted: object = True) -> None:
    """Wait until something is so."""
    try:
        await patience.until(lambda: look() == wanted)
    except TimeoutError:
        assert look() == wanted


async def all_shared(*ledgers: RedisLedger) -> None:
    await until(lambda: all(ledger.is_shared for ledger in ledgers))


# -- one account -----------------------------------------------------------------------------------


async def test_servers_draw_from_one_account(redis: RedisServer) -> None:
    async with servers(redis.url, 3) as (one, two, three):
        await all_shared(one, two, three)
        first = await entered(one, 600)
        assert first is not None
        assert await entered(two, 600) is None, "the store knows better than this server"
        assert spent(two) == Spent(1, 600), "and has told it"
        one.settle(first, 300, now=time.monotonic())
        await until(lambda: spent(two), Spent(1, 300))
        second = await entered(two, 600)
        assert second is not None
        two.strike(second)
        await until(lambda: spent(three), Spent(1, 300))
        third = await entered(three, 700)
        assert third is not None
        for ledger in (one, two, three):
            await until(lambda ledger=ledger: spent(ledger), Spent(2, 1_000))
            left = [tokens for _, tokens in ledger.leaving(now=time.monotonic())]
            assert sorted(left) == [300, 700]
        assert {ledger.servers for ledger in (one, two, three)} == {3}


async def test_requests_are_counted_as_well(redis: RedisServer) -> None:
    async with servers(redis.url, 2) as (one, two):
        await all_shared(one, two)
        entries = [await entered(ledger, 1, Spent(3, 1_000)) for ledger in (one, two, one, two)]
        assert [entry is None for entry in entries] == [False, False, False, True]


async def test_another_account_counts_for_itself(redis: RedisServer) -> None:
    async with servers(redis.url, 1) as (one,), servers(redis.url, 1, account="b") as (b,):
        await all_shared(one, b)
        assert await entered(one, 900) is not None
        assert await entered(b, 900) is not None


async def test_calls_leave_when_their_time_is_over(redis: RedisServer) -> None:
    async with servers(redis.url, 2, window_s=2.0) as (one, two):
        await all_shared(one, two)
        entry = await entered(one, 900)
        assert entry is not None
        one.settle(entry, 900, now=time.monotonic())
        assert await entered(two, 900) is None
        await until(lambda: spent(two), Spent(0, 0))
        assert await entered(two, 900) is not None


async def test_a_crashed_server_gives_its_reservation_back(redis: RedisServer) -> None:
    """The call counts until its limit of time, as if it had ended then, and a window longer."""
    async with servers(redis.url, 2, window_s=0.5, call_s=2.0) as (one, two):
        await all_shared(one, two)
        began = time.monotonic()
        assert await entered(one, 900) is not None
        await one.aclose()
        assert await entered(two, 900) is None
        await until(lambda: spent(two), Spent(0, 0))
        assert await entered(two, 900) is not None
        assert time.monotonic() - began >= 2.5


# -- a store that does not work --------------------------------------------------------------------


async def test_without_the_store_a_server_goes_on_with_its_share(redis: RedisServer) -> None:
    async with servers(redis.url, 2) as (one, two):
        await all_shared(one, two)
        await until(lambda: one.servers, 2)
        assert await entered(one, 400) is not None
        await until(lambda: spent(two), Spent(1, 400))
        redis.kill()
        await until(lambda: (one.is_shared, two.is_shared), (False, False))
        for ledger in (one, two):
            half = Spent(*(limit // ledger.parts(1) for limit in TIGHT))
            assert half == Spent(5, 500)
            assert await entered(ledger, 301, half) is None, "400 of 1,000 are spent"
            assert await entered(ledger, 290, half) is not None
            assert await entered(ledger, 11, half) is None


async def test_what_was_asked_meanwhile_is_made_good(redis: RedisServer) -> None:
    async with servers(redis.url, 2) as (one, two):
        await all_shared(one, two)
        before = await entered(one, 100)
        assert before is not None
        redis.kill()
        await until(lambda: one.is_shared, wanted=False)
        meanwhile = await entered(one, 200)
        assert meanwhile is not None
        one.settle(before, 50, now=time.monotonic())
        redis.start()
        await all_shared(one, two)
        await until(lambda: spent(two), Spent(2, 250))
        one.settle(meanwhile, 20, now=time.monotonic())
        await until(lambda: spent(two), Spent(2, 70))


async def test_a_store_that_answers_nothing_holds_up_nobody(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with servers(redis.url, 1) as (one,):
        await all_shared(one)
        redis.freeze()
        monkeypatch.setattr(store, "LIMIT_S", 0.2)
        assert await entered(one, 600) is not None, "within its share"
        assert not one.is_shared
        assert await entered(one, 600) is None
        monkeypatch.setattr(store, "LIMIT_S", 20.0)
        redis.thaw()
        await all_shared(one)
        assert spent(one) == Spent(1, 600), "entered twice, counted once"


async def test_a_store_that_was_emptied_is_filled_again(redis: RedisServer) -> None:
    async with servers(redis.url, 2) as (one, two):
        await all_shared(one, two)
        assert await entered(one, 600) is not None
        emptying = Store(redis.url)
        assert await emptying.opened()
        await emptying.call("FLUSHALL")
        await emptying.aclose()
        await asyncio.sleep(0.3)
        await until(lambda: spent(two), Spent(1, 600))


async def test_a_young_store_leaves_each_server_its_share(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart it does not yet know of all calls: the others are still on their way."""
    async with servers(redis.url, 2) as (one, two):
        await all_shared(one, two)
        await until(lambda: two.servers, 2)
        monkeypatch.setattr(redis_ledger, "YOUNG_S", 60.0)
        redis.kill()
        await until(lambda: two.is_shared, wanted=False)
        redis.start()
        await until(lambda: two._store.is_open)  # pyright: ignore[reportPrivateUsage]
        half = Spent(*(limit // two.parts(1) for limit in TIGHT))
        assert await entered(two, 600, half) is None
        assert await entered(two, 500, half) is not None
        monkeypatch.setattr(redis_ledger, "YOUNG_S", 0.0)
        await all_shared(one, two)
        assert await entered(two, 500) is not None


async def test_a_store_that_stays_away_is_said_once_and_its_return_too(redis: RedisServer) -> None:
    told: list[str] = []
    async with servers(redis.url, 1) as (one,):
        one.begin(lambda notice: told.append(f"{notice.kind}: {notice.text}"))
        await all_shared(one)
        redis.kill()
        await until(lambda: len(told), 1)
        await asyncio.sleep(1)
        redis.start()
        await until(lambda: len(told), 2)
    away = f"The team's store {redis.url} is away (no connection)"
    assert told == [
        f"warning: {away}: this server keeps to its own share.",
        "info: The team's store is back.",
    ]


async def test_a_store_that_comes_back_empty_frees_nothing(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    async with servers(redis.url, 2) as (one, two):
        one.begin(lambda notice: told.append(notice.kind))
        await all_shared(one, two)
        monkeypatch.setattr(redis_ledger, "YOUNG_S", 60.0)
        redis.kill()
        await until(lambda: told, ["warning"])
        assert await entered(one, 100) is not None
        before = spent(one)
        redis.start()
        await until(lambda: told, ["warning", "info"])
        await asyncio.sleep(0.2)  # it has told the store, which is still young
        assert not one.is_shared
        assert spent(one) == before


async def test_the_doctor_says_how_the_store_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(url: str) -> list[tuple[str, str]]:
        settings = settings_of(limits={"store": url})
        return [(one.state, one.found) async for one in network_checks.team_store(settings)]

    with running_redis(tmp_path, "--requirepass", "open-sesame") as redis:
        monkeypatch.setenv(PASSWORD_VARIABLE, "open-sesame")
        ((state, found),) = await said(redis.url)
        assert state == "fine"
        assert found.startswith(f"{redis.url} answers in ")
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
        refused = f"{redis.url}: it does not accept the password in {PASSWORD_VARIABLE}"
        assert await said(redis.url) == [("warning", refused)]
    assert await said(redis.url) == [("warning", f"{redis.url}: no connection")]
    assert await said("memory") == []


# -- many servers, all the time --------------------------------------------------------------------

WINDOW_S = 1.5
LIMITS = Spent(60, 30_000)


async def typing(
    ledger: RedisLedger, seed: int, counted: list[tuple[float, int, int]], *, until_s: float
) -> int:
    """Ask as often as may be; what an endpoint would count, and how often there was no room."""
    draw, refused = random.Random(seed), 0
    while time.monotonic() < until_s:
        prompt, answer = draw.randint(100, 900), draw.randint(0, 100)
        most = Spent(*(limit // ledger.parts(1) for limit in LIMITS))
        entry = await entered(ledger, prompt + answer, most)
        if entry is None:
            refused += 1
        else:
            counted.append((time.monotonic(), 1, prompt))
            await asyncio.sleep(draw.uniform(0, 0.02))
            counted.append((time.monotonic(), 0, answer))
            ledger.settle(entry, prompt + answer, now=time.monotonic())
        await asyncio.sleep(draw.uniform(0, 0.05))
    return refused


def most_in_any_window(events: list[tuple[float, int, int]]) -> Spent:
    """The most requests and tokens within any window."""
    most, first, requests, tokens = Spent(0, 0), 0, 0, 0
    events = sorted(events)
    for at, one, more in events:
        requests, tokens = requests + one, tokens + more
        while events[first][0] <= at - WINDOW_S:
            requests, tokens = requests - events[first][1], tokens - events[first][2]
            first += 1
        most = Spent(max(most.requests, requests), max(most.tokens, tokens))
    return most


async def test_the_limits_hold_while_the_store_comes_and_goes(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_ledger, "YOUNG_S", 0.6)
    counted: list[tuple[float, int, int]] = []
    async with servers(redis.url, 8, window_s=WINDOW_S, call_s=10.0) as ledgers:
        await all_shared(*ledgers)
        until_s = time.monotonic() + 6
        typists = [
            asyncio.create_task(typing(ledger, seed, counted, until_s=until_s))
            for seed, ledger in enumerate(ledgers)
        ]
        await asyncio.sleep(2)
        redis.kill()
        await asyncio.sleep(1)
        redis.start()
        refused = sum(await asyncio.gather(*typists))
        await all_shared(*ledgers)
    most = most_in_any_window(counted)
    assert most.requests <= LIMITS.requests
    assert most.tokens <= LIMITS.tokens
    assert refused, "the limits were reached"


# -- the store's address ---------------------------------------------------------------------------


async def test_the_password_stands_in_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_redis(tmp_path, "--requirepass", "open-sesame") as redis:
        for password, is_open in (("", False), ("wrong", False), ("open-sesame", True)):
            monkeypatch.setenv(PASSWORD_VARIABLE, password)
            found = Store(redis.url)
            assert await found.opened() is is_open
            assert "sesame" not in found.name
            await found.aclose()


NAMES = {
    "redis://127.0.0.1:6379/0": "redis://127.0.0.1:6379/0",
    "redis://:secret@cache.example/1": "redis://cache.example/1",
    "rediss://ann:sec%40ret@cache.example:6380": "rediss://cache.example:6380",
    "unix:///run/redis.sock": "unix:///run/redis.sock",
    "unix://ann:secret@/run/redis.sock": "unix:///run/redis.sock",
}


@pytest.mark.parametrize(("url", "name"), NAMES.items())
def test_a_stores_name_tells_no_password(url: str, name: str) -> None:
    assert name_of(url) == name
    assert settings_of(limits={"store": url}).limits.store == url


def settings_of(**table: object) -> Settings:
    parsed = parse(Layer(source="test", table=table))
    assert parsed.problems == ()
    return parsed.settings


REFUSED = ["redis", "redis://", "redis://host/0?password=secret", "http://host:6379", "disk"]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_store_is_refused_without_its_password(url: str) -> None:
    (problem,) = parse(Layer(source="test", table={"limits": {"store": url}})).problems
    assert "an address such as redis://host:6379/0" in problem
    assert "secret" not in problem


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SettingError, match=r"pip install 'fim-lsp\[redis\]'"):
        Store("redis://127.0.0.1:6379/0")


def test_a_team_shares_an_account_by_whatever_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANN", "not a real key")
    monkeypatch.setenv("BOB", "nor is this")
    ann, bob = (settings_of(preset="mistral", api_key_env=name) for name in ("ANN", "BOB"))
    assert team_account_of(ann) == team_account_of(bob)
    assert team_account_of(ann) != team_account_of(settings_of(preset="codestral"))


async def test_the_store_holds_numbers_and_hashes(redis: RedisServer) -> None:
    async with servers(redis.url, 1, account=team_account_of(settings_of(preset="mistral"))) as (
        one,
    ):
        await all_shared(one)
        assert await entered(one, 600) is not None
        found = Store(redis.url)
        assert await found.opened()
        keys = sorted(await found.call("KEYS", "*"))
        members = await found.call("ZRANGE", keys[0], 0, -1)
        await found.aclose()
    assert [key.rpartition(b":")[2] for key in keys] == [b"calls", b"servers", b"state"]
    assert [member.partition(b":")[0] for member in members] == [b"600"]
    assert b"mistral" not in json.dumps([str(key) for key in (*keys, *members)]).encode()
