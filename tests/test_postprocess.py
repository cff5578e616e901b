"""What is shown of a model's answer: readable cases, and what must hold for any answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.context import CursorContext
from fim_lsp.postprocess import FILTERS, Client, shape
from fim_lsp.postprocess.ending import MAX_CHARS, MAX_LINES
from fim_lsp.trigger import Lines, decide
from tests.cursor import at

GOLDEN = Path(__file__).parent / "golden"
WORDS = {"unfinished", "cut off", "one", "many", "swallows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    document: str
    raw: str
    words: frozenset[str]
    shown: str
    swallowed_chars: int


def cases() -> dict[str, tuple[str, Case]]:
    """Every case of the folder, by its language and title."""
    found: dict[str, tuple[str, Case]] = {}
    for path in sorted(GOLDEN.glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("=== ")[1:]:
            title, _, body = block.partition("\n")
            name = f"{path.stem}: {title}"
            assert name not in found, f"there are two cases {name}"
            found[name] = (path.stem, parsed(body.removesuffix("\n").removesuffix("\n")))
    return found


def parsed(body: str) -> Case:
    document, words, raw, result, shown = re.fullmatch(
        r"(.*?)\n--- model(.*?)\n(.*?)\n--- shown(.*?)(?:\n(.*))?", body, re.DOTALL
    ).groups()  # type: ignore[union-attr]  # a case that does not match fails here, as it should
    named = frozenset(word.strip() for word in words.lstrip(":").split(",") if word.strip())
    assert named <= WORDS
    swallowed = re.fullmatch(r"(?:: swallowed (\d+))?", result)
    assert swallowed
    return Case(
        document=unescaped(document),
        raw=unescaped(raw),
        words=named,
        shown=unescaped(shown or ""),
        swallowed_chars=int(swallowed[1] or 0),
    )


def unescaped(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda found: chr(int(found[1], 16)), text)


CASES = cases()


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 150
    assert len({language for language, _ in CASES.values()}) >= 10


@pytest.mark.parametrize(("language", "case"), CASES.values(), ids=CASES.keys())
def test_golden(language: str, case: Case) -> None:
    context = at(case.document, language=language)
    lines: Lines = decide(context).lines
    if "one" in case.words or "many" in case.words:
        lines = "one" if "one" in case.words else "many"
    shaped = shape(
        case.raw,
        context,
        lines=lines,
        complete="unfinished" not in case.words,
        cut_off="cut off" in case.words,
        client=Client(swallows_suffix="swallows" in case.words),
    )
    assert (shaped.text, shaped.swallowed_chars) == (case.shown, case.swallowed_chars)
    assert shaped.text or shaped.reason


# -- what holds for any answer ------------------------------------------------------------------

PIECES = [
    *"()[]{}\"'`<>/\\|#:;,.=+-*&_@ \t\n",
    *("\n\n", "\n    ", "\n\t", "    ", "def f(a):", "if a {", "} else {", "return a", "end"),
    *("```", "```py\n", '"""', "/*", "*/", "//", "<p>", "</p>", "a", "foo", "Here is the code:\n"),
    *("<|fim_middle|>", "</s>", "\u202e", "\u200b", "\r\n", "é", "🎉", "case a:", "+++++ a"),
]
code = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
languages = st.sampled_from(
    ["python", "typescript", "c", "rust", "html", "yaml", "markdown", "lua", "shellscript", ""]
)
clients = st.builds(Client, swallows_suffix=st.booleans())
modes = st.sampled_from(["one", "many"])


@st.composite
def contexts(draw: st.DrawFn) -> CursorContext:
    before, after = draw(code), draw(code)
    return CursorContext(
        uri="file:///a",
        language=draw(languages),
        prefix=before.replace("\r", ""),
        suffix=after.replace("\r", ""),
        tab_size=draw(st.sampled_from([2, 4, 8])),
    )


def is_subsequence(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)


def without_indentation(text: str) -> str:
    return "\n".join(line.lstrip(" \t") for line in text.split("\n"))


@given(raw=code, context=contexts(), lines=modes, complete=st.booleans(), client=clients)
def test_only_ever_shortens(
    raw: str, context: CursorContext, lines: Lines, complete: bool, client: Client
) -> None:
    """Nothing is invented; only the blanks at the start of lines may change."""
    shaped = shape(raw, context, lines=lines, complete=complete, client=client)
    assert is_subsequence(without_indentation(shaped.text), raw)


@given(raw=code, context=contexts(), lines=modes, client=clients)
def test_the_rest_of_the_line_survives(
    raw: str, context: CursorContext, lines: Lines, client: Client
) -> None:
    """What the range covers is a part of the text, and on the cursor's line."""
    shaped = shape(raw, context, lines=lines, client=client)
    covered = context.line_suffix[: shaped.swallowed_chars]
    assert len(covered) == shaped.swallowed_chars
    assert covered.rstrip() in shaped.text
    assert not shaped.swallowed_chars or client.swallows_suffix


@given(raw=code, context=contexts(), lines=modes, complete=st.booleans(), client=clients)
def test_what_is_shown_is_safe_and_not_blank(
    raw: str, context: CursorContext, lines: Lines, complete: bool, client: Client
) -> None:
    shaped = shape(raw, context, lines=lines, complete=complete, client=client)
    assert not re.search("[\r\u202e\u200b]", shaped.text)
    assert shaped.text == "" or shaped.text.strip()
    assert len(shaped.text) <= MAX_CHARS
    assert shaped.text.count("\n") <= MAX_LINES + 1
    assert "\n" not in shaped.reason
    assert shaped.text or shaped.reason


@given(text=st.text(), before=st.text(), after=st.text(), language=languages, lines=modes)
def test_any_text_at_all_is_taken(
    text: str, before: str, after: str, language: str, lines: Lines
) -> None:
    context = CursorContext(uri="", language=language, prefix=before, suffix=after)
    assert is_subsequence(
        without_indentation(shape(text, context, lines=lines).text), text.replace("\r", "")
    )


TYPED = {
    "a line": ("def f():\n    ║\n", "return compute(a, b)\n"),
    "a call's arguments": ("x = foo(║)\n", "a, bar(b), c"),
    "lines of one block": ("def f():\n    ║\n", "a = 1\n    b = 2\n    return a + b\n\n\nprint()"),
    "a string": ('print("║")\n', "hello world"),
    "what stops at the line below": (
        "def f():\n    ║\n    return total\n",
        "total = compute()\n    return total",
    ),
    "brackets over lines": ("x = ║\n", "foo(\n    a,\n    b,\n)\ny = 2"),
}


@pytest.mark.parametrize(("document", "raw"), TYPED.values(), ids=TYPED.keys())
def test_typing_through_goes_on_showing_the_rest(document: str, raw: str) -> None:
    context = at(document)
    lines = decide(context).lines
    shown = shape(raw, context, lines=lines).text
    assert shown
    for typed in range(1, len(shown)):
        if not shown[typed:].strip() or not shown[:typed].rpartition("\n")[2].strip():
            continue
        rest = shape(raw[typed:], context.moved(shown[:typed]), lines=lines).text
        goes_on = shown[typed:].lstrip(" ")
        assert rest.lstrip(" ").startswith(goes_on), f"after {shown[:typed]!r}"


def test_a_long_answer_is_kept_short() -> None:
    raw = "\n".join(f"    line_{number} = {number * 7919}" for number in range(200))
    shaped = shape(raw.lstrip(), at("def f():\n    ║"), lines="many")
    assert shaped.text.count("\n") == MAX_LINES
    assert "long" in shaped.reason


def test_the_reason_says_what_was_cut() -> None:
    shaped = shape("return x", at("def f():\n    ║\n    return x\n"), lines="many")
    assert shaped.text == ""
    assert shaped.reason == "cut to nothing: it comes to the lines below"


def test_each_filter_is_named_by_what_it_does() -> None:
    assert all(step.__doc__ for step in FILTERS)
    assert len(set(FILTERS)) == len(FILTERS)
