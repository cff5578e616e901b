"""The real server process over the wire, against a real endpoint on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from lsprotocol import types as lsp
from pytest_lsp import ClientServerConfig, LanguageClient

from tests.editor import CANCELLED, SERVER, Editor, Encoding, code_of, editing, toml
from tests.endpoint import Endpoint, Reply
from tests.patience import PATIENCE_S, until

BODY = "return a + b"
ADD = "def add(a, b):\n    ║\n"


async def test_ghost_text_comes_from_the_endpoint(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        (item,) = await e.ask()
        here = e.at(e.offset)
        assert item["insertText"] == BODY
        assert item["range"] == {"start": here, "end": here}
        assert item["command"]["command"] == "fim-lsp.accepted"
        assert item["command"]["title"]
        accepted = {"command": "fim-lsp.accepted", "arguments": item["command"]["arguments"]}
        assert await e.client.request("workspace/executeCommand", accepted) is None
        (call,) = endpoint.calls
        assert call.body["prompt"] == "def add(a, b):\n    "
        assert call.body["suffix"] == "\n"
        assert call.body["stream"] is True
        assert not endpoint.violations


async def test_the_capability_is_static_and_plain(tmp_path: Path) -> None:
    """lsp-mode cannot see an empty table, and Neovim registers nothing later."""
    async with editing(tmp_path, {"provider": "local"}) as e:
        assert e.capabilities["inlineCompletionProvider"] == {"workDoneProgress": False}
        assert "fim-lsp.accepted" in e.capabilities["executeCommandProvider"]["commands"]
        assert e.capabilities["textDocumentSync"]["change"] == 2


CONTEXTS: dict[str, dict[str, Any]] = {
    "trigger kind 0": {"context": {"triggerKind": 0}},
    "trigger kind 3": {"context": {"triggerKind": 3}},
    "trigger kind as text": {"context": {"triggerKind": "1"}},
    "no context": {},
    "a null context": {"context": None},
    "extra keys": {"context": {"triggerKind": 2, "x": 1}, "formattingOptions": {"tabSize": 2}},
    "a selection that is broken": {"context": {"triggerKind": 2, "selectedCompletionInfo": 3}},
    "the largest position": {"position": {"line": 2**32 - 1, "character": 2**32 - 1}},
    "a negative position": {"position": {"line": -1, "character": -1}},
    "no position": {"position": None},
    "an unknown document": {"textDocument": {"uri": "file:///w/unknown.py"}},
    "no document": {"textDocument": None},
    "nothing at all": {"textDocument": None, "position": None, "context": None},
}


@pytest.mark.parametrize("sent", CONTEXTS.values(), ids=CONTEXTS.keys())
async def test_whatever_a_client_sends_gets_an_answer(tmp_path: Path, sent: dict[str, Any]) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        params = {"textDocument": {"uri": e.uri}, "position": e.at(e.offset), **sent}
        result = await e.client.request("textDocument/inlineCompletion", params)
        assert isinstance(result["items"], list)
        assert e.messages == []


async def test_a_newer_request_overtakes_the_older(tmp_path: Path) -> None:
    """Neovim never cancels, and would show the older answer where it came later."""
    reply = Reply(text=BODY, ttft_s=0.3)
    async with Endpoint(reply) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        asked = [asyncio.create_task(e.ask()) for _ in range(5)]
        assert [await code_of(one) for one in asked] == [CANCELLED] * 4 + [0]
        assert asked[-1].result()[0]["insertText"] == BODY
        assert len(endpoint.calls) == 1


async def test_a_cancelled_request_is_answered_so(tmp_path: Path) -> None:
    reply = Reply(text=BODY, ttft_s=0.2)
    async with Endpoint(reply) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        params = {"textDocument": {"uri": e.uri}, "position": e.at(e.offset)}
        asked = asyncio.create_task(e.client.request("textDocument/inlineCompletion", params))
        await asyncio.sleep(0)
        e.client.notify("$/cancelRequest", {"id": 2})
        assert await code_of(asked) == CANCELLED
        assert await e.texts() == [BODY]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_positions_count_in_the_agreed_encoding(tmp_path: Path, encoding: Encoding) -> None:
    async with (
        Endpoint(Reply(text="b)")) as endpoint,
        editing(tmp_path, endpoint.settings(), encoding=encoding) as e,
    ):
        assert e.capabilities["positionEncoding"] == encoding
        e.open("s = '🎉é漢'; f(║\n")
        e.type("ü, ")
        (item,) = await e.ask()
        assert item["range"]["start"] == e.at(e.offset)
        assert endpoint.calls[-1].body["prompt"] == "s = '🎉é漢'; f(ü, "


async def test_typing_through_and_back_needs_no_further_call(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        assert await e.texts() == [BODY]
        for typed in range(1, 8):
            e.type(BODY[typed - 1])
            assert await e.texts() == [BODY[typed:]]
        e.backspace(3)
        assert await e.texts() == [BODY[4:]]
        assert len(endpoint.calls) == 1


async def test_the_popups_entry_is_extended_in_its_own_range(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="(a, b)")) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open("x = ad║\n")
        word = {"start": e.at(e.offset - 2), "end": e.at(e.offset)}
        (item,) = await e.ask(selectedCompletionInfo={"range": word, "text": "add"})
        assert item["insertText"] == "add(a, b)"
        assert item["range"] == word
        assert endpoint.calls[-1].body["prompt"] == "x = add"


async def test_what_a_document_says_counts_not_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("secret = 1\n")
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.uri = file.as_uri()
        e.text, e.offset = "", 0
        assert await e.texts() == []
        assert endpoint.calls == []


async def test_a_failing_endpoint_shows_nothing_and_says_so_once(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text=BODY)) as endpoint,
        editing(tmp_path, endpoint.settings(), key="wrong") as e,
    ):
        e.open(ADD)
        for _ in range(4):
            assert await e.texts() == []
            e.type("x ")
        message = await e.eventually("key")
        assert "wrong" not in message.replace("wrong host", "").replace("wrong key", "")
        assert len(e.messages) == 1
        assert len(endpoint.calls) == 1


FAULTS = ("reset", "garbage", "truncate", "html", "error event", "invalid utf-8", "close")


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_leaves_a_request_unanswered(tmp_path: Path, fault: Any) -> None:
    broken = Reply(text=BODY, fault=fault)
    async with Endpoint(broken) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        async with asyncio.timeout(PATIENCE_S):
            assert isinstance(await e.texts(), list)


SETTINGS = {
    "a typing mistake": ('modell = "x"\n', "did you mean model?"),
    "a wrong type": ("[trigger]\ndebounce_ms = 'soon'\n", "trigger.debounce_ms = 'soon'"),
    "a table that is none": ("request = 3\n", "request"),
    "a file that is no TOML": ("model = \n", "not valid TOML"),
}


@pytest.mark.parametrize(("text", "said"), SETTINGS.values(), ids=SETTINGS.keys())
async def test_a_mistake_in_the_settings_is_one_readable_line(
    tmp_path: Path, text: str, said: str
) -> None:
    async with editing(tmp_path, text) as e:
        message = await e.eventually(said)
        assert "\n" not in message
        assert len(e.messages) == 1


async def test_a_changed_settings_file_applies_at_once(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="old")) as before,
        Endpoint(Reply(text="new")) as after,
        editing(tmp_path, before.settings()) as e,
    ):
        e.open("x = ║\n")
        assert await e.texts() == ["old"]
        (tmp_path / "config.toml").write_text(toml(after.settings()) + "\n")

        async def is_new() -> bool:
            return await e.texts() == ["new"]

        await until(is_new)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a key": ({"api_key_env": "FIM_NO_SUCH_KEY"}, "error"),
    "a host": ({"base_url": "http://127.0.0.1:9/v1"}, "offline"),
    "a typing error": ({"modle": "codestral-2501"}, "idle"),
}


@pytest.mark.parametrize(("wrong", "state"), WRONG.values(), ids=WRONG.keys())
async def test_what_was_corrected_is_seen_before_anybody_asks(
    tmp_path: Path, wrong: dict[str, Any], state: str
) -> None:
    """Or the status goes on to say what is wrong, and the next request gets the old answer."""
    async with (
        Endpoint(Reply(text="new"), key="test-key") as endpoint,
        editing(tmp_path, endpoint.settings() | wrong) as e,
    ):
        e.open("x = ║\n")
        await e.texts()
        await until(lambda: any(one["message"] and one["state"] == state for one in e.statuses))
        (tmp_path / "config.toml").write_text(toml(endpoint.settings()) + "\n")
        await until(lambda: e.statuses[-1]["message"] == "")
        assert e.statuses[-1]["state"] == "idle"
        assert await e.texts() == ["new"]


async def test_what_is_still_wrong_is_said_once_more(tmp_path: Path) -> None:
    wrong = 'provider = "local"\nmodle = "x"\n'
    async with editing(tmp_path, wrong) as e:
        await e.eventually("modle")
        (tmp_path / "config.toml").write_text(f"# corrected\n{wrong}")
        await until(lambda: len(e.messages) == 2)


SENT: dict[str, dict[str, Any]] = {
    "flat": {"model": "other"},
    "under fim": {"fim": {"model": "other"}},
    "in camel case": {"fim": {"request": {"maxTokens": 7}, "model": "other"}},
}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
async def test_settings_from_the_editor_apply_live(tmp_path: Path, sent: dict[str, Any]) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.client.notify("workspace/didChangeConfiguration", {"settings": sent})
        e.open(ADD)
        assert await e.texts() == [BODY]
        assert endpoint.calls[-1].body["model"] == "other"


async def test_a_request_outlives_a_change_of_the_settings(tmp_path: Path) -> None:
    held = Reply(text=BODY, held=threading.Event())
    async with Endpoint(held) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open(ADD)
        asking = asyncio.ensure_future(e.texts())
        await until(lambda: endpoint.calls)
        endpoint.reply = Reply(text=BODY)
        sent = {"fim": {"request": {"max_tokens": 99}}}
        e.client.notify("workspace/didChangeConfiguration", {"settings": sent})
        assert await asking == [BODY]
        assert endpoint.calls[-1].body["max_tokens"] == 99


REPLACED = {"by less": "y", "by as much": "1\n2\ny = 1\n", "by nothing": ""}


@pytest.mark.parametrize("text", REPLACED.values(), ids=REPLACED)
@pytest.mark.parametrize("kind", [1, 2], ids=["by hand", "automatic"])
async def test_an_answer_to_a_text_that_was_replaced_shows_nothing(
    tmp_path: Path, text: str, kind: int
) -> None:
    """As formatters do, and clients that send all of a text at each key."""
    held = Reply(text=BODY, held=threading.Event())
    async with Endpoint(held) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open("1\n2\nx = ║")
        asking = asyncio.ensure_future(e.texts(kind=kind))
        await until(lambda: endpoint.calls)
        document = {"uri": e.uri, "version": 1}
        params = {"textDocument": document, "contentChanges": [{"text": text}]}
        e.client.notify("textDocument/didChange", params)
        await has_read_all(e)
        assert held.held
        held.held.set()
        assert await asking == []
        assert e.client.last_complaint == ""


async def has_read_all(e: Editor) -> None:
    """When this is answered, the server has read what was sent before."""
    params = {"command": "fim.status", "arguments": [{"show": False}]}
    await e.client.request("workspace/executeCommand", params)


async def test_settings_from_initialization_options_apply(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint:
        sent = {"initializationOptions": {"fim": {"model": "first"}}}
        async with editing(tmp_path, endpoint.settings(), initialize=sent) as e:
            e.open(ADD)
            assert await e.texts() == [BODY]
            assert endpoint.calls[-1].body["model"] == "first"


async def test_an_explicit_request_brings_several_candidates(tmp_path: Path) -> None:
    """The first is not held back for the others; the next request has them."""
    texts = iter(["one", "two", "three", "four"])
    async with (
        Endpoint(lambda _: Reply(text=next(texts), ttft_s=0.05)) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open("x = ║\n")
        assert len(await e.texts(kind=1)) >= 1

        async def are_all_there() -> bool:
            return len(await e.texts(kind=1)) == 3

        await until(are_all_there)
        assert sorted(await e.texts(kind=1)) == ["one", "three", "two"]
        assert len(endpoint.calls) == 3
        assert all(call.body["min_tokens"] == 1 for call in endpoint.calls)
        assert not endpoint.violations


async def test_a_refuted_stream_is_hung_up_before_any_request(tmp_path: Path) -> None:
    reply = Reply(text="abcdefgh" * 10, fault="hang midway")
    async with Endpoint(reply) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        e.open("x = ║\n")
        asked = asyncio.create_task(e.ask())
        await until(lambda: endpoint.calls and endpoint.calls[0].pieces)
        e.type("no")
        await until(lambda: endpoint.calls[0].hung_up)
        asked.cancel()


async def test_what_was_never_promised_is_refused_without_a_word(tmp_path: Path) -> None:
    here = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": 0, "character": 0}}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"capabilities": {}}},
        {"id": 2, "method": "textDocument/hover", "params": here},
        {"method": "textDocument/unheardOf", "params": {}},
    ]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
    process = await asyncio.create_subprocess_exec(
        *SERVER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    sent = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)
    out, err = await process.communicate(sent)
    assert b"-32601" in out
    assert err == b""


async def test_stdout_carries_nothing_but_lsp_and_the_key_goes_nowhere(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *SERVER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(tmp_path), "ODEUS_API_KEY": "sesame-4711"},
    )
    hello: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"capabilities": {}},
    }
    body = json.dumps(hello).encode()
    out, err = await process.communicate(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert out.startswith(b"Content-Length: ")
    assert b"sesame" not in out + err
    assert process.returncode == 0


@pytest.fixture
async def client(tmp_path: Path) -> Any:
    config = tmp_path / "config.toml"
    config.write_text('provider = "local"\n')
    server = ClientServerConfig(
        server_command=[*SERVER], server_env={**os.environ, "FIM_LSP_CONFIG": str(config)}
    )
    made = cast("LanguageClient", await server.start())
    yield made
    await made.shutdown_session()
    await made.stop()


async def test_the_server_keeps_to_the_protocol(client: LanguageClient) -> None:
    """pytest-lsp checks each message against what the client said it can take."""
    client.set_configuration({"fim": {"modell": "x"}})
    capabilities = lsp.ClientCapabilities(
        workspace=lsp.WorkspaceClientCapabilities(configuration=True),
        text_document=lsp.TextDocumentClientCapabilities(
            inline_completion=lsp.InlineCompletionClientCapabilities()
        ),
    )
    await client.initialize_session(lsp.InitializeParams(capabilities=capabilities))
    item = lsp.TextDocumentItem("file:///w/a.py", "python", 0, "x = 1\n")
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    found = await client.text_document_inline_completion_async(
        lsp.InlineCompletionParams(
            lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic),
            lsp.TextDocumentIdentifier("file:///w/a.py"),
            lsp.Position(0, 5),
        )
    )
    assert isinstance(found, lsp.InlineCompletionList)
    await until(lambda: client.messages)
    assert "modell" in client.messages[0].message


async def test_the_editor_helper_counts_like_an_editor(tmp_path: Path) -> None:
    async with editing(tmp_path, {"provider": "local"}) as e:
        assert isinstance(e, Editor)
        e.open("a\nb🎉║c\n")
        assert e.at(e.offset) == {"line": 1, "character": 3}


async def test_the_status_is_told_on_change(tmp_path: Path) -> None:
    held = threading.Event()
    async with (
        Endpoint(Reply(text=BODY, held=held)) as endpoint,
        editing(tmp_path, endpoint.settings()) as e,
    ):
        e.open(ADD)
        asking = asyncio.ensure_future(e.texts())
        await until(lambda: e.statuses and e.statuses[-1]["state"] == "thinking")
        held.set()
        assert await asking == [BODY]
        await until(lambda: e.statuses[-1]["state"] == "idle")
        assert e.statuses[-1]["provider"] == "mistral"
        assert e.statuses[-1]["model"] == "codestral-2501"


async def test_the_status_says_what_is_wrong(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text=BODY)) as endpoint,
        editing(tmp_path, endpoint.settings(), key="wrong") as e,
    ):
        e.open(ADD)
        await e.texts()
        await until(lambda: e.statuses and e.statuses[-1]["state"] == "error")
        assert "key" in e.statuses[-1]["message"]


async def test_an_excluded_document_is_never_sent(tmp_path: Path) -> None:
    async with Endpoint(Reply(text=BODY)) as endpoint, editing(tmp_path, endpoint.settings()) as e:
        for name in (".env", "sub/.env.local", "id_rsa", "deploy/server.pem"):
            e.open("KEY=║\n", language="", uri=f"file:///w/{name}")
            assert await e.texts(kind=1) == []
        assert endpoint.calls == []


async def test_the_trace_gives_reasons_and_no_text(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    async with (
        Endpoint(Reply(text=BODY)) as endpoint,
        editing(tmp_path, endpoint.settings(), options=("--trace", str(trace))) as e,
    ):
        e.open("def add(first, second):\n    ║\n")
        assert await e.texts() == [BODY]
        e.type(BODY[0])
        await e.texts()
        e.open("ab║cd = 1\n")
        await e.texts()
    lines = [json.loads(line) for line in trace.read_text().strip().split("\n")]
    requests = [line for line in lines if line["type"] == "request"]
    (call,) = (line for line in lines if line["type"] == "call")
    assert [line["source"] for line in requests] == ["called", "typed through", "none"]
    assert [line["call"] for line in requests] == [1, 1, None]
    assert (call["call"], call["end"], call["is_estimated"]) == (1, "whole", False)
    assert call["prompt_tokens"] > 0
    assert len({line["run"] for line in lines}) == 1
    assert requests[2]["reason"] == "not wanted: inside a word"
    assert "second" not in trace.read_text()
    assert BODY not in trace.read_text()
