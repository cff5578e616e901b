"""The commands that every editor offers, over the wire, with what the person gets to read."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import unquote, urlsplit

import pytest
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient

from fim_lsp.completer import Answer, Source
from fim_lsp.history import History, Request
from fim_lsp.server.switches import Switches
from tests.editor import SERVER, Editor, editing, toml
from tests.endpoint import Endpoint, Reply
from tests.patience import until

ASSIGN = "x = ║\n"


async def run(e: Editor, command: str, **table: Any) -> str:
    params = {"command": command, "arguments": [{"show": False, **table}]}
    return str(await e.client.request("workspace/executeCommand", params))


async def is_idle(e: Editor) -> bool:
    """Whether no call is under way, not even behind its answer."""
    return (await run(e, "fim.status")).startswith("fim-lsp is idle.")


async def test_everything_is_switched_off_and_on(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        assert await e.texts() == ["f(1)"]
        assert await run(e, "fim.toggle") == "fim-lsp is off."
        assert await e.texts(kind=1) == []
        assert (e.statuses[-1]["state"], e.statuses[-1]["message"]) == ("off", "switched off")
        assert await run(e, "fim.toggle") == "fim-lsp is on."
        assert await e.texts() == ["f(1)"]
        assert e.statuses[-1]["state"] == "idle"


async def test_one_language_is_switched_off_and_on(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        await e.texts()
        said = await run(e, "fim.toggleLanguage")
        assert said == (
            'fim-lsp is off for python. For ever: trigger.disabled_languages = ["python"].'
        )
        assert await e.texts() == []
        e.open(ASSIGN, language="rust", uri="file:///w/a.rs")
        assert await e.texts() == ["f(1)"]
        assert await run(e, "fim.toggleLanguage", language="python") == "fim-lsp is on for python."


async def test_snoozing_ends_by_itself(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        assert (await run(e, "fim.snooze")).startswith("fim-lsp is snoozing until ")
        assert await e.texts() == []
        assert 590 < e.statuses[-1]["until_s"] <= 600
        await run(e, "fim.snooze", minutes=0.0107)  # which ends between two tenths of a second
        await until(lambda: e.statuses[-1]["state"] == "idle")
        assert await e.texts() == ["f(1)"]
        assert await run(e, "fim.snooze", minutes="x") == "fim.snooze takes minutes from 0 to 1440."


async def test_what_was_said_is_forgotten(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        for calls in (1, 1):
            assert await e.texts() == ["f(1)"]
            assert len(endpoint.calls) == calls
        await run(e, "fim.clearMemory")
        assert await e.texts() == ["f(1)"]
        assert len(endpoint.calls) == 2


async def test_the_status_is_told_in_words(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        await e.texts()
        await until(lambda: is_idle(e))
        said = await run(e, "fim.status")
        assert said.startswith("fim-lsp is idle.\nmistral codestral-2501\n")
        assert said.endswith("of the minute's tokens are used.")


async def test_of_a_budget_nothing_is_said_where_there_is_none(tmp_path: Path) -> None:
    async with editing(tmp_path, {"provider": "local"}) as e:
        e.open(ASSIGN)
        await e.texts()
        await until(lambda: bool(e.statuses))
        assert e.statuses[-1]["budget_used"] is None
        assert "minute" not in await run(e, "fim.status") + await run(e, "fim.why")


async def test_what_was_not_understood_in_the_settings_stands_in_the_status(tmp_path: Path) -> None:
    """It is told once as a message, which some editors take away again at once."""
    typos = {"provider": "local", "falback": "local", "limits": {"tokens_per_minut": 5}}
    async with editing(tmp_path, typos) as e:
        e.open(ASSIGN)
        await e.texts()
        await until(lambda: bool(e.statuses))
        assert e.statuses[-1]["state"] == "idle"
        assert "did you mean fallback?" in e.statuses[-1]["message"]
        said = await run(e, "fim.why")
        assert "fim-lsp is idle: " in said
        assert "did you mean fallback?" in said
        assert "did you mean limits.tokens_per_minute?" in said


async def test_why_tells_the_reasons_of_the_last_requests_and_no_text(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        assert "No request has come for this document yet" in await run(e, "fim.why")
        e.open("secret = ║\n")
        await e.texts()
        e.type("f")
        await e.texts()
        e.open("ab║cd = 1\n")
        await e.texts()
        e.open("KEY=║\n", uri="file:///w/.env")
        await e.texts(kind=1)
        await until(lambda: is_idle(e))
        assert "context.exclude names this file" in await run(e, "fim.why")
        said = await run(e, "fim.why", uri="file:///w/a.py")
        assert "secret" not in said
        head, *lines = said.split("\n")
        assert head.startswith("Ghost text in a.py (python), as of ")
        inside, through, asked = (line for line in lines if line[2:3] == ":")
        assert inside.split()[1:4] == ["nothing", "not", "asked"]
        assert inside.endswith("not wanted: inside a word")
        assert "3 chars     typed through" in through
        assert "4 chars     model asked" in asked
        call = endpoint.calls[0]
        assert (
            f"{len(str(call.body['prompt'] + call.body['suffix'])) // 4} + " in asked
            or " + " in asked
        )


@pytest.mark.parametrize("source", get_args(Source))
def test_every_source_has_words(source: Source) -> None:
    history, answer = History(), Answer(source=source)
    history.answered("a", Request(at=datetime.now(UTC), answer=answer, ms=1.0, invoked=False))
    how = history.readable("a").split("\n")[1].split("nothing")[1].split(" 1 ms")[0].strip()
    assert len(how) > len("memory")


async def test_a_failing_endpoint_is_explained(tmp_path: Path) -> None:
    reply = Reply(status=401, body={"message": "Unauthorized"})
    async with Endpoint(reply) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ASSIGN)
        await e.texts()
        e.type("1")
        await e.texts(kind=1)
        said = await run(e, "fim.why")
        assert "fim-lsp is in error: 127.0.0.1 does not accept the key" in said
        assert said.count("does not accept the key") == 1
        assert "not asked: see above" in said
        assert "fim-lsp doctor" in said


async def test_another_model_is_asked_from_now_on(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        said = await run(e, "fim.chooseModel", model="codestral-next")
        assert said.startswith("The model is codestral-next until this server ends.")
        assert await e.texts() == ["f(1)"]
        assert endpoint.calls[-1].body["model"] == "codestral-next"


async def test_a_document_that_nothing_was_asked_for_yet_can_be_meant(tmp_path: Path) -> None:
    async with editing(tmp_path, {"provider": "local"}) as e:
        assert (await run(e, "fim.toggleLanguage")).startswith("No document is open")
        e.open("x║", language="rust", uri="file:///w/a.rs")
        assert (await run(e, "fim.toggleLanguage")).startswith("fim-lsp is off for rust.")


ODD: list[list[Any]] = [[], [None], [[]], [{"uri": 3, "language": 3, "minutes": None}]]


async def test_odd_arguments_do_no_harm(tmp_path: Path) -> None:
    async with editing(tmp_path, {"provider": "local"}) as e:
        for command in ("fim.toggleLanguage", "fim.why", "fim.status", "fim.snooze"):
            for arguments in ODD:
                params: dict[str, Any] = {"command": command, "arguments": arguments}
                assert await e.client.request("workspace/executeCommand", params)


# -- what the editor is asked to show --------------------------------------------------------------


@asynccontextmanager
async def client_of(
    tmp_path: Path, settings: dict[str, Any], window: lsp.WindowClientCapabilities, root: Path
) -> AsyncGenerator[LanguageClient]:
    """A client with such windows, whose session is ended."""
    config = tmp_path / "config.toml"
    config.write_text(toml(settings))
    environment = {
        **os.environ,
        "FIM_LSP_CONFIG": str(config),
        "TEST_KEY": "test-key",
        "HOME": str(tmp_path),
    }
    server = ClientServerConfig(server_command=[*SERVER], server_env=environment)
    client = cast("LanguageClient", await server.start())
    capabilities = lsp.ClientCapabilities(window=window)
    folder = lsp.WorkspaceFolder(root.as_uri(), "w")
    await client.initialize_session(
        lsp.InitializeParams(capabilities=capabilities, workspace_folders=[folder])
    )
    try:
        yield client
    finally:
        await client.shutdown_session()
        await client.stop()


OPENS = lsp.WindowClientCapabilities(show_document=lsp.ShowDocumentClientCapabilities(support=True))


@pytest.mark.parametrize("opens", [True, False])
async def test_a_long_text_is_opened_where_the_editor_can(tmp_path: Path, opens: bool) -> None:
    window = OPENS if opens else lsp.WindowClientCapabilities()
    opened: Path | None = None
    async with client_of(tmp_path, {"provider": "local"}, window, tmp_path) as client:
        params = lsp.ExecuteCommandParams("fim.why", [])
        said = await client.workspace_execute_command_async(params)
        assert "Ghost text in no document" in str(said)
        if opens:
            (shown,) = client.shown_documents
            opened = Path(unquote(urlsplit(shown.uri).path))
            assert opened.read_text() == said
        else:
            await until(lambda: client.messages)
            assert client.messages[-1].message == said
    if opened:
        assert not opened.exists()


async def test_a_few_lines_are_one_message(tmp_path: Path) -> None:
    async with client_of(tmp_path, {"provider": "local"}, OPENS, tmp_path) as client:
        params = lsp.ExecuteCommandParams("fim.status", [])
        await client.workspace_execute_command_async(params)
        await until(lambda: client.messages)
        said = client.messages[-1].message
        assert said == "fim-lsp is idle; local"
        assert client.shown_documents == []


async def test_an_editor_that_cannot_ask_is_told_which_models_there_are(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        endpoint.listing = {"data": [{"id": "codestral-2501"}, {"id": "codestral-next"}]}
        params: dict[str, Any] = {"command": "fim.chooseModel", "arguments": []}
        said = await e.client.request("workspace/executeCommand", params)
        assert said == (
            "This editor cannot ask which model it should be. Name it to fim.chooseModel:"
            " codestral-2501, codestral-next."
        )


async def test_the_person_is_asked_which_model(tmp_path: Path) -> None:
    async with Endpoint(Reply(text="f(1)")) as endpoint:
        listed = {"codestral-2501": True, "mistral-large": False, "codestral-next": True}
        endpoint.listing = {
            "data": [
                {"id": name, "capabilities": {"completion_fim": fills}}
                for name, fills in listed.items()
            ]
        }
        asked: list[lsp.ShowMessageRequestParams] = []

        def choose(params: lsp.ShowMessageRequestParams) -> lsp.MessageActionItem:
            asked.append(params)
            return (params.actions or [])[-1]

        async with client_of(tmp_path, endpoint.settings(), OPENS, tmp_path) as client:
            cast("Any", client.feature)(lsp.WINDOW_SHOW_MESSAGE_REQUEST)(choose)
            params = lsp.ExecuteCommandParams("fim.chooseModel", [])
            said = await client.workspace_execute_command_async(params)
            offered = [action.title for action in asked[0].actions or ()]
            assert offered == ["codestral-2501", "codestral-next"]
            assert "codestral-2501" in asked[0].message
            assert str(said).startswith("The model is codestral-next ")


READERS = {
    "the local model": {"provider": "local"},
    "the index": {"provider": "mistral", "base_url": "http://127.0.0.1:9"},
}


def large_project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    for number in range(1_500):
        lines = [f"value_{number}_{n} = compute_{n}({n}, {number})" for n in range(300)]
        (project / f"m{number}.py").write_text("\n".join(lines))
    return project


@asynccontextmanager
async def reading(tmp_path: Path, settings: dict[str, Any]) -> AsyncGenerator[LanguageClient]:
    """A client that is told of progress, as soon as it has been."""
    project = large_project(tmp_path)
    window = lsp.WindowClientCapabilities(work_done_progress=True)
    async with client_of(tmp_path, settings, window, project) as client:
        item = lsp.TextDocumentItem((project / "m1.py").as_uri(), "python", 0, "x = 1\n")
        client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        await until(lambda: any(client.progress_reports.values()))
        yield client


@pytest.mark.parametrize("settings", READERS.values(), ids=READERS.keys())
async def test_the_progress_of_a_reading_ends_with_the_settings_that_wanted_it(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with reading(tmp_path, settings) as client:
        (token,) = client.progress_reports
        changed = {"provider": "ollama", "context": {"snippets": "off"}}
        client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(changed))
        await until(lambda: len(client.progress_reports[token]) > 1)
        assert isinstance(client.progress_reports[token][-1], lsp.WorkDoneProgressEnd)


@pytest.mark.parametrize("settings", READERS.values(), ids=READERS.keys())
async def test_a_long_reading_is_shown_as_progress(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with reading(tmp_path, settings) as client:
        ((begin, *_),) = client.progress_reports.values()
        assert cast("Any", begin).message == "reading the project"


async def test_the_trace_is_told_to_an_editor_that_wants_it(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="f(1)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ASSIGN)
        await e.texts()
        e.client.notify("$/setTrace", {"value": "messages"})
        await e.texts()
        e.client.notify("$/setTrace", {"value": "verbose"})
        await e.texts()
        e.client.notify("$/setTrace", {"value": "off"})
        await e.texts()
        told = [said for method, said in e.told if method == "$/logTrace"]
        assert [said["message"].partition(" after")[0] for said in told] == ["4 characters"] * 2
        assert [bool(said.get("verbose")) for said in told] == [False, True]


def test_switches_by_the_clock() -> None:
    now = 1_000_000.0
    switches = Switches(lambda: now)
    switches.snooze(10)
    assert switches.wakes_in_s == 600
    now += 601
    assert (switches.off, switches.wakes_in_s) == ("", None)
    switches.snooze(10)
    assert switches.toggle(), "what snoozes is woken"
    assert not switches.off
    assert not switches.toggle()
    assert switches.off_for("python") == "switched off"
