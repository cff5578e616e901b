"""The order of one request, in virtual time: what is answered when, and at what price."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.calls import Bill
from fim_lsp.completer import ANSWER_BY_S, Answer, Ask, Completer
from fim_lsp.errors import (
    PromptTooLongError,
    ProviderError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
)
from fim_lsp.pacing.budget import Budget
from fim_lsp.pacing.ledger import MemoryLedger
from fim_lsp.pacing.pause import CLIENT_WAITS_S
from fim_lsp.providers import FimRequest, Snippet
from fim_lsp.settings import ContextSettings, LimitSettings, Settings, TriggerSettings
from fim_lsp.snippets.supply import Supply
from tests.desk import PIECE_S, TTFT_S, Desk, Model, Said, ScriptedProvider, saying, shared_share
from tests.virtual_time import in_virtual_time, run_virtually

if TYPE_CHECKING:
    from fim_lsp.snippets.supply import Snippets

LINES = "".join(f"value_{n:03} = compute({n}, {n * 7})\n" for n in range(400))
ASSIGN = "x = ║\n"
NAMES = "\nbar(bat, bay, big, boy)\n"
"""Familiar names, of which none is likelier than another."""


# -- memory first ------------------------------------------------------------------------------


@in_virtual_time
async def test_what_is_known_is_answered_at_once() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\ny = 2\n"))
    assert await desk.texts() == ["foo(1)"]
    for key, rest in (("f", "oo(1)"), ("o", "o(1)"), ("o", "(1)")):
        desk.type(key)
        asked_s = desk.now_s
        answer = await desk.answer()
        assert [item.text for item in answer.items] == [rest]
        assert (answer.source, desk.now_s) == ("typed through", asked_s)
    assert len(desk.calls) == 1


@in_virtual_time
async def test_an_answer_that_is_hung_up_because_it_is_whole_is_shown() -> None:
    desk = Desk("foo(║)\n", saying("a, b)\n"))
    assert await desk.texts() == ["a, b"]


@in_virtual_time
async def test_what_is_typed_through_stays_as_it_is() -> None:
    """A block does not shrink to a line when its first key is typed."""
    desk = Desk("def f():\n    ║\n\nf()\n", saying("a = 1\n    return a\n"))
    assert await desk.texts() == ["a = 1\n    return a"]
    await asyncio.sleep(1)
    desk.type("a")
    assert await desk.texts() == [" = 1\n    return a"]
    assert len(desk.calls) == 1


@in_virtual_time
async def test_what_was_shown_is_not_shown_elsewhere() -> None:
    desk = Desk("x = ║\ny = \n", saying("foo(1)\n", "bar(2)\n"))
    assert await desk.texts() == ["foo(1)"]
    await asyncio.sleep(1)
    desk.go("x = \ny = f║\n")
    assert await desk.texts() == ["bar(2)"]


@in_virtual_time
async def test_deleting_what_was_typed_through_shows_it_again_at_once() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    await desk.texts()
    await asyncio.sleep(1)
    desk.type("foo")
    assert await desk.texts() == ["(1)"]
    desk.backspace(2)
    asked_s = desk.now_s
    assert await desk.texts() == ["oo(1)"]
    assert (desk.now_s, len(desk.calls)) == (asked_s, 1)


@in_virtual_time
async def test_that_the_model_has_nothing_to_say_is_remembered() -> None:
    desk = Desk(ASSIGN, saying(""))
    assert await desk.texts() == []
    asked_s = desk.now_s
    answer = await desk.answer()
    assert (answer.items, answer.source, desk.now_s) == ((), "memory", asked_s)
    assert len(desk.calls) == 1


@in_virtual_time
async def test_the_lines_after_an_accepted_one_are_known_without_a_call() -> None:
    desk = Desk("a = 1\n║\n\nf()\n", saying("b = 2\nc = 3\nd = b + c\n"))
    assert await desk.texts() == ["b = 2\nc = 3\nd = b + c"]
    await asyncio.sleep(1)  # they read; meanwhile the stream brings the rest
    for key in "b = 2":  # rather than take it all: from here on line by line
        desk.type(key)
        await desk.texts()
    for line in ("c = 3", "d = b + c"):
        desk.type("\n")
        asked_s = desk.now_s
        assert await desk.texts() == [line]
        assert desk.now_s == asked_s
        desk.type(line)
    assert len(desk.calls) == 1


@in_virtual_time
async def test_an_answer_says_which_call_it_comes_from_and_how() -> None:
    desk = Desk("a = 1\n║\n\nf()\n", saying(" = 2\nc = 3\n", "e\n"))
    desk.type("b")
    first = await desk.answer()
    assert (first.source, first.call, first.paused_ms > 0) == ("called", 1, True)
    await asyncio.sleep(1)
    again = await desk.answer()
    assert (again.source, again.call, again.paused_ms) == ("memory", 1, 0.0)
    desk.type(" = 2")
    behind = await desk.answer()
    assert (behind.source, behind.call) == ("streak", 1)
    desk.go("d = ║\n")
    assert (await desk.answer()).call == 2


# what the model does, and the bill: its end, its tokens, whether they are a guess
BILLS: dict[str, tuple[Said, str, tuple[int, int], bool]] = {
    "whole": (Said(text="foo(1)"), "whole", (1, 2), False),
    "without usage": (Said(text="foo(1)", has_usage=False), "whole", (2, 2), True),
    "failed": (Said(error=UnavailableError("It is away: wait.")), "failed", (2, 0), True),
}


@pytest.mark.parametrize(("said", "end", "tokens", "guessed"), BILLS.values(), ids=BILLS.keys())
@in_virtual_time
async def test_each_call_leaves_a_bill(
    said: Said, end: str, tokens: tuple[int, int], guessed: bool
) -> None:
    desk, bills = Desk(ASSIGN, saying(said)), list[Bill]()
    desk.completer.calls.on_bill = bills.append
    await desk.texts()
    await asyncio.sleep(5)
    (bill,) = bills
    assert (bill.number, bill.language, bill.end) == (1, "python", end)
    assert (bill.prompt_tokens, bill.completion_tokens, bill.is_estimated) == (*tokens, guessed)
    assert (bill.reason == "It is away: wait.") == (end == "failed")


@in_virtual_time
async def test_a_call_that_is_hung_up_leaves_a_bill_too() -> None:
    desk, bills = Desk(ASSIGN, saying(Said(text="foo(1)\n", ttft_s=60))), list[Bill]()
    desk.completer.calls.on_bill = bills.append
    waiting = desk.request()
    await asyncio.sleep(1)
    desk.completer.closed(desk.uri)
    await asyncio.gather(waiting, return_exceptions=True)
    assert [(bill.end, bill.first_text_ms) for bill in bills] == [("hung up", None)]


@in_virtual_time
async def test_a_closed_document_leaves_nothing_behind() -> None:
    """Neither what was asked before, nor what somebody still waits for."""
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    await desk.texts()
    waiting = desk.request()
    desk.go("y = ║\n")
    desk.type("b")
    pausing = desk.request()
    await asyncio.sleep(0)
    desk.completer.closed(desk.uri)
    await asyncio.gather(waiting, pausing, return_exceptions=True)
    await asyncio.sleep(5)
    assert len(desk.completer.memory) == 0
    assert len(desk.calls) == 1
    assert not desk.provider.running


@in_virtual_time
async def test_closing_hangs_up() -> None:
    desk = Desk(ASSIGN, saying(Said(text="foo(1)\n", ttft_s=60)))
    waiting = desk.request()
    await asyncio.sleep(1)
    desk.completer.closed(desk.uri)
    assert (await waiting).items == ()
    assert desk.calls[0].was_hung_up
    assert desk.calls[0].ended_s == 1.0
    assert len(desk.completer.memory) == 0


# -- what is under way -------------------------------------------------------------------------


@in_virtual_time
async def test_a_request_joins_a_stream_that_can_still_be_right() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    overtaken = desk.request()
    await asyncio.sleep(TTFT_S / 2)
    desk.type("fo")
    answer = await desk.answer()
    assert overtaken.cancelled()
    assert (answer.source, [item.text for item in answer.items]) == ("in flight", ["o(1)"])
    assert desk.now_s == pytest.approx(TTFT_S + PIECE_S)
    assert len(desk.calls) == 1
    assert not desk.calls[0].was_hung_up


@in_virtual_time
async def test_a_stream_goes_on_when_nobody_waits_for_it() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    cancelled = desk.request()
    await asyncio.sleep(TTFT_S / 2)
    cancelled.cancel()
    await asyncio.sleep(1)
    assert await desk.texts() == ["foo(1)"]
    assert desk.now_s == TTFT_S / 2 + 1
    assert len(desk.calls) == 1


REFUTES: dict[str, Callable[[Desk], None]] = {
    "another letter": lambda desk: desk.type("b"),
    "deleting": lambda desk: desk.backspace(),
}


@pytest.mark.parametrize("edit", REFUTES.values(), ids=REFUTES.keys())
@in_virtual_time
async def test_a_stream_that_an_edit_refutes_is_hung_up_at_once(
    edit: Callable[[Desk], None],
) -> None:
    desk = Desk(ASSIGN, saying(Said(text="foo(1)", piece_s=10)))
    desk.request()
    await asyncio.sleep(1)
    edit(desk)
    await asyncio.sleep(0)
    assert desk.calls[0].was_hung_up
    assert desk.calls[0].ended_s == 1.0


@in_virtual_time
async def test_a_stream_that_says_something_else_than_what_was_typed_meanwhile_is_replaced() -> (
    None
):
    desk = Desk(
        ASSIGN + NAMES,
        saying(Said(text="wrong(1) and then much more", piece_s=0.1), "ar(2)\n"),
    )
    desk.request()
    await asyncio.sleep(TTFT_S / 2)
    desk.type("b")
    waiting = desk.request()
    await asyncio.sleep(TTFT_S / 2 + 0.001)
    assert desk.calls[0].was_hung_up
    answer = await waiting
    assert [item.text for item in answer.items] == ["ar"]  # the line is distrusted now
    assert [call.request.prompt for call in desk.calls] == ["x = ", "x = b"]


@in_virtual_time
async def test_a_call_that_is_hung_up_before_it_began_costs_nothing() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    desk.completer.edited(desk.uri)
    request = desk.request(invoked=True)
    await asyncio.sleep(0)  # the request has begun its calls, which have not begun yet
    desk.completer.closed(desk.uri)
    assert (await request).items == ()
    assert desk.calls == []
    assert desk.completer.budget.used_share() == 0


@in_virtual_time
async def test_a_line_is_answered_when_it_is_whole_and_not_when_the_stream_ends() -> None:
    desk = Desk(ASSIGN, saying(Said(text="foo(12)\ny = 3\nz = 4\n", piece_s=0.1)))
    assert await desk.texts() == ["foo(12)"]
    assert desk.now_s == pytest.approx(TTFT_S + 0.1)  # its newline comes with the second piece
    assert desk.provider.running


@in_virtual_time
async def test_a_block_is_answered_when_the_text_leaves_it_and_the_stream_is_hung_up() -> None:
    desk = Desk(
        "def f():\n    ║\n\nprint(1)\n", saying("a = 1\n    return a\n\ndef g():\n    pass")
    )
    assert await desk.texts() == ["a = 1\n    return a"]
    await asyncio.sleep(1)
    [call] = desk.calls
    assert call.was_hung_up
    assert len(call.said) <= len("a = 1\n    return a\n\ndef ")


@in_virtual_time
async def test_whole_lines_go_out_in_time_for_vs_code() -> None:
    desk = Desk(
        "def f():\n    ║\n", saying(Said(text="a = 1\n    b = 2\n    c = 3\n", piece_s=0.2))
    )
    assert await desk.texts() == ["a = 1"]
    assert desk.now_s == pytest.approx(ANSWER_BY_S)
    await asyncio.sleep(5)
    assert await desk.texts() == ["a = 1\n    b = 2\n    c = 3"]
    assert len(desk.calls) == 1


@in_virtual_time
async def test_an_explicit_wish_waits_for_the_whole_block() -> None:
    desk = Desk("def f():\n    ║\n", saying(Said(text="a = 1\n    b = 2\n", piece_s=0.3)))
    [text, *_] = await desk.texts(invoked=True)
    assert text == "a = 1\n    b = 2"
    assert desk.now_s > ANSWER_BY_S


# -- when to ask -------------------------------------------------------------------------------


@in_virtual_time
async def test_nothing_is_asked_inside_a_word() -> None:
    desk = Desk("x = fo║o\n", saying("nope"))
    assert await desk.texts() == []
    assert desk.calls == []
    await desk.texts(invoked=True)
    assert desk.calls


@in_virtual_time
async def test_nothing_is_asked_in_a_language_that_is_disabled() -> None:
    off = Settings(provider="mistral", trigger=TriggerSettings(disabled_languages=("python",)))
    desk = Desk(ASSIGN, saying("nope"), settings=off)
    assert await desk.texts() == []
    assert await desk.texts(invoked=True) == []
    assert desk.calls == []


FIXED_PAUSES = {
    "a pause as long as the setting says": (400, 0.0, False, 0.4),
    "none": (0, 0.0, False, 0.0),
    "less what the editor waits by itself": (400, CLIENT_WAITS_S["neovim"], False, 0.2),
    "none where the editor waits longer": (100, CLIENT_WAITS_S["neovim"], False, 0.0),
    "none for an explicit wish": (400, 0.0, True, 0.0),
}


@pytest.mark.parametrize(
    ("debounce_ms", "client_wait_s", "invoked", "pause_s"),
    FIXED_PAUSES.values(),
    ids=FIXED_PAUSES.keys(),
)
@in_virtual_time
async def test_a_fixed_pause_is(
    debounce_ms: int, client_wait_s: float, *, invoked: bool, pause_s: float
) -> None:
    fixed = Settings(provider="mistral", trigger=TriggerSettings(debounce_ms=debounce_ms))
    desk = Desk(ASSIGN, saying("foo(1)\n"), settings=fixed, client_wait_s=client_wait_s)
    desk.type("f")
    await desk.answer(invoked=invoked)
    assert desk.calls[0].at_s == pytest.approx(pause_s)


@in_virtual_time
async def test_a_key_within_the_pause_saves_the_call() -> None:
    fixed = Settings(provider="mistral", trigger=TriggerSettings(debounce_ms=200))
    desk = Desk(ASSIGN, saying("(1)\n"), settings=fixed)
    await desk.keys("foo", gap_s=0.1)
    assert [call.request.prompt for call in desk.calls] == ["x = foo"]


@in_virtual_time
async def test_a_free_provider_is_asked_without_a_pause_and_reads_everything() -> None:
    desk = Desk(LINES + ASSIGN, saying("foo(1)\n"), free=True)
    desk.type("f")
    await desk.answer()
    assert desk.calls[0].at_s == 0.0
    assert desk.calls[0].request.prompt == desk.before


@in_virtual_time
async def test_the_first_lines_of_typing_cost_few_calls() -> None:
    """A fast typist on a line that the model does not know is not asked about at every key."""
    desk = Desk(ASSIGN, saying("wrong(1)\n"))
    await desk.keys("some_function(argument, other)", gap_s=0.12)
    assert len(desk.calls) <= 6


@in_virtual_time
async def test_a_place_that_was_typed_on_from_is_not_asked_about_though_nobody_cancels() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    await desk.texts()
    await asyncio.sleep(0.2)
    desk.type("q")  # a slip, and a departure: the call would wait for a moment
    stale = asyncio.create_task(desk.completer.complete(Ask(context=desk.context)))
    await asyncio.sleep(0.05)
    desk.backspace()
    assert (await stale).reason == "typed on meanwhile"
    assert len(desk.calls) == 1


@in_virtual_time
async def test_where_the_model_has_ended_it_is_not_asked_to_go_on() -> None:
    desk = Desk(ASSIGN, saying("foo(1)", "\ny = 2\n"))
    await desk.texts()
    assert await desk.keys("foo(1)") == []
    assert len(desk.calls) == 1


@in_virtual_time
async def test_who_accepts_a_whole_answer_sees_what_comes_next() -> None:
    desk = Desk(ASSIGN, saying("foo(1)", "\ny = 2\n"))
    [text] = await desk.texts()
    desk.type(text)
    assert await desk.texts() == ["\ny = 2"]
    assert len(desk.calls) == 2


@in_virtual_time
async def test_where_the_limit_of_tokens_ended_an_answer_the_model_is_asked_to_go_on() -> None:
    desk = Desk(ASSIGN, saying(Said(text="foo(1", finish="length"), ", 2)\n"))
    await desk.texts()
    await desk.keys("foo(1")
    assert len(desk.calls) == 2


# -- trust -------------------------------------------------------------------------------------


@in_virtual_time
async def test_after_a_departure_suggestions_are_short_and_late() -> None:
    desk = Desk(ASSIGN + NAMES, saying("foo(1, 2, 3)\n", "ar(1, 2, 3)\n", "(1, 2, 3)\n"))
    assert await desk.texts() == ["foo(1, 2, 3)"]
    await asyncio.sleep(0.14)
    desk.type("b")
    typed_s = desk.now_s
    assert await desk.texts() == ["ar"]
    assert desk.calls[1].at_s - typed_s > 0.25


@in_virtual_time
async def test_what_is_held_back_is_not_shown_and_says_why() -> None:
    desk = Desk("x = ║\n", saying("foo\n", "unheard_of\n"))
    await desk.texts()
    desk.type("1 + ")
    answer = await desk.answer()
    assert (answer.items, answer.source) == ((), "called")
    assert answer.reason == "held back: the model has just been wrong on this line"
    desk.go("x = 1║\n")
    desk.provider.model = saying("\nfoo = 2\n")
    answer = await desk.answer()
    assert answer.items == ()
    assert answer.reason == "held back: it begins on the next line, and comes with it"


@in_virtual_time
async def test_behind_a_departure_words_from_around_are_there_at_once_and_cost_nothing() -> None:
    desk = Desk("total = 0\nx = ║\nprint(total)\n", saying("foo(1)\n"))
    await desk.texts()
    desk.type("to")
    asked_s = desk.now_s
    answer = await desk.answer()
    assert [item.text for item in answer.items] == ["tal"]
    assert (answer.source, desk.now_s, len(desk.calls)) == ("nearby", asked_s, 1)


@in_virtual_time
async def test_not_following_words_from_around_is_no_departure_from_the_model() -> None:
    desk = Desk("total = 0\nx = ║\nprint(total)\n", saying("foo(1)\n", "tal\n", "cs(1)\n"))
    await desk.texts()
    desk.type("to")
    assert await desk.texts() == ["tal"]
    await asyncio.sleep(0.5)
    desk.type("ni")  # enough to ask again after one departure, too little after two
    typed_s = desk.now_s
    await desk.answer()
    assert desk.calls[2].at_s - typed_s < 0.1


@in_virtual_time
async def test_the_model_is_asked_while_a_word_from_around_is_shown() -> None:
    desk = Desk("total = 0\nx = ║\nprint(total)\n", saying("foo(1)\n", "tal + 1\n"))
    await desk.texts()
    desk.type("to")
    assert (await desk.answer()).source == "nearby"
    await asyncio.sleep(1)
    assert len(desk.calls) == 2
    desk.type("t")
    asked_s = desk.now_s
    answer = await desk.answer()
    assert ([item.text for item in answer.items], desk.now_s) == (["al"], asked_s)
    assert (answer.source, len(desk.calls)) == ("typed through", 2)


@in_virtual_time
async def test_a_word_from_around_makes_no_call_where_it_is_too_early_or_typed_on() -> None:
    fixed = Settings(provider="mistral", trigger=TriggerSettings(debounce_ms=300))
    model = saying("foo(1)\n", "al + 1\n")
    desk = Desk("total = 0\nx = ║\nprint(total)\n", model, settings=fixed)
    await desk.texts()
    for key in ("to", "t"):
        desk.type(key)
        assert (await desk.answer()).source == "nearby"
        await asyncio.sleep(0.14)
    assert len(desk.calls) == 1
    await asyncio.sleep(1)
    assert len(desk.calls) == 2


NOT_NEARBY = {
    "an explicit wish gets the model's answer": ("x = ║\nprint(total)\n", True),
    "nothing inside a word": ("x = ║tal\nprint(total)\n", False),
}


@pytest.mark.parametrize(("marked", "invoked"), NOT_NEARBY.values(), ids=NOT_NEARBY.keys())
@in_virtual_time
async def test_words_from_around_are_not_shown(marked: str, *, invoked: bool) -> None:
    desk = Desk(marked, saying("foo(1)\n", "tally(1)\n"))
    await desk.texts(invoked=True)
    desk.type("to")
    assert (await desk.answer(invoked=invoked)).source != "nearby"


@in_virtual_time
async def test_a_name_held_back_is_shown_once_it_has_proven_right() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n", "argument_that_is_new = 1\n"))
    await desk.texts()
    desk.type("b")
    assert await desk.texts() == []
    assert await desk.keys("argum") == []
    assert await desk.keys("e") == ["nt_that_is_new"]
    assert len(desk.calls) == 2


@in_virtual_time
async def test_a_first_suggestion_stops_before_a_name_that_is_new_until_it_is_reached() -> None:
    desk = Desk(LINES + ASSIGN, saying("compute(made_up(1), 2)\n"))
    assert await desk.texts() == ["compute("]
    desk.type("compute(")
    assert await desk.texts() == ["made_up(1), 2)"]
    assert len(desk.calls) == 1


@in_virtual_time
async def test_a_name_that_the_model_has_read_in_another_file_is_not_new() -> None:
    class Other:
        """Another file, of which everything is sent."""

        def look(self, *_: object, **__: object) -> None: ...
        async def settle(self, *_: object) -> None: ...
        def gather(self, *_: object, **__: object) -> Supply:
            return Supply(snippets=(Snippet(path="b.py", text="def made_up(x): ..."),))

    desk = Desk(LINES + ASSIGN, saying("compute(made_up(1), 2)\n"))
    desk.completer.reading.snippets = cast("Snippets", Other())
    assert await desk.texts() == ["compute(made_up(1), 2)"]


@in_virtual_time
async def test_a_slip_that_is_taken_back_is_no_departure() -> None:
    desk = Desk(ASSIGN, saying("foo(1, 2, 3)\n", "nonsense\n"))
    assert await desk.texts() == ["foo(1, 2, 3)"]
    await asyncio.sleep(0.14)
    desk.type("q")
    desk.request()
    await asyncio.sleep(0.14)
    desk.backspace()
    asked_s = desk.now_s
    assert await desk.texts() == ["foo(1, 2, 3)"]
    assert (desk.now_s, len(desk.calls)) == (asked_s, 1)


@in_virtual_time
async def test_another_line_is_trusted_anew() -> None:
    desk = Desk("x = ║\ny = \n" + NAMES, saying("foo(1)\n", "ar(1)\n", "baz(1, 2)\n"))
    await desk.texts()
    desk.type("b")
    assert await desk.texts() == ["ar"]
    desk.go("x = b\ny = ║\n" + NAMES)
    assert await desk.texts() == ["baz(1, 2)"]


# -- failures ----------------------------------------------------------------------------------

FAILURES: dict[str, tuple[ProviderError, int]] = {
    "a wrong key": (RefusedError("The key is wrong: set another.", status=401), 1),
    "an outage": (UnavailableError("The endpoint does not answer."), 1),
    "a busy minute": (RateLimitedError("Too many requests.", status=429, retry_after_s=30), 0),
}


@pytest.mark.parametrize(("error", "notices"), FAILURES.values(), ids=FAILURES.keys())
@in_virtual_time
async def test_a_failure_is_told_at_most_once_and_not_repeated_at_every_key(
    error: ProviderError, notices: int
) -> None:
    desk = Desk(ASSIGN, saying(Said(error=error)))
    reasons: list[str] = []
    for char in "some_words":
        desk.type(char)
        answer = await desk.answer()
        assert answer.items == ()
        reasons.append(answer.reason)
    assert str(error) in reasons[0]
    assert all("not asked" in reason for reason in reasons[1:])
    assert len(desk.calls) == 1
    assert len(desk.notices) == notices


@in_virtual_time
async def test_only_other_settings_mend_a_wrong_key() -> None:
    desk = Desk(ASSIGN, saying(Said(error=RefusedError("The key is wrong.", status=401)), "foo\n"))
    await desk.answer()
    await asyncio.sleep(24 * 3600)
    desk.type("f")
    await desk.answer()
    assert len(desk.calls) == 1
    desk.completer.calls.breaker.reset()
    desk.type("o")
    await desk.answer()
    assert len(desk.calls) == 2


@in_virtual_time
async def test_after_429_the_endpoint_is_left_alone_as_long_as_it_says() -> None:
    error = RateLimitedError("Too many requests.", status=429, retry_after_s=30)
    desk = Desk(ASSIGN, saying(Said(error=error), "oo(1)\n"))
    await desk.answer()
    await asyncio.sleep(29)
    desk.type("f")
    assert await desk.texts() == []
    await asyncio.sleep(2)
    assert (await desk.answer()).source == "called"
    assert len(desk.calls) == 2


@in_virtual_time
async def test_an_outage_and_its_end_are_told_once() -> None:
    desk = Desk(ASSIGN, saying(*[Said(error=UnavailableError("It is away."))] * 3, "(1)\n"))
    for char in "some_words":
        desk.type(char)
        await desk.answer()
        await asyncio.sleep(10)
    assert [notice.kind for notice in desk.notices] == ["warning", "info"]


@in_virtual_time
async def test_a_stream_that_breaks_shows_what_came_whole() -> None:
    broken = Said(text="foo(1)\nbar(2", error=UnavailableError("The connection broke."))
    desk = Desk(ASSIGN, saying(broken))
    assert await desk.texts() == ["foo(1)"]


@in_virtual_time
async def test_a_prompt_that_is_too_long_is_halved_once() -> None:
    too_long = PromptTooLongError("The prompt is too long.", status=422)
    desk = Desk(LINES + ASSIGN, saying(*[Said(error=too_long)] * 3, "(1)\n"))
    await desk.answer(invoked=True)
    await asyncio.sleep(1)
    first = desk.calls[0].prompt_chars
    tried = len(desk.calls)
    desk.type("f")
    await desk.answer()
    desk.type("o")
    await desk.answer()
    after = [call.prompt_chars for call in desk.calls[tried:]]
    assert after
    assert all(0.4 * first < chars < 0.6 * first for chars in after)
    assert desk.notices == []


# -- the budget --------------------------------------------------------------------------------


def limited(tokens: int, requests: int = 500) -> Settings:
    """So many tokens a minute."""
    limits = LimitSettings(tokens_per_minute=tokens, requests_per_minute=requests)
    return Settings(provider="mistral", limits=limits)


def new_place(desk: Desk, number: int) -> None:
    """Somewhere with nothing known, after the same long text."""
    desk.go(f"{LINES}answer_{number} = ║\n")


@in_virtual_time
async def test_when_the_budget_runs_low_prompts_shrink_before_requests_are_skipped() -> None:
    ample = replace(limited(7_000), context=ContextSettings(prompt_tokens=1_600))
    desk = Desk(ASSIGN, saying("foo(1)\n"), settings=ample)
    reasons: list[str] = []
    for number in range(12):
        new_place(desk, number)
        reasons.append((await desk.answer()).reason)
        await asyncio.sleep(1)
    sizes = [call.prompt_chars for call in desk.calls]
    assert len(sizes) >= 4
    assert sizes[0] == sizes[1]
    assert 0.4 * sizes[0] < sizes[-1] < 0.8 * sizes[0]
    assert "budget" in reasons[-1]


@in_virtual_time
async def test_an_explicit_wish_has_a_share_kept_for_it() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"), settings=limited(9_000))
    for number in range(20):
        new_place(desk, number)
        await desk.answer()
        await asyncio.sleep(0.5)
    asked = len(desk.calls)
    new_place(desk, 20)
    assert await desk.texts() == []
    assert len(desk.calls) == asked
    assert await desk.texts(invoked=True) == ["foo(1)"]
    assert len(desk.calls) > asked


@in_virtual_time
async def test_the_minute_passes() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"), settings=limited(60_000, requests=3))
    shown: list[bool] = []
    for number in range(10):
        new_place(desk, number)
        shown.append(bool(await desk.texts()))
        await asyncio.sleep(10)
    assert shown == [True] * 3 + [False] * 3 + [True] * 3 + [False]


@in_virtual_time
async def test_consecutive_prompts_share_their_beginning() -> None:
    """Typing on where every suggestion is wrong: much is asked, little of it is new."""
    desk = Desk(LINES + "║\n" + LINES, saying("wrong\n"))
    for line in LINES.replace("value", "other").split("\n")[:12]:
        await desk.keys(line + "\n")
        await asyncio.sleep(0.5)
    prompts = [call.request.prompt for call in desk.calls]
    shared = [shared_share(before, after) for before, after in itertools.pairwise(prompts)]
    assert len(prompts) > 40
    assert median(shared) > 0.9
    assert sum(share < 0.5 for share in shared) < len(shared) / 10


@in_virtual_time
async def test_prompts_hold_at_least_500_tokens_of_the_file() -> None:
    desk = Desk(LINES + ASSIGN, saying("foo(1)\n"))
    await desk.answer()
    assert desk.calls[0].prompt_chars / 3.5 >= 500


@in_virtual_time
async def test_a_prompt_is_as_long_as_the_setting_says() -> None:
    small = Settings(provider="mistral", context=ContextSettings(prompt_tokens=200))
    desk = Desk(LINES + ASSIGN + LINES, saying("foo(1)\n"), settings=small)
    await desk.answer()
    assert 100 < desk.calls[0].prompt_chars / 3.5 <= 200


# -- candidates --------------------------------------------------------------------------------


@in_virtual_time
async def test_an_explicit_wish_gets_the_first_answer_at_once_and_the_rest_next_time() -> None:
    slow = Said(text="third(3)\n", ttft_s=2.0)
    desk = Desk(ASSIGN, saying("first(1)\n", Said(text="second(2)\n", ttft_s=1.0), slow))
    assert await desk.texts(invoked=True) == ["first(1)"]
    assert desk.now_s < 0.3
    assert [call.request.temperature is None for call in desk.calls] == [True, False, False]
    assert all(call.request.min_tokens == 1 for call in desk.calls)
    await asyncio.sleep(3)
    asked_s = desk.now_s
    assert set(await desk.texts(invoked=True)) == {"first(1)", "second(2)", "third(3)"}
    assert (desk.now_s, len(desk.calls)) == (asked_s, 3)


@in_virtual_time
async def test_the_same_text_is_offered_once() -> None:
    desk = Desk(ASSIGN, saying("same(1)\n"))
    await desk.texts(invoked=True)
    await asyncio.sleep(1)
    assert await desk.texts(invoked=True) == ["same(1)"]


@in_virtual_time
async def test_asking_twice_does_not_ask_for_more_than_three() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    for _ in range(4):
        desk.request(invoked=True)
        await asyncio.sleep(TTFT_S / 10)
    assert len(desk.calls) == 3


@in_virtual_time
async def test_an_explicit_wish_counts_the_call_that_runs_already() -> None:
    desk = Desk(ASSIGN, saying("first(1)\n", "second(2)\n", "third(3)\n"))
    desk.request()
    await asyncio.sleep(TTFT_S / 2)
    assert await desk.texts(invoked=True) == ["first(1)"]
    assert len(desk.calls) == 3


@in_virtual_time
async def test_an_explicit_wish_waits_for_the_candidate_that_has_something() -> None:
    desk = Desk(ASSIGN, saying("", Said(text="second(2)\n", ttft_s=1.0)))
    assert "second(2)" in await desk.texts(invoked=True)


@in_virtual_time
async def test_candidates_are_asked_for_as_far_as_the_budget_goes() -> None:
    desk = Desk(LINES + ASSIGN, saying("foo(1)\n"), settings=limited(1_200))
    assert await desk.texts(invoked=True) == ["foo(1)"]
    assert len(desk.calls) == 1


# -- any schedule ------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["f", "o", "(", "1", "\n    ", "back", "ask", "invoke", "cancel", "close"]),
        st.sampled_from([0.0, 0.01, 0.08, 0.2, 0.7, 3.0]),
    ),
    max_size=40,
)
ANSWERS = st.lists(
    st.sampled_from(["foo(1)\n    foo(1)\n", "", "oo", "(1)\n", "1)\n\n\nother\n", "f" * 900]),
    min_size=1,
    max_size=6,
)
ERRORS = st.sampled_from(
    [
        None,
        None,
        None,
        UnavailableError("It is away."),
        RateLimitedError("Too many.", status=429, retry_after_s=2),
    ]
)


@given(steps=STEPS, answers=ANSWERS, error=ERRORS)
def test_every_request_has_one_outcome_and_no_two_calls_ask_the_same(
    steps: list[tuple[str, float]], answers: list[str], error: ProviderError | None
) -> None:
    run_virtually(_any_schedule(steps, answers, error))


async def _any_schedule(
    steps: list[tuple[str, float]], answers: list[str], error: ProviderError | None
) -> None:
    said = [Said(text=text, error=error if n % 3 == 1 else None) for n, text in enumerate(answers)]
    desk = Desk("def f(x):\n    ║\n\nf(1)\n", _in_turn(said), settings=limited(20_000, requests=30))
    requests: list[asyncio.Task[Answer]] = []
    for step, pause_s in steps:
        _take(desk, step, requests)
        await asyncio.sleep(pause_s)
        _check_calls(desk)
    outcomes = await asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), 60)
    assert all(isinstance(one, (Answer, asyncio.CancelledError)) for one in outcomes)
    await asyncio.sleep(60)
    assert not desk.provider.running
    assert not desk.completer.calls.any_running()
    await desk.completer.aclose()


def _in_turn(said: list[Said]) -> Model:
    turns = iter(range(10_000))

    def model(_: FimRequest) -> Said:
        return said[next(turns) % len(said)]

    return model


def _take(desk: Desk, step: str, requests: list[asyncio.Task[Answer]]) -> None:
    match step:
        case "ask" | "invoke":
            requests.append(desk.request(invoked=step == "invoke"))
        case "cancel":
            if requests:
                requests[-1].cancel()
        case "close":
            desk.completer.closed(desk.uri)
        case "back":
            if not desk.before.endswith(":\n    "):
                desk.backspace()
        case key:
            desk.type(key)


def _check_calls(desk: Desk) -> None:
    running = desk.completer.calls.running(desk.uri)
    automatic = [call for call in running if call.request.min_tokens is None]
    agreeing = [call for call in automatic if call.is_joinable and call.agrees(desk.context)]
    assert len(agreeing) <= 1


class FullElsewhere(MemoryLedger):
    """An account in which others have used up what looks free from here."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def confirm(self, entry: int) -> bool:
        await asyncio.sleep(0.01)
        self.asked += 1
        self.strike(entry)
        return False


@in_virtual_time
async def test_a_call_for_which_others_leave_no_room_is_not_made() -> None:
    desk = Desk(ASSIGN, saying("foo(1)\n"))
    ledger = FullElsewhere()
    budget = Budget(LimitSettings(), asyncio.get_running_loop().time, ledger)
    desk.completer = Completer(desk.provider, Settings(provider="mistral"), budget=budget)
    answer = await desk.answer()
    assert (answer.items, answer.source) == ((), "none")
    assert answer.reason == "not asked: the minute's budget is used up"
    assert (desk.calls, ledger.asked) == ([], 1)
    assert ledger.spent(now=desk.now_s).requests == 0
    await desk.answer()
    assert ledger.asked == 2, "nothing was learned of this place: not that the model is silent"


# -- reading ahead ---------------------------------------------------------------------------------


class ReadingProvider(ScriptedProvider):
    """One on this machine, which keeps what it has read."""

    reads_ahead = True

    def __init__(self, model: Model) -> None:
        super().__init__(model=model)
        self.read: list[str] = []
        self.was_stopped = False

    async def read_ahead(self, request: FimRequest) -> None:
        """Take a second for it."""
        self.read.append(request.prompt)
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self.was_stopped = True
            raise


def reading_desk(marked: str) -> tuple[Desk, ReadingProvider]:
    desk = Desk(marked, saying("foo(1)\n"))
    provider = ReadingProvider(saying("foo(1)\n"))
    desk.completer = Completer(provider, Settings(provider="llamacpp"))
    return desk, provider


@in_virtual_time
async def test_while_nobody_types_what_is_new_is_read() -> None:
    desk, provider = reading_desk(f"{LINES[:2_000]}║\n")
    await desk.texts()
    ask = Ask(context=desk.context)
    desk.completer.paused(ask)
    assert provider.read == [], "it was asked just here"
    desk.type(f"\n{LINES[:200]}")
    desk.completer.paused(Ask(context=desk.context))
    desk.completer.paused(Ask(context=desk.context))
    await asyncio.sleep(2)
    desk.completer.paused(Ask(context=desk.context))
    assert provider.read == [desk.before], "once"


@in_virtual_time
async def test_nothing_is_read_while_something_is_asked() -> None:
    desk, provider = reading_desk(f"{LINES[:2_000]}║\n")
    desk.completer.paused(Ask(context=desk.context))
    await asyncio.sleep(0.1)
    asking = desk.request()
    await asyncio.sleep(0.5)
    assert provider.was_stopped
    desk.go(f"{LINES[2_000:]}║\n")
    desk.completer.paused(Ask(context=desk.context))
    assert len(provider.read) == 1
    await asking


@in_virtual_time
async def test_who_has_a_price_is_not_given_anything_to_read() -> None:
    desk, provider = reading_desk(f"{LINES[:2_000]}║\n")
    provider.reads_ahead = False
    desk.completer.paused(Ask(context=desk.context))
    await asyncio.sleep(1)
    assert provider.read == []
