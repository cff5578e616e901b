"""The breaker in virtual time: when it stays away, when it tries, and what it tells."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fim_lsp.errors import (
    PromptTooLongError,
    ProviderError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
)
from fim_lsp.pacing.breaker import CALM_S, PATIENCE_TRIES, PROBE_S, Breaker, Notice

REFUSED = RefusedError("The key is wrong (401): set ODEUS_API_KEY.", status=401)
LIMITED = RateLimitedError("Too many requests (429).", status=429)
AWAY = UnavailableError("The host does not answer: check the network.")
TOO_LONG = PromptTooLongError("The prompt is too long (400).", status=400)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def breaker(jitter: float = 0.0) -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(clock, lambda: jitter), clock


def is_open(subject: Breaker) -> bool:
    return subject.blocked(invoked=False) is not None


def cool_downs(error: ProviderError, tries: int, *, jitter: float = 0.0) -> list[float]:
    """How long automatic requests stay away after each of several failed tries."""
    subject, clock = breaker(jitter)
    lasted: list[float] = []
    for _ in range(tries):
        subject.failed(error)
        until = subject.blocked_until()
        assert until is not None
        lasted.append(until - clock.now)
        clock.now = until
        assert not is_open(subject)
    return lasted


def retry_after(seconds: float) -> RateLimitedError:
    return RateLimitedError("Too many requests (429).", status=429, retry_after_s=seconds)


COOL_DOWNS = {
    "away: from 1 s": (AWAY, 0.0, [1, 2, 4, 8, 16, 24, 24]),
    "away: never over 30 s": (AWAY, 1.0, [1.25, 2.5, 5, 10, 20, 30, 30]),
    "too many: from 2 s": (LIMITED, 0.0, [2, 4, 8, 16, 32, 48, 48]),
    "too many: never over 60 s": (LIMITED, 1.0, [2.5, 5, 10, 20, 40, 60, 60]),
    "as the endpoint asks": (retry_after(7), 0.5, [7, 7]),
    "not longer than two minutes": (retry_after(86_400), 0.5, [120]),
    "at least a second": (retry_after(0), 0.5, [1, 1]),
    "in spite of nonsense": (retry_after(math.nan), 0.5, [1]),
    "an error of no known kind": (ProviderError("Odd."), 0.0, [1, 2]),
}


@pytest.mark.parametrize(("error", "jitter", "lasted"), COOL_DOWNS.values(), ids=COOL_DOWNS.keys())
def test_cool_downs(error: ProviderError, jitter: float, lasted: list[float]) -> None:
    assert cool_downs(error, len(lasted), jitter=jitter) == pytest.approx(lasted)


def test_a_thousand_tries_later_it_still_counts() -> None:
    assert cool_downs(AWAY, 1_100)[-1] == 24


def test_nothing_is_blocked_before_a_failure() -> None:
    subject, _ = breaker()
    assert not is_open(subject)
    assert subject.blocked_until() is None
    assert subject.succeeded() is None


def test_the_reason_is_one_line_with_the_time() -> None:
    subject, _ = breaker()
    subject.failed(UnavailableError("No answer:\ncheck the network."))
    reason = "not asked: No answer: check the network. Next try in 1 s."
    assert subject.blocked(invoked=False) == reason


def test_after_the_cool_down_exactly_one_call_probes() -> None:
    subject, clock = breaker()
    subject.failed(AWAY)
    clock.now += 1
    assert not is_open(subject)
    assert is_open(subject)
    assert subject.blocked(invoked=True) is not None
    subject.succeeded()
    assert not is_open(subject)
    assert not is_open(subject)


def test_a_probe_that_tells_nothing_gives_its_place_away() -> None:
    subject, clock = breaker()
    subject.failed(AWAY)
    clock.now += 1
    assert not is_open(subject)
    clock.now += PROBE_S
    assert not is_open(subject)
    assert is_open(subject)


def test_a_probe_that_was_hung_up_gives_its_place_away_at_once() -> None:
    subject, clock = breaker()
    subject.failed(AWAY)
    clock.now += 1
    assert not is_open(subject)
    subject.abandoned()
    assert not is_open(subject)


def test_calls_that_fail_side_by_side_are_one_try() -> None:
    subject, clock = breaker()
    notices = [subject.failed(AWAY) for _ in range(5)]
    assert [notice is not None for notice in notices] == [True, False, False, False, False]
    assert subject.blocked_until() == clock.now + 1


def test_refused_stays_closed_to_automatic_requests() -> None:
    subject, clock = breaker()
    subject.failed(REFUSED)
    clock.now += 100_000
    assert subject.blocked(invoked=False) == f"not asked: {REFUSED}"
    assert subject.blocked_until() == math.inf


def test_refused_lets_a_person_probe_every_thirty_seconds() -> None:
    subject, clock = breaker()
    subject.failed(REFUSED)
    clock.now += 29
    assert subject.blocked(invoked=True) is not None
    clock.now += 1
    assert subject.blocked(invoked=True) is None
    assert subject.failed(REFUSED) is None, "it is the same outage"
    clock.now += 29
    assert subject.blocked(invoked=True) is not None
    clock.now += 1
    assert subject.blocked(invoked=True) is None
    subject.succeeded()
    assert not is_open(subject)


def test_refused_ends_when_settings_change() -> None:
    subject, _ = breaker()
    subject.failed(REFUSED)
    subject.reset()
    assert not is_open(subject)
    notice = subject.failed(REFUSED)
    assert notice is not None, "the change did not help: that is news"


def test_a_person_may_probe_early_when_the_endpoint_is_away() -> None:
    subject, clock = breaker()
    for _ in range(5):
        subject.failed(AWAY)
        clock.now += 100
        assert not is_open(subject)
    subject.failed(AWAY)
    assert subject.blocked(invoked=True) is not None
    clock.now += 1
    assert is_open(subject)
    assert subject.blocked(invoked=True) is None


def test_a_wish_to_slow_down_holds_for_people_too() -> None:
    subject, clock = breaker()
    subject.failed(retry_after(20))
    clock.now += 19
    assert subject.blocked(invoked=True) == f"not asked: {LIMITED} Next try in 1 s."


def test_too_long_a_prompt_closes_nothing() -> None:
    subject, clock = breaker()
    assert subject.failed(TOO_LONG) is None
    assert not is_open(subject)
    subject.failed(AWAY)
    clock.now += 1
    assert not is_open(subject)
    notice = subject.failed(TOO_LONG)
    assert notice is not None
    assert notice.kind == "info", "an endpoint that judges prompts works"


STRAGGLERS = {
    "a success from before a wish to slow down": (LIMITED, None, 2.0),
    "a success from before a refusal": (REFUSED, None, math.inf),
    "a success while away shows that it is not": (AWAY, None, None),
    "a failure that asks for a longer pause": (AWAY, retry_after(9), 9.0),
    "a failure that asks for a shorter pause": (LIMITED, AWAY, 2.0),
    "a refusal while away": (AWAY, REFUSED, math.inf),
    "a failure after a refusal": (REFUSED, AWAY, math.inf),
}


@pytest.mark.parametrize(("first", "then", "lasts"), STRAGGLERS.values(), ids=STRAGGLERS.keys())
def test_calls_from_before_the_outage(
    first: ProviderError, then: ProviderError | None, lasts: float | None
) -> None:
    subject, clock = breaker()
    subject.failed(first)
    if then:
        subject.failed(then)
    else:
        subject.succeeded()
    assert subject.blocked_until() == (None if lasts is None else clock.now + lasts)


# -- what is told -----------------------------------------------------------------------------


def told(*tries: ProviderError | None, pause_s: float = 400.0) -> list[str]:
    """What is told when calls fail with these errors, None being a success, one after the other."""
    subject, clock = breaker()
    texts: list[str] = []
    for error in tries:
        notice = subject.failed(error) if error else subject.succeeded()
        if notice:
            texts.append(notice.text)
        clock.now += pause_s
        assert subject.blocked(invoked=True) is None
    return texts


OVER = "The endpoint answers again."
QUOTA = f"{LIMITED} It does not clear: is the quota used up? See the account's limits and spend."
TOLD: dict[str, tuple[Sequence[ProviderError | None], list[str]]] = {
    "an outage and its end": ([AWAY, None], [str(AWAY), OVER]),
    "a long outage": ([AWAY] * 9 + [None] * 3, [str(AWAY), OVER]),
    "a refusal": ([REFUSED, REFUSED, None], [str(REFUSED), OVER]),
    "a busy minute is no news": ([LIMITED, LIMITED, None], []),
    "too many for long": ([LIMITED] * (PATIENCE_TRIES + 3) + [None], [QUOTA, OVER]),
    "two outages": ([AWAY, None, AWAY, None], [str(AWAY), OVER, str(AWAY), OVER]),
    "kinds in turn": ([AWAY, LIMITED, AWAY, REFUSED, AWAY, None], [str(AWAY), str(REFUSED), OVER]),
}


@pytest.mark.parametrize(("tries", "texts"), TOLD.values(), ids=TOLD.keys())
def test_told(tries: Sequence[ProviderError | None], texts: list[str]) -> None:
    assert told(*tries) == texts


def test_a_shaky_network_is_told_once() -> None:
    assert told(*[AWAY, None] * 9, pause_s=CALM_S / 40) == [str(AWAY), OVER]


def test_an_outage_soon_after_another_is_told_when_it_lasts() -> None:
    tries = [AWAY, None, *[AWAY] * PATIENCE_TRIES, None]
    assert told(*tries, pause_s=CALM_S / 10) == [str(AWAY), OVER, str(AWAY), OVER]


def test_the_end_is_told_after_settings_changed_too() -> None:
    subject, _ = breaker()
    subject.failed(REFUSED)
    subject.reset()
    assert subject.succeeded() == Notice(kind="info", text=OVER)
    assert subject.succeeded() is None


ERRORS = st.sampled_from([REFUSED, LIMITED, retry_after(5), retry_after(500), AWAY, TOO_LONG])


class Outages(RuleBasedStateMachine):
    """Any order of calls, verdicts, stragglers, hang-ups, waits and changed settings."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.subject = Breaker(self.clock, lambda: 0.5)
        self.running = 0
        self.warned: list[str] = []
        """Warnings since the last end or change of settings."""
        self.owed = False
        """Whether a warning stands that no end was told for."""

    def hear(self, notice: Notice | None) -> None:
        if notice is None:
            return
        if notice.kind == "warning":
            assert notice.text not in self.warned, "told twice in one outage"
            self.warned.append(notice.text)
            self.owed = True
        else:
            assert self.owed, "an end of what was never told"
            self.owed, self.warned = False, []

    @rule(invoked=st.booleans())
    def ask(self, invoked: bool) -> None:
        if self.subject.blocked(invoked=invoked) is None:
            self.running += 1

    @precondition(lambda self: self.running)
    @rule(error=ERRORS)
    def fail(self, error: ProviderError) -> None:
        self.running -= 1
        self.hear(self.subject.failed(error))

    @precondition(lambda self: self.running)
    @rule()
    def succeed(self) -> None:
        self.running -= 1
        self.hear(self.subject.succeeded())

    @precondition(lambda self: self.running)
    @rule()
    def hang_up(self) -> None:
        self.running -= 1
        self.subject.abandoned()

    @rule(seconds=st.sampled_from([0.1, 1.0, 7.0, 40.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def change_settings(self) -> None:
        self.running = 0
        self.warned = []
        self.subject.reset()
        assert self.subject.blocked(invoked=False) is None

    @rule()
    def recover(self) -> None:
        """When calls can succeed, one explicit request and a while of patience open everything."""
        self.clock.now += 130
        assert self.subject.blocked(invoked=True) is None
        self.hear(self.subject.succeeded())
        assert not self.owed
        for _ in range(2):
            assert self.subject.blocked(invoked=False) is None
        assert self.subject.blocked_until() is None

    @invariant()
    def automatic_requests_wait_for_settings_or_a_time(self) -> None:
        until = self.subject.blocked_until()
        assert until is None or until == math.inf or until - self.clock.now <= 120


Outages.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestOutages = Outages.TestCase
