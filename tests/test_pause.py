"""How long to wait after a key: by the person's rhythm and by the place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.pacing.pause import CLIENT_WAITS_S, Rhythm, pause_s
from tests.cursor import at

USUAL_S = Rhythm().gap_s


def typed(*gaps_s: float) -> Rhythm:
    """A rhythm after keys with these gaps."""
    rhythm, now = Rhythm(), 0.0
    rhythm.key(now)
    for gap_s in gaps_s:
        now += gap_s
        rhythm.key(now)
    return rhythm


GAPS = {
    "too few keys to tell": ((0.3,) * 7, USUAL_S),
    "a slow typist": ((0.3,) * 8, 0.3),
    "a fast typist": ((0.08,) * 20, 0.08),
    "thinking is not typing": ((0.1, 5.0) * 12, 0.1),
    "a pause now and then does not matter": ((0.1, 0.1, 0.1, 0.9) * 6, 0.1),
    "what was long ago is forgotten": ((0.4,) * 40 + (0.1,) * 32, 0.1),
    "edits at the same moment are one key": ((0.0,) * 40, USUAL_S),
}


@pytest.mark.parametrize(("gaps_s", "gap_s"), GAPS.values(), ids=GAPS.keys())
def test_the_rhythm_is_the_middle_gap(gaps_s: tuple[float, ...], gap_s: float) -> None:
    assert typed(*gaps_s).gap_s == pytest.approx(gap_s)


def test_the_last_key_is_known() -> None:
    assert Rhythm().since_key_s(100.0) == math.inf
    assert typed(1.0, 2.0).since_key_s(3.5) == 0.5


SOONER_TO_LATER = ("    ║\n", "x = ║\n", "x = fo║\n")


def test_the_pause_is_short_where_people_think_and_long_where_they_type_on() -> None:
    pauses = [pause_s(at(place), gap_s=0.2, distrusted=False) for place in SOONER_TO_LATER]
    distrusted = pause_s(at(SOONER_TO_LATER[-1]), gap_s=0.2, distrusted=True)
    assert pauses == sorted(pauses)
    assert len(set(pauses)) == len(pauses)
    assert pauses[-1] < 0.2 < distrusted


LATENCIES = {
    "not known yet": (0.0, 0.02),
    "slower than the next key": (0.3, 0.02),
    "there long before the next key": (0.05, 0.075),
    "there at once": (0.001, 0.0995),
}


@pytest.mark.parametrize(("latency_s", "pause"), LATENCIES.values(), ids=LATENCIES.keys())
def test_inside_a_word_it_waits_for_the_next_key_where_the_endpoint_is_fast(
    latency_s: float, pause: float
) -> None:
    here = at("x = fo║\n")
    assert pause_s(here, gap_s=0.2, latency_s=latency_s, distrusted=False) == pytest.approx(pause)


def test_inside_a_name_with_digits_or_underscores_is_inside_a_word() -> None:
    pauses = {pause_s(at(f"x = {name}║"), gap_s=0.15, distrusted=False) for name in ("a", "_", "7")}
    assert len(pauses) == 1


@pytest.mark.parametrize("distrusted", [False, True])
@given(gap_s=st.floats(0.01, 1.0), faster_s=st.floats(0.01, 1.0), line=st.text(max_size=20))
def test_who_types_slowly_waits_no_less_and_nobody_waits_long(
    gap_s: float, faster_s: float, line: str, *, distrusted: bool
) -> None:
    context = at(line.replace("║", "") + "║")
    slow = pause_s(context, gap_s=max(gap_s, faster_s), distrusted=distrusted)
    fast = pause_s(context, gap_s=min(gap_s, faster_s), distrusted=distrusted)
    assert 0 < fast <= slow <= 0.5


def test_editors_are_known_by_names_in_lower_case() -> None:
    assert all(name == name.lower() for name in CLIENT_WAITS_S)
    assert all(0 < wait_s < 1 for wait_s in CLIENT_WAITS_S.values())
