"""The template for LSP4IJ, against the format that its documentation describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fim_lsp.workspace import LANGUAGE_BY_EXTENSION

FOLDER = Path(__file__).parents[1] / "editors/jetbrains/fim-lsp"


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def test_the_template_has_what_its_format_asks_for_and_nothing_else() -> None:
    template = read("template.json")
    assert set(template) == {"id", "name", "programArgs", "fileTypeMappings"}
    assert template["programArgs"]["default"] == "fim-lsp"
    for mapping in template["fileTypeMappings"]:
        assert set(mapping) == {"fileType", "languageId"}
        assert set(mapping["fileType"]) == {"patterns"}


def test_it_names_every_kind_of_file_that_the_server_knows() -> None:
    named = {
        (pattern.removeprefix("*."), mapping["languageId"])
        for mapping in read("template.json")["fileTypeMappings"]
        for pattern in mapping["fileType"]["patterns"]
    }
    assert named == {(end.lstrip("."), name) for end, name in LANGUAGE_BY_EXTENSION.items()}


def test_its_settings_are_under_our_section() -> None:
    assert set(read("settings.json")) == {"fim"}
