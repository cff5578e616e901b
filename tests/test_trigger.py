"""When to ask, and whether for one line or many, as tables with a visible cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.context import CursorContext
from fim_lsp.trigger import Lines, decide
from tests.cursor import at

LINES: dict[str, tuple[str, str, Lines]] = {
    "an empty document": ("python", "║", "many"),
    "an empty line in a body": ("python", "def f():\n    ║\n", "many"),
    "an empty line between functions": ("go", "}\n\n║\n\nfunc f() {\n}\n", "many"),
    "the end of a line that opens a block": ("python", "def f():║\n", "many"),
    "an opened brace": ("c", "int f(void) {║\n}\n", "many"),
    "an opened word block": ("ruby", "def f║\nend\n", "many"),
    "the end of a whole statement": ("c", "a();║\n", "many"),
    "behind a docstring": ("python", 'def f():\n    """Hello."""║\n', "many"),
    "behind a remark over lines": ("c", "/* hello */║\n", "many"),
    "the middle of a statement": ("python", "x = ║\n", "one"),
    "the middle of a word": ("python", "x = comp║\n", "one"),
    "a call's arguments": ("python", "print(║)\n", "one"),
    "a call's arguments that nothing closes": ("python", "print(║\n", "one"),
    "a condition": ("c", "if (║) {\n", "one"),
    "a remark": ("python", "# hello: ║\n", "one"),
    "a remark behind code": ("python", "x = 5  # because: ║\n", "one"),
    "a string that ends like a block": ("python", 'x = "hello:║"\n', "one"),
    "a value in YAML": ("yaml", "name: ║\n", "one"),
    "a key in YAML": ("yaml", "name:║\n", "many"),
    "text right of the cursor": ("python", "def f(): ║ pass\n", "one"),
}


@pytest.mark.parametrize(("language", "document", "lines"), LINES.values(), ids=LINES.keys())
def test_one_line_or_many(language: str, document: str, lines: Lines) -> None:
    assert decide(at(document, language=language)).lines == lines


WANTED = {
    "a new line": ("def f():\n    ║\n", True),
    "the end of a word": ("x = comp║\n", True),
    "before a bracket": ("print(║)\n", True),
    "before a blank": ("x =║ 5\n", True),
    "before a letter": ("x = com║pute()\n", False),
    "before a digit": ("x = ║5\n", False),
    "before an underscore": ("x = ║_a\n", False),
    "before an accented letter": ("x = ║élan\n", False),
}


@pytest.mark.parametrize(("document", "wanted"), WANTED.values(), ids=WANTED.keys())
def test_where_to_ask_unasked(document: str, wanted: bool) -> None:
    decision = decide(at(document))
    assert decision.wanted == wanted
    assert wanted or decision.reason == "not wanted: inside a word"


@pytest.mark.parametrize(("document", "wanted"), WANTED.values(), ids=WANTED.keys())
def test_who_asks_is_answered(document: str, wanted: bool) -> None:
    del wanted
    assert decide(at(document), invoked=True).wanted


def test_a_disabled_language_is_left_alone() -> None:
    decision = decide(at("║", language="markdown"), disabled_languages=("markdown",), invoked=True)
    assert not decision.wanted
    assert decision.reason == "not wanted: the language is disabled"


@given(before=st.text(), after=st.text(), language=st.sampled_from(["python", "c", "html", "x"]))
def test_any_place_is_decided_in_one_line(before: str, after: str, language: str) -> None:
    context = CursorContext(uri="", language=language, prefix=before, suffix=after)
    decision = decide(context)
    assert decision.reason
    assert "\n" not in decision.reason
