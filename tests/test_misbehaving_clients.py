"""Clients that do what no client should: whatever comes, requests are answered and nothing stays.

Framing, and bodies that are no messages, are in ``tests/test_framing.py`` and
``tests/test_streams.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fim_lsp.lsp_client import LspClient, ResponseError
from tests.editor import CANCELLED, SERVER, code_of, editing
from tests.endpoint import Endpoint, Reply
from tests.faults import footprint
from tests.patience import PATIENCE_S, until

BODY = "return a + b"
ADD = "def add(a, b):\n    ║\n"
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32600, -32601, -32602
INLINE = "textDocument/inlineCompletion"


def _pass_over(method: str, params: object) -> None:
    """Notifications are not looked at."""


async def test_requests_before_initialize_are_answered_and_spoil_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('provider = "local"\n')
    env = {**os.environ, "HOME": str(tmp_path), "FIM_LSP_CONFIG": str(tmp_path / "config.toml")}
    client = await LspClient.start(SERVER, _pass_over, env=env)
    try:
        item = {"uri": "file:///w/a.py", "languageId": "python", "version": 0, "text": "x = 1\n"}
        client.notify("textDocument/didOpen", {"textDocument": item})
        at = {"textDocument": {"uri": item["uri"]}, "position": {"line": 0, "character": 5}}
        for method, params in {
            INLINE: at,
            "shutdowns": None,
            "workspace/symbol": {"query": ""},
        }.items():
            asked = asyncio.ensure_future(client.request(method, params))
            async with asyncio.timeout(PATIENCE_S):
                assert await code_of(asked) in {0, METHOD_NOT_FOUND, -32002}
        hello = await client.request("initialize", {"processId": None, "capabilities": {}})
        assert "inlineCompletionProvider" in hello["capabilities"]
        client.notify("initialized", {})
        assert "items" in await client.request(INLINE, at)
    finally:
        await client.aclose()


async def test_a_second_initialize_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        again = {
            "processId": None,
            "capabilities": {"general": {"positionEncodings": ["utf-8"]}},
            "initializationOptions": {"base_url": "http://127.0.0.1:9/evil"},
        }
        with pytest.raises(ResponseError) as refused:
            await e.client.request("initialize", again)
        assert refused.value.code == INVALID_REQUEST
        assert await e.texts() == [BODY]


STRANGE_EDITS: dict[str, dict[str, Any]] = {
    "of a document that is not open": {"textDocument": {"uri": "file:///w/no.py", "version": 1}},
    "of a version that goes back": {"textDocument": {"version": -7}},
    "of no version": {"textDocument": {"version": None}},
    "of a version that is a text": {"textDocument": {"version": "9"}},
    "that changes nothing": {"contentChanges": []},
    "without changes": {"contentChanges": None},
    "behind the end": {"contentChanges": [{"range": [9_999, 0, 9_999, 5], "text": ""}]},
    "behind a line": {"contentChanges": [{"range": [0, 99_999, 0, 99_999], "text": ""}]},
    "before the beginning": {"contentChanges": [{"range": [-1, -1, 0, 0], "text": ""}]},
    "with its ends swapped": {"contentChanges": [{"range": [0, 0, 0, 0], "text": ""}]},
    "at the largest place": {"contentChanges": [{"range": [2**32 - 1] * 4, "text": ""}]},
    "with a place beyond numbers": {"contentChanges": [{"range": [10**40] * 4, "text": ""}]},
    "with fractions": {"contentChanges": [{"range": [0.5] * 4, "text": ""}]},
    "without a text": {"contentChanges": [{"range": [0, 0, 0, 0]}]},
    "with a text that is a number": {"contentChanges": [{"range": [0, 0, 0, 0], "text": 7}]},
}


def as_sent(uri: str, edit: dict[str, Any]) -> dict[str, Any]:
    """The notification's parameters; a range is written as four numbers."""
    changes = edit.get("contentChanges", [{"range": [0, 0, 0, 0], "text": ""}])
    for change in changes or ():
        if isinstance(change.get("range"), list):
            top, left, bottom, right = change["range"]
            start, end = {"line": top, "character": left}, {"line": bottom, "character": right}
            change["range"] = {"start": start, "end": end}
    document = {"uri": uri, "version": 1, **edit.get("textDocument", {})}
    return {"textDocument": document, "contentChanges": changes}


async def test_strange_edits_stop_nothing(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        for at, (name, edit) in enumerate(STRANGE_EDITS.items()):
            e.open(ADD, uri=f"file:///w/{at}.py")
            e.client.notify("textDocument/didChange", as_sent(e.uri, edit))
            assert isinstance(await e.texts(), list), name
            e.open(ADD)  # opened anew, whatever has become of it
            assert await e.texts() == [BODY], name
        assert e.messages == []


async def test_unknown_methods_are_said_to_be_unknown(tmp_path: Path) -> None:
    async with editing(tmp_path, {"provider": "local"}) as e:
        for method in ("textDocument/hover", "$/unknown", "", "x" * 100_000, "__init__"):
            e.client.notify(method, {})
            asked = asyncio.ensure_future(e.client.request(method, {}))
            assert await code_of(asked) in {METHOD_NOT_FOUND, INVALID_PARAMS}
        assert e.messages == []


async def test_ten_thousand_documents_leave_as_they_came(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        sizes: list[float] = []
        for wave in range(2):
            uris = [f"file:///w/{wave}/{number}.py" for number in range(10_000)]
            for number, uri in enumerate(uris):
                e.open(ADD, uri=uri)
                if number % 2_000 == 0:
                    assert await e.texts() == [BODY]
            e.open(ADD, uri="file:///w/last.py")
            assert isinstance(await e.texts(), list)
            for uri in uris:
                e.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            await e.texts()
            sizes.append(footprint(e.client.pid)[0])
        assert sizes[1] < sizes[0] * 1.1


async def test_a_storm_of_cancelled_requests_is_answered_to_the_last(tmp_path: Path) -> None:
    reply = Reply(text=BODY, ttft_s=0.02)
    async with Endpoint(reply) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        assert await e.texts() == [BODY]
        before = footprint(e.client.pid)[2]
        for _ in range(10):
            asked = [asyncio.ensure_future(e.ask()) for _ in range(100)]
            await asyncio.sleep(0)
            for number in range(2_000):
                e.client.notify("$/cancelRequest", {"id": number})
            async with asyncio.timeout(PATIENCE_S):
                codes = [await code_of(one) for one in asked]
            assert set(codes) <= {0, CANCELLED}
            e.type("a")
        for strange in ({}, {"id": None}, {"id": "x"}, {"id": [1]}, None):
            e.client.notify("$/cancelRequest", strange)
        assert isinstance(await e.texts(), list)
        assert e.messages == []
        await until(lambda: footprint(e.client.pid)[2] <= before + 4)  # spare connections


async def test_a_reused_number_is_answered_twice(tmp_path: Path) -> None:
    async with editing(tmp_path, {"provider": "local"}) as e:
        heard: list[Any] = []
        e.client._settle = lambda response: heard.append(response["id"])  # type: ignore[method-assign]
        for _ in range(2):
            e.client._send({"id": 7, "method": INLINE, "params": {}})  # pyright: ignore[reportPrivateUsage]
        await until(lambda: heard == [7, 7])


EDITOR_PROCESS = """
import json, os, subprocess, sys, time
server = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def send(**message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
    server.stdin.flush()
keeper = 0
if sys.argv[2] == "held":  # by another child, as a terminal in the editor may
    pipe = server.stdin.fileno()
    keeper = subprocess.Popen(["sleep", "300"], pass_fds=[pipe], stdout=subprocess.DEVNULL).pid
send(id=1, method="initialize", params={"processId": os.getpid(), "capabilities": {}})
send(method="initialized", params={})
item = {"uri": "file:///w/a.py", "languageId": "python", "version": 0, "text": "x = "}
send(method="textDocument/didOpen", params={"textDocument": item})
at = {"textDocument": {"uri": item["uri"]}, "position": {"line": 0, "character": 4}}
send(id=2, method="textDocument/inlineCompletion", params={**at, "context": {"triggerKind": 1}})
print(server.pid, keeper, flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("pipe", ["closed", "held"])
async def test_a_killed_editor_takes_the_server_and_its_stream_along(
    tmp_path: Path, pipe: str
) -> None:
    endless = Reply(text="word " * 4_000, per_piece_s=0.05)
    async with Endpoint(endless) as endpoint:
        config = tmp_path / "config.toml"
        config.write_text(
            f'provider = "mistral"\nbase_url = "{endpoint.base_url}"\napi_key_env = "TEST_KEY"\n'
        )
        env = {**os.environ, "HOME": str(tmp_path), "FIM_LSP_CONFIG": str(config)}
        editor = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", EDITOR_PROCESS, json.dumps(SERVER), pipe),
            stdout=subprocess.PIPE,
            env={**env, "TEST_KEY": "test-key"},
        )
        assert editor.stdout
        server, keeper = map(int, (await editor.stdout.readline()).split())
        try:
            await until(lambda: endpoint.calls and endpoint.calls[0].pieces)
            editor.kill()
            await until(lambda: not _lives(server))
            await until(lambda: all(call.hung_up for call in endpoint.calls))
            await editor.wait()
        finally:
            for pid in (server, keeper):
                if pid and _lives(pid):
                    os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    """Whether it runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- what a client says of itself, and what it answers ---------------------------------------------

STRANGE_HELLOS: dict[str, dict[str, Any]] = {
    "kinds of a later LSP": {
        "capabilities": {
            "textDocument": {
                "documentSymbol": {"symbolKind": {"valueSet": [1, 99]}},
                "publishDiagnostics": {"tagSupport": {"valueSet": [1, 2, 3]}},
                "hover": {"contentFormat": ["asciidoc"]},
            },
            "workspace": {"workspaceEdit": {"resourceOperations": ["copy"]}},
            "general": {"positionEncodings": ["utf-7", 7, "utf-16"]},
        }
    },
    "nulls": {
        "clientInfo": None,
        "rootUri": None,
        "workspaceFolders": None,
        "trace": None,
        "initializationOptions": None,
        "capabilities": {"general": None, "workspace": None, "notebookDocument": {"x": None}},
    },
    "nulls within": {
        "workspaceFolders": [None, {"uri": None}, {"uri": "file:///w", "name": None}],
        "capabilities": {"notebookDocument": {"synchronization": None}},
    },
    "no capabilities": {"capabilities": None},
    "a trace of another kind": {"trace": "compact"},
    "a process of another kind": {"processId": "x"},
    "a process beyond numbers": {"processId": 10**30},
    "a root that is no address": {"rootUri": "file://[", "workspaceFolders": None},
    "a folder that is no address": {"workspaceFolders": [{"uri": "file://[", "name": "w"}]},
    "a folder that is no path": {"workspaceFolders": [{"uri": "file:///%00", "name": "w"}]},
}


@pytest.mark.parametrize("hello", STRANGE_HELLOS.values(), ids=STRANGE_HELLOS)
async def test_whoever_says_hello_is_served(tmp_path: Path, hello: dict[str, Any]) -> None:
    async with (
        Endpoint(Reply(text=BODY)) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=hello) as e,
    ):
        e.open(ADD)
        assert await e.texts() == [BODY]
        assert e.client.last_complaint == ""


STRANGE_DOCUMENTS: dict[str, dict[str, Any]] = {
    "of no version": {"version": None},
    "of a version that is a text": {"version": "x"},
    "of no language": {"languageId": None},
}


@pytest.mark.parametrize("document", STRANGE_DOCUMENTS.values(), ids=STRANGE_DOCUMENTS)
async def test_a_strange_document_is_a_document(tmp_path: Path, document: dict[str, Any]) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        e.client.notify("textDocument/didClose", {"textDocument": {"uri": e.uri}})
        sent = {"uri": e.uri, "languageId": "python", "version": 0, "text": e.text}
        e.client.notify("textDocument/didOpen", {"textDocument": {**sent, **document}})
        assert await e.texts() == [BODY]


def answer_with(client: LspClient, method: str, result: object) -> None:
    """Answer the server's requests of this method so."""
    take = client._take  # pyright: ignore[reportPrivateUsage]

    def taking(message: Mapping[str, Any]) -> None:
        if "id" in message and message.get("method") == method:
            client._send({"id": message["id"], "result": result})  # pyright: ignore[reportPrivateUsage]
        else:
            take(message)

    client._take = taking  # type: ignore[method-assign]


@pytest.mark.parametrize("answer", [None, 3, {}, "x", [], [3], [[1]]], ids=repr)
async def test_settings_that_are_none_keep_nothing_from_going_on(
    tmp_path: Path, answer: object
) -> None:
    """The next thing that the server asks for is to be told of files."""
    capable = {"configuration": True, "didChangeWatchedFiles": {"dynamicRegistration": True}}
    hello = {"capabilities": {"workspace": capable}}
    async with (
        Endpoint(Reply(text=BODY)) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=hello) as e,
    ):
        answer_with(e.client, "workspace/configuration", answer)
        e.open(ADD)
        assert await e.texts() == [BODY]
        await until(lambda: "client/registerCapability" in [method for method, _ in e.told])


@pytest.mark.parametrize("answer", [None, {}, "x", [], {"success": None}], ids=repr)
async def test_a_page_that_the_editor_may_not_have_opened_is_a_message(
    tmp_path: Path, answer: object
) -> None:
    hello = {"capabilities": {"window": {"showDocument": {"support": True}}}}
    async with editing(tmp_path, {"provider": "local"}, initialize=hello) as e:
        answer_with(e.client, "window/showDocument", answer)
        said = await e.client.request("workspace/executeCommand", {"command": "fim.why"})
        assert await e.eventually("Ghost text in no document") == said


@pytest.mark.parametrize("answer", [{}, "x", {"title": None}, {"title": "another"}], ids=repr)
async def test_a_model_that_was_not_offered_is_not_chosen(tmp_path: Path, answer: object) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        endpoint.listing = {"data": [{"id": "codestral-next"}]}
        answer_with(e.client, "window/showMessageRequest", answer)
        await e.client.request("workspace/executeCommand", {"command": "fim.chooseModel"})
        e.open(ADD)
        assert await e.texts() == [BODY]
        assert endpoint.calls[-1].body["model"] == "codestral-2501"


FAILING_ONCE = """
from fim_lsp import workspace
begin = workspace.Workspace.__init__
def failing(self, *arguments):
    workspace.Workspace.__init__ = begin
    raise ValueError("once")
workspace.Workspace.__init__ = failing
from fim_lsp.cli import main
raise SystemExit(main(["serve"]))
"""


async def test_a_start_that_has_failed_spoils_no_later_one(tmp_path: Path) -> None:
    """Other settings, or other folders, begin anew."""
    command = (sys.executable, "-c", FAILING_ONCE)
    async with (
        Endpoint(Reply(text=BODY)) as endpoint,
        editing(tmp_path, endpoint.settings(), command=command) as e,
    ):
        e.open(ADD)
        assert await e.texts() == []
        sent = {"fim": {"request": {"max_tokens": 99}}}
        e.client.notify("workspace/didChangeConfiguration", {"settings": sent})
        assert await e.texts() == [BODY]
