"""Characters per token: cautious at first, then as the endpoint reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.pacing.tokens import TokenRates

LANGUAGES = st.sampled_from(["python", "json", "typescript", ""])


@given(chars=st.integers(0, 100_000), language=LANGUAGES)
def test_an_unknown_rate_errs_on_the_expensive_side(chars: int, language: str) -> None:
    """Codestral's tokenizer makes 3.0 characters or more of a token of code."""
    assert TokenRates().tokens(chars, language) >= chars / 3.0


@given(tokens=st.integers(0, 100_000), language=LANGUAGES)
def test_what_fits_into_a_budget_costs_no_more_than_it(tokens: int, language: str) -> None:
    rates = TokenRates()
    assert rates.tokens(rates.chars(tokens, language), language) <= tokens


def test_a_little_text_costs_a_token() -> None:
    assert TokenRates().tokens(1, "python") == 1
    assert TokenRates().tokens(0, "python") == 0


def test_dense_languages_are_dense() -> None:
    assert TokenRates().tokens(1000, "json") > TokenRates().tokens(1000, "python")


def test_usage_corrects_the_rate_of_its_language_only() -> None:
    rates = TokenRates()
    for _ in range(30):
        rates.learn("python", chars=4000, tokens=1000)
    assert rates.chars_per_token("python") == pytest.approx(4.0, rel=0.01)
    assert rates.chars_per_token("go") == TokenRates().chars_per_token("go")


def test_one_odd_report_does_not_turn_everything_over() -> None:
    rates = TokenRates()
    rates.learn("python", chars=100_000, tokens=10)
    assert rates.chars_per_token("python") < 1.3 * TokenRates().chars_per_token("python")


NO_NEWS = {"hardly any text": (99, 30), "hardly any tokens": (4000, 9), "no tokens": (4000, 0)}


@pytest.mark.parametrize(("chars", "tokens"), NO_NEWS.values(), ids=NO_NEWS.keys())
def test_reports_that_tell_nothing_are_left_out(chars: int, tokens: int) -> None:
    rates = TokenRates()
    rates.learn("python", chars=chars, tokens=tokens)
    assert rates.chars_per_token("python") == TokenRates().chars_per_token("python")


@given(reports=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=50))
def test_no_report_makes_a_rate_absurd(reports: list[tuple[int, int]]) -> None:
    rates = TokenRates()
    for chars, tokens in reports:
        rates.learn("python", chars=chars, tokens=tokens)
    assert 1.0 <= rates.chars_per_token("python") <= 6.0
