"""Which names of a suggestion are new around the cursor."""

from __future__ import annotations

import pytest

from fim_lsp.names import unfamiliar
from tests.cursor import at

CASES = {
    "none": ("python", "old = 1\nx = ║", "old + x", ()),
    "several": ("python", "old = 1\nx = ║", "made_up(old, other)", (0, 13)),
    "a later one": ("python", "old = 1\nx = ║", "old.made_up", (4,)),
    "one that is used only below": ("python", "x = ║\n\nold = 1", "old", ()),
    "one that is the end of another": ("python", "very_old = 1\nx = ║", "old", (0,)),
    "one that was begun": ("python", "old = 1\nx = ma║", "de_up", (0,)),
    "one that was begun as another": ("python", "old = 1\nx = ol║", "d", ()),
    "what was begun is no name of its own": ("python", "x = ol║", "d", (0,)),
    "only the first line counts": ("python", "old = 1\nx = ║", "old\ny = made_up", ()),
    "words of a string": ("python", "x = ║", "'made up'", ()),
    "words of a string begun": ("python", "x = 'a║", "s made up'", ()),
    "words of a string over lines": ("python", 'x = """\n║', "made up", ()),
    "a name behind a string": ("python", "x = ║", "'made' + up", (9,)),
    "words of a comment": ("python", "x = ║", "x  # made up", ()),
    "a comment of another language": ("rust", "let x = ║", "x; // made up", ()),
    "numbers": ("python", "x = ║", "x + 0x77", ()),
    "other scripts": ("python", "größe = 1\nx = ║", "größe * 漢字", (8,)),
    "text for people": ("markdown", "Some ║", "made up words", ()),
    "values": ("yaml", "name: ║", "made up", ()),
    "tags": ("html", "<p>║", "made up</p>", ()),
    "a script within tags": ("html", "<script>\nlet x = ║\n</script>", "x + made", (4,)),
}


@pytest.mark.parametrize(
    ("language", "document", "text", "expected"), CASES.values(), ids=CASES.keys()
)
def test_unfamiliar(language: str, document: str, text: str, expected: tuple[int, ...]) -> None:
    assert unfamiliar(text, at(document, language=language)) == expected


def test_what_was_read_elsewhere_is_familiar() -> None:
    assert unfamiliar("made_up", at("x = ║"), "def made_up(): ...") == ()
