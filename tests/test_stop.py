"""When a stream is whole enough to be shown, and when it can be hung up."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fim_lsp.context import CursorContext
from fim_lsp.postprocess import shape
from fim_lsp.stop import progress
from fim_lsp.trigger import Lines, decide
from tests.cursor import at
from tests.test_postprocess import CASES, Case, code, contexts, modes

GOING_ON = "go on"
WHOLE = "whole"
OVER = "over"

STATES = {
    "nothing has come": ("def f():\n    ║\n", "", GOING_ON),
    "half a line": ("x = ║\n", "comp", GOING_ON),
    "a line where one is wanted": ("x = ║\n", "compute()\n", WHOLE),
    "a line where many are wanted": ("def f():\n    ║\n", "a = 1\n    b", GOING_ON),
    "further lines of the block are kept for later": ("x = ║\n", "compute()\ny = 1\n", WHOLE),
    "another function": ("def f():\n    ║\n", "return 1\n\ndef g", OVER),
    "the block is left behind one line": ("def f():\n    x = ║\n", "1\n\ndef g():", OVER),
    "the lines below": (
        "def f():\n    ║\n    first = compute_all()\n    return first\n",
        "a = 1\n    first = compute_all()\n    return first\n",
        OVER,
    ),
    "perhaps the line below": (
        "def f():\n    ║\n    return a\n",
        "a = 1\n    return a\n",
        GOING_ON,
    ),
    "stuck": ("def f():\n    ║\n", "a()\n    a()\n    a()\n    a()\n    a()\n", OVER),
    "a token of the model's own": ("x = ║\n", "1<|endoftext|>", OVER),
    "half of such a token": ("x = ║\n", "1<|endof", GOING_ON),
    "the end of a fence": ("x = ║\n", "```python\n1\n```\n", OVER),
    "the bracket that is there": ("print(║)\n", "a)", OVER),
    "an unclosed bracket": ("x = ║\n", "foo(\n    a,\n", GOING_ON),
    "something invisible": ("x = ║\n", "1\u202e", OVER),
}


@pytest.mark.parametrize(("document", "raw", "state"), STATES.values(), ids=STATES.keys())
def test_state_of_a_stream(document: str, raw: str, state: str) -> None:
    context = at(document)
    now = progress(raw, context, lines=decide(context).lines)
    assert (now.shown_whole, now.finished) == (state != GOING_ON, state == OVER)
    assert now.reason or state == GOING_ON


FIRST_WORDS = {
    "a word may become a label": ("c", "int f() {\n    ║\n}\n", "go();\nout", GOING_ON),
    "and is one": ("c", "int f() {\n    ║\n}\n", "go();\nout:\n    a();\n", GOING_ON),
    "or a name": ("cpp", "int f() {\n    ║\n}\n", "go();\nstd::v", OVER),
    "another word behind it": ("javascript", "f(() => {\n  ║\n});\n", "go();\n\nlet a", OVER),
    "a sign": ("java", "void f() {\n    ║\n}\n", "go();\n\n@", OVER),
    "a call is no definition yet": ("go", "║\n", "var a = 1\n\nfoo(", GOING_ON),
    "a definition": ("go", "║\n", "var a = 1\n\nfunc f", OVER),
    "a tag may close": ("html", "<p>\n  ║\n</p>\n", "text\n<", GOING_ON),
    "half of the line below": (
        "go",
        "func f() {\n\t║\n\treturn everything(first)\n}\n",
        "a := 1\n\treturn everything(first)",
        GOING_ON,
    ),
    "the line below": (
        "go",
        "func f() {\n\t║\n\treturn everything(first)\n}\n",
        "a := 1\n\treturn everything(first)\n",
        OVER,
    ),
}


@pytest.mark.parametrize(
    ("language", "document", "raw", "state"), FIRST_WORDS.values(), ids=FIRST_WORDS.keys()
)
def test_how_much_of_the_next_line_tells_that_the_text_has_ended(
    language: str, document: str, raw: str, state: str
) -> None:
    context = at(document, language=language)
    now = progress(raw, context, lines="many")
    assert (now.shown_whole, now.finished) == (state != GOING_ON, state == OVER)


STREAMED = {
    name: (language, case)
    for name, (language, case) in CASES.items()
    if not case.words and not case.swallowed_chars
}


@pytest.mark.parametrize(("language", "case"), STREAMED.values(), ids=STREAMED.keys())
def test_a_stream_that_is_hung_up_shows_what_the_whole_answer_shows(
    language: str, case: Case
) -> None:
    context = at(case.document, language=language)
    lines: Lines = decide(context).lines
    for end in range(1, len(case.raw) + 1):
        if progress(case.raw[:end], context, lines=lines).finished:
            assert shape(case.raw[:end], context, lines=lines).text == case.shown
            return


@given(raw=code, context=contexts(), lines=modes)
@example(
    raw="[\n\n((",
    context=CursorContext(uri="file:///a", language="python", prefix="", suffix="("),
    lines="one",
)
@settings(max_examples=150)
def test_what_is_whole_stays_as_it_is(raw: str, context: CursorContext, lines: Lines) -> None:
    """Once an answer may go out, the same text is shown while the stream still runs."""
    for end in range(len(raw)):
        if progress(raw[:end], context, lines=lines).shown_whole:
            now = shape(raw[:end], context, lines=lines, complete=False)
            assert shape(raw[:end], context, lines=lines).text == now.text
            return


@given(text=st.text(max_size=300), context=contexts(), lines=modes)
def test_any_text_at_all_is_judged(text: str, context: CursorContext, lines: Lines) -> None:
    now = progress(text, context, lines=lines)
    assert now.shown_whole or not now.finished
    assert "\n" not in now.reason
