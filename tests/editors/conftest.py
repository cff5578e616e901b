"""An endpoint on loopback, and editors that meet it through the real server process."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cursor import CURSOR
from tests.editors.emacs import Emacs
from tests.editors.helix import Helix
from tests.editors.neovim import Neovim
from tests.editors.terminal import until
from tests.endpoint import Endpoint, Reply, running_endpoint

CONFIG = """
provider = "mistral"
base_url = {base_url}
api_key_env = "FIM_TEST_KEY"
"""


def writer(*wanted: str) -> Reply:
    """A model that knows the files to be written and goes on from wherever the prompt ends."""

    def rest(prompt: str, suffix: str) -> str:
        del suffix
        for text in wanted:
            if text.startswith(prompt):
                return text[len(prompt) :]
        return ""

    return Reply(text=rest)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """The endpoint that the editor's server asks; the test sets its replies."""
    with running_endpoint(Reply(text="")) as running:
        yield running
    assert running.violations == []


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home with a short path, because a socket's may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="fim"))
    yield path
    shutil.rmtree(path, ignore_errors=True)  # what still ends may take away its own files


@pytest.fixture
def fim_environment(
    request: pytest.FixtureRequest, home: Path, endpoint: Endpoint
) -> dict[str, str]:
    """What leads the server to the endpoint."""
    if request.node.get_closest_marker("embedded"):
        return {}
    config = home / "fim.toml"
    config.write_text(CONFIG.format(base_url=json.dumps(endpoint.base_url)), "utf-8")
    return {"FIM_LSP_CONFIG": str(config), "FIM_TEST_KEY": "test-key"}


@pytest.fixture
def late_server(home: Path, fim_environment: dict[str, str]) -> Callable[[], None]:
    """Hold the server back until this is called, as a machine does on which everything is cold."""
    go, program = home / "go", home / "bin/fim-lsp"
    program.parent.mkdir()
    real = Path(sys.executable).with_name("fim-lsp")
    wait = f"while [ ! -e {go} ]; do [ -e {home} ] || exit 1; sleep 0.05; done"
    program.write_text(f'#!/bin/sh\n{wait}\nexec {real} "$@"\n', "utf-8")
    program.chmod(0o755)
    fim_environment["PATH"] = f"{program.parent}:/usr/bin:/bin"
    return go.touch


@pytest.fixture
def correct_the_spelling(fim_environment: dict[str, str]) -> Callable[[], None]:
    """A setting in the file is misspelt, until this is called."""
    config = Path(fim_environment["FIM_LSP_CONFIG"])
    right = config.read_text("utf-8")
    config.write_text(right.replace("base_url", "base_ulr"), "utf-8")

    def correct() -> None:
        config.write_text(right, "utf-8")

    return correct


Open = Callable[..., Neovim]


@pytest.fixture
def neovim(home: Path, fim_environment: dict[str, str]) -> Iterator[Open]:
    """Open Neovim on a document, in insert mode at its ``║``.

    It is closed after the test, and its log must then hold no error: whatever the server or the
    client complains about there, a person would have to look into.
    """
    with ExitStack() as opened:

        def start(document: str = CURSOR, *, file: str = "a.py", **more: Any) -> Neovim:
            before, _, after = document.partition(CURSOR)
            text = (before + after).encode()
            editor = Neovim(home, file=file, text=text, environment=fim_environment, **more)
            opened.callback(editor.close)
            editor.insert_at(before)
            return editor

        yield start
        opened.close()
    log = home / "state/nvim/lsp.log"
    errors = [line for line in log.read_text("utf-8").split("\n") if "[ERROR]" in line]
    assert errors == []


OpenHelix = Callable[[str], Helix]


@pytest.fixture
def helix(home: Path, fim_environment: dict[str, str], endpoint: Endpoint) -> Iterator[OpenHelix]:
    """Open Helix on a document, in insert mode at its ``║``, with the server ready."""
    with ExitStack() as opened:

        def start(document: str) -> Helix:
            before, _, after = document.partition(CURSOR)
            editor = Helix(home, text=(before + after).encode(), environment=fim_environment)
            opened.callback(editor.close)
            if fim_environment:
                assert until(lambda: len(endpoint.warm_ups), bool), "the server did not start"
            editor.insert_at(before)
            return editor

        yield start


OpenEmacs = Callable[..., Emacs]


@pytest.fixture
def emacs(home: Path, fim_environment: dict[str, str]) -> Iterator[OpenEmacs]:
    """Open Emacs on a document, its cursor at the ``║``, with the server ready.

    It is closed after the test, and nothing that it has said may have been an error.
    """
    with ExitStack() as opened:
        said: list[str] = []

        def start(document: str = CURSOR, *, path: str | None = None, **more: Any) -> Emacs:
            before, _, after = document.partition(CURSOR)
            text = (before + after).encode()
            environment = {**fim_environment, "PATH": path} if path else fim_environment
            editor = Emacs(home, text=text, environment=environment, **more)
            opened.callback(lambda: said.append(editor.close()))
            editor.insert_at(before.replace("\r\n", "\n"))
            return editor

        yield start
        opened.close()
    bad = re.compile(
        r"^Error|\((wrong|void|args|error|invalid)-|Could not fetch|timed? ?out", re.IGNORECASE
    )
    errors = [line for line in "".join(said).split("\n") if bad.search(line)]
    assert said
    assert errors == []
