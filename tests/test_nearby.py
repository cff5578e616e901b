"""The next word, from the text around the cursor alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.nearby import Nearby
from tests.cursor import at

ABOVE = """\
def area(width, height):
    check(width, height)
    return width * height

def volume(width, height, depth):
    check(width, height)
"""

WORDS = {
    "a name that stands above": (ABOVE + "    return wid║\n", "th"),
    "the end of a name where a bracket was closed": (ABOVE + "    check(wid║)\n", "th"),
    "what always follows": (ABOVE + "    check(width║\n", ","),
    "nothing at the start of a line": (ABOVE + "    ║\n", ""),
    "nothing where nothing is likely": ("x = ║\n", ""),
    "nothing in an empty document": ("║", ""),
}


@pytest.mark.parametrize(("marked", "word"), WORDS.values(), ids=WORDS.keys())
def test_next_word(marked: str, word: str) -> None:
    assert Nearby().next_word(at(marked)) == word


def test_it_does_not_remember_other_documents() -> None:
    nearby = Nearby()
    assert nearby.next_word(at(ABOVE + "    return wid║\n"))
    assert not nearby.next_word(at("x = wid║\n"))


@given(text=st.text(max_size=200), data=st.data())
def test_at_most_one_word_of_one_line(text: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    clean = text.replace("║", "")
    word = Nearby().next_word(at(clean[:cursor] + "║" + clean[cursor:]))
    assert "\n" not in word
    assert len(word.split()) <= 1
