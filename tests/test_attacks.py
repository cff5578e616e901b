"""What somebody may try, one test each: against the key, from an opened folder, from the model.

``SECURITY.md`` names these tests beside what they show.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fim_lsp.errors import SettingError
from fim_lsp.providers import registry
from fim_lsp.settings import Layer, parse
from tests.editor import editing
from tests.endpoint import Call, Endpoint, Reply, running_endpoint
from tests.faults import ROWS, play
from tests.patience import PATIENCE_S

KEY = "sesame-4711-open-the-door"
CODE = "launch_code = 'tango-9090-whisky'"
ADD = "def add(a, b):\n    ║\n"
EDITORS = Path(__file__).parents[1] / "editors"


# -- the key ---------------------------------------------------------------------------------------


def echo(call: Call) -> Reply:
    """An endpoint, or a proxy's error page, that quotes all that it was sent."""
    said = f"Invalid request: {dict(call.headers)} {call.body}"
    return Reply(status=400, body={"message": said, "detail": said})


async def test_a_key_and_code_that_an_endpoint_quotes_are_shown_nowhere(tmp_path: Path) -> None:
    """Neither in messages, status, log and trace, nor in any file that is written."""
    trace = tmp_path / "trace.jsonl"
    async with Endpoint(echo, key=KEY) as endpoint:
        settings = endpoint.settings(limits={"store": "file"})
        options = ("--trace", str(trace))
        home = {"XDG_STATE_HOME": str(tmp_path / "state")}
        async with editing(tmp_path, settings, key=KEY, options=options, env=home) as e:
            e.open(f"{CODE}\nx = ║\n")
            assert await e.texts(kind=1) == []
            await e.eventually("127.0.0.1")
            arguments = bytes_below(Path(f"/proc/{e.client.pid}/cmdline"))
        said = repr((e.told, e.client.last_complaint)).encode()
        assert endpoint.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert all(file.exists() for file in (trace, tmp_path / "state/fim-lsp/calls.sqlite3"))
    everything = b"\0".join([arguments, said, bytes_below(tmp_path)])
    for secret in (KEY, KEY[:12], "tango-9090-whisky"):
        assert secret.encode() not in everything


def bytes_below(path: Path) -> bytes:
    """All that a file, or the files of a folder, hold."""
    files = [file for file in path.rglob("*") if file.is_file()] or [path]
    return b"\0".join(file.read_bytes() for file in files)


@pytest.mark.parametrize("command", [["doctor"], ["doctor", "--json"], ["complete", "a.py:1:1"]])
def test_the_command_line_shows_no_key(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "a.py").write_text(CODE + "\n")
    with running_endpoint(echo, key=KEY) as endpoint:
        config = f'provider = "mistral"\nbase_url = "{endpoint.base_url}"\napi_key_env = "MY_KEY"\n'
        (tmp_path / "config.toml").write_text(config)
        ended = run(tmp_path, *command, env={"MY_KEY": KEY})
    said = ended.stdout + ended.stderr
    assert ended.returncode
    assert said
    assert KEY not in said
    assert "tango" not in said


def run(
    folder: Path, *command: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """fim-lsp in this folder, with its config.toml."""
    environment = {
        **os.environ,
        "HOME": str(folder),
        "FIM_LSP_CONFIG": str(folder / "config.toml"),
        **(env or {}),
    }
    return subprocess.run(
        [sys.executable, "-m", "fim_lsp", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    """The key is in the process's memory."""
    async with editing(tmp_path, {"provider": "local"}) as e:
        limits = bytes_below(Path(f"/proc/{e.client.pid}/limits"))
        assert re.search(rb"Max core file size +0 +0 ", limits)


FOREIGN = {
    "Codestral's key to Mistral's platform": (
        {"base_url": "https://api.mistral.ai/v1", "api_key_env": "CODESTRAL_API_KEY"},
        'not sent to api.mistral.ai: set api_key_env = "MISTRAL_API_KEY", or preset = "mistral".',
    ),
    "the platform's key to Codestral's host": (
        {"base_url": "https://codestral.mistral.ai/v1", "api_key_env": "MISTRAL_API_KEY"},
        'set api_key_env = "CODESTRAL_API_KEY", or preset = "codestral".',
    ),
    "the default's key to another host": (
        {"base_url": "https://codestral.mistral.ai/v1"},
        "ODEUS_API_KEY holds a key for api.odeus.ai, which is not sent to codestral.mistral.ai",
    ),
    "a key to a provider of another kind": (
        {"provider": "deepseek", "api_key_env": "MISTRAL_API_KEY"},
        "which is not sent to api.deepseek.com",
    ),
}


@pytest.mark.parametrize(("table", "words"), FOREIGN.values(), ids=FOREIGN.keys())
def test_a_key_known_to_be_another_hosts_is_not_sent(table: dict[str, str], words: str) -> None:
    settings = parse(Layer(source="file", table={"provider": "mistral", **table})).settings
    with pytest.raises(SettingError) as raised:
        registry.connect(settings)
    assert words in str(raised.value)


OWN = {
    "by a preset": {"preset": "codestral"},
    "by a name of one's own": {"base_url": "https://api.mistral.ai/v1", "api_key_env": "MINE"},
    "by a command": {"base_url": "https://api.mistral.ai/v1", "api_key_command": ["pass", "m"]},
    "to a gateway of one's own": {"base_url": "https://gate.example/v1"},
}


@pytest.mark.parametrize("table", OWN.values(), ids=OWN.keys())
async def test_any_other_key_goes_where_the_settings_say(table: dict[str, Any]) -> None:
    settings = parse(Layer(source="file", table={"provider": "mistral", **table})).settings
    await registry.connect(settings).aclose()


async def test_a_redirect_takes_no_key_along(tmp_path: Path) -> None:
    played = await play(ROWS["a redirect to another host"], tmp_path)
    assert played.went_elsewhere == 0
    assert "the key is not sent there" in played.messages[0]


async def test_a_changed_address_takes_no_connection_along(tmp_path: Path) -> None:
    """A kept connection to the old host must not carry what is meant for the new one."""
    async with (
        Endpoint(Reply(text="old")) as before,
        Endpoint(Reply(text="new")) as after,
        editing(tmp_path, before.settings()) as e,
    ):
        e.open("x = ║\n")
        assert await e.texts() == ["old"]
        calls = len(before.calls)
        e.client.notify("workspace/didChangeConfiguration", {"settings": after.settings()})
        assert await e.texts() == ["new"]
        assert len(before.calls) == calls


# -- an opened folder ------------------------------------------------------------------------------

TRAPS = {
    "config.toml": 'provider = "openai"\nbase_url = "http://127.0.0.1:9/evil"\n',
    "fim-lsp.toml": 'base_url = "http://127.0.0.1:9/evil"\n',
    ".fim-lsp.toml": 'base_url = "http://127.0.0.1:9/evil"\n',
    ".fim-lsp/config.toml": 'base_url = "http://127.0.0.1:9/evil"\n',
    "pyproject.toml": '[tool.fim-lsp]\nbase_url = "http://127.0.0.1:9/evil"\n',
    "fim.json": '{"base_url": "http://127.0.0.1:9/evil"}',
    ".env": "TEST_KEY=another\nHTTP_PROXY=http://127.0.0.1:9\nFIM_LSP_CONFIG=config.toml\n",
    ".netrc": "machine 127.0.0.1 login me password evil\n",
    "sitecustomize.py": "raise SystemExit('obeyed')",
    "usercustomize.py": "raise SystemExit('obeyed')",
    "httpx.py": "raise SystemExit('obeyed')",
    "httpx/__init__.py": "raise SystemExit('obeyed')",
    "pygls/__init__.py": "raise SystemExit('obeyed')",
    "asyncio.py": "raise SystemExit('obeyed')",
    "pathlib.py": "raise SystemExit('obeyed')",
    ".vscode/settings.json": '{"fim.baseUrl": "http://127.0.0.1:9/evil"}',
}


async def test_nothing_inside_an_opened_folder_is_obeyed(tmp_path: Path) -> None:
    """Settings, keys, proxies and code of a stranger's, and the server is started in there."""
    project = tmp_path / "project"
    for name, text in TRAPS.items():
        file = project / name
        if name.startswith("httpx/") and (project / "httpx.py").exists():
            file = project / "lib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    opened = {
        "rootUri": project.as_uri(),
        "workspaceFolders": [{"uri": project.as_uri(), "name": "project"}],
    }
    async with (
        Endpoint(Reply(text="return a + b")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=opened, cwd=project) as e,
    ):
        e.open(ADD, uri=(project / "a.py").as_uri())
        assert await e.texts() == ["return a + b"]
        assert e.messages == []
        assert endpoint.calls[0].headers["authorization"] == "Bearer test-key"


async def test_a_projects_settings_in_an_editor_that_mixes_them_in_are_refused(
    tmp_path: Path,
) -> None:
    """eglot sends what ``.dir-locals.el`` says as if it were the person's own."""
    async with (
        Endpoint(Reply(text="mine")) as mine,
        Endpoint(Reply(text="evil")) as evil,
        editing(tmp_path, mine.settings(), client_name="Eglot") as e,
    ):
        e.client.notify("workspace/didChangeConfiguration", {"settings": evil.settings()})
        e.open("x = ║\n")
        assert await e.texts() == ["mine"]
        assert "base_url is not taken from there" in await e.eventually("base_url")
        assert evil.connections == 0


def test_vs_code_lets_no_workspace_set_what_is_sent_where() -> None:
    package = json.loads((EDITORS / "vscode/package.json").read_text())
    properties = package["contributes"]["configuration"]["properties"]
    scopes = {name: entry.get("scope") for name, entry in properties.items()}
    decides = (
        *("fim.command", "fim.preset", "fim.provider", "fim.baseUrl", "fim.fullUrl", "fim.headers"),
        *("fim.apiKeyEnv", "fim.apiKeyCommand", "fim.limits.store", "fim.trace.server"),
        *("fim.trigger.disabledLanguages",),
        *(name for name in scopes if name.startswith(("fim.network.", "fim.context."))),
    )
    assert {name: scopes[name] for name in decides if scopes[name] in {None, "resource"}} == {}
    assert package["capabilities"]["untrustedWorkspaces"]["supported"] is False


async def test_the_keys_command_is_not_run_in_the_project(tmp_path: Path) -> None:
    """git, for one, obeys the configuration of the folder that it is run in."""
    project = tmp_path / "project"
    project.mkdir()
    command = ["sh", "-c", f'[ "$PWD" = "{project}" ] && echo obeyed || echo test-key']
    async with (
        Endpoint(Reply(text="b)")) as endpoint,
        editing(tmp_path, endpoint.settings(api_key_command=command), cwd=project) as e,
    ):
        e.open("f(║\n")
        assert await e.texts() == ["b)"]


LINKS = {
    "to a key": (".ssh/id_ed25519", "notes.txt"),
    "to what lies in a folder of keys": (".ssh/config", "notes.txt"),
    "to credentials": (".aws/credentials", "readme.md"),
    "under a harmless folder's name": (".gnupg/secring", "docs"),
    "to an environment file of another project": ("other/.env", "settings.py"),
}


async def test_a_link_to_a_secret_is_not_sent_when_it_is_opened(tmp_path: Path) -> None:
    project = tmp_path / "project"
    uris: dict[str, str] = {}
    for at, (name, (target, link)) in enumerate(LINKS.items()):
        secret, opened = tmp_path / str(at) / target, project / str(at) / link
        for file in (secret, opened):
            file.parent.mkdir(parents=True)
        secret.write_text("x = ")
        opened.symlink_to(secret.parent if link == "docs" else secret)
        uris[name] = (opened / secret.name if link == "docs" else opened).as_uri()
    assert await sent_from(tmp_path, project, uris) == []


HIDDEN = {
    "a file of keys": "project/.env.local",
    "in another spelling": "project/.ENV",
    "outside of every project": ".ssh/config",
    "with escapes in its address": "project/%2Eenv",
    "by a way around": "project/src/../.env",
}


async def test_a_secret_file_is_not_sent_when_it_is_opened(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    uris = {name: f"{tmp_path.as_uri()}/{path}" for name, path in HIDDEN.items()}
    assert await sent_from(tmp_path, project, uris) == []


async def test_any_other_file_is_sent(tmp_path: Path) -> None:
    """So that the tests above can fail."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project, elsewhere):
        folder.mkdir()
    (project / "link.py").symlink_to(elsewhere / "a.py")
    uris = {"a link": (project / "link.py").as_uri(), "elsewhere": (elsewhere / "b.py").as_uri()}
    assert await sent_from(tmp_path, project, uris) == ["a link", "elsewhere"]


async def sent_from(tmp_path: Path, project: Path, uris: Mapping[str, str]) -> list[str]:
    """From which of these documents something is sent, when one asks there by hand."""
    opened = {"workspaceFolders": [{"uri": project.as_uri(), "name": "project"}]}
    sent: list[str] = []
    async with (
        Endpoint(Reply(text="1")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=opened) as e,
    ):
        for name, uri in uris.items():
            calls = len(endpoint.calls)
            e.open("x = ║\n", uri=uri)
            await e.texts(kind=1)
            sent += [name] if len(endpoint.calls) > calls else []
    return sent


# -- the model -------------------------------------------------------------------------------------

INVISIBLE = {
    "an escape sequence": "ok\x1b]0;owned\x07",
    "a bell": "ok\x07",
    "a backspace": "safe\x08\x08\x08\x08evil",
    "a C1 control": "ok\x9b31m",
    "a bidirectional override": "ok\u202e)lave(",
    "an isolate": "ok\u2066evil\u2069",
    "a zero-width space": "ev\u200bil",
    "a zero-width joiner": "ev\u200dil",
    "a byte order mark": "ev\ufeffil",
    "a soft hyphen": "ev\u00adil",
    "a tag character": "ok\U000e0065\U000e0076",
    "a line separator": "a = 1\u2028import os",
    "a NUL": "ok\0",
    "half a surrogate pair": "ok\ud83d",
    "a carriage return": "safe()\revil()",
    "a variation selector": "ok\U000e0100\U000e0101",
    "a Hangul filler": "ok\u3164 = 1",
}


async def test_what_a_person_cannot_see_is_not_inserted(tmp_path: Path) -> None:
    async with Endpoint() as endpoint, editing(tmp_path, endpoint.settings()) as e:
        for at, (name, said) in enumerate(INVISIBLE.items()):
            endpoint.reply = Reply(text=said, piece_chars=1000)
            e.open("x = ║\n", uri=f"file:///w/{at}.py")
            for text in await e.texts(kind=1):
                assert is_neutral(text), name
        assert e.messages == []
        assert len(endpoint.calls) >= len(INVISIBLE)


def is_neutral(text: str) -> bool:
    """Whether it holds nothing that a terminal obeys, or that shows a text as another."""
    blank = "\u115f\u1160\u3164\uffa0"
    return not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"}
        or character in blank
        or "\U000e0100" <= character <= "\U000e01ef"
        for character in text.replace("\n", "").replace("\t", "")
    )


@pytest.mark.parametrize("said", ["\x1b]0;owned\x07ok", "ok\x1b[2J\x1b]52;c;ZXZpbA==\x07"])
def test_complete_prints_nothing_that_a_terminal_obeys(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.py").write_text("x = \n")
    with running_endpoint(Reply(text=said)) as endpoint:
        config = f'provider = "mistral"\nbase_url = "{endpoint.base_url}"\napi_key_env = "MY_KEY"\n'
        (tmp_path / "config.toml").write_text(config)
        for options in ((), ("--json",)):
            ended = run(tmp_path, "complete", *options, "a.py:1:5", env={"MY_KEY": "test-key"})
            assert "\x1b" not in ended.stdout + ended.stderr
            assert "\x07" not in ended.stdout + ended.stderr


HUGE = {
    "one line of 900 KB": Reply(text="x" * 900_000, piece_chars=4096),
    "five thousand lines": Reply(text="call(1)\n" * 5_000, piece_chars=512),
    "a hundred thousand empty lines": Reply(text="\n" * 100_000, piece_chars=4096),
    "a hundred thousand brackets": Reply(text="(" * 100_000, piece_chars=4096),
    "in one body": Reply(text="x = 1\n" * 50_000, fault="json"),
}


async def test_an_absurd_answer_is_cut_to_what_a_person_can_read(tmp_path: Path) -> None:
    """max_tokens is not obeyed by this model."""
    async with Endpoint() as endpoint, editing(tmp_path, endpoint.settings()) as e:
        for at, (name, reply) in enumerate(HUGE.items()):
            endpoint.reply = unlimited(reply)
            e.open(ADD, uri=f"file:///w/{at}.py")
            async with asyncio.timeout(PATIENCE_S):
                texts = await e.texts(kind=1)
            assert all(len(text) <= 4_000 and text.count("\n") <= 60 for text in texts), name


def unlimited(reply: Reply) -> Callable[[Call], Reply]:
    """The reply, for a request whose max_tokens is passed over."""

    def answer(call: Call) -> Reply:
        call.body.pop("max_tokens", None)
        return reply

    return answer


USAGES: dict[str, Any] = {
    "beyond what SQLite holds": 10**30,
    "a year's budget": 10**15,
    "negative": -5_000_000,
    "no number": "many",
    "infinite": float("inf"),
}


async def test_a_usage_that_cannot_be_uses_up_no_budget(tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path / "state")}
    async with (
        Endpoint() as endpoint,
        editing(tmp_path, endpoint.settings(limits={"store": "file"}), env=home) as e,
    ):
        for at, (name, tokens) in enumerate(USAGES.items()):
            usage = {"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": tokens}
            choice = {"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}
            endpoint.reply = Reply(body={"choices": [choice], "usage": usage})
            e.open("x = ║\n", uri=f"file:///w/{at}.py")
            assert await e.texts(kind=1) == ["ok"], name
        assert max(said["budget_used"] for said in e.statuses) < 0.2
        assert e.client.last_complaint == ""
