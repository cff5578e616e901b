"""What reaches a terminal: nothing that it would obey, nothing too wide, nothing twice."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.terminal import Row, Screen, Span, can_draw, clip, columns, rendered, visible, writable
from tests.little_terminal import LittleTerminal

VISIBLE = {
    "plain text": ("a = 'ü'", "a = 'ü'"),
    "lines and tabs": ("if a:\n\tb", "if a:\n\tb"),
    "an escape sequence": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "an eight-bit one": ("\x9b31m", "\\x9b31m"),
    "a carriage return": ("rm\rok", "rm\\rok"),
    "a text told backwards": ("a\u202eb", "a\\u202eb"),
    "half a surrogate pair": ("\ud83d", "\\ud83d"),
    "a line separator": ("a\u2028b", "a\\u2028b"),
    "an emoji of three": ("👩\u200d💻", "👩\u200d💻"),
}


@pytest.mark.parametrize(("text", "shown"), VISIBLE.values(), ids=VISIBLE.keys())
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_visible_is_obeyed(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", visible(text))


@given(st.text())
def test_visible_loses_nothing(text: str) -> None:
    assert len(visible(text)) >= len(text)


WIDE = {
    "ASCII": ("abc", 3),
    "accents apart": ("e\u0301", 1),
    "Chinese": ("漢字", 4),
    "joined": ("a\u200db", 2),
    "nothing": ("", 0),
}


@pytest.mark.parametrize(("text", "width"), WIDE.values(), ids=WIDE.keys())
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width


@given(st.text(), st.integers(0, 20))
def test_clipped_text_fits_and_is_the_beginning(text: str, most: int) -> None:
    cut = clip(text, most)
    assert columns(cut) <= most
    assert text.startswith(cut)


def test_only_our_own_signs_become_ascii() -> None:
    assert writable("a · ü", "utf-8") == "a · ü"
    assert writable("a · ü", "UTF8") == "a · ü"
    assert writable("a · b", "ascii") == "a - b"


ROWS = st.lists(
    st.lists(
        st.builds(Span, st.text("ab \t", max_size=30), st.sampled_from(["plain", "ghost", "bar"])),
        max_size=3,
    ),
    min_size=6,
    max_size=6,
)


@given(pictures=st.lists(ROWS, min_size=1, max_size=5), column=st.integers(0, 100))
def test_a_redrawn_screen_shows_the_last_picture(
    pictures: list[list[list[Span]]], column: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "40")
        patch.setenv("LINES", "6")
        out = LittleTerminal(40, 6)
        screen = Screen(out)
        for rows in pictures:
            screen.draw(rows, (2, column))
        last = ["".join(span.text for span in row) for row in pictures[-1]]
        expected = [clip(text.replace("\t", "    "), 39) for text in last]
        assert out.rows == expected
        assert out.cursor == (2, min(column, 39))


def test_what_has_not_changed_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    out = LittleTerminal(80, 24)
    screen = Screen(out)
    rows: list[Row] = [[Span("x" * 70)] for _ in range(24)]
    screen.draw(rows, (0, 0))
    whole, out.written = out.written, 0
    screen.draw([[Span("y")], *rows[1:]], (0, 1))
    assert out.written < 20 < whole


def test_a_new_size_and_a_foreign_hand_redraw_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "3")
    out = LittleTerminal(80, 3)
    screen = Screen(out)
    rows: list[Row] = [[Span("a")], [Span("b")], [Span("c")], [Span("below the end")]]
    for spoil in (lambda: monkeypatch.setenv("COLUMNS", "60"), screen.forget):
        screen.draw(rows, (0, 0))
        out.rows = ["?"] * 3
        spoil()
        screen.draw(rows, (0, 0))
        assert out.rows == ["a", "b", "c"]


def test_the_terminal_is_given_back_whatever_happens() -> None:
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Screen(out).opened():
        raise KeyboardInterrupt
    assert out.getvalue().endswith("\x1b[0m\x1b[?25h\x1b[?1049l")


def test_a_row_is_cut_across_its_spans() -> None:
    row = [Span("漢字", "bold"), Span("abc"), Span("never", "ghost")]
    assert rendered(row, 6) == "\x1b[1m漢字\x1b[0mab"


def test_without_colours_there_are_none() -> None:
    row = [Span("ok", "good"), Span("soon", "ghost"), Span("x", "bar")]
    assert rendered(row, 9, colours=False) == "\x1b[1mok\x1b[0m\x1b[2;3msoon\x1b[0m\x1b[7mx\x1b[0m"


def test_a_rows_text_is_never_obeyed() -> None:
    assert rendered([Span("a\x1b[2Jb\nc")], 80) == "a\\x1b[2Jb c"


TERMINALS: dict[str, tuple[Mapping[str, str], bool, os.terminal_size, bool]] = {
    "a usual one": ({"TERM": "xterm"}, True, os.terminal_size((80, 24)), True),
    "no terminal": ({"TERM": "xterm"}, False, os.terminal_size((80, 24)), False),
    "colours unwanted": (
        {"TERM": "xterm", "NO_COLOR": "1"},
        True,
        os.terminal_size((80, 24)),
        True,
    ),
    "a dumb one": ({"TERM": "dumb"}, True, os.terminal_size((80, 24)), False),
    "an unnamed one": ({}, True, os.terminal_size((80, 24)), False),
    "too narrow": ({"TERM": "xterm"}, True, os.terminal_size((39, 24)), False),
    "too low": ({"TERM": "xterm"}, True, os.terminal_size((80, 9)), False),
}


@pytest.mark.skipif(os.name == "nt", reason="terminals are named by TERM elsewhere")
@pytest.mark.parametrize(
    ("environment", "is_terminal", "size", "expected"), TERMINALS.values(), ids=TERMINALS.keys()
)
def test_where_one_can_draw(
    monkeypatch: pytest.MonkeyPatch,
    environment: Mapping[str, str],
    is_terminal: bool,
    size: os.terminal_size,
    expected: bool,
) -> None:
    monkeypatch.setenv("COLUMNS", str(size.columns))
    monkeypatch.setenv("LINES", str(size.lines))
    out: io.StringIO = LittleTerminal(80, 24) if is_terminal else io.StringIO()
    assert can_draw(out, environment) is expected


def test_a_terminal_that_says_nothing_of_its_size_counts_as_80_by_24(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    monkeypatch.setenv("LINES", "0")

    def unknown(_: int) -> os.terminal_size:
        return os.terminal_size((0, 0))

    monkeypatch.setattr(os, "get_terminal_size", unknown)
    assert Screen(io.StringIO()).size == (80, 24)
