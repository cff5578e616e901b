"""A stand-in answers while the endpoint cannot, and the status says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fim_lsp.errors import ProviderError, RateLimitedError, RefusedError, UnavailableError
from fim_lsp.settings import LimitSettings, Settings
from tests.desk import Desk, Said, ScriptedProvider, saying
from tests.editor import editing
from tests.endpoint import Endpoint
from tests.virtual_time import in_virtual_time, run_virtually

ASSIGN = "x = ║\n"
MEANWHILE = "The local model answers meanwhile."


def with_stand_in(desk: Desk, says: str = "local(1)") -> ScriptedProvider:
    stand_in = ScriptedProvider(model=saying(Said(text=says, ttft_s=0)), free=True, name="local")
    desk.completer.stand_in = stand_in
    return stand_in


FAILURES = {
    "away": UnavailableError("No network."),
    "too many requests": RateLimitedError("Too many requests.", status=429, retry_after_s=30),
    "a wrong key": RefusedError("Wrong key.", status=401),
}


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_the_stand_in_answers_from_the_first_failure_on(error: ProviderError) -> None:
    async def scenario() -> None:
        desk = Desk(ASSIGN, saying(Said(error=error)))
        with_stand_in(desk)
        answer = await desk.answer()
        assert ([item.text for item in answer.items], answer.source) == (["local(1)"], "stand-in")
        desk.go("yy = ║\n")
        assert await desk.texts() == ["local(1)"]
        assert len(desk.calls) == 1, "the breaker keeps the endpoint from being asked again"
        assert desk.completer.standing().message == f"{str(error).rstrip('.')}. {MEANWHILE}"

    run_virtually(scenario())


@in_virtual_time
async def test_without_one_nothing_is_shown_and_nothing_promised() -> None:
    desk = Desk(ASSIGN, saying(Said(error=UnavailableError("No network."))))
    assert (await desk.answer()).items == ()
    assert desk.completer.standing().message == "No network."


@in_virtual_time
async def test_the_stand_in_answers_when_the_budget_is_used_up() -> None:
    limits = LimitSettings(requests_per_minute=1)
    desk = Desk(ASSIGN, saying("foo(1)\n"), settings=Settings(provider="mistral", limits=limits))
    with_stand_in(desk)
    assert await desk.texts() == ["foo(1)"]
    desk.go("yy = ║\n")
    assert await desk.texts() == ["local(1)"]
    assert desk.completer.standing().state == "limited"
    assert desk.completer.standing().message.endswith(MEANWHILE)


@in_virtual_time
async def test_the_endpoint_answers_again_when_it_is_back() -> None:
    """What the stand-in said at this very place is not remembered in its stead."""
    desk = Desk(ASSIGN, saying(Said(error=UnavailableError("No network.")), "foo(1)\n"))
    stand_in = with_stand_in(desk)
    assert await desk.texts() == ["local(1)"]
    await asyncio.sleep(30)
    assert await desk.texts() == ["foo(1)"]
    assert len(stand_in.calls) == 1
    assert desk.completer.standing().message == ""


@in_virtual_time
async def test_an_explicit_request_is_met_too() -> None:
    desk = Desk(ASSIGN, saying(Said(error=RefusedError("Wrong key.", status=401))))
    with_stand_in(desk)
    assert await desk.texts(invoked=True) == ["local(1)"]


@in_virtual_time
async def test_a_stand_in_with_nothing_to_say_leaves_the_reason() -> None:
    desk = Desk(ASSIGN, saying(Said(error=UnavailableError("No network."))))
    with_stand_in(desk, says="")
    answer = await desk.answer()
    assert (answer.items, answer.reason) == ((), "No network.")


SAMPLE = """def area(width, height):
    return width * height


def volume(width, height, depth):
    return width *║
"""


async def test_the_server_lets_the_local_provider_learn_and_stand_in(tmp_path: Path) -> None:
    async with (
        Endpoint() as endpoint,
        editing(tmp_path, endpoint.settings(fallback="local"), key="wrong") as e,
    ):
        e.open(SAMPLE)
        async with asyncio.timeout(20):
            while not (texts := await e.texts()):  # noqa: ASYNC110 - it learns in the background
                await asyncio.sleep(0.05)
            while not e.statuses or e.statuses[-1]["state"] != "error":  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)
        assert texts[0].lstrip().startswith("height")
        assert e.statuses[-1]["message"].endswith(MEANWHILE)
        assert len(endpoint.calls) == 1
