"""The document store against the simplest thing that can be right: edits of one whole string."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fim_lsp.context import PREFIX_CHARS, SUFFIX_CHARS
from fim_lsp.document import Change, Document, Documents, Encoding, Position

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
ODD = [
    "\n",
    "\r\n",
    "\r",
    "\f",
    "\v",
    "\x85",
    "\u2028",
    "\x1c",
    "\t",
    "a",
    "é",
    "漢",
    "😀",
    "e\u0301",
]
TEXTS = st.lists(st.sampled_from([*ODD, "word ", "👩\u200d👩\u200d👧"]), max_size=30).map("".join)
NUMBERS = st.one_of(st.integers(-2, 40), st.just(2**32 - 1))
POSITIONS = st.builds(Position, NUMBERS, NUMBERS)
CHANGES = st.one_of(
    st.builds(Change, text=TEXTS, start=POSITIONS, end=POSITIONS),
    st.builds(Change, text=TEXTS),
)


def document(text: str) -> Document:
    return Document("file:///a.py", "python", 1, text)


def at_cursor(marked: str) -> tuple[Document, int, int]:
    before, _, after = marked.partition("║")
    line_prefix = before.rpartition("\n")[2]
    return document(before + after), before.count("\n"), len(line_prefix)


def units(character: str, encoding: Encoding) -> int:
    code = ord(character)
    if encoding == "utf-8":
        return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
    return 1 + (encoding == "utf-16" and code > 0xFFFF)


def offset(text: str, position: Position, encoding: Encoding) -> int:
    """Where ``position`` lies in ``text``, one character at a time."""
    if position.line < 0:
        return 0
    start = 0
    for _ in range(position.line):
        newline = text.find("\n", start)
        if newline < 0:
            return len(text)
        start = newline + 1
    end = text.find("\n", start)
    if end < 0:
        end = len(text)
    elif text[start:end].endswith("\r"):
        end -= 1
    at, left = start, position.character
    while at < end and left >= units(text[at], encoding):
        left -= units(text[at], encoding)
        at += 1
    return at


def edited(text: str, change: Change, encoding: Encoding) -> str:
    if change.start is None or change.end is None:
        return change.text
    ends = (offset(text, change.start, encoding), offset(text, change.end, encoding))
    return text[: min(ends)] + change.text + text[max(ends) :]


@settings(max_examples=500)
@given(text=TEXTS, changes=st.lists(CHANGES, max_size=8), encoding=st.sampled_from(ENCODINGS))
def test_edits_are_those_of_a_whole_string(
    text: str, changes: list[Change], encoding: Encoding
) -> None:
    edits = document(text)
    edits.apply(changes, 2, encoding)
    for change in changes:
        text = edited(text, change, encoding)
    assert edits.text == text
    assert edits.line_count == text.count("\n") + 1
    assert edits.version == 2


@settings(max_examples=500)
@given(text=TEXTS, position=POSITIONS, encoding=st.sampled_from(ENCODINGS))
def test_positions_are_those_of_a_whole_string(
    text: str, position: Position, encoding: Encoding
) -> None:
    at = offset(text, position, encoding)
    line_prefix = text[:at].rpartition("\n")[2]
    subject = document(text)
    line, column = subject.clamp(position, encoding)
    assert (line, column) == (text[:at].count("\n"), len(line_prefix))
    assert subject.units(line, column, encoding) == sum(units(c, encoding) for c in line_prefix)


@given(text=TEXTS, position=POSITIONS, encoding=st.sampled_from(ENCODINGS))
def test_units_lead_back_to_the_same_place(
    text: str, position: Position, encoding: Encoding
) -> None:
    subject = document(text)
    line, column = subject.clamp(position, encoding)
    again = Position(line, subject.units(line, column, encoding))
    assert subject.clamp(again, encoding) == (line, column)


@given(text=TEXTS, position=POSITIONS)
def test_a_small_document_is_all_in_the_context(text: str, position: Position) -> None:
    at = offset(text, position, "utf-32")
    subject = document(text)
    context = subject.context(*subject.clamp(position, "utf-32"))
    assert context.prefix == text[:at].replace("\r\n", "\n")
    assert context.suffix == text[at:].replace("\r\n", "\n")


LINES = st.lists(
    st.sampled_from(["", "x", "y" * 79, "é" * 300, "z" * 7_999, "w" * 20_000]),
    min_size=1,
    max_size=400,
)


def last_lines(text: str) -> str:
    """As many whole lines as fit before the cursor, or what fits of the cursor's own."""
    window = text[-PREFIX_CHARS:]
    cut_inside_a_line = len(text) > PREFIX_CHARS and text[-PREFIX_CHARS - 1] != "\n"
    return window.partition("\n")[2] if cut_inside_a_line and "\n" in window else window


def first_lines(text: str) -> str:
    """As many whole lines as fit after the cursor, or what fits of the cursor's own."""
    window = text[:SUFFIX_CHARS]
    cut_inside_a_line = len(text) > SUFFIX_CHARS and text[SUFFIX_CHARS] != "\n"
    return window.rpartition("\n")[0] if cut_inside_a_line and "\n" in window else window


@given(lines=LINES, draw=st.data())
def test_windows_are_as_many_whole_lines_as_fit(lines: list[str], draw: st.DataObject) -> None:
    number = draw.draw(st.integers(0, len(lines) - 1))
    column = draw.draw(st.integers(0, len(lines[number])))
    at = sum(len(line) + 1 for line in lines[:number]) + column
    text = "\n".join(lines)
    context = document(text).context(number, column)
    assert context.prefix == last_lines(text[:at])
    assert context.suffix == first_lines(text[at:])


@settings(max_examples=500)
@given(text=TEXTS, steps=st.lists(st.tuples(CHANGES, POSITIONS, st.integers(1, 60)), max_size=8))
def test_windows_follow_the_edits(text: str, steps: list[tuple[Change, Position, int]]) -> None:
    subject = document(text)
    for change, position, chars in steps:
        place = subject.clamp(position, "utf-16")
        for _ in range(2):  # read where an edit follows, and again behind it
            fresh = document(subject.text)
            assert subject.before(*place, chars) == fresh.before(*place, chars)
            assert subject.after(*place, chars) == fresh.after(*place, chars)
            subject.apply([replace(change, end=change.start)], 2, "utf-16")
            place = subject.clamp(position, "utf-16")
        subject.apply([change], 2, "utf-16")


@pytest.mark.parametrize("width", [79, 7_997, 7_998, 7_999, 8_000, 8_001, 20_000])
def test_windows_of_a_document_with_returns_hold_none(width: int) -> None:
    """Not even half a line end at a window's edge."""
    text = ("x" * width + "\r\n") * 500
    for column in (0, 1, width):
        context = document(text).context(250, column)
        assert "\r" not in context.prefix + context.suffix
        assert PREFIX_CHARS - width - 2 - 300 < len(context.prefix) <= PREFIX_CHARS
        assert SUFFIX_CHARS - width - 2 - 300 < len(context.suffix) <= SUFFIX_CHARS


CLAMPED = {
    "inside a line": ("ab║c\n", Position(0, 2)),
    "past a line's end is its end, not one before": ("abc║\ndef", Position(0, 99)),
    "past a line's end is before its line end": ("abc║\r\ndef", Position(0, 99)),
    "behind the return of a line end is before it": ("abc║\r\ndef", Position(0, 4)),
    "behind a return that ends no line is behind it": ("abc\r║d\n", Position(0, 4)),
    "a return at the end of the last line is a character": ("abc\r║", Position(0, 4)),
    "the line after a final newline exists": ("abc\n║", Position(1, 0)),
    "a line past the last is the document's end": ("abc\nde║", Position(2, 0)),
    "the largest number a client can send": ("abc\nde║", Position(2**32 - 1, 2**32 - 1)),
    "a line before the first is the document's start": ("║abc\n", Position(-1, 2)),
    "a character before the first is the line's start": ("abc\n║de", Position(1, -1)),
    "an empty document": ("║", Position(3, 3)),
    "a form feed ends no line": ("a\fb\nc║d\n", Position(1, 1)),
    "U+2028 ends no line": ("a\u2028b\nc║d\n", Position(1, 1)),
    "a lone return ends no line": ("a\rb\nc║d\n", Position(1, 1)),
}


@pytest.mark.parametrize(("marked", "position"), CLAMPED.values(), ids=CLAMPED.keys())
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_clamp(marked: str, position: Position, encoding: Encoding) -> None:
    subject, line, column = at_cursor(marked)
    assert subject.clamp(position, encoding) == (line, column)


INSIDE: dict[str, tuple[str, Encoding, int]] = {
    "before an emoji": ("a║😀b", "utf-16", 1),
    "between its two units is before it": ("a║😀b", "utf-16", 2),
    "behind its two units": ("a😀║b", "utf-16", 3),
    "between its four bytes is before it": ("a║😀b", "utf-8", 4),
    "behind its four bytes": ("a😀║b", "utf-8", 5),
    "inside an accented letter is before it": ("a║éb", "utf-8", 2),
    "inside a han character is before it": ("漢║漢b", "utf-8", 5),
    "a combining mark is a character": ("e║\u0301", "utf-8", 1),
    "inside a family of four bytes each": ("👩\u200d║👩", "utf-16", 4),
    "one character is one unit": ("a😀║b", "utf-32", 2),
}


@pytest.mark.parametrize(("marked", "encoding", "sent"), INSIDE.values(), ids=INSIDE.keys())
def test_a_place_inside_a_character_is_before_it(
    marked: str, encoding: Encoding, sent: int
) -> None:
    subject, line, column = at_cursor(marked)
    assert subject.clamp(Position(0, sent), encoding) == (line, column)


@pytest.mark.parametrize(
    ("text", "newline"),
    [("", "\n"), ("a", "\n"), ("a\nb", "\n"), ("a\r\nb", "\r\n"), ("a\r", "\n"), ("a\rb\n", "\n")],
)
def test_new_lines_end_as_the_first_one_does(text: str, newline: str) -> None:
    assert document(text).newline == newline


def test_a_line_comes_without_its_end() -> None:
    subject = document("a\r\nb\rc\n\r")
    assert [subject.line(number) for number in range(subject.line_count)] == ["a", "b\rc", "\r"]


def test_ends_of_a_range_in_the_wrong_order_are_swapped() -> None:
    subject = document("one\ntwo\n")
    subject.apply([Change(text="X", start=Position(1, 1), end=Position(0, 1))], 2, "utf-16")
    assert subject.text == "oXwo\n"


def test_each_change_counts_in_the_text_before_it() -> None:
    subject = document("ab")
    typed = [
        Change(text="\n", start=Position(0, 1), end=Position(0, 1)),
        Change(text="x", start=Position(1, 0), end=Position(1, 0)),
    ]
    subject.apply(typed, 2, "utf-8")
    assert subject.text == "a\nxb"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_half_a_surrogate_pair_is_kept_but_never_sent(encoding: Encoding) -> None:
    subject = document("a\ud83d")
    end = Position(0, 99)
    subject.apply([Change(text="b", start=end, end=end)], 2, encoding)
    assert subject.text == "a\ud83db"
    assert subject.context(*subject.clamp(end, encoding)).prefix == "a\ufffdb"


def test_halves_that_meet_are_one_character_when_sent() -> None:
    assert document("\ud83d\ude00").context(0, 2).prefix == "😀"


def test_the_context_knows_its_document() -> None:
    context = document("a").context(0, 1)
    assert (context.uri, context.language) == ("file:///a.py", "python")


class TestDocuments:
    def test_a_document_is_there_from_open_to_close(self) -> None:
        documents = Documents()
        opened = documents.open("untitled:1", "rust", 1, "fn")
        assert documents.get("untitled:1") is opened
        assert documents.all() == (opened,)
        documents.close("untitled:1")
        assert documents.get("untitled:1") is None
        documents.close("untitled:1")

    def test_opened_twice_it_starts_anew(self) -> None:
        documents = Documents()
        documents.open("a", "c", 7, "old")
        documents.open("a", "cpp", 1, "new")
        (now,) = documents.all()
        assert (now.text, now.language, now.version) == ("new", "cpp", 1)

    def test_versions_that_go_back_still_apply(self) -> None:
        documents = Documents()
        documents.open("a", "c", 7, "old")
        changed = documents.change("a", [Change(text="new")], 3, "utf-8")
        assert changed is documents.get("a")
        assert changed is not None
        assert (changed.text, changed.version) == ("new", 3)

    def test_a_change_of_an_unknown_document_is_ignored(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        documents = Documents()
        assert documents.change("a", [Change(text="secret")], 2, "utf-8") is None
        assert documents.get("a") is None
        assert "not open" in caplog.text
        assert "secret" not in caplog.text

    def test_in_editors_that_show_returns_edits_behind_them_land_there(self) -> None:
        """What Neovim sends when ``!`` is typed behind a ``^M`` and then both are deleted."""
        documents = Documents()
        documents.mixed_returns_are_text = True
        subject = documents.open("a", "text", 0, "one\r\ntwo\n")
        behind, further = Position(0, 4), Position(0, 5)
        subject.apply([Change(text="!", start=behind, end=behind)], 1, "utf-8")
        assert subject.text == "one\r!\ntwo\n"
        subject.apply([Change(text="", start=Position(0, 3), end=further)], 2, "utf-8")
        assert subject.text == "one\ntwo\n"

    @pytest.mark.parametrize("text", ["one\r\ntwo\r\n", "one\r\ntwo"])
    def test_in_editors_that_show_returns_equal_line_ends_are_line_ends(self, text: str) -> None:
        documents = Documents()
        documents.mixed_returns_are_text = True
        subject = documents.open("a", "text", 0, text)
        assert subject.clamp(Position(0, 99), "utf-8") == (0, 3)
        assert subject.newline == "\r\n"
