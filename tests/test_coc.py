"""What a coc.nvim with ghost text, which no test can install, makes of answers, by its source.

The last one that can be installed has none: ``tests/editors/test_coc.py``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cursor import CURSOR
from tests.editor import Editor, editing
from tests.endpoint import Endpoint, Reply

CAPABILITIES: dict[str, Any] = {
    "textDocument": {
        "inlineCompletion": {"dynamicRegistration": True},
        "completion": {"dynamicRegistration": True},
    },
    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
}
TAB_SIZE = 4


def indented(text: str, *, spaces: bool) -> str:
    """The text with the white space before each line as the buffer has it."""

    def rewrite(blank: re.Match[str]) -> str:
        is_tab = blank[0].startswith("\t")
        if is_tab and spaces:
            return " " * TAB_SIZE * len(blank[0])
        if not is_tab and not spaces:
            return "\t" * (len(blank[0]) // TAB_SIZE)
        return blank[0]

    return "\n".join(re.sub(r"^\s*", rewrite, line) for line in text.split("\n"))


def accepted(e: Editor, item: dict[str, Any], *, spaces: bool) -> str:
    """The document after the accept, with the cursor behind what was put in."""
    start, end = item["range"]["start"], item["range"]["end"]
    here = e.at(e.offset)
    # what does not contain the cursor is not shown
    assert start["line"] == end["line"] == here["line"]
    assert start["character"] <= here["character"] <= end["character"]
    first = e.offset - (here["character"] - start["character"])
    last = e.offset + (end["character"] - here["character"])
    # what stands there already is not shown again
    assert item["insertText"].startswith(e.text[first : e.offset])
    text = indented(item["insertText"], spaces=spaces)
    return e.text[:first] + text + CURSOR + e.text[last:]


# document, what the model says there, whether the buffer is indented by spaces, after the accept
PLACES = {
    "at the end of a line": ("x = ║\n", "a + b", True, "x = a + b║\n"),
    "in the middle of a line": ("foo(║) + 1\nbar\n", "a, b", True, "foo(a, b║) + 1\nbar\n"),
    "several lines": (
        "if a:║\nelse:\n",
        "\n    b()\n    c()",
        True,
        "if a:\n    b()\n    c()║\nelse:\n",
    ),
    "several lines with tabs": (
        "def f():\n\tif a:║\n\treturn 2\n",
        "\n\t\tb()\n\t\tc()",
        False,
        "def f():\n\tif a:\n\t\tb()\n\t\tc()║\n\treturn 2\n",
    ),
    "a blank first, with tabs": (
        "def f():\n\tx =║\n",
        " a + b",
        False,
        "def f():\n\tx = a + b║\n",
    ),
    "a blank first, with spaces": ("    x =║\n", " a + b", True, "    x = a + b║\n"),
    "with dos line ends": (
        "if a:║\r\nelse:\r\n",
        "\n    b()",
        True,
        "if a:\n    b()║\r\nelse:\r\n",
    ),
}


@pytest.mark.parametrize(
    ("document", "said", "spaces", "wanted"), PLACES.values(), ids=PLACES.keys()
)
async def test_an_accept_puts_in_what_was_meant(
    document: str, said: str, spaces: bool, wanted: str, tmp_path: Path
) -> None:
    async with (
        Endpoint(Reply(text=said)) as endpoint,
        editing(
            tmp_path,
            endpoint.settings(),
            client_name="coc.nvim",
            initialize={"capabilities": CAPABILITIES},
        ) as e,
    ):
        e.open(document)
        (item,) = await e.ask()
        assert accepted(e, item, spaces=spaces) == wanted
        # coc runs the command after the accept, of a part too, and logs an error where it fails
        await e.client.request("workspace/executeCommand", item["command"])
