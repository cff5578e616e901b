"""Server-sent events: which bytes are an event, however they are split."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.providers.sse import MAX_EVENT_BYTES, EventParser, EventTooLongError

CASES: dict[str, tuple[str, list[str]]] = {
    "one event": ("data: a\n\n", ["a"]),
    "no space after the colon": ("data:a\n\n", ["a"]),
    "only one space is not the text's": ("data:  a\n\n", [" a"]),
    "several lines are one text": ("data: a\ndata: b\n\n", ["a\nb"]),
    "an empty line of data counts": ("data\ndata:\n\n", ["\n"]),
    "lines may end as on Windows": ("data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    "and as on old Macs": ("data: a\r\rdata: b\r\r", ["a", "b"]),
    "and each differently": ("data: a\r\n\ndata: b\n\r\ndata: c\r\n\r", ["a", "b", "c"]),
    "no other character ends a line": (
        "data: a\u2028b\x0bc\x0cd\x85e\n\n",
        ["a\u2028b\x0bc\x0cd\x85e"],
    ),
    "comments are nothing": (": ping\n\ndata: a\n: ping\n\n:\n\n", ["a"]),
    "other fields are nothing": ("event: e\nid: 1\nretry: 5\ndata: a\n\nevent: e\n\n", ["a"]),
    "a field that only begins like data": ("database: x\n\n", []),
    "blank lines alone are nothing": ("\n\n\n", []),
    "a byte order mark is nothing": ("\ufeffdata: a\n\n", ["a"]),
    "the last event may lack its blank line": ("data: a\n\ndata: b\n", ["a", "b"]),
    "and its line's end": ("data: a\n\ndata: b", ["a", "b"]),
    "a lone return may end the body": ("data: a\r", ["a"]),
    "colons in the text": ("data: a: b\n\n", ["a: b"]),
    "characters of four bytes": ("data: 🎉é\n\n", ["🎉é"]),
}


def events_of(pieces: list[bytes]) -> list[str]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.end()


@pytest.mark.parametrize(("body", "events"), CASES.values(), ids=CASES.keys())
def test_events(body: str, events: list[str]) -> None:
    assert events_of([body.encode()]) == events


@pytest.mark.parametrize(("body", "events"), CASES.values(), ids=CASES.keys())
def test_a_split_anywhere_changes_nothing(body: str, events: list[str]) -> None:
    raw = body.encode()
    assert events_of([bytes([byte]) for byte in raw]) == events
    for at in range(len(raw)):
        assert events_of([raw[:at], raw[at:]]) == events


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_what_was_sent_arrives(texts: list[str], ends: str, cuts: list[int]) -> None:
    raw = "".join(f"data: {text}{ends}{ends}" for text in texts).encode()
    at = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    pieces = [raw[start:end] for start, end in pairwise(at)]
    assert events_of(pieces) == texts


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert events_of([b"data: a\xff\xc3(b\n\n"]) == ["a\ufffd\ufffd(b"]


def test_an_event_comes_as_soon_as_it_is_whole() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\n") == ["a"]
    assert parser.feed(b"data: b\r") == []
    assert parser.feed(b"\n\r") == ["b"]


@pytest.mark.parametrize("body", [b"data: " + b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_event_without_an_end_is_cut_off(body: bytes) -> None:
    """Whether it is one endless line or endless lines."""
    parser = EventParser()
    pieces = [body] * (MAX_EVENT_BYTES // 900)
    with pytest.raises(EventTooLongError):
        list(map(parser.feed, pieces))
