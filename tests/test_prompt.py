"""Prompt windows: within the budget, cut at line edges, and steady from call to call."""

from __future__ import annotations

import os
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from fim_lsp import prompt
from fim_lsp.context import CursorContext
from tests.cursor import at

LINES = "".join(f"line {n:04} of some length\n" for n in range(400))


@given(before=st.text(max_size=600), after=st.text(max_size=600), limit=st.integers(1, 500))
def test_windows_fit_and_touch_the_cursor(before: str, after: str, limit: int) -> None:
    context = CursorContext(uri="u", language="", prefix=before, suffix=after)
    windows = prompt.cut(context, max_chars=limit)
    assert windows.chars <= limit
    assert before.endswith(windows.prompt)
    assert after.startswith(windows.suffix)


def test_a_small_document_is_sent_whole() -> None:
    windows = prompt.cut(at("def f(║):\n    pass\n"), max_chars=1000)
    assert (windows.prompt, windows.suffix) == ("def f(", "):\n    pass\n")


def test_windows_begin_and_end_at_lines() -> None:
    windows = prompt.cut(at(LINES + "x = ║\n" + LINES), max_chars=2000)
    assert windows.prompt.startswith("line ")
    assert windows.suffix.endswith("length\n")


def test_the_suffix_has_its_share_and_the_prefix_the_rest() -> None:
    windows = prompt.cut(at(LINES + "x = ║\n" + LINES), max_chars=2000)
    assert 400 < len(windows.suffix) <= 500
    assert len(windows.prompt) >= 0.7 * 1500


def test_at_the_start_of_a_file_the_suffix_may_take_more() -> None:
    windows = prompt.cut(at("x = ║\n" + LINES), max_chars=2000)
    assert 900 < len(windows.suffix) <= 1000


def test_consecutive_prompts_share_their_beginning() -> None:
    """While one types on, the left edge moves rarely, and the suffix not at all."""
    context = at(LINES + "║\n" + LINES)
    before = prompt.cut(context, max_chars=2400)
    shared: list[float] = []
    for n in range(60):
        context = context.moved(f"    typed_{n} = {n}\n")
        now = prompt.cut(context, max_chars=2400, anchor=before.anchor)
        assert now.suffix == before.suffix
        shared.append(len(os.path.commonprefix([now.prompt, before.prompt])) / len(now.prompt))
        before = now
    assert median(shared) > 0.95
    assert sum(share < 0.5 for share in shared) <= 4


def test_one_long_line_keeps_its_edge_too() -> None:
    context = at(",".join(map(str, range(2500))) + "║")
    before = prompt.cut(context, max_chars=2000)
    after = prompt.cut(context.moved("y"), max_chars=2000, anchor=before.anchor)
    assert len(after.prompt) in {len(before.prompt), len(before.prompt) + 1}
