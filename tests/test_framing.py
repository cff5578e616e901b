"""LSP's framing: bytes split anywhere, bodies out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.server import framing
from fim_lsp.server.framing import MessageParser


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


CASES: dict[str, tuple[bytes, list[bytes]]] = {
    "one message": (framed(b"{}"), [b"{}"]),
    "two in one piece": (framed(b"{}") + framed(b"[]"), [b"{}", b"[]"]),
    "lengths count bytes": (framed("é".encode()), ["é".encode()]),
    "line ends in the body": (framed(b"{\r\n\r\n}"), [b"{\r\n\r\n}"]),
    "another header before": (b"Content-Type: x\r\n" + framed(b"{}"), [b"{}"]),
    "another header after": (b"Content-Length: 2\r\nContent-Type: x\r\n\r\n{}", [b"{}"]),
    "another case": (b"content-LENGTH:2\r\n\r\n{}", [b"{}"]),
    "blanks around the number": (b"Content-Length: \t2 \r\n\r\n{}", [b"{}"]),
    "bare line ends": (b"Content-Length: 2\n\n{}", [b"{}"]),
    "blank lines between": (b"\r\n\r\n" + framed(b"{}") + b"\n" + framed(b"{}"), [b"{}", b"{}"]),
    "an empty body": (b"Content-Length: 0\r\n\r\n" + framed(b"{}"), [b"", b"{}"]),
    "the last of two lengths": (b"Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
    "no length": (b"Content-Type: x\r\n\r\n{}" + framed(b"[]"), [b"[]"]),
    "a negative length": (b"Content-Length: -2\r\n\r\n{}" + framed(b"[]"), [b"[]"]),
    "a length in words": (b"Content-Length: two\r\n\r\n{}" + framed(b"[]"), [b"[]"]),
    "a length beyond numbers": (b"Content-Length: 1%b\r\n\r\n{}" % (b"0" * 5_000), []),
    "a length too short": (b"Content-Length: 3\r\n\r\n{'a':1}" + framed(b"[]"), [b"{'a", b"[]"]),
    "garbage before": (b"hello\nthere " + framed(b"{}"), [b"{}"]),
    "a long line before": (b"x" * framing.MAX_LINE_BYTES * 3 + framed(b"{}"), [b"{}"]),
    "half a header": (b"Content-Length: 2\r\n", []),
    "half a body": (b"Content-Length: 20\r\n\r\n{", []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("sent", "bodies"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("piece_bytes", [1, 7, 1_000_000])
def test_the_bodies_come_out(sent: bytes, bodies: list[bytes], piece_bytes: int) -> None:
    parser = MessageParser()
    pieces = [sent[at : at + piece_bytes] for at in range(0, len(sent), piece_bytes)]
    assert [body for piece in pieces for body in parser.feed(piece)] == bodies


@given(bodies=st.lists(st.binary(max_size=200)), cuts=st.lists(st.integers(0, 5_000)))
def test_where_the_stream_is_cut_is_all_the_same(bodies: list[bytes], cuts: list[int]) -> None:
    sent, parser = b"".join(framed(body) for body in bodies), MessageParser()
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    pieces = [sent[start:end] for start, end in itertools.pairwise(edges)]
    assert [body for piece in pieces for body in parser.feed(piece)] == bodies


@given(garbage=st.binary(max_size=300).filter(lambda sent: b":" not in sent))
def test_after_any_garbage_the_next_message_is_read(garbage: bytes) -> None:
    assert MessageParser().feed(garbage + framed(b"{}"))[-1:] == [b"{}"]


def test_a_body_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_BODY_BYTES", 10)
    parser = MessageParser()
    assert parser.feed(b"Content-Length: 20\r\n\r\n" + b"x" * 19) == []
    assert parser.feed(b"x" + framed(b"0123456789")) == [b"", b"0123456789"]
