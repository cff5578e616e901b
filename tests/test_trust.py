"""How far a suggestion is trusted: what was typed instead of it decides."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.pacing.trust import Habits, Trust
from fim_lsp.postprocess import Shaped
from fim_lsp.trigger import Lines
from tests.cursor import at

SHOWN = "foo(alpha, beta) + gamma"


NAMED_BELOW = "║\n\nbar(1, 2, one, two, three, four, five, six, baz, a, ab, b)\n"
"""Names around the cursor are familiar."""


def show(
    trust: Trust, line: str, text: str, *, paused: bool = False, edits: int = 1, below: str = ""
) -> str:
    """What is shown of a suggestion behind this line."""
    context = at(line + (below or NAMED_BELOW))
    trust.typed(context, edits=edits)
    item = trust.shown(context, Shaped(text=text), paused=paused)
    return item.text if item else ""


def departed(*keys: str) -> Trust:
    """After a suggestion, the line as it is after each key."""
    trust = Trust()
    show(trust, "x = ", SHOWN)
    for line in keys:
        trust.typed(at(line + "║"))
    return trust


FAILURES = {
    "nothing typed": ((), 0),
    "typed through": (("x = f", "x = fo"), 0),
    "accepted": (("x = " + SHOWN,), 0),
    "another letter": (("x = b",), 1),
    "another letter later": (("x = fo", "x = fob"), 1),
    "typing on after a departure is one departure": (("x = b", "x = ba", "x = bar"), 1),
    "a slip that is taken back": (("x = q", "x = "), 0),
    "a slip that is taken back, and typed on": (("x = fq", "x = f", "x = fo"), 0),
    "a word that is taken back": (("x = b", "x = ba", "x = b", "x = "), 0),
    "deleted without a departure": (("x =",), 0),
    "a slip that is taken back twice is no bonus": (("x = q", "x = ", "x = q", "x = "), 0),
    "a new line": (("x = b", "x = b\n    "), 0),
    "another line": (("x = b", "x = b\nreturn"), 0),
}


@pytest.mark.parametrize(("keys", "failures"), FAILURES.values(), ids=FAILURES.keys())
def test_failures_are_counted(keys: tuple[str, ...], failures: int) -> None:
    assert departed(*keys).failures == failures


def test_a_first_suggestion_is_shown_whole() -> None:
    assert show(Trust(), "x = ", SHOWN) == SHOWN


STEPS = {
    "a word": ("x = b", False, "ar"),
    "a word more after a pause": ("x = b", True, "ar("),
}


@pytest.mark.parametrize(("line", "paused", "shown"), STEPS.values(), ids=STEPS.keys())
def test_after_a_departure_is_shown(line: str, *, paused: bool, shown: str) -> None:
    assert show(departed(line), line, "ar(1, 2)", paused=paused) == shown


def test_what_proves_right_is_shown_further_at_a_time() -> None:
    trust = departed("x = b")
    line, rest = "x = b", "ar(one, two, three, four, five, six)"
    shown = list[str]()
    while rest:
        shown.append(show(trust, line, rest))
        line, rest = line + shown[-1], rest[len(shown[-1]) :]
    words = [len(text.replace(",", " ,").split()) for text in shown]
    assert words[0] == 1
    assert max(words) >= 3
    assert "".join(shown) == "ar(one, two, three, four, five, six)"


UNFAMILIAR = {
    "a name that is nowhere around is held back": ("x = b", "ar(1)", "║\n", ""),
    "a name around is shown": ("x = b", "ar(1)", "║\nbar = 2\n", "ar"),
    "a part of a name is another name": ("x = b", "ar(1)", "║\nbare = 2\n", ""),
    "the name at the cursor does not count as its own": ("x = ba", "r(1)", "║\n", ""),
    "what is no name is shown": ("x = b", "() + 1", "║\nb = 2\n", "()"),
}


@pytest.mark.parametrize(
    ("line", "text", "below", "shown"), UNFAMILIAR.values(), ids=UNFAMILIAR.keys()
)
def test_behind_a_departure(line: str, text: str, below: str, shown: str) -> None:
    assert show(departed(line), line, text, below=below) == shown


def test_an_unfamiliar_name_is_shown_once_the_answer_has_proven_right() -> None:
    answer = "ar.something_new"
    trust = departed("x = b")
    shown = [
        show(trust, "x = b" + answer[:typed], answer[typed:], below="║\nbar = 2\n")
        for typed in range(len(answer))
    ]
    assert [typed for typed, text in enumerate(shown) if not text] == [3, 4, 5]


def test_an_unfamiliar_name_is_shown_after_a_pause() -> None:
    assert show(departed("x = b"), "x = b", "ar(1)", below="║\n", paused=True) == "ar("


def test_a_call_that_failed_unseen_keeps_no_name_back() -> None:
    trust = Trust()
    trust.failed(at("x = b║\n"))
    assert show(trust, "x = b", "ar(1)", below="║\n") == "ar"


MUCH = "║\n\nold = 1\n" + "# much more of it\n" * 60
"""Enough text to judge by what is new in a suggestion."""
FIRST = {
    "all names stand around": ("x = ", "old + x", MUCH, "old + x"),
    "up to a name that is new": ("x = ", "old.made_up(1)", MUCH, "old."),
    "without the blank before it": ("x = ", "old + made_up", MUCH, "old +"),
    "without the lines behind it": ("x = ", "old.made_up(1)\ny = old", MUCH, "old."),
    "later lines may name anything": ("x = ", "old\ny = made_up", MUCH, "old\ny = made_up"),
    "one that it begins with is shown": ("x = ", "made_up(1)", MUCH, "made_up(1)"),
    "up to the one behind it": ("x = ", "made_up(other)", MUCH, "made_up("),
    "up to the one behind what is begun": ("x = mad", "e_up(other)", MUCH, "e_up("),
    "a part of a name is another name": ("x = ", "old + ol", MUCH, "old +"),
    "all of it where there is little text": ("x = ", "old.made_up(1)", "║\nold", "old.made_up(1)"),
}


@pytest.mark.parametrize(("line", "text", "below", "shown"), FIRST.values(), ids=FIRST.keys())
def test_a_first_suggestion(line: str, text: str, below: str, shown: str) -> None:
    assert show(Trust(), line, text, below=below) == shown


def test_who_comes_to_a_new_name_sees_it_and_all_up_to_the_next_one() -> None:
    answer = "old.made_up(new)"
    trust = Trust()
    shown = [
        show(trust, "x = " + answer[:typed], answer[typed:], below=MUCH)
        for typed in range(len(answer))
    ]
    assert shown[:4] == ["old.", "ld.", "d.", "."]
    assert shown[4:12] == [answer[typed:12] for typed in range(4, 12)]
    assert shown[12:] == ["new)", "ew)", "w)", ")"]


def test_who_takes_what_is_before_a_new_name_sees_it() -> None:
    trust = Trust()
    assert show(trust, "x = ", "old.made_up(1)", below=MUCH) == "old."
    assert show(trust, "x = old.", "made_up(1)", below=MUCH) == "made_up(1)"


def test_an_explicit_wish_is_shown_whole() -> None:
    item = Shaped(text="old.made_up(1)")
    assert Trust().shown(at("x = " + MUCH), item, paused=False, invoked=True) == item


def test_what_the_model_has_read_elsewhere_is_familiar() -> None:
    item = Shaped(text="old.made_up(1)")
    shown = Trust().shown(at("x = " + MUCH), item, paused=False, elsewhere="def made_up(): ...")
    assert shown == item


def test_after_each_failure_it_waits_longer() -> None:
    trust = Trust()
    line, waited = "x = ", list[int]()
    for _ in range(7):
        trust.failed(at(line + "║"))
        start = len(line)
        while trust.waits(at(line + "║")):
            line += "y"
        waited.append(len(line) - start)
    assert waited[0] >= 2
    assert all(before <= after for before, after in pairwise(waited))
    assert waited[-1] == waited[-2] <= 8


def test_an_explicit_wish_starts_over() -> None:
    trust = departed("x = b", "x = ba")
    trust.forgive()
    assert not trust.waits(at("x = ba║"))
    assert show(trust, "x = ba", SHOWN) == SHOWN


def test_of_several_lines_only_the_first_is_shown_after_a_departure() -> None:
    trust = departed("x = b")
    assert "\n" not in show(trust, "x = b", "a\nb = c\n", paused=True)


def test_a_next_line_has_no_first_word_and_is_not_shown_as_nothing_after_a_departure() -> None:
    trust, here = departed("x = b"), at("x = b:║")
    trust.typed(here)
    assert trust.shown(here, Shaped(text="\n    y = 2"), paused=False) is None


def test_swallowed_text_is_only_swallowed_by_the_whole() -> None:
    trust = departed("f(b")
    here = at("f(b║)\nbar = 1\n")
    trust.failed(here)
    item = trust.shown(here, Shaped(text="ar, baz)", swallowed_chars=1), paused=False)
    assert item == Shaped(text="ar")


LINES: dict[str, tuple[str, Lines, bool, Lines]] = {
    "a block's first line": ("def f():\n    ║", "many", False, "many"),
    "a brace's first line": ("if (a) {\n    ║", "many", False, "many"),
    "after a blank line": ("x = 1\n\n║", "many", False, "many"),
    "at the start of a file": ("║", "many", False, "many"),
    "a plain line": ("x = 1\n║", "many", False, "many"),
    "what was asked for": ("x = 1\n║", "many", True, "many"),
    "the rest of a line comes alone": ("def f():║", "many", False, "one"),
    "what is one stays one": ("def f():\n    ║", "one", True, "one"),
}


@pytest.mark.parametrize(("marked", "wanted", "invoked", "lines"), LINES.values(), ids=LINES.keys())
def test_lines_that_come_at_once(
    marked: str, wanted: Lines, *, invoked: bool, lines: Lines
) -> None:
    assert Trust().lines(wanted, at(marked), invoked=invoked) == lines


def test_who_types_into_a_block_gets_plain_lines_one_at_a_time_until_they_take_one() -> None:
    habits, block = Habits(), "foo(1)\nbar(2)"
    plain, body = at("x = 1\n║"), at("if x:\n    ║")
    typing = Trust(habits)
    show(typing, "x = ", block)
    show(typing, "x = f", block[1:])
    assert Trust(habits).lines("many", plain, invoked=False) == "one"
    assert Trust(habits).lines("many", body, invoked=False) == "many"
    taking = Trust(habits)
    show(taking, "x = ", block)
    show(taking, "x = " + block, "")
    assert Trust(habits).lines("many", plain, invoked=False) == "many"


def test_taking_a_word_of_a_block_is_not_typing_into_it() -> None:
    habits = Habits()
    trust = Trust(habits)
    show(trust, "x = ", "foo(1)\nbar(2)")
    show(trust, "x = foo", "(1)\nbar(2)")
    assert not habits.prefers_lines


def test_who_types_the_newline_sees_a_blocks_first_line_alone() -> None:
    habits, block = Habits(), "if x:\n    y = 2"
    assert show(Trust(habits), "", block) == block
    habits.passed_over = 1
    assert show(Trust(habits), "", block) == "if x:"


@pytest.mark.parametrize("text", ["\ny = 2", "if x:\n    y = 2"])
def test_what_was_asked_for_is_shown_whole(text: str) -> None:
    trust = Trust(Habits(passed_over=1))
    item = Shaped(text=text)
    assert trust.shown(at("x = 1║"), item, paused=False, invoked=True) == item
    assert trust.shown(at("x = 1║"), item, paused=False) != item


KEYS = st.lists(st.sampled_from(["a", "b", " ", "(", "back", "\n"]), max_size=40)
TEXTS = st.lists(st.sampled_from(["", "a", "ab(a) b", "b\na", " (a"]), min_size=1, max_size=8)


@given(keys=KEYS, texts=TEXTS)
def test_only_a_part_of_a_suggestion_is_ever_shown_and_trust_cannot_be_overdrawn(
    keys: list[str], texts: list[str]
) -> None:
    trust, line = Trust(), ""
    for number, key in enumerate(keys):
        line = line[:-1] if key == "back" else line + key
        text = texts[number % len(texts)]
        shown = show(trust, line, text, paused=number % 2 == 0)
        assert text.startswith(shown)
        assert trust.failures >= 0


NEXT_LINE = {
    "behind a line that was typed to its end": (("foo(1", ")"), 1, False),
    "behind an accept": (("f", "oo(1)"), 1, True),
    "behind what was typed between two requests": (("f", "oo(1)"), 5, False),
    "behind what opens a block": (("if x", ":"), 1, True),
}


@pytest.mark.parametrize(("texts", "edits", "shown"), NEXT_LINE.values(), ids=NEXT_LINE.keys())
def test_the_next_line_is_shown_at_a_lines_end(
    texts: tuple[str, str], edits: int, *, shown: bool
) -> None:
    trust = Trust()
    line, rest = texts
    assert show(trust, line, rest) == rest
    assert bool(show(trust, line + rest, "\n    y = 2", edits=edits)) is shown


def test_who_types_the_newline_is_offered_one_line_at_a_time_until_something_is_taken() -> None:
    habits = Habits()
    offer, body = "if x:", "\n    y = 2"
    assert show(Trust(habits), offer, body) == body
    passing = Trust(habits)
    show(passing, offer, body)
    show(passing, offer + "\n    ", "y = 2")
    assert not show(Trust(habits), offer, body)
    assert Trust(habits).lines("many", at("if x:\n    ║"), invoked=False) == "one"
    taking = Trust(habits)
    show(taking, "f", "oo(1)")
    show(taking, "foo(1)", "")
    assert show(Trust(habits), offer, body) == body
    assert Trust(habits).lines("many", at("if x:\n    ║"), invoked=False) == "many"
