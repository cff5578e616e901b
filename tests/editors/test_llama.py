"""Real editors on a real llama-server: nothing between the key and the model is stood in for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.editors.conftest import Open
from tests.editors.helix import Helix
from tests.editors.terminal import until
from tests.llama_server import running, wait_until_ready
from tests.tiny_gguf import ANSWER, write_model

pytestmark = pytest.mark.editor("llama-server")

LINES = "".join(ANSWER).split("\n")[1:]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    write_model(model)
    with running(model) as url:
        wait_until_ready(url)
        yield url


@pytest.fixture
def fim_environment(home: Path, url: str) -> dict[str, str]:
    """What leads the server to llama-server, instead of to a stand-in."""
    config = home / "fim.toml"
    config.write_text(f'provider = "llamacpp"\nbase_url = {json.dumps(url)}\n', "utf-8")
    return {"FIM_LSP_CONFIG": str(config)}


@pytest.mark.editor("nvim", "tmux")
def test_neovim_shows_and_accepts_what_it_says(neovim: Open) -> None:
    editor = neovim()
    editor.type("def add(a, b):")
    wanted = ["def add(a, b):", *LINES]
    for _ in range(10):  # a busy machine's model may be too late for the one time Neovim asks
        seen = until(lambda: editor.terminal.screen().split("\n")[:3], wanted.__eq__, within_s=3)
        if seen == wanted:
            break
        editor.keys("Space", "BSpace")
    assert editor.terminal.screen().split("\n")[:3] == wanted
    editor.keys("Tab")
    editor.shows_text("def add(a, b):" + "".join(ANSWER) + "║")


@pytest.mark.editor("hx", "tmux")
def test_helix_offers_what_it_says(home: Path, fim_environment: dict[str, str]) -> None:
    text = b"def add(a, b):\n    \n"
    with closing(Helix(home, text=text, environment=fim_environment)) as editor:
        editor.insert_at("def add(a, b):\n    ")

        def asked() -> str:
            editor.keys("C-x")
            return editor.terminal.screen()

        until(asked, lambda screen: "total = a + b … text" in screen)
        editor.accept()
        editor.shows_saved("def add(a, b):\n" + "\n".join(LINES) + "\n")
