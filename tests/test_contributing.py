"""What docs/contributing.md sends people to: it is there, and is called so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/contributing.md").read_text("utf-8")
WORDS = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE))
PATHS = sorted(
    {
        path
        for word in WORDS
        for path in re.findall(r"(?:fim_lsp|tests|docs|editors|benchmarks|\.ci)/[\w./-]*", word)
        if not re.search(r"/(?:test_)?(?:NAME|ID|LANGUAGE)\b", word)
    }
)
NAMED = sorted(set(re.findall(r"`([\w.]+)`(?: and `([\w.]+)`)? in\s+`([\w./]+\.py)`", TEXT)))


def test_it_names_something() -> None:
    assert len(PATHS) > 15
    assert len(NAMED) > 8


@pytest.mark.parametrize("path", PATHS)
def test_what_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("named", NAMED, ids=lambda named: f"{named[0]} in {named[2]}")
def test_the_names_are_in_those_files(named: tuple[str, str, str]) -> None:
    *names, file = named
    code = (ROOT / file).read_text("utf-8")
    for name in filter(None, names):
        word = name.rpartition(".")[2]
        assert re.search(rf"^\s*(?:def |class )?{word}\b", code, re.MULTILINE), name


def test_each_recipe_is_short() -> None:
    for recipe in TEXT.split("\n## Add ")[1:]:
        assert len(recipe.strip().split("\n")) <= 12
