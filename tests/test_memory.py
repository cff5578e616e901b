"""One answer serves every position that it covers."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fim_lsp import memory
from fim_lsp.context import CursorContext
from fim_lsp.memory import MAX_TRACK_CHARS, Memory
from tests.cursor import at

ASKED = "def area(w, h):\n    ║\n\nprint(area(2, 3))\n"
SAID = "size = w * h\n    return size\n"


def remembering(
    document: str, said: str, *, growing: bool = False, cut_off: bool = False
) -> Memory:
    kept = Memory()
    track = kept.begin(at(document))
    kept.grow(track, said)
    if not growing:
        kept.end(track, cut_off=cut_off)
    return kept


FOUND = {
    "where the call was made": (ASKED, SAID),
    "typed through": (
        "def area(w, h):\n    size =║\n\nprint(area(2, 3))\n",
        " w * h\n    return size\n",
    ),
    "at the end of the first line": (
        "def area(w, h):\n    size = w * h║\n\nprint(area(2, 3))\n",
        "\n    return size\n",
    ),
    "a newline with the editor's indentation": (
        "def area(w, h):\n    size = w * h\n    ║\n\nprint(area(2, 3))\n",
        "return size\n",
    ),
    "a newline with tabs that mean the same": (
        "def area(w, h):\n    size = w * h\n\t║\n\nprint(area(2, 3))\n",
        "return size\n",
    ),
    "a newline without indentation": (
        "def area(w, h):\n    size = w * h\n║\n\nprint(area(2, 3))\n",
        "    return size\n",
    ),
    "in the second line": (
        "def area(w, h):\n    size = w * h\n    ret║\n\nprint(area(2, 3))\n",
        "urn size\n",
    ),
    "blanks at a line's end taken away by the editor": (
        "def area(w, h):  \n    size║\n\nprint(area(2, 3))\n",
        " = w * h\n    return size\n",
    ),
    "a bracket closed by the editor": (
        "def area(w, h):\n    size║)\n\nprint(area(2, 3))\n",
        " = w * h\n    return size\n",
    ),
}


@pytest.mark.parametrize(("document", "rest"), FOUND.values(), ids=FOUND.keys())
def test_an_answer_is_found_again(document: str, rest: str) -> None:
    known = remembering(ASKED, SAID).find(at(document))
    assert known is not None
    assert known.raw == rest


CUT_OFF = {
    "its first line where it was asked for": ("║", "size = w * h\n    retu"),
    "its first line further on": ("size = w║", " * h\n    retu"),
    "not the unfinished line": ("size = w * h\n    ║", None),
    "nor with the editor's own blanks": ("size = w * h\n\t║", None),
    "nor further on in it": ("size = w * h\n    re║", None),
}


@pytest.mark.parametrize(("marked", "raw"), CUT_OFF.values(), ids=CUT_OFF.keys())
def test_of_an_answer_that_was_cut_off(marked: str, raw: str | None) -> None:
    kept = remembering(ASKED, "size = w * h\n    retu", cut_off=True)
    found = kept.find(at(ASKED.replace("║", marked)))
    assert (found.raw if found else None) == raw


def test_one_line_that_was_cut_off_is_all_there_is() -> None:
    kept = remembering(ASKED, "size = w *", cut_off=True)
    found = kept.find(at(ASKED.replace("║", "size =║")))
    assert found is not None
    assert found.raw == " w *"


NOT_FOUND = {
    "something else was typed": "def area(w, h):\n    sum║\n\nprint(area(2, 3))\n",
    "a line above has changed": "def area(w, d):\n    ║\n\nprint(area(2, 3))\n",
    "a line below has changed": "def area(w, h):\n    ║\n\nprint(area(2, 4))\n",
    "text stands right of the cursor": "def area(w, h):\n    ║pass\n\nprint(area(2, 3))\n",
    "deleted back over what was there before": "def area(w, h):\n  ║\n\nprint(area(2, 3))\n",
    "another place": "║def area(w, h):\n    \n\nprint(area(2, 3))\n",
    "the editor wants more indentation": (
        "def area(w, h):\n    size = w * h\n        ║\n\nprint(area(2, 3))\n"
    ),
}


@pytest.mark.parametrize("document", NOT_FOUND.values(), ids=NOT_FOUND.keys())
def test_an_answer_is_not_found_where_it_does_not_fit(document: str) -> None:
    assert remembering(ASKED, SAID).find(at(document)) is None


def test_deleting_what_was_typed_through_finds_the_answer_again() -> None:
    kept = remembering("x = fo║\n", "o(1)")
    assert kept.find(at("x = foo(║\n")) is not None
    again = kept.find(at("x = foo║\n"))
    assert again is not None
    assert again.raw == "(1)"


def test_an_empty_answer_is_remembered_only_where_it_was_given() -> None:
    kept = remembering("x = ║\n", "")
    known = kept.find(at("x = ║\n"))
    assert known is not None
    assert known.raw == ""
    assert kept.find(at("x = 1║\n")) is None


def test_an_answer_that_broke_before_it_began_is_forgotten() -> None:
    kept = Memory()
    kept.end(kept.begin(at("x = ║\n")), cut_off=False, broken=True)
    assert kept.find(at("x = ║\n")) is None
    assert len(kept) == 0


def test_of_an_answer_that_broke_off_whole_lines_are_kept() -> None:
    kept = Memory()
    track = kept.begin(at("x = ║\n"))
    kept.grow(track, "one\ntwo\nthr")
    kept.end(track, cut_off=False, broken=True)
    assert track.raw == "one\ntwo"
    track = kept.begin(at("y = ║\n"))
    kept.grow(track, "on")
    kept.end(track, cut_off=False, broken=True)
    assert kept.find(at("y = ║\n")) is None


def test_the_newest_answer_wins() -> None:
    kept = remembering("x = ║\n", "old")
    track = kept.begin(at("x = ║\n"))
    kept.grow(track, "new")
    known = kept.find(at("x = ║\n"))
    assert known is not None
    assert known.raw == "new"


def test_a_closed_document_is_forgotten() -> None:
    kept = remembering(ASKED, SAID)
    kept.forget("file:///w/other.py")
    assert len(kept) == 1
    kept.forget("file:///w/a.py")
    assert len(kept) == 0
    assert kept.find(at(ASKED)) is None


def test_a_window_that_slides_does_not_matter() -> None:
    lines = [f"line_{n} = {n}" for n in range(50)]
    kept = remembering("\n".join(lines) + "\n║\n", "after = 1")
    later = at("\n".join(lines[30:]) + "\nafter║\n")
    known = kept.find(later)
    assert known is not None
    assert known.raw == " = 1"


def test_memory_is_bounded_in_number_and_in_size() -> None:
    kept = Memory(max_tracks=8)
    for n in range(40):
        track = kept.begin(at(f"a = {n}\n║\n"))
        kept.grow(track, "x" * 3 * MAX_TRACK_CHARS)
        kept.end(track, cut_off=False)
    assert len(kept) == 8
    assert kept.chars <= 8 * MAX_TRACK_CHARS
    assert kept.find(at("a = 0\n║\n")) is None
    assert kept.find(at("a = 39\n║\n")) is not None
    kept.forget()
    assert not kept._places  # pyright: ignore[reportPrivateUsage] - nothing else shows a leak


AGREES = {
    "nothing typed": ("x = ║\n", "foo", "x = ║\n", True),
    "typed what it says": ("x = ║\n", "foo(", "x = fo║\n", True),
    "typed ahead of it": ("x = ║\n", "f", "x = foo║\n", True),
    "typed a newline ahead of it": ("x = 1║\n", "", "x = 1\ny║\n", True),
    "typed something else": ("x = ║\n", "foo", "x = b║\n", False),
    "deleted": ("x = ║\n", "foo", "x =║\n", False),
    "gone elsewhere": ("a\nb\nc\nx = ║\n", "foo", "a\nb║\nc\nx = \n", False),
    "the next line has changed": ("x = ║\ny\n", "foo", "x = ║\nz\n", False),
}


@pytest.mark.parametrize(("asked", "said", "now", "agrees"), AGREES.values(), ids=AGREES.keys())
def test_a_stream_agrees(asked: str, said: str, now: str, *, agrees: bool) -> None:
    kept = Memory()
    track = kept.begin(at(asked))
    kept.grow(track, said)
    assert memory.agrees(track, at(now)) is agrees


words = st.text(alphabet="ab (\n", max_size=60)


@example(before="a\na\na", said="\na\naa", after="", typed_chars=2)
@given(before=words, said=words, after=words, typed_chars=st.integers(0, 60))
def test_typing_through_finds_exactly_the_rest(
    before: str, said: str, after: str, typed_chars: int
) -> None:
    kept = Memory()
    context = CursorContext(uri="u", language="", prefix=before, suffix=after)
    track = kept.begin(context)
    for piece in said.partition("\n"):
        kept.grow(track, piece)
    typed = said[:typed_chars]
    known = kept.find(context.moved(typed))
    rest = said[len(typed) :]
    if rest:
        assert known is not None
        assert said.endswith(known.raw)
        is_told_apart = len(set(track.places)) == len(track.places)  # from equal lines above
        is_blank = context.moved(typed).line_prefix.strip() == ""
        assert known.raw == rest or is_blank or not is_told_apart
