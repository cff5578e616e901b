"""What the documents tell people to type: it runs, or it is at least what it says it is."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fim_lsp import settings
from fim_lsp.cli import make_parser
from tests.editors.readme import snippet
from tests.editors.terminal import program
from tests.endpoint import Reply, running_endpoint

ROOT = Path(__file__).parents[1]
PAGES = [
    page
    for pattern in ("README.md", "docs/*.md", "editors/**/*.md")
    for page in sorted(ROOT.glob(pattern))
    if "node_modules" not in page.parts
]
RUN_ELSEWHERE = re.compile(r"(python3 -m venv|\.venv/bin/|cd |code |npm |git |export )")
"""CI's own steps, the editors' tests, and what needs a program that is not ours."""


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """All blocks of a language: where it stands, and its text."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in re.finditer(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            yield f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}", found[1]


def cases(*languages: str) -> list[object]:
    return [pytest.param(text, id=at) for name in languages for at, text in blocks(name)]


@pytest.mark.parametrize("text", cases("toml"))
def test_settings_are_understood(text: str) -> None:
    table = tomllib.loads(text)
    if "keys" in table:
        return  # Helix' own file
    if "language-server" in table:  # its other file; what it gives to us stands in there
        table = table["language-server"]["fim-lsp"].get("config", {}).get("fim", {})
    assert settings.parse(settings.Layer(source="docs", table=table)).problems == ()


@pytest.mark.parametrize("text", cases("json", "jsonc"))
def test_json_is_json(text: str) -> None:
    table = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    if "fim" in table:
        assert settings.parse(settings.editor_layer(table)).problems == ()


def test_the_readmes_lines_for_neovim_are_those_of_its_page() -> None:
    """These are what the editor's tests paste."""
    code = [re.sub(r"\s+-- .*", "", text) for at, text in blocks("lua") if "README.md" in at]
    assert code[0] == snippet("neovim", "lua")


@pytest.mark.editor("nvim")
@pytest.mark.parametrize("text", cases("lua"))
def test_lua_is_lua(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.lua").write_text(text, "utf-8")
    check = f"lua assert(loadfile('{tmp_path / 'a.lua'}'))"
    command = [program("nvim") or "nvim", "--headless", "--clean", "-c", check, "-c", "q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""


@pytest.mark.editor("emacs")
@pytest.mark.parametrize("text", cases("elisp"))
def test_elisp_is_elisp(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.el").write_text(f"'({text})", "utf-8")
    form = (
        f'(with-temp-buffer (insert-file-contents "{tmp_path / "a.el"}") (read (current-buffer)))'
    )
    command = [program("emacs") or "emacs", "--batch", "--eval", form]
    assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def commands() -> list[object]:
    found: list[object] = []
    for at, text in blocks("(?:sh|bash|console)"):
        for number, line in enumerate(text.replace("\\\n", " ").strip().split("\n")):
            command = line.strip().removeprefix("$ ").partition("  #")[0]
            if command and not command.startswith("#"):
                found.append(pytest.param(command, id=f"{at}+{number}"))
    return found


TRACE = {"type": "request", "run": "r", "at": "2026-03-01T10:00:00", "source": "none", "call": None}


@pytest.mark.parametrize("command", commands())
def test_shell_commands_run(command: str, tmp_path: Path) -> None:
    """Ours run, in an empty home, in a project like that of the documents, against an endpoint."""
    if not command.startswith("fim-lsp"):
        assert RUN_ELSEWHERE.match(command), "who runs this?"
        return
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text("value = 1\n" * 20, "utf-8")
    line = {**TRACE, "ms": 1.0, "paused_ms": 0.0, "items": 0, "chars": 0, "reason": "none"}
    (tmp_path / "trace.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    with running_endpoint(Reply(text=" + 2")) as endpoint:
        endpoint.listing = {"data": [{"id": "codestral-2501"}]}
        config = tmp_path / "config.toml"
        address = json.dumps(endpoint.base_url)
        config.write_text(f'provider = "mistral"\nbase_url = {address}\n', "utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "FIM_LSP_CONFIG": str(config),
            "ODEUS_API_KEY": "test-key",
        }
        done = subprocess.run(
            [sys.executable, "-m", "fim_lsp", *shlex.split(command)[1:]],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr


def said_by_symptoms() -> list[str]:
    """What the troubleshooting page quotes, piece by piece: others' names stand between them."""
    page = (ROOT / "docs/troubleshooting.md").read_text("utf-8").partition("\n## ")[0]
    seen = [row.split(" | ")[0] for row in page.split("\n") if row.startswith("| ")]
    quoted = [piece for cell in seen for piece in re.findall(r'"([^"]+)"', cell)]
    return sorted({piece.strip() for one in quoted for piece in one.split("…") if piece.strip()})


@pytest.mark.parametrize("said", said_by_symptoms())
def test_symptoms_are_what_the_program_says(said: str) -> None:
    assert any(said in path.read_text("utf-8") for path in (ROOT / "fim_lsp").rglob("*.py"))


def mentions() -> list[object]:
    """Commands in the running text, where nothing is left out of them."""
    found: dict[str, object] = {}
    for page in PAGES:
        for command in re.findall(r"`(fim-lsp [^`…]+)`", page.read_text("utf-8")):
            found[command] = pytest.param(command, id=command)
    return list(found.values())


@pytest.mark.parametrize("command", mentions())
def test_commands_in_the_text_are_commands(command: str) -> None:
    if re.search(r"-(?:-version|-help|h)\b", command):
        return
    assert make_parser().parse_args(shlex.split(command)[1:]).run
