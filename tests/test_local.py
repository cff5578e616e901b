"""The embedded provider: what it says, when it keeps silent, how it learns meanwhile."""

# pyright: reportPrivateUsage=false
# What is kept of a document, and the thread's end, can only be seen inside.

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fim_lsp.providers import Chunk, FimRequest, Learner, Provider
from fim_lsp.providers.line_model import LineModel, Prediction
from fim_lsp.providers.local import MAX_LINES, MIN_CONFIDENCE, LocalProvider
from fim_lsp.providers.ngrams import Corpus, mixed
from fim_lsp.providers.tokens import EDGE, RARE, Encoder, Vocabulary, joined
from tests.patience import PATIENCE_S, until

CURSOR = "║"

PERSON = """\
class Person:
    def __init__(self, name, age, city):
        self.name = name
        self.age = age

    def get_name(self) -> str:
        return self._name

    def get_age(self) -> str:
        return self._age
"""

SAID: dict[str, tuple[str, str]] = {
    "a line like the one above, with this one's name": (
        (
            "class P:\n    def __init__(self, name, age):\n"
            "        self.name = name\n        self.age =║\n"
        ),
        " age",
    ),
    "the body of a method like the one above": (
        "def get_name(self):\n    return self._name\n\ndef get_age(self):\n    ║\n",
        "return self._age",
    ),
    "a body after a header that is whole": (
        PERSON + "\n    def get_city(self) -> str:║\n",
        "\n        return self._city",
    ),
    "an entry of a table": (
        'COLORS = {\n    "red": Color.RED,\n    "green": Color.GREEN,\n    "blue":║\n}\n',
        " Color.BLUE,",
    ),
    "a name in another style": (
        "firstName = read_first_name()\nlastName = read_last_name()\nmiddleName =║\n",
        " read_middle_name()",
    ),
    "a test like the one above": (
        (
            "def test_add():\n    stack = Stack()\n    stack.add(1)\n"
            "    assert stack.size == 1\n\n\n"
            "def test_remove():\n    stack = Stack()\n    stack.remove(1)\n    ║\n"
        ),
        "assert stack.size == 1",
    ),
    "the rest of a word that is known here": (
        "from pathlib import PurePosixPath\n\n\ndef main():\n    where = PureP║\n",
        "osixPath",
    ),
    "a number that goes on counting": (
        "class Color(Enum):\n    RED = 1\n    GREEN = 2\n    BLUE = 3\n    CYAN =║\n",
        " 4",
    ),
    "not what stands right of the cursor already": (
        "a = call(first, second)\nb = call(first, second)\nc = call(║)\n",
        "first, second",
    ),
    "with tabs where the file has tabs": (
        (
            "func GetName() string {\n\treturn p.name\n}\n\n"
            "func GetCity() string {\n\treturn p.city\n}\n\nfunc GetAge() string {║\n}\n"
        ),
        "\n\treturn p.age",
    ),
    "a line's indentation where there is none yet": (
        (
            "def get_name(self):\n    return self._name\n\n"
            "def get_age(self):\n    return self._age\n\ndef get_city(self):\n║\n"
        ),
        "    return self._city",
    ),
}


def predicted(document: str, model: LineModel | None = None) -> Prediction:
    prefix, _, suffix = document.partition(CURSOR)
    return (model or LineModel()).predict(prefix, suffix)


@pytest.mark.parametrize(("document", "text"), SAID.values(), ids=SAID.keys())
def test_a_line_is_completed_by_what_is_near(document: str, text: str) -> None:
    assert predicted(document).text == text


SILENT = {
    "in an empty document": "║",
    "where nothing like it was seen": "import os\n\nfoo = ║\n",
    "at the end of a line of prose": "# what this does is not easy to say ║\n",
    "where the line below would be repeated": "print(one)\nprint(two)\nprint(║\nprint(two)\n",
    "where another branch has this condition": (
        'if x == "a":\n    a()\nelif x == "b":\n    b()\nelif x ║\n'
    ),
    "where the text right of the cursor does not fit": (
        "a = call(first)\nb = call(first)\nc = call(║ + 1)\n"
    ),
}


@pytest.mark.parametrize("document", SILENT.values(), ids=SILENT.keys())
def test_it_keeps_silent(document: str) -> None:
    found = predicted(document)
    assert not found.text or found.confidence < MIN_CONFIDENCE


def learned(*texts: str) -> LineModel:
    model = LineModel()
    for text in texts:
        assert list(model.learn(text.split("\n")))
    return model


def test_other_files_are_learned_from() -> None:
    model = learned("with connect(settings.url) as link:\n    link.send(request)\n" * 2)
    found = predicted("def run():\n    with connect(settings║\n", model)
    assert found.text == ".url) as link:"
    assert not predicted("def run():\n    with connect(settings║\n").text


def test_the_open_file_counts_more_than_others() -> None:
    model = learned("open(path, mode)\n" * 3)
    here = "open(path, encoding)\nx()\nopen(path, encoding)\ny()\nopen(path,║\n"
    assert predicted(here, model).text == " encoding)"


def test_what_is_learned_in_slices_is_learned_whole() -> None:
    lines = [f"value_{number} = {number}" for number in range(500)]
    whole, sliced = LineModel(), LineModel()
    assert sum(1 for _ in whole.learn(lines, slice_lines=1000)) == 1
    assert sum(1 for _ in sliced.learn(lines, slice_lines=7)) == 72
    assert len(whole.corpus) == len(sliced.corpus) > 500


WORDS = st.sampled_from(["a", "b", "(", ")", ".", ",", " =", "def", " x", '"', ":", "1", "é", "😀"])
CODE = st.lists(st.lists(WORDS, max_size=6).map("".join), max_size=12).map("\n".join)


@settings(max_examples=50)
@given(before=CODE, after=CODE, other=CODE)
def test_any_text_has_an_answer(before: str, after: str, other: str) -> None:
    model = LineModel()
    list(model.learn(other.split("\n")))
    found = model.predict(before, after)
    assert 0.0 <= found.confidence <= 1.0
    assert bool(found.confidence) or not found.text


@given(text=st.text(alphabet=st.characters(blacklist_characters="\n\r")))
def test_tokens_hold_the_whole_line(text: str) -> None:
    vocabulary = Vocabulary()
    encoded = vocabulary.encode(text)
    assert "".join(vocabulary.text(char) for char in encoded) == text


def test_a_full_vocabulary_knows_no_more_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fim_lsp.providers.tokens.MAX_WORDS", 9)
    vocabulary = Vocabulary()
    assert vocabulary.encode("a b c d")[2:] == RARE * 2
    assert vocabulary.encode("a b")[0] != RARE


def test_more_words_than_characters_below_the_surrogates() -> None:
    vocabulary = Vocabulary()
    words = [f"w{number}" for number in range(60_000)]
    chars = [vocabulary.char(word) for word in words]
    assert [vocabulary.text(char) for char in chars] == words
    assert "".join(chars).encode("utf-8")


def test_lines_know_where_they_begin() -> None:
    encoder = Encoder(Vocabulary())
    lines = encoder.lines(["def f():", "    return 1", "", "x = 2"])
    tokens, starts = joined(lines, 5)
    assert [tokens[start - 5] for start in starts] == [line.tokens[0] for line in lines if line]


@given(st.lists(st.integers(6, 9), min_size=5, max_size=80), st.integers(5, 16))
def test_the_corpus_finds_every_occurrence(tokens: list[int], length: int) -> None:
    """Against a plain search, as far as the chains reach."""
    corpus = Corpus()
    half = len(tokens) // 2
    corpus.extend("".join(map(chr, tokens[:half])))
    corpus.extend("".join(map(chr, tokens[half:])))
    stream = [ord(EDGE)] * 5 + tokens
    context = tokens[-length:]
    found = sorted(corpus.matches(context))
    expected: list[tuple[int, int]] = []
    for at in range(5, len(stream)):
        common = 0
        while common < len(context) and stream[at - 1 - common] == context[-1 - common]:
            common += 1
        if common >= 2:
            expected.append((stream[at], common))
    reachable = 32
    if len(expected) <= reachable:
        assert found == sorted(expected)
    else:
        assert set(found) <= set(expected)


@given(
    st.dictionaries(
        st.integers(1, 16),
        st.dictionaries(st.sampled_from("abcd"), st.floats(0.5, 50), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_shares_are_shares(votes: dict[int, dict[str, float]]) -> None:
    shares = mixed(votes)
    assert set(shares) == {char for counts in votes.values() for char in counts}
    assert all(share >= 0 for share in shares.values())
    assert sum(shares.values()) <= 1.0 + 1e-9


# -- the provider ----------------------------------------------------------------------------------


async def asked(provider: LocalProvider, document: str, language: str = "python") -> list[Chunk]:
    prompt, _, suffix = document.partition(CURSOR)
    request = FimRequest(prompt=prompt, suffix=suffix, language=language)
    return [chunk async for chunk in provider.stream(request)]


async def learning_done(provider: LocalProvider) -> None:
    await until(lambda: not provider.is_learning)


def test_it_is_a_provider_that_learns() -> None:
    provider: Provider = LocalProvider()
    assert isinstance(provider, Learner)
    assert (provider.name, provider.free) == ("local", True)


async def test_a_stream_is_one_chunk_with_a_reason() -> None:
    provider = LocalProvider()
    text = "a = call(first, second)\nb = call(first, second)\nc = call(║)\n"
    assert await asked(provider, text) == [Chunk(text="first, second", finish_reason="stop")]
    assert await asked(provider, "║") == [Chunk(text="", finish_reason="stop")]
    await provider.aclose()


ASK = "def run():\n    with connect(settings║\n"
KNOWN = "with connect(settings.url) as link:\n    link.send(request)\n" * 3


async def test_the_workspace_is_learned_once_its_language_is_met(tmp_path: Path) -> None:
    (tmp_path / "known.py").write_text(KNOWN)
    (tmp_path / "other.ts").write_text(KNOWN)
    provider = LocalProvider()
    provider.learn_folder([tmp_path], ())
    assert not provider.is_learning, "no language was met yet"
    provider.observe((tmp_path / "open.py").as_uri(), "python", "")
    await learning_done(provider)
    assert (await asked(provider, ASK))[0].text == ".url) as link:"
    assert provider.learned_lines == len(KNOWN.split("\n")), "one language was read"
    await provider.aclose()


@pytest.mark.parametrize(
    ("name", "content"),
    [(".env.py", KNOWN), ("ignored.py", KNOWN), ("binary.py", "\0" + KNOWN)],
    ids=["excluded", "ignored by git", "binary"],
)
async def test_what_must_not_be_read_is_not_learned(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / name).write_text(content)
    provider = LocalProvider()
    provider.learn_folder([tmp_path], [".env*"])
    provider.observe((tmp_path / "open.py").as_uri(), "python", "")
    await learning_done(provider)
    assert (await asked(provider, ASK))[0].text == ""
    await provider.aclose()


async def test_an_open_document_is_learned_unless_it_is_excluded(tmp_path: Path) -> None:
    provider = LocalProvider()
    provider.learn_folder([tmp_path], [".env*"])
    provider.observe((tmp_path / ".env.py").as_uri(), "python", KNOWN)
    await learning_done(provider)
    assert (await asked(provider, ASK))[0].text == ""
    provider.observe("untitled:Untitled-1", "python", KNOWN)
    await learning_done(provider)
    assert (await asked(provider, ASK))[0].text == ".url) as link:"
    await provider.aclose()


async def test_what_changed_in_a_document_is_learned_and_the_rest_not_again() -> None:
    provider = LocalProvider()
    long = "".join(f"value_{number} = {number}\n" for number in range(2_000))
    provider.observe("untitled:1", "python", long)
    await learning_done(provider)
    before = len(provider._models["python"].corpus)
    for number in range(20):
        provider.observe("untitled:1", "python", long + f"extra_{number} = call(extra)\n")
    await learning_done(provider)
    assert len(provider._models["python"].corpus) < before * 1.2
    provider.forget("untitled:1")
    await learning_done(provider)
    assert not provider._open
    await provider.aclose()


async def test_new_folders_are_learned_too(tmp_path: Path) -> None:
    provider = LocalProvider()
    provider.observe("untitled:1", "python", "")
    provider.learn_folder([], ())
    await learning_done(provider)
    (tmp_path / "known.py").write_text(KNOWN)
    provider.learn_folder([tmp_path], ())
    await asked(provider, ASK)
    await learning_done(provider)
    assert (await asked(provider, ASK))[0].text == ".url) as link:"
    await provider.aclose()


async def test_a_workspace_larger_than_the_bound_is_learned_up_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_LINES == 200_000
    monkeypatch.setattr("fim_lsp.providers.local.MAX_LINES", 50)
    for number in range(20):
        (tmp_path / f"{number}.py").write_text("x = 1\n" * 10)
    provider = LocalProvider()
    provider.learn_folder([tmp_path], ())
    provider.observe("untitled:1", "python", "")
    await learning_done(provider)
    assert 50 <= provider.learned_lines < 70
    await provider.aclose()


async def test_closing_ends_the_learning_at_once(tmp_path: Path) -> None:
    draw = random.Random(0)
    text = "".join(f"name_{draw.random()} = call({draw.random()})\n" for _ in range(10_000))
    for number in range(8):
        (tmp_path / f"{number}.py").write_text(text)
    provider = LocalProvider()
    provider.learn_folder([tmp_path], ())
    provider.observe("untitled:1", "python", "")
    await provider.aclose()
    assert await asyncio.to_thread(provider._background.join, PATIENCE_S)
    assert provider.learned_lines < 80_000


async def test_learning_and_asking_at_once_agree(tmp_path: Path) -> None:
    """Predictions run on the event loop while the thread extends what they read."""
    for number in range(30):
        (tmp_path / f"{number}.py").write_text(KNOWN.replace("request", f"request_{number}") * 30)
    provider = LocalProvider()
    provider.learn_folder([tmp_path], ())
    provider.observe("untitled:1", "python", "")
    end_s = time.monotonic() + PATIENCE_S
    said = ""
    while provider.is_learning and time.monotonic() < end_s:
        said = (await asked(provider, ASK))[0].text
        assert said.partition("\n")[0] in {"", ".url) as link:"}
    assert said.startswith(".url) as link:")
    await provider.aclose()
