"""The command line as a person and a script meet it: output, status, one line for a mistake."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from fim_lsp import __version__
from fim_lsp.cli import main, make_parser
from tests.endpoint import Fault, Reply, running_endpoint

KEY = "fk-2Jt7Qx9Lm4Rw8Vb3Nz6Yc1"
SOURCE = "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"
ENVIRONMENT = ("ODEUS_API_KEY", "FIM_LSP_CONFIG", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FIM_LSP_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("ODEUS_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "add.py").write_text(SOURCE, encoding="utf-8")


def run(
    *arguments: str, stdin: int = subprocess.DEVNULL, **more: Any
) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "fim_lsp", *arguments]
    return subprocess.run(
        command,
        stdin=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **more,
    )


def test_the_context_of_a_place_is_shown(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("made.py\n", "utf-8")
    (tmp_path / "made.py").write_text("def made_up(): ...\n", "utf-8")
    store = "class Store:\n    def put_away(self, parcel): ...\n"
    (tmp_path / "store.py").write_text(store, "utf-8")
    (tmp_path / "desk.py").write_text("from store import Store\nStore().\n", "utf-8")
    place = "desk.py:2:9"
    (shown,) = json.loads(f"[{run('context', place, '--json', '--open', 'made.py').stdout}]")
    first = shown["snippets"][0]
    assert (first["rank"], first["source"], first["path"]) == (1, "import", "store.py")
    assert first["tokens"] > 0
    assert shown["own"]["path"] == "desk.py"
    assert shown["sent"] == [
        {"path": "store.py", "text": "class Store\n    def put_away(self, parcel)"}
    ]
    assert shown["not_read"] == [{"path": "made.py", "why": "git ignores it"}]
    told = run("context", place, "--set", "context.snippets=off")
    assert (told.returncode, told.stderr) == (0, "")
    assert "no snippets" in told.stdout


def test_names_alone_are_one_row_of_the_context(tmp_path: Path) -> None:
    methods = "".join(f"    def put_away_{n}(self, parcel_{n}): ...\n" for n in range(90))
    (tmp_path / "store.py").write_text(f"class Store:\n{methods}", "utf-8")
    (tmp_path / "desk.py").write_text("from store import Store\nStore().\n", "utf-8")
    shown = json.loads(run("context", "desk.py:2:9", "--json").stdout)
    *signatures, names = shown["snippets"]
    assert names["text"].count(", ") > 9
    assert all("," not in one["text"].partition("(")[0] for one in signatures)
    assert f"# also: {names['text'].partition(',')[0]}" in shown["sent"][0]["text"]


def lines_of(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


# -- mistakes --------------------------------------------------------------------------------------


def a_binary() -> str:
    Path("a.bin").write_bytes(b"\x7fELF\0\0")
    return "a.bin:1:1"


def a_secret() -> str:
    Path(".env").write_text("TOKEN=1\n", encoding="utf-8")
    return ".env:1:1"


MISTAKES: dict[str, tuple[list[str | Callable[[], str]], str]] = {
    "an unknown command": (["compete"], "invalid choice: 'compete'"),
    "an unknown option": (["--modle"], "unrecognized arguments: --modle"),
    "an abbreviated option": (["--mod=x"], "unrecognized arguments: --mod=x"),
    "an abbreviated option of a command": (["demo", "--pla"], "unrecognized arguments: --pla"),
    "no place": (["complete"], "required: FILE:LINE:COLUMN"),
    "a place without a column": (["complete", "add.py:2"], "write FILE:LINE:COLUMN"),
    "a place in words": (["complete", "add.py:two:1"], "write FILE:LINE:COLUMN"),
    "a line from the end": (["complete", "add.py:-1:1"], "write FILE:LINE:COLUMN"),
    "exotic digits": (["complete", "add.py:２:1"], "write FILE:LINE:COLUMN"),
    "a missing file": (["complete", "none.py:1:1"], "none.py does not exist: check the path."),
    "a folder": (["complete", ".:1:1"], ". is a folder: name a file in it."),
    "a binary": (["complete", a_binary], "a.bin is no text"),
    "a file that is never sent": (["complete", a_secret], ".env is never sent"),
    "line 0": (["complete", "add.py:0:1"], "LINE 0 is not one of them"),
    "past the last line": (["complete", "add.py:7:1"], "add.py has 6 lines"),
    "past the line's end": (
        ["complete", "add.py:2:13"],
        "add.py:2 ends at column 12: use a COLUMN from 1 to 12",
    ),
    "a setting without a value": (["--set", "model", "complete", "add.py:1:1"], "write KEY=VALUE"),
    "an unknown setting": (
        ["--set", "modle=x", "complete", "add.py:1:1"],
        "command line: unknown setting modle: did you mean model?",
    ),
    "a setting out of range": (
        ["complete", "add.py:1:1", "--set", "limits.shared_by=0"],
        "limits.shared_by = 0 does not fit; it takes 1 or more.",
    ),
    "a setting with two shapes": (
        ["--set", "limits=1", "--set", "limits.shared_by=2", "complete", "add.py:1:1"],
        "limits has been given a value already",
    ),
    "an unknown provider": (
        ["--provider", "odeus", "complete", "add.py:1:1"],
        "provider = 'odeus' does not fit",
    ),
    "a key on the command line": (
        ["--set", f"api_key={KEY}", "complete", "add.py:1:1"],
        "keys are not kept in settings",
    ),
    "http to elsewhere": (
        ["--base-url", "http://host.example/v1", "complete", "add.py:1:1"],
        "use https",
    ),
    "a port in words": (["serve", "--tcp", "any"], "a port is a number from 1 to 65535"),
    "no such port": (["serve", "--tcp", "65536"], "a port is a number from 1 to 65535"),
    "a host that is not ours": (
        ["serve", "--tcp", "1234", "--host", "192.0.2.1"],
        "cannot listen on 192.0.2.1:1234",
    ),
    "no speed at all": (["demo", "--speed", "0"], "write a number from 0.1 to 1000"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_on_stderr_and_status_2(
    arguments: list[str | Callable[[], str]], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = [argument if isinstance(argument, str) else argument() for argument in arguments]
    assert main(typed) == 2
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = lines_of(err)
    assert said in line
    assert KEY not in line


def test_a_missing_key_is_the_users_mistake(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ODEUS_API_KEY")
    assert main(["complete", "add.py:2:12", "--provider", "mistral"]) == 2
    (line,) = lines_of(capfd.readouterr().err)
    assert "ODEUS_API_KEY" in line


def test_a_mistake_in_the_file_is_a_warning_and_the_rest_applies(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with running_endpoint(Reply(text="a + b"), key=KEY) as endpoint:
        text = f'base_url = "{endpoint.base_url}"\nprovider = "mistral"\nmodle = "x"\n'
        Path("config.toml").write_text(text, encoding="utf-8")
        assert main(["complete", "add.py:2:12"]) == 0
    out, err = capfd.readouterr()
    assert out == "a + b\n"
    (line,) = lines_of(err)
    assert "unknown setting modle: did you mean model?" in line


# -- complete --------------------------------------------------------------------------------------


def complete(endpoint: Any, *more: str) -> list[str]:
    address = ["--provider", "mistral", "--base-url", endpoint.base_url]
    return ["complete", "add.py:2:12", *address, *more]


def test_complete_prints_what_an_editor_would_insert(capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint(Reply(text="a + b"), key=KEY) as endpoint:
        assert main(complete(endpoint)) == 0
    assert capfd.readouterr() == ("a + b\n", "")
    assert endpoint.violations == []
    (call,) = endpoint.calls
    assert call.body["prompt"].endswith("def add(a, b):\n    return ")
    assert call.body["suffix"] == "\n\n\nprint(add(1, 2))\n"


def test_complete_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint(Reply(text="a + b"), key=KEY) as endpoint:
        assert main(complete(endpoint, "--json", "--model", "codestral-latest")) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer.pop("ms") > 0
    prompt_tokens = answer["usage"].pop("prompt_tokens")
    assert prompt_tokens > 0
    assert answer == {
        "text": "a + b",
        "reason": "",
        "finish_reason": "stop",
        "usage": {"completion_tokens": 2},
        "provider": "mistral",
        "model": "codestral-latest",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX terminal")
def test_on_a_terminal_it_grows_to_the_same_text() -> None:
    leader, follower = pty.openpty()
    with running_endpoint(Reply(text="a + b", piece_chars=1), key=KEY) as endpoint:
        command = [sys.executable, "-m", "fim_lsp", *complete(endpoint)]
        done = subprocess.run(command, stdout=follower, timeout=60, check=False)
    os.close(follower)
    shown = os.read(leader, 65_536)
    os.close(leader)
    assert (done.returncode, shown) == (0, b"a + b\r\n")


def test_settings_of_the_command_line_reach_the_endpoint(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with running_endpoint(Reply(text="a + b"), key=KEY) as endpoint:
        arguments = ["--set", "request.max_tokens=7", *complete(endpoint)]
        assert main([*arguments, "--set", "request.stop=['x']"]) == 0
    (call,) = endpoint.calls
    assert call.body["max_tokens"] == 7
    assert call.body["stop"] == ["x"]
    assert capfd.readouterr().err == ""


def test_nothing_to_insert_is_said_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint(Reply(text=""), key=KEY) as endpoint:
        assert main(complete(endpoint)) == 0
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = lines_of(err)
    assert line.startswith("fim-lsp: nothing to insert here (")


FAILURES: dict[str, tuple[Reply, str]] = {
    "a wrong key": (Reply(status=401, body={"message": "Unauthorized"}), "key"),
    "an unknown model": (
        Reply(status=404, body={"message": "Model codestral-2501 not found"}),
        "codestral-2501",
    ),
    "too many requests": (Reply(status=429, headers={"retry-after": "7"}), "7"),
    "a broken gateway": (
        Reply(status=502, body="<html>Bad Gateway</html>", content_type="text/html"),
        "502",
    ),
    "a body that names the key": (Reply(status=400, body={"message": f"no {KEY}"}), "127.0.0.1"),
}


@pytest.mark.parametrize(("reply", "said"), FAILURES.values(), ids=FAILURES.keys())
def test_the_endpoints_failure_is_one_line_and_status_1(
    reply: Reply, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_endpoint(reply, key=KEY) as endpoint:
        assert main(complete(endpoint)) == 1
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = lines_of(err)
    assert said in line
    assert KEY not in line


@pytest.mark.parametrize("fault", ["reset", "close", "garbage", "html", "redirect"])
def test_a_broken_endpoint_is_one_line_and_status_1(
    fault: Fault, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_endpoint(Reply(text="a + b", fault=fault), key=KEY) as endpoint:
        assert main(complete(endpoint)) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert len(lines_of(err)) == 1


def test_nobody_listens(capfd: pytest.CaptureFixture[str]) -> None:
    with running_endpoint() as endpoint:
        base_url = endpoint.base_url
    assert main(["complete", "add.py:2:12", "--base-url", base_url]) == 1
    (line,) = lines_of(capfd.readouterr().err)
    assert "refuses the connection" in line


def test_the_embedded_provider_learns_the_project_first(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    known = "def rows(path, encoding):\n    return open(path, encoding=encoding).readlines()\n\n\n"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "known.py").write_text(known * 3, encoding="utf-8")
    (tmp_path / "new.py").write_text("def rows(path, encoding):\n    return open(\n", "utf-8")
    assert main(["complete", "new.py:2:17", "--provider", "local"]) == 0
    assert capfd.readouterr() == ("path, encoding=encoding).readlines()\n", "")


# -- the rest --------------------------------------------------------------------------------------


def test_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(f"fim-lsp {__version__} (Python ")


def test_help_teaches_by_examples_that_parse(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--help"]) == 0
    out = capfd.readouterr().out
    examples = [line.split("  ")[1] for line in out.split("\n") if line.startswith("  fim-lsp")]
    assert len(examples) >= 5
    for example in examples:
        make_parser().parse_args(example.split()[1:])
    assert str(tmp_path / "config.toml") in out


@pytest.mark.parametrize("command", ["serve", "complete", "demo", "doctor"])
def test_each_command_has_its_help(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capfd.readouterr().out.startswith(f"usage: fim-lsp {command}")


def test_help_can_be_read_where_there_is_only_ascii(tmp_path: Path) -> None:
    config = str(tmp_path / "Jürgen" / "config.toml")
    only_ascii = {**os.environ, "PYTHONIOENCODING": "ascii", "FIM_LSP_CONFIG": config}
    done = run("--help", env=only_ascii)
    assert (done.returncode, done.stderr) == (0, "")
    assert "codestral, ollama.." in done.stdout
    assert r"J\xfcrgen" in done.stdout


SYNTAX = {"bash": "-n", "zsh": "-n", "fish": "--no-execute"}


@pytest.mark.parametrize("shell", SYNTAX)
def test_what_a_shell_completes(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capfd.readouterr().out
    assert all(word in script for word in ("complete", "doctor", "provider", "trace"))
    if program := shutil.which(shell):
        done = subprocess.run([program, SYNTAX[shell]], input=script, text=True, check=False)
        assert done.returncode == 0


COMPLETED = {
    "a command": (["doc"], ["doctor"]),
    "a preset": (["--preset", "code"], ["codestral"]),
    "a provider behind a command": (["demo", "--provider", "lo"], ["local"]),
    "a file": (["complete", "ap"], ["app.py"]),
    "an option's file": (["serve", "--trace", "ap"], ["app.py"]),
}


@pytest.mark.parametrize(("typed", "offered"), COMPLETED.values(), ids=COMPLETED.keys())
def test_what_bash_offers(
    typed: list[str], offered: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["completion", "bash"]) == 0
    (tmp_path / "app.py").touch()
    words = shlex.join(["fim-lsp", *typed])
    asked = (
        f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}; COMP_TYPE=9; _shtab_fim_lsp; "
        "echo ${COMPREPLY[@]}"
    )
    script = capfd.readouterr().out + asked
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == offered, done.stderr


def test_the_manual_page_names_every_command_and_option() -> None:
    page = (Path(__file__).parents[1] / "docs" / "fim-lsp.1").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", page.replace("\\", "")))
    pages = [make_parser().format_help()]
    for command in ("serve", "complete", "demo", "doctor", "stats", "trace", "completion"):
        assert command in words
        with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
            make_parser().parse_args([command, "--help"])
        pages.append(out.getvalue())
    assert set(re.findall(r"--[a-z][a-z-]+", "".join(pages))) - {"--help"} <= words


HEAVY = {"httpx", "pygls", "lsprotocol", "cattrs", "asyncio", "platformdirs", "pathspec"}


def test_reading_the_arguments_loads_nothing_heavy() -> None:
    code = (
        "import sys, fim_lsp.cli as c; c.make_parser().parse_args(['serve']); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("arguments", [[], ["serve"], ["--stdio"], ["serve", "--stdio"]])
def test_the_server_starts_and_ends_with_its_editor(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX signal")
def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    with running_endpoint(Reply(fault="hang"), key=KEY) as endpoint:
        process = subprocess.Popen(
            [sys.executable, "-m", "fim_lsp", *complete(endpoint)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not endpoint.calls and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX pipe")
def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        done = to(gone, "doctor", "--json", "--provider", "local")
    assert (done.returncode, done.stderr) == (141, "")


def to(out: IO[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fim_lsp", *arguments]
    return subprocess.run(
        command, stdout=out, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
