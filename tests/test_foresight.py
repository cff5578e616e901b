"""Whether to ask for what comes behind a suggestion before it is taken."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.calls import Bill
from fim_lsp.pacing.foresight import MAX_WASTED_SHARE, READING_S, RICH_SHARE, Foresight
from tests.desk import Desk, saying
from tests.virtual_time import in_virtual_time

ENOUGH = int(1 / MAX_WASTED_SHARE)


@given(taken=st.lists(st.booleans(), max_size=200))
def test_calls_ahead_in_vain_stay_a_small_share(taken: list[bool]) -> None:
    foresight, calls = Foresight(), 0
    for is_taken in taken:
        calls += 1  # each suggestion has cost one
        if foresight.may_ask(calls=calls, used_share=0.0):
            calls += 1
            foresight.note_asked(calls)
            if is_taken:
                foresight.note_served(calls)
        assert foresight.asked - foresight.used <= MAX_WASTED_SHARE * calls


MAY = {
    "a rich budget": (ENOUGH, 0.0, True),
    "a budget that is used up by half": (ENOUGH, RICH_SHARE, False),
    "too few calls so far": (ENOUGH - 2, 0.0, False),
}


@pytest.mark.parametrize(("calls", "used_share", "may"), MAY.values(), ids=MAY.keys())
def test_one_more_is_made_with(calls: int, used_share: float, *, may: bool) -> None:
    assert Foresight().may_ask(calls=calls, used_share=used_share) is may


def test_an_answer_served_twice_counts_once() -> None:
    foresight = Foresight()
    foresight.note_asked(7)
    for call in (7, 7, 8, None):
        foresight.note_served(call)
    assert (foresight.asked, foresight.used) == (1, 1)


async def looking(desk: Desk) -> None:
    """Somebody who takes suggestions looks at one, after enough calls."""
    desk.completer.calls.made = ENOUGH
    [text] = await desk.texts()
    desk.type(text)
    await desk.texts()
    desk.type("\n")
    assert await desk.texts() == ["foo(2)"]


SCRIPT = ("x = 1", "", "foo(2)", "\nbar(3)\n")
"""What the model says first, behind that, on the next line, and behind that."""


@in_virtual_time
async def test_what_comes_behind_is_there_when_a_suggestion_is_taken() -> None:
    desk = Desk("║\n", saying(*SCRIPT))
    await looking(desk)
    calls = len(desk.calls)
    await asyncio.sleep(READING_S + 1)
    assert [call.request.prompt for call in desk.calls[calls:]] == ["x = 1\nfoo(2)"]
    desk.type("foo(2)")
    asked_s = desk.now_s
    assert await desk.texts() == ["\nbar(3)"]
    assert (desk.now_s, len(desk.calls)) == (asked_s, calls + 1)
    assert desk.completer.foresight.used == 1


# when the suggestion is taken: after the whole answer behind it, in the midst of it, or never
TAKEN = {
    "when all of it is there": (1.0, "foo(2)", "speculation"),
    "while it still comes": (0.05, "foo(2)", "speculation"),
    "never": (0.05, "q", "called"),
}


@pytest.mark.parametrize(("after_s", "typed", "source"), TAKEN.values(), ids=TAKEN.keys())
@in_virtual_time
async def test_an_answer_and_a_bill_tell_of_what_was_asked_ahead(
    after_s: float, typed: str, source: str
) -> None:
    desk, bills = Desk("║\n", saying(*SCRIPT, "")), list[Bill]()
    await looking(desk)
    desk.completer.calls.on_bill = bills.append
    await asyncio.sleep(READING_S + after_s)
    desk.type(typed)
    assert (await desk.answer()).source == source
    await asyncio.sleep(1)
    assert bills[0].made_ahead
    assert not any(bill.made_ahead for bill in bills[1:])


@in_virtual_time
async def test_who_types_on_at_once_is_not_asked_ahead_for() -> None:
    desk = Desk("║\n", saying(*SCRIPT))
    await looking(desk)
    calls = len(desk.calls)
    await desk.keys("foo(", gap_s=READING_S / 2)
    await asyncio.sleep(READING_S / 2)
    assert len(desk.calls) == calls


@in_virtual_time
async def test_a_call_ahead_outlives_typing_through_and_is_hung_up_by_a_departure() -> None:
    desk = Desk("║\n", saying(*SCRIPT))
    await looking(desk)
    await asyncio.sleep(READING_S + 0.01)
    desk.type("f")
    desk.request()
    await asyncio.sleep(0)
    assert not desk.calls[-1].was_hung_up
    desk.type("q")
    desk.request()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert desk.calls[-1].was_hung_up
