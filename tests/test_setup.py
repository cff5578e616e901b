"""``fim-lsp init`` and ``models``: what is asked, tried, read from Continue, and written."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.cli import main
from fim_lsp.errors import UsageError
from fim_lsp.presets import PRESETS
from fim_lsp.settings import Layer, parse
from fim_lsp.setup import continue_config, questions, written
from tests.endpoint import Endpoint, Reply, running_endpoint

KEY = "fk-2Jt7Qx9Lm4Rw8Vb3Nz6Yc1"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    names = [name for name in os.environ if name.endswith(("_API_KEY", "_PROXY"))]
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FIM_LSP_CONFIG", str(tmp_path / "folder" / "config.toml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MY_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file that is written."""
    return tmp_path / "folder" / "config.toml"


def said(config: Path) -> dict[str, Any]:
    """What the file sets; tables of comments alone say nothing."""
    table = tomllib.loads(config.read_text(encoding="utf-8"))
    return {name: value for name, value in table.items() if value != {}}


def flags(endpoint: Endpoint) -> list[str]:
    return ["--preset", "mistral", "--base-url", endpoint.base_url, "--key-env", "MY_API_KEY"]


# -- written ---------------------------------------------------------------------------------------


def test_what_works_is_written(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint(Reply(text=" height * depth"), key=KEY) as endpoint:
        assert main(["init", *flags(endpoint), "--set", "limits.shared_by=4"]) == 0
    text = config.read_text(encoding="utf-8")
    assert said(config) == {
        "preset": "mistral",
        "base_url": endpoint.base_url,
        "api_key_env": "MY_API_KEY",
        "limits": {"shared_by": 4},
    }
    assert "# tokens_per_minute = 60000" in text
    out, err = capfd.readouterr()
    assert (len(endpoint.calls), err) == (1, "")
    assert KEY not in text + out
    assert out.count("✓") + out.count("+") >= 2


def test_what_does_not_work_is_not_written(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint(key="another") as endpoint:
        assert main(["init", *flags(endpoint)]) == 1
    assert not config.exists()
    assert "does not accept the key" in capfd.readouterr().out


def test_it_can_be_written_untested(config: Path) -> None:
    assert main(["init", "--preset", "codestral", "--no-test"]) == 0
    assert said(config) == {"preset": "codestral"}


def test_a_file_that_is_there_stays_unless_forced(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config.parent.mkdir()
    config.write_text("model = 'mine'\n", encoding="utf-8")
    assert main(["init", "--preset", "codestral", "--no-test"]) == 2
    assert config.read_text(encoding="utf-8") == "model = 'mine'\n"
    assert "--force replaces it" in capfd.readouterr().err
    assert main(["init", "--preset", "codestral", "--no-test", "--force"]) == 0
    assert 'preset = "codestral"' in config.read_text(encoding="utf-8")
    assert [one.name for one in config.parent.iterdir()] == ["config.toml"]


MISTAKES: dict[str, tuple[list[str], str]] = {
    "nobody to ask and nothing given": ([], "init needs to know the endpoint: --preset with"),
    "no such preset": (["--preset", "odeuz"], 'did you mean "odeus"?'),
    "an address is missing": (["--preset", "odeus-dedicated"], "needs base_url"),
    "a key as a variable": (["--preset", "odeus", "--key-env", KEY], "not the key itself"),
    "Continue's file is not there": (["--from-continue", "none.json"], "none.json cannot be read"),
    "Continue is not there": (["--from-continue"], "There is no config.yaml or config.json in"),
}


@pytest.mark.parametrize(("arguments", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(
    arguments: list[str], says: str, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(write)
    command = [sys.executable, "-m", "fim_lsp", "init", *arguments]
    done = subprocess.run(command, stdin=read, capture_output=True, text=True, check=False)
    os.close(read)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.removesuffix("\n").split("\n")
    assert says in line
    assert "local model" not in line, "nothing is written, so nothing runs"
    assert KEY not in line
    assert not config.exists()


TABLES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(sorted(PRESETS)),
        "base_url": st.just("https://host.example/v1"),
        "model": st.text(),
        "api_key_command": st.lists(st.text()),
        "request": st.fixed_dictionaries(
            {},
            optional={
                "max_tokens": st.integers(1, 1000),
                "temperature": st.floats(0, 1.5),
                "stop": st.one_of(st.text(), st.lists(st.text())),
                "stream": st.booleans(),
            },
        ),
    },
)


@given(table=TABLES)
def test_what_is_written_reads_back_as_it_was(table: dict[str, Any]) -> None:
    parsed = parse(Layer(source="", table=table))
    again = parse(Layer(source="", table=tomllib.loads(written.text(parsed))))
    assert again == parsed


# -- questions -------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "all by default": (["", "", ""], {"preset": "odeus", "api_key_env": "ODEUS_API_KEY"}),
    "a model of one's own": (
        ["mistral", "codestral-2508", ""],
        {"preset": "mistral", "model": "codestral-2508", "api_key_env": "MISTRAL_API_KEY"},
    ),
    "an address that must be given": (
        ["odeus-dedicated", "", "https://d.example/api/public/mistral/eu/v1", "", ""],
        {
            "preset": "odeus-dedicated",
            "base_url": "https://d.example/api/public/mistral/eu/v1",
            "api_key_env": "ODEUS_API_KEY",
        },
    ),
    "a command for the key": (
        ["codestral", "", "pass show 'my key'"],
        {"preset": "codestral", "api_key_command": ["pass", "show", "my key"]},
    ),
    "a slip, and a key in the wrong place": (
        ["odeuz", "odeus", "", KEY, "TEAM_KEY"],
        {"preset": "odeus", "api_key_env": "TEAM_KEY"},
    ),
    "a model that the server has": (
        ["llamacpp", ""],
        {"preset": "llamacpp", "api_key_env": "LLAMA_API_KEY"},
    ),
    "the embedded model": (["lokal", "local"], {"provider": "local"}),
}


@pytest.mark.parametrize(("answers", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers_become_settings(answers: list[str], expected: dict[str, Any]) -> None:
    left, shown = list(answers), list[str]()

    def ask(question: str) -> str:
        shown.append(question)
        return left.pop(0)

    found = questions.asked({}, ask)
    usual = PRESETS[found["preset"]].api_key_env if "preset" in found else ""
    expected = {k: v for k, v in expected.items() if (k, v) != ("api_key_env", usual)}
    assert (found, left) == (expected, [])
    assert KEY not in "".join(shown)


def test_a_terminal_that_closes_ends_the_questions() -> None:
    def ask(_: str) -> str:
        raise EOFError

    with pytest.raises(UsageError, match="not answered"):
        questions.asked({}, ask)


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX terminal")
def test_on_a_terminal_it_asks(config: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "fim_lsp", "init", "--no-test"]
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    os.write(leader, b"codestral\n\n\n")
    assert process.wait(timeout=60) == 0
    shown = b""
    while select.select([leader], [], [], 0)[0]:
        try:
            shown += os.read(leader, 65_536)
        except OSError:  # all is read, and nobody writes any more
            break
    os.close(leader)
    assert b"Which one [odeus]?" in shown
    assert said(config) == {"preset": "codestral"}


# -- Continue --------------------------------------------------------------------------------------

YAML = """\
name: mine
models:
  - name: Chat
    provider: openai
    model: gpt-4o
    roles: [chat]
  - name: Codestral
    provider: mistral
    model: codestral-2501
    apiBase: {base}
    apiKey: {key}
    roles:
      - chat
      - autocomplete
"""


def as_json(**model: Any) -> str:
    return json.dumps({"models": [], "tabAutocompleteModel": {"title": "x", **model}})


CONTINUE: dict[str, tuple[str, str, dict[str, Any], str | None]] = {
    "Odeus by YAML, its key by a secret": (
        "config.yaml",
        YAML.format(base="https://api.odeus.ai/mistral/eu/v1/", key="${{ secrets.TEAM_KEY }}"),
        {"preset": "odeus", "api_key_env": "TEAM_KEY"},
        None,
    ),
    "Codestral's host, its key in plain text": (
        "config.yaml",
        YAML.format(base="https://codestral.mistral.ai/v1", key=KEY),
        {"preset": "codestral", "model": "codestral-2501"},
        KEY,
    ),
    "Mistral without an address": (
        "config.json",
        as_json(provider="mistral", model="codestral-latest", apiKey=KEY),
        {"preset": "mistral"},
        KEY,
    ),
    "a deployment": (
        "config.json",
        as_json(provider="mistral", model="codestral-2501", apiBase="https://d.example/v1"),
        {"preset": "mistral", "base_url": "https://d.example/v1", "model": "codestral-2501"},
        None,
    ),
    "Ollama": (
        "config.json",
        as_json(provider="ollama", model="starcoder2:3b", apiBase="http://localhost:11434/"),
        {"preset": "ollama", "model": "starcoder2:3b"},
        None,
    ),
    "a model that Continue would find out": (
        "config.json",
        as_json(provider="llama.cpp", model="AUTODETECT"),
        {"preset": "llamacpp"},
        None,
    ),
    "a list of models": (
        "config.json",
        json.dumps({"tabAutocompleteModel": [{"provider": "deepseek", "model": "deepseek-chat"}]}),
        {"preset": "deepseek"},
        None,
    ),
    "a host that speaks OpenAI's dialect": (
        "config.json",
        as_json(provider="lmstudio", model="qwen2.5-coder-7b"),
        {
            "provider": "openai",
            "base_url": "http://127.0.0.1:1234/v1",
            "api_key_env": "LMSTUDIO_API_KEY",
            "model": "qwen2.5-coder-7b",
        },
        None,
    ),
}


@pytest.mark.parametrize(("name", "text", "table", "key"), CONTINUE.values(), ids=CONTINUE)
def test_what_continue_says(
    tmp_path: Path, name: str, text: str, table: dict[str, Any], key: str | None
) -> None:
    (tmp_path / ".continue").mkdir()
    (tmp_path / ".continue" / name).write_text(text, encoding="utf-8")
    found = continue_config.read(None)
    assert (found.table, found.key) == (table, key)
    assert parse(Layer(source="", table=found.table)).problems == ()
    assert KEY not in repr(found)


NOT_UNDERSTOOD = {
    "no autocomplete model": ("config.json", "{}", "names no model for autocomplete"),
    "a list": ("config.json", "[]", "names no model for autocomplete"),
    "no JSON": ("config.json", "{", "is not valid JSON"),
    "no YAML": ("config.yaml", f"apiKey: [{KEY}", "is not valid YAML"),
    "an unknown provider": ("config.json", as_json(provider="watson", model="m"), "'watson'"),
}


@pytest.mark.parametrize(("name", "text", "says"), NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_what_is_not_understood_is_said(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as raised:
        continue_config.read(tmp_path / name)
    assert KEY not in str(raised.value)


def test_a_key_of_continue_is_tried_but_not_copied(
    tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_endpoint(Reply(text=" height * depth"), key=KEY) as endpoint:
        model = {"provider": "mistral", "model": "codestral-2508", "apiBase": endpoint.base_url}
        (tmp_path / "c.json").write_text(as_json(**model, apiKey=KEY), encoding="utf-8")
        command = [sys.executable, "-m", "fim_lsp", "init", "--from-continue", "c.json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(endpoint.calls) == 1
    assert "Its key is not copied. Put it into MISTRAL_API_KEY" in done.stdout
    text = config.read_text(encoding="utf-8")
    assert KEY not in text + done.stdout
    assert tomllib.loads(text)["model"] == "codestral-2508"
    assert capfd.readouterr().out == ""


# -- models ----------------------------------------------------------------------------------------


def test_models_are_listed_with_what_they_can(capfd: pytest.CaptureFixture[str]) -> None:
    listed = [
        {"id": "codestral-2508", "capabilities": {"completion_fim": True}},
        {"id": "mistral-large", "capabilities": {"completion_fim": False}},
        {"id": "\x1b[2Jnew"},
    ]
    with running_endpoint(key=KEY) as endpoint:
        endpoint.listing = {"data": listed}
        arguments = ["models", "--provider", "mistral", "--base-url", endpoint.base_url]
        arguments += ["--set", "api_key_env=MY_API_KEY", "--model", "codestral-2508"]
        assert main(arguments) == 0
    (asked,) = endpoint.warm_ups
    assert (asked.method, asked.path) == ("GET", "/mistral/eu/v1/models")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert "content-type" not in asked.headers
    out = capfd.readouterr().out
    assert [" ".join(line.split()) for line in out.removesuffix("\n").split("\n")][:2] == [
        "codestral-2508 fills in the middle (in use)",
        "mistral-large does not fill in the middle",
    ]
    assert "\x1b" not in out


def test_ollama_is_asked_model_by_model(capfd: pytest.CaptureFixture[str]) -> None:
    shown = [["insert"], ["completion"], ["completion"]]
    with running_endpoint(strict=False, key=None) as endpoint:
        names = ("codellama:code", "qwen2.5-coder:1.5b", "llama3.2:1b")
        endpoint.listing = {"models": [{"name": name} for name in names]}
        endpoint.script = [Reply(body={"capabilities": one}) for one in shown]
        base_url = endpoint.base_url.removesuffix("/mistral/eu/v1")
        assert main(["models", "--provider", "ollama", "--base-url", base_url]) == 0
    assert [call.body["model"] for call in endpoint.calls] == list(names)
    fills = [
        "does not" not in line for line in capfd.readouterr().out.removesuffix("\n").split("\n")
    ]
    assert fills == [True, True, False]


def test_an_endpoint_without_a_list_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint(key=None) as endpoint:
        assert main(["models", "--provider", "mistral", "--base-url", endpoint.base_url]) == 1
    assert "does not list its models" in capfd.readouterr().err
    assert main(["models", "--provider", "local"]) == 2
