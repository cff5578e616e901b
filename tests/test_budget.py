"""The budget in virtual time: an endpoint's account of the same calls never exceeds its limits."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.pacing.budget import Budget, Reservation
from fim_lsp.pacing.ledger import LONGEST_CALL_S, MemoryLedger, Spent
from fim_lsp.settings import LimitSettings

MINUTE = 60.0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


def budget(requests: int = 100, tokens: int = 10_000, shared_by: int = 1) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(limits(requests, tokens, shared_by), clock), clock


def limits(requests: int, tokens: int, shared_by: int = 1) -> LimitSettings:
    return LimitSettings(
        requests_per_minute=requests, tokens_per_minute=tokens, shared_by=shared_by
    )


def reserved(subject: Budget, tokens: int, *, invoked: bool = False) -> Reservation:
    reservation = subject.reserve(tokens, invoked=invoked)
    assert reservation is not None
    return reservation


# -- any sixty seconds of the endpoint's own account ------------------------------------------


@dataclass
class Traffic:
    """Random calls for some minutes, and what an endpoint that takes part counts of them."""

    seed: int
    minutes: int
    allowed: LimitSettings
    counted: list[tuple[float, int, int]] = field(default_factory=list[tuple[float, int, int]])
    """When, requests, tokens: the prompt at the call's start, the answer when it likes."""
    automatic: list[tuple[float, int, int]] = field(default_factory=list[tuple[float, int, int]])
    """The same for automatic calls alone."""
    refused: int = 0

    def run(self) -> None:
        draw, clock = random.Random(self.seed), Clock()
        subject = Budget(self.allowed, clock)
        ends: list[tuple[float, int, Callable[[], None]]] = []
        stop_at, calls, rate, until = clock.now + self.minutes * MINUTE, 0, 0.0, 0.0
        while clock.now < stop_at:
            if clock.now >= until:  # bursts, steady typing and breaks
                rate, until = draw.choice((0.02, 0.5, 6.0)), clock.now + 60 * draw.random()
            clock.now += draw.expovariate(rate)
            while ends and ends[0][0] <= clock.now:
                after, (clock.now, _, end) = clock.now, heapq.heappop(ends)
                end()
                clock.now = after
            call = self._admitted(draw, clock, subject)
            if call is not None:
                calls += 1
                heapq.heappush(ends, (call[0], calls, call[1]))

    def _admitted(
        self, draw: random.Random, clock: Clock, subject: Budget
    ) -> tuple[float, Callable[[], None]] | None:
        prompt, answer = draw.randint(0, 1_200), draw.randint(0, 200)
        invoked = draw.random() < 0.2
        reservation = subject.reserve(prompt + answer, invoked=invoked)
        if reservation is None:
            self.refused += 1
            return None
        start, lasts = clock.now, draw.choice((0.1, 0.5, 2.0, 5.0, 90.0)) * draw.random()
        fate = draw.random()
        if fate < 0.05:  # it never reached the endpoint
            return start + lasts, lambda: subject.refund(reservation)
        generated = draw.randint(0, answer)
        spent = prompt + generated
        parts = (generated // 2, generated - generated // 2)
        counted = [(start + lasts * draw.random(), 0, part) for part in parts]
        counted.append((start, 1, prompt))
        self.counted += counted
        self.automatic += [] if invoked else counted
        if fate < 0.08:  # lost: nobody ever settles it
            return start + lasts, lambda: None
        if fate < 0.12:  # it cost more than was reserved: known too late, but counted from then on
            spent += prompt
        return start + lasts, lambda: subject.settle(reservation, spent)


def most_in_any_minute(counted: list[tuple[float, int, int]]) -> tuple[int, int]:
    """The most requests and tokens in any sixty seconds, wherever they begin."""
    counted = sorted(counted)
    oldest = requests = tokens = most_requests = most_tokens = 0
    for at, more_requests, more_tokens in counted:
        requests, tokens = requests + more_requests, tokens + more_tokens
        while counted[oldest][0] <= at - MINUTE:
            requests, tokens = requests - counted[oldest][1], tokens - counted[oldest][2]
            oldest += 1
        most_requests, most_tokens = max(most_requests, requests), max(most_tokens, tokens)
    return most_requests, most_tokens


@pytest.mark.parametrize(
    "allowed",
    [
        limits(500, 60_000),
        limits(20, 60_000),
        limits(500, 6_000),
        limits(1, 2_000),
        limits(7, 4_500),
    ],
    ids=lambda allowed: f"{allowed.requests_per_minute}-{allowed.tokens_per_minute}",
)
def test_no_sixty_seconds_exceed_the_limits(allowed: LimitSettings) -> None:
    """Whatever the calls' sizes and durations, be they settled, refunded or lost.

    10,000 minutes over all. What a call costs beyond its reservation cannot be foreseen and comes
    on top once; the endpoint's account here leaves it out.
    """
    for seed in range(4):
        traffic = Traffic(seed=seed, minutes=500, allowed=allowed)
        traffic.run()
        requests, tokens = most_in_any_minute(traffic.counted)
        assert requests <= allowed.requests_per_minute
        assert tokens <= allowed.tokens_per_minute
        requests, tokens = most_in_any_minute(traffic.automatic)
        assert requests <= math.ceil(allowed.requests_per_minute * 0.85)
        assert tokens <= allowed.tokens_per_minute * 0.85
        assert traffic.refused > 100, "the limits were reached"


def test_nearly_all_of_the_limit_can_be_used() -> None:
    """Short calls of 600 tokens, as many as are admitted: 97 % of the tokens go through."""
    subject, clock = budget(500, 60_000)
    spent = 0
    for _ in range(60 * 100):
        clock.pass_s(0.1)
        if reservation := subject.reserve(728, invoked=True):
            clock.pass_s(0.5)
            subject.settle(reservation, 600)
            spent += 600
    minutes = (clock.now - 1_000) / MINUTE
    assert spent / minutes > 0.97 * 60_000


# -- one step at a time -----------------------------------------------------------------------


def test_a_call_counts_while_it_runs_and_for_a_minute_after_its_end() -> None:
    subject, clock = budget(tokens=1_000)
    running = reserved(subject, 1_000, invoked=True)
    clock.pass_s(150)
    assert subject.room(invoked=True) == 0
    subject.settle(running, 1_000)
    clock.pass_s(59.9)
    assert subject.room(invoked=True) == 0
    clock.pass_s(0.2)
    assert subject.room(invoked=True) == 1_000


def test_what_was_not_spent_is_there_at_once() -> None:
    subject, _ = budget(tokens=1_000)
    subject.settle(reserved(subject, 1_000, invoked=True), 300)
    assert subject.room(invoked=True) == 700


def test_what_was_spent_beyond_the_reservation_counts() -> None:
    subject, clock = budget(tokens=1_000)
    subject.settle(reserved(subject, 500, invoked=True), 1_400)
    assert subject.room(invoked=True) == 0
    assert subject.used_share() == 1.0
    assert subject.reserve(1, invoked=True) is None
    clock.pass_s(60)
    assert subject.room(invoked=True) == 1_000


def test_a_refund_gives_the_request_back_too() -> None:
    subject, _ = budget(requests=1)
    subject.refund(reserved(subject, 400))
    assert subject.used_share() == 0.0
    assert subject.reserve(400, invoked=False) is not None


def test_a_call_is_settled_once() -> None:
    subject, _ = budget(tokens=1_000)
    call = reserved(subject, 1_000, invoked=True)
    subject.settle(call, 400)
    subject.settle(call, 1)
    subject.refund(call)
    assert subject.room(invoked=True) == 600


def test_a_lost_call_counts_until_no_call_can_run_any_more() -> None:
    subject, clock = budget(tokens=1_000)
    lost = reserved(subject, 1_000, invoked=True)
    clock.pass_s(LONGEST_CALL_S - 1)
    assert subject.room(invoked=True) == 0
    clock.pass_s(1)
    assert subject.room(invoked=True) == 0
    clock.pass_s(MINUTE)
    assert subject.room(invoked=True) == 1_000
    subject.settle(lost, 900)
    assert subject.room(invoked=True) == 1_000


def test_a_part_is_kept_for_invoked_requests() -> None:
    subject, _ = budget(requests=100, tokens=10_000)
    assert (subject.room(invoked=False), subject.room(invoked=True)) == (8_500, 10_000)
    assert subject.reserve(8_501, invoked=False) is None
    reserved(subject, 8_500)
    assert subject.reserve(1, invoked=False) is None
    reserved(subject, 1_500, invoked=True)


def test_requests_are_kept_too() -> None:
    subject, _ = budget(requests=20)
    for _ in range(17):
        reserved(subject, 10)
    assert subject.room(invoked=False) == 0
    for _ in range(3):
        reserved(subject, 10, invoked=True)
    assert subject.room(invoked=True) == 0


def test_a_limit_of_one_request_is_not_kept_for_nobody() -> None:
    subject, _ = budget(requests=1)
    reserved(subject, 10)


def test_limits_are_shared_by_people() -> None:
    subject, _ = budget(requests=10, tokens=10_000, shared_by=5)
    assert subject.room(invoked=True) == 2_000
    reserved(subject, 10, invoked=True)
    reserved(subject, 10, invoked=True)
    assert subject.reserve(10, invoked=True) is None


def test_used_share_counts_running_calls() -> None:
    subject, _ = budget(tokens=10_000)
    reserved(subject, 2_500)
    assert subject.used_share() == 0.25


def test_free_in_s_says_when_a_call_fits() -> None:
    subject, clock = budget(requests=3, tokens=10_000)
    assert subject.free_in_s(10_001, invoked=True) == math.inf
    for tokens in (3_000, 3_000, 4_000):
        subject.settle(reserved(subject, tokens, invoked=True), tokens)
        clock.pass_s(10)
    assert subject.free_in_s(1, invoked=True) == 30
    assert subject.free_in_s(6_000, invoked=True) == 40
    assert subject.free_in_s(6_001, invoked=True) == 50
    clock.pass_s(40)
    assert subject.free_in_s(6_000, invoked=True) == 0
    reserved(subject, 6_000, invoked=True)


# -- believed limits --------------------------------------------------------------------------


def test_a_slow_down_halves_and_five_percent_a_minute_come_back() -> None:
    subject, clock = budget(tokens=10_000)
    subject.slow_down()
    assert subject.room(invoked=True) == 5_000
    clock.pass_s(4 * MINUTE)
    assert subject.room(invoked=True) == pytest.approx(7_000, abs=1)
    subject.slow_down()
    assert subject.room(invoked=True) == pytest.approx(3_500, abs=1)
    clock.pass_s(20 * MINUTE)
    assert subject.room(invoked=True) == 10_000


def test_a_slow_down_halves_requests_too() -> None:
    subject, _ = budget(requests=10)
    subject.slow_down()
    for _ in range(5):
        reserved(subject, 1, invoked=True)
    assert subject.reserve(1, invoked=True) is None


def test_calls_refused_side_by_side_slow_down_once() -> None:
    subject, clock = budget(tokens=10_000)
    for _ in range(3):
        subject.slow_down()
        clock.pass_s(0.1)
    assert subject.room(invoked=True) == pytest.approx(5_000, abs=5)


def test_one_usual_call_a_minute_is_always_tried() -> None:
    subject, clock = budget(requests=100, tokens=10_000)
    for _ in range(30):
        subject.slow_down()
        clock.pass_s(3)
    assert subject.room(invoked=True) == 1_000
    reserved(subject, 1_000, invoked=True)


def test_changed_limits_keep_what_was_spent() -> None:
    subject, _ = budget(tokens=10_000)
    reserved(subject, 4_000)
    subject.slow_down()
    subject.limits_changed(limits(100, 20_000))
    assert subject.room(invoked=True) == 16_000


def test_equal_limits_keep_what_is_believed() -> None:
    subject, _ = budget(tokens=10_000)
    subject.slow_down()
    subject.limits_changed(limits(100, 10_000))
    assert subject.room(invoked=True) == 5_000


HEADERS = {
    "a lower limit": ({"x-ratelimit-limit-tokens-minute": "4000"}, 4_000),
    "in capitals": ({"X-RateLimit-Limit-Tokens-Minute": "4000"}, 4_000),
    "with a policy behind it": ({"x-ratelimit-limit-tokens-minute": "4000, 4000;w=60"}, 4_000),
    "a higher limit raises nothing": ({"x-ratelimit-limit-tokens-minute": "90000"}, 10_000),
    "the older form": ({"ratelimitbysize-limit": "3000"}, 3_000),
    "another maker's": ({"x-ratelimit-remaining-tokens": "2500"}, 2_500),
    "what remains": ({"x-ratelimit-remaining-tokens-minute": "1500"}, 1_500),
    "much remains": ({"x-ratelimit-remaining-tokens-minute": "99999"}, 10_000),
    "no request remains": ({"x-ratelimit-remaining-req-minute": "0"}, 0),
    "a month's": ({"x-ratelimitbysize-remaining-month": "5"}, 10_000),
    "a reset time": ({"x-ratelimit-reset-tokens": "5"}, 10_000),
    "a query's cost": ({"x-ratelimit-tokens-query-cost": "32"}, 10_000),
    "of what, it does not say": ({"x-ratelimit-remaining": "3"}, 10_000),
    "no number": ({"x-ratelimit-limit-tokens-minute": "many"}, 10_000),
    "a negative number": ({"x-ratelimit-remaining-tokens-minute": "-1"}, 10_000),
    "nonsense leaves one call": ({"x-ratelimit-limit-tokens-minute": "0"}, 1_000),
    "something else": ({"content-length": "12"}, 10_000),
}


@pytest.mark.parametrize(("headers", "room"), HEADERS.values(), ids=HEADERS.keys())
def test_headers_are_hints(headers: dict[str, str], room: int) -> None:
    subject, _ = budget(tokens=10_000)
    subject.observe_headers(headers)
    assert subject.room(invoked=True) == room


def test_what_others_spent_comes_back_within_a_minute() -> None:
    subject, clock = budget(tokens=10_000)
    reserved(subject, 2_000)
    subject.observe_headers({"x-ratelimit-remaining-tokens-minute": "2000"})
    assert subject.room(invoked=True) == 2_000
    reserved(subject, 1_500, invoked=True)
    assert subject.room(invoked=True) == 500
    clock.pass_s(30)
    assert subject.room(invoked=True) == 3_500
    clock.pass_s(30)
    assert subject.room(invoked=True) == 6_500


@given(
    name=st.sampled_from(["limit", "remaining"]),
    of=st.sampled_from(["tokens", "req"]),
    value=st.text(max_size=12) | st.integers().map(str),
)
def test_no_header_raises_a_limit_or_ends_all_calls(name: str, of: str, value: str) -> None:
    subject, clock = budget(requests=10, tokens=10_000)
    subject.observe_headers({f"x-ratelimit-{name}-{of}-minute": value})
    assert subject.room(invoked=True) <= 10_000
    clock.pass_s(MINUTE)
    assert subject.room(invoked=True) >= 1_000


# -- the ledger against a list of everything --------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "settle", "strike", "wait"]),
        st.integers(0, 500),
        st.integers(0, 8),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_sums_are_those_of_a_list_of_all_calls(steps: list[tuple[str, int, int]]) -> None:
    ledger, now, most = MemoryLedger(), 0.0, Spent(5, 1_200)
    calls: dict[int, tuple[float, int]] = {}
    for kind, tokens, number in steps:
        known = list(calls)[number : number + 1]
        if kind == "wait":
            now += tokens / 8
        elif kind == "enter":
            counted = [spent for end, spent in calls.values() if end + MINUTE > now]
            fits = len(counted) < 5 and sum(counted) + tokens <= 1_200
            entry = ledger.enter(tokens, most=most, now=now)
            assert (entry is not None) == fits
            if entry is not None:
                calls[entry] = (math.inf, tokens)
        elif known and calls[known[0]][0] == math.inf:
            if kind == "settle":
                ledger.settle(known[0], tokens, now=now)
                calls[known[0]] = (now, tokens)
            else:
                ledger.strike(known[0])
                del calls[known[0]]
        counted = [spent for end, spent in calls.values() if end + MINUTE > now]
        if now < LONGEST_CALL_S:
            assert ledger.spent(now=now) == (len(counted), sum(counted))
