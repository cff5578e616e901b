"""The doctor finds what is wrong, says what to do, and tells nobody the key."""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from fim_lsp import doctor
from fim_lsp.cli import main
from fim_lsp.doctor import local_checks
from fim_lsp.doctor.check import Check, at_home, from_error
from tests.endpoint import Endpoint, Reply

KEY = "fk-2Jt7Qx9Lm4Rw8Vb3Nz6Yc1"
TLS = Path(__file__).parent / "tls"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home, no proxy, no editors, and a key."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("XDG_", "FIM_", "ODEUS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("ODEUS_API_KEY", KEY)
    return tmp_path


async def examined(table: Mapping[str, Any]) -> list[Check]:
    return [check async for check in doctor.examine(table)]


def named(checks: Sequence[Check], name: str) -> Check:
    """The last check of this name."""
    return [check for check in checks if check.name == name][-1]


async def test_all_works() -> None:
    headers = {"x-ratelimit-remaining-req-minute": "499", "date": formatdate(usegmt=True)}
    reply = Reply(text="height * depth", headers=headers)
    async with Endpoint(reply, key=KEY) as endpoint:
        checks = await examined(endpoint.settings())
    assert [check for check in checks if check.failed] == []
    assert doctor.exit_status(checks) == 0
    assert endpoint.violations == []
    assert len(endpoint.calls) == 1
    assert "from ODEUS_API_KEY" in named(checks, "key").found
    assert f"127.0.0.1:{endpoint.port}" in named(checks, "connection").found
    assert "first text after" in named(checks, "completion").found
    assert "tokens" in named(checks, "completion").found
    assert named(checks, "limits").found == "x-ratelimit-remaining-req-minute 499"
    assert named(checks, "clock").found == "right to two minutes"


async def test_the_embedded_provider_works_without_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ODEUS_API_KEY")
    checks = await examined({})
    assert doctor.exit_status(checks) == 0
    assert "first text after" in named(checks, "completion").found
    assert not {"name", "connection", "proxy"} & {check.name for check in checks}


BROKEN: dict[str, tuple[Reply, str, str, int]] = {
    "a wrong key": (Reply(status=401, body={"detail": "Unauthorized"}), "completion", "key", 1),
    "an unknown model": (
        Reply(status=404, body={"message": "Model codestral-2501 not found"}),
        "completion",
        "codestral-2501",
        1,
    ),
    "no room": (Reply(status=429), "completion", "429", 1),
    "a gateway's page": (
        Reply(status=503, body="<html>", content_type="text/html"),
        "completion",
        "503",
        1,
    ),
    "nothing said": (Reply(text=""), "completion", "nothing", 1),
    "an answer that is no completion": (Reply(body={"ok": True}), "completion", "base_url", 1),
    "a clock that is off": (
        Reply(text="height", headers={"date": "Wed, 01 Jan 2020 00:00:00 GMT"}),
        "clock",
        "minutes ahead",
        0,
    ),
    "a late answer": (Reply(text="height", ttft_s=0.9), "completion", "first text after", 0),
}


@pytest.mark.parametrize(("reply", "name", "said", "status"), BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_wrong_is_found_and_comes_with_a_remedy(
    reply: Reply, name: str, said: str, status: int
) -> None:
    async with Endpoint(reply, key=KEY) as endpoint:
        checks = await examined(endpoint.settings())
    check = named(checks, name)
    assert check.state != "fine"
    assert said in check.found + check.remedy
    assert check.remedy
    assert doctor.exit_status(checks) == status


# what the endpoint lists, what is said of the model, the exit status
LISTED: dict[str, tuple[list[dict[str, Any]], str, int]] = {
    "it is there": (
        [{"id": "codestral-2501", "capabilities": {"completion_fim": True}}],
        "codestral-2501; it fills in the middle",
        0,
    ),
    "it is another kind": (
        [{"id": "codestral-2501", "capabilities": {"completion_fim": False}}],
        "codestral-2501 does not fill in the middle",
        2,
    ),
    "it has gone": (
        [{"id": "codestral-9"}],
        "codestral-2501 is not on the endpoint's list of 1",
        0,
    ),
}


@pytest.mark.parametrize(("listed", "said", "status"), LISTED.values(), ids=LISTED.keys())
async def test_the_model_is_looked_for(
    listed: list[dict[str, Any]], said: str, status: int
) -> None:
    async with Endpoint(Reply(text="height * depth"), key=KEY) as endpoint:
        endpoint.listing = {"data": listed}
        checks = await examined(endpoint.settings())
    check = named(checks, "model")
    assert check.found == said
    assert bool(check.remedy) == (check.state != "fine")
    assert doctor.exit_status(checks) == status
    assert "until a new connection stands" in named(checks, "round trip").found


async def test_a_models_name_that_is_nearly_right_is_put_right() -> None:
    async with Endpoint(Reply(text="height * depth"), key=KEY) as endpoint:
        endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "ministral"}]}
        checks = await examined(endpoint.settings(model="codestrall-2501"))
    assert named(checks, "model").remedy.startswith("did you mean codestral-2501? ")


async def test_a_state_folder_that_cannot_be_written_is_no_failure(home: Path) -> None:
    (home / ".local").write_text("a file in its place")
    checks = await examined({"provider": "local"})
    check = named(checks, "state folder")
    assert (check.state, check.found.startswith("~/.local/state")) == ("warning", True)
    assert "no statistics" in check.remedy
    assert doctor.exit_status(checks) == 0


async def test_counts_that_cannot_be_read_are_found(home: Path) -> None:
    counts = home / ".local/state/fim-lsp/stats.db"
    counts.parent.mkdir(parents=True)
    counts.write_bytes(bytes(range(256)) * 20)
    check = named(await examined({"provider": "local"}), "state folder")
    assert (check.state, check.remedy.partition(" ")[0]) == ("warning", "move")
    assert check.found.startswith("~/.local/state/fim-lsp/stats.db cannot be read")
    counts.unlink()
    sqlite3.connect(counts).close()
    assert named(await examined({"provider": "local"}), "state folder").state == "fine"


@pytest.mark.skipif(sys.platform != "linux", reason="a device that is always full")
async def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a file can still be made, but not written to."""

    def full(**_: Path) -> BinaryIO:
        return Path("/dev/full").open("wb")

    monkeypatch.setattr(local_checks.tempfile, "TemporaryFile", full)
    check = named(await examined({"provider": "local"}), "state folder")
    assert "No space left on device" in check.found
    assert check.remedy.startswith("make room;")


async def test_each_setting_comes_with_its_place(home: Path) -> None:
    config = home / ".config/fim-lsp/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('fallback = "local"\n')
    checks = await examined({"provider": "local"})
    found = named(checks, "settings").found
    assert found == "~/.config/fim-lsp/config.toml; set: fallback, provider (command line)"


async def test_nobody_listens() -> None:
    async with Endpoint() as endpoint:
        table = endpoint.settings()
    checks = await examined(table)
    assert "refuses the connection" in named(checks, "connection").found
    assert doctor.exit_status(checks) == 1
    assert "completion" not in {check.name for check in checks}


async def test_a_host_that_does_not_exist() -> None:
    checks = await examined({"provider": "mistral", "base_url": "https://no-such-host.invalid/v1"})
    assert "cannot be found" in named(checks, "connection").found
    assert doctor.exit_status(checks) == 1


async def test_a_certificate_that_nobody_vouches_for() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "good.pem", TLS / "key.pem")
    async with Endpoint(Reply(text="height"), key=KEY, tls=context) as endpoint:
        checks = await examined(endpoint.settings())
    check = named(checks, "connection")
    assert "certificate" in check.found
    assert "network.ca_bundle" in check.remedy
    assert doctor.exit_status(checks) == 1


async def test_a_certificate_of_ones_own_authority() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "good.pem", TLS / "key.pem")
    trust = {"ca_bundle": str(TLS / "authority.pem")}
    async with Endpoint(Reply(text="height"), key=KEY, tls=context) as endpoint:
        base_url = endpoint.base_url.replace("127.0.0.1", "localhost")
        checks = await examined(endpoint.settings(base_url=base_url, network=trust))
    assert "TLSv1.3 in" in named(checks, "certificate").found
    assert doctor.exit_status(checks) == 0


async def test_a_proxy_is_named_and_its_failure_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Endpoint() as endpoint:
        port = endpoint.port
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{KEY}@127.0.0.1:{port}")
    checks = await examined({"provider": "mistral"})
    assert named(checks, "proxy").found == f"127.0.0.1:{port} (from the environment)"
    failed = named(checks, "connection")
    does_not = f"The proxy 127.0.0.1:{port} does not connect to api.odeus.ai (Connection refused)"
    assert (failed.found, failed.failed) == (does_not, True)
    assert KEY not in repr(checks)


async def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ODEUS_API_KEY")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    checks = await examined({"provider": "mistral"})
    check = named(checks, "key")
    assert check.found == "ODEUS_API_KEY is not set"
    assert "export ODEUS_API_KEY=" in check.remedy
    assert doctor.exit_status(checks) == 2


async def test_a_key_command_that_fails() -> None:
    async with Endpoint() as endpoint:
        checks = await examined(endpoint.settings(api_key_command=["/no/such/command"]))
    assert "api_key_command" in named(checks, "key").found
    assert doctor.exit_status(checks) == 2


HOSTS: dict[str, tuple[str, str, bool]] = {
    "Odeus' key for Odeus": ("https://api.odeus.ai/mistral/eu/v1", "ODEUS_API_KEY", False),
    "Odeus' key for Mistral": ("https://api.mistral.ai/v1", "ODEUS_API_KEY", True),
    "Mistral's key for Codestral": ("https://codestral.mistral.ai/v1", "MISTRAL_API_KEY", True),
    "Codestral's key for Mistral": ("https://api.mistral.ai/v1", "CODESTRAL_API_KEY", True),
    "a name of one's own": ("https://api.mistral.ai/v1", "WORK_KEY", False),
    "a host of one's own": ("https://llm.example/v1", "MISTRAL_API_KEY", False),
}


@pytest.mark.parametrize(("base_url", "variable", "warned"), HOSTS.values(), ids=HOSTS.keys())
async def test_a_key_that_sounds_like_another_hosts(
    base_url: str, variable: str, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    checks = await examined({"provider": "mistral", "base_url": base_url, "api_key_env": variable})
    assert ("key and host" in {check.name for check in checks}) is warned


async def test_each_mistake_in_the_settings_is_a_line(home: Path) -> None:
    config = home / ".config" / "fim-lsp" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('provider = "local"\nmodle = "x"\nlimits.shared_by = 0\n', encoding="utf-8")
    checks = await examined({})
    found = [check.found for check in checks if check.name == "settings"]
    assert found[0] == "~/.config/fim-lsp/config.toml; set: provider"
    assert found[1].endswith("unknown setting modle: did you mean model?")
    assert len(found) == 3
    assert doctor.exit_status(checks) == 2


async def test_a_file_that_cannot_be_read_has_no_tick(home: Path) -> None:
    config = home / ".config" / "fim-lsp" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('preset = "odeus\n', encoding="utf-8")
    found = [check for check in await examined({}) if check.name == "settings"]
    assert [check.state for check in found] == ["settings"]
    assert "is not valid TOML at line 1" in found[0].found


def program(text: str) -> Callable[[Path, str], None]:
    def write(folder: Path, name: str) -> None:
        (folder / "bin").mkdir(exist_ok=True)
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)

    return write


EDITORS: dict[str, tuple[str, str, str, str]] = {
    "Neovim, not set up": ("nvim", "echo NVIM v0.12.4", "", "no mention of fim-lsp"),
    "Neovim, set up": ("nvim", "echo NVIM v0.12.4", ".config/nvim/init.lua", "0.12.4, set up"),
    "an old Neovim": ("nvim", "echo NVIM v0.9.5", "", "0.9.5 cannot show ghost text"),
    "Helix": ("hx", "echo helix 25.07", ".config/helix/languages.toml", "25.07, set up"),
    "VS Code": ("code", "echo 1.99.0", ".vscode/extensions/x.fim-lsp-1.0/a.js", "1.99.0, set up"),
    "Vim, not set up": ("vim", "echo VIM - Vi IMproved 9.1", "", "no mention of fim-lsp"),
    "Vim, set up": ("vim", "echo VIM - Vi IMproved 9.0", ".vimrc", "9.0, set up"),
    "an old Vim": ("vim", "echo VIM - Vi IMproved 8.2", "", "8.2 cannot show ghost text"),
    "Emacs by its old file": ("emacs", "echo GNU Emacs 30.1", ".emacs", "30.1, set up"),
    "one that says nothing": ("emacs", "exit 1", "", "does not tell its version"),
}


@pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")
@pytest.mark.parametrize(
    ("name", "script", "mention", "found"), EDITORS.values(), ids=EDITORS.keys()
)
async def test_editors_and_their_set_up(
    name: str, script: str, mention: str, found: str, home: Path
) -> None:
    program(script)(home, name)
    if mention:
        (home / mention).parent.mkdir(parents=True, exist_ok=True)
        (home / mention).write_text("vim.lsp.enable('fim_lsp')", encoding="utf-8")
    (check,) = [check async for check in local_checks.editors()]
    assert check.name == name
    assert found in check.found


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
async def test_an_editor_that_hangs_is_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_checks, "EDITOR_LIMIT_S", 0.1)
    program("exec /bin/sleep 60")(home, "nvim")
    (check,) = [check async for check in local_checks.editors()]
    assert check.state == "warning"


async def test_the_report_is_safe_to_paste(home: Path) -> None:
    async with Endpoint(Reply(status=400, body={"message": KEY}), key=KEY) as endpoint:
        report = repr(await examined(endpoint.settings(api_key_env="ODEUS_API_KEY")))
    assert KEY not in report
    assert str(home) not in report
    assert f"/{getpass.getuser()}/" not in report


def test_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--provider", "local"]) == 0
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert err == ""
    assert report["exit_status"] == 0
    assert report["checks"][0]["name"] == "fim-lsp"
    assert {len(check) for check in report["checks"]} == {4}


def test_as_lines(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ODEUS_API_KEY")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert main(["doctor", "--provider", "mistral"]) == 2
    lines = capfd.readouterr().out.split("\n")
    assert "✗ key           ODEUS_API_KEY is not set" in lines
    assert lines[-2].startswith("It does not work yet: key first")
    assert "\x1b" not in "".join(lines)


def test_what_works_in_spite_of_a_mistake(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = home / ".config" / "fim-lsp" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('provider = "local"\nmodle = "x"\n', encoding="utf-8")
    assert main(["doctor"]) == 2
    last = capfd.readouterr().out.split("\n")[-2]
    assert last == "It works, but not all of it: correct the settings (see → above)."


def test_the_home_folder_is_not_named(home: Path) -> None:
    assert at_home(home / "a") == f"~{os.sep}a"
    assert at_home("/elsewhere") == "/elsewhere"


def test_a_message_is_its_cause_and_its_remedy() -> None:
    check = from_error("key", "host:1 is shut: open it: now.", "endpoint")
    assert (check.found, check.remedy) == ("host:1 is shut", "open it: now.")
