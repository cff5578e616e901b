"""A stand-in answers while the endpoint cannot, and the status says so."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import get_args

import pytest

from fim_lsp.completer import Completer
from fim_lsp.errors import ProviderError, RateLimitedError, RefusedError, UnavailableError
from fim_lsp.presets import PRESETS, FallbackName
from fim_lsp.settings import Layer, LimitSettings, Settings, parse
from tests.desk import Desk, Said, ScriptedProvider, saying
from tests.editor import editing
from tests.endpoint import Endpoint, Reply
from tests.patience import until
from tests.virtual_time import in_virtual_time, run_virtually

ASSIGN = "x = ║\n"
MEANWHILE = "The local model answers meanwhile."


def with_stand_in(desk: Desk, says: str = "local(1)") -> ScriptedProvider:
    stand_in = ScriptedProvider(model=saying(Said(text=says, ttft_s=0)), free=True, name="local")
    desk.completer.stand_in = Completer(stand_in, Settings(provider="local"))
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
    await asyncio.sleep(30)
    standing = desk.completer.standing()
    assert (standing.state, standing.until_s) == ("offline", None), "nothing has answered since"


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
        await until(e.texts)  # it learns in the background
        await until(lambda: e.statuses and e.statuses[-1]["state"] == "error")
        texts = await e.texts()
        assert texts[0].lstrip().startswith("height")
        assert e.statuses[-1]["message"].endswith(MEANWHILE)
        assert len(endpoint.calls) == 1


# -- another endpoint ------------------------------------------------------------------------------


@in_virtual_time
async def test_another_endpoint_is_asked_as_sparingly_as_the_first() -> None:
    """It has a memory, a pause and a budget of its own."""
    desk = Desk(ASSIGN, saying(Said(error=RefusedError("Wrong key.", status=401))))
    second = ScriptedProvider(model=saying("second(1)\n"), name="ollama")
    desk.completer.stand_in = Completer(second, Settings(preset="ollama", provider="ollama"))
    assert await desk.texts() == ["second(1)"]
    for key in "secon":
        desk.type(key)
        asked_s = desk.now_s
        assert (await desk.texts(), desk.now_s) == (["second(1)"[len(desk.before) - 4 :]], asked_s)
    assert (len(desk.calls), len(second.calls)) == (1, 1)
    said = desk.completer.standing().message
    assert said == "Wrong key. The fallback, ollama, answers meanwhile."


@in_virtual_time
async def test_where_neither_can_answer_the_status_says_both_reasons() -> None:
    desk = Desk(ASSIGN, saying(Said(error=UnavailableError("No network."))))
    second = ScriptedProvider(model=saying(Said(error=RefusedError("Wrong key.", status=401))))
    desk.completer.stand_in = Completer(second, Settings(preset="codestral", provider="mistral"))
    assert await desk.texts() == []
    said = desk.completer.standing().message
    assert said == "No network. The fallback, codestral, cannot answer either: Wrong key."


FALLBACKS = {name for name in get_args(FallbackName) if name not in {"none", "local"}}


def test_what_needs_nothing_but_its_key_can_be_a_fallback() -> None:
    assert {name for name, preset in PRESETS.items() if not preset.needs} == FALLBACKS


@pytest.mark.parametrize("name", sorted(FALLBACKS))
def test_a_fallback_has_nothing_of_the_first_endpoint(name: str) -> None:
    first = {
        "provider": "openai",
        "base_url": "https://first.example/v1",
        "model": "first",
        "template": "qwen",
        "headers": ["x-first: 1"],
        "api_key_env": "FIRST_KEY",
        "api_key_command": ["pass", "first"],
        "request": {"max_tokens": 50},
        "limits": {"tokens_per_minute": 1_000},
        "fallback": name,
    }
    second = parse(Layer(source="test", table=first)).settings.for_fallback
    assert second is not None
    assert "irst" not in repr(second)
    assert second.request.max_tokens == 50
    assert second.limits.tokens_per_minute == LimitSettings().tokens_per_minute


def with_second_at(base_url: str) -> tuple[str, ...]:
    """A server to which another endpoint is known by a preset's name."""
    lines = (
        "from dataclasses import replace",
        "from fim_lsp import presets",
        "known = presets.PRESETS",
        f"moved = replace(known['codestral'], base_url={base_url!r})",
        "presets.PRESETS = {**known, 'codestral': moved}",
        "from fim_lsp.cli import main",
        "raise SystemExit(main(['serve']))",
    )
    return (sys.executable, "-c", "\n".join(lines))


async def test_the_server_asks_the_fallback_with_its_own_key_until_the_first_is_back(
    tmp_path: Path,
) -> None:
    async with (
        Endpoint(Reply(status=503, body={}), key="test-key") as first,
        Endpoint(Reply(text="second(1)\n"), key="second-key") as second,
        editing(
            tmp_path,
            first.settings(fallback="codestral"),
            env={"CODESTRAL_API_KEY": "second-key"},
            command=with_second_at(second.base_url),
        ) as e,
    ):
        e.open(ASSIGN)
        assert await e.texts() == ["second(1)"]
        await e.eventually("503")
        await until(lambda: e.statuses[-1]["message"].endswith("answers meanwhile."))
        first.reply = Reply(text="first(1)\n")

        async def is_back() -> bool:
            return await e.texts() == ["first(1)"]

        await until(is_back)
    keys = [{call.headers["authorization"] for call in one.calls} for one in (first, second)]
    assert keys == [{"Bearer test-key"}, {"Bearer second-key"}]
    assert (first.violations, second.violations) == ([], [])
