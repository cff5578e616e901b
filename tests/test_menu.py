"""Suggestions in the completion menu, for editors without ghost text."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

from tests.editor import Editor, editing
from tests.endpoint import Endpoint, Reply
from tests.patience import until


async def entries(e: Editor) -> list[dict[str, Any]]:
    params = {"textDocument": {"uri": e.uri}, "position": e.at(e.offset)}
    result = await e.client.request("textDocument/completion", params)
    assert result["isIncomplete"] is False
    return result["items"]


async def test_helix_gets_an_entry_that_its_filter_finds(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="urn a + b")) as endpoint,
        editing(tmp_path, endpoint.settings(), client_name="helix", encoding="utf-8") as e,
    ):
        assert "completionProvider" in e.capabilities
        e.open("def add(a, b):\n    ret║\n")
        (entry,) = await entries(e)
        here = e.at(e.offset)
        assert entry["filterText"] == "return a + b"
        assert entry["textEdit"] == {"range": {"start": here, "end": here}, "newText": "urn a + b"}
        assert entry["preselect"] is True
        assert "return a + b" in entry["documentation"]["value"]


async def test_others_get_an_entry_that_replaces_the_word(tmp_path: Path) -> None:
    """ALE and Kate put any entry in the word's place, whatever range it names."""
    async with (
        Endpoint(Reply(text="urn é + b")) as endpoint,
        editing(tmp_path, endpoint.settings(), client_name="kate", encoding="utf-8") as e,
    ):
        assert e.capabilities["completionProvider"]  # ALE takes one without options for none
        e.open("é = 1; ret║ + c\n")
        (entry,) = await entries(e)
        here = e.at(e.offset)
        word = {**here, "character": here["character"] - len("ret")}
        assert entry["filterText"] == "return é + b"
        assert entry["textEdit"] == {
            "range": {"start": word, "end": here},
            "newText": "return é + b",
        }


async def test_further_lines_are_whole_and_end_as_the_document_does(tmp_path: Path) -> None:
    said = "if a:\n        return b\n    return a"
    async with (
        Endpoint(Reply(text=said)) as endpoint,
        editing(tmp_path, endpoint.settings(), client_name="helix", encoding="utf-8") as e,
    ):
        e.open("def pick(a, b):\r\n    ║\r\n\r\nx = 1\r\n")
        (entry,) = await entries(e)
        assert entry["textEdit"]["newText"] == "if a:\r\n        return b\r\n    return a"


async def test_what_was_typed_meanwhile_must_fit(tmp_path: Path) -> None:
    """Helix takes back what was typed since the request when an entry is accepted."""
    for typed, count in (("ret", 1), ("xyz", 0)):
        held = threading.Event()
        async with (
            Endpoint(Reply(text="return a + b", held=held)) as endpoint,
            editing(tmp_path, endpoint.settings(), client_name="helix") as e,
        ):
            e.open("def add(a, b):\n    ║\n")
            asked = asyncio.create_task(entries(e))
            await until(lambda endpoint=endpoint: endpoint.calls)
            e.type(typed)
            held.set()
            assert len(await asked) == count


async def test_the_menu_is_offered_by_name_or_by_setting_only(tmp_path: Path) -> None:
    menu = {"trigger": {"completion_menu": "always"}}
    for client, settings, offered in (
        ("helix", {}, True),
        ("Neovim", {}, False),
        ("eglot", {}, True),
        ("vim-lsp", {}, True),
        ("Vim", {}, True),
        ("helix", {"trigger": {"completion_menu": "never"}}, False),
        ("some editor", menu, True),
    ):
        async with editing(tmp_path, {"provider": "local", **settings}, client_name=client) as e:
            assert ("completionProvider" in e.capabilities) is offered, client


async def test_an_editor_with_ghost_text_is_not_offered_the_same_twice(tmp_path: Path) -> None:
    settings = {"trigger": {"completion_menu": "always"}}
    async with (
        Endpoint(Reply(text="b)")) as endpoint,
        editing(tmp_path, {**endpoint.settings(), **settings}) as e,
    ):
        e.open("f(a, ║\n")
        assert await e.texts() == ["b)"]
        assert await entries(e) == []


PATIENT = """
from fim_lsp.server import language_server
language_server.GHOST_TEXT_WITHIN_S = 60.0  # on a busy machine the editor's requests come late
from fim_lsp.cli import main
raise SystemExit(main(["serve"]))
"""


async def test_an_editor_with_ghost_text_is_not_offered_it_in_its_first_menu_either(
    tmp_path: Path,
) -> None:
    """Both are asked for by the same key, and the menu's request may come first."""
    settings = {"trigger": {"completion_menu": "always"}}
    both: dict[str, Any] = {"textDocument": {"inlineCompletion": {}, "completion": {}}}
    async with (
        Endpoint(Reply(text="b)")) as endpoint,
        editing(
            tmp_path,
            {**endpoint.settings(), **settings},
            initialize={"capabilities": both},
            command=(sys.executable, "-c", PATIENT),
        ) as e,
    ):
        e.open("f(a, ║\n")
        menu = asyncio.create_task(entries(e))
        await asyncio.sleep(0)  # it is asked for first
        assert await e.texts() == ["b)"]
        assert await menu == []


async def test_an_editor_that_could_show_ghost_text_and_does_not_gets_the_menu(
    tmp_path: Path,
) -> None:
    settings = {"trigger": {"completion_menu": "always"}}
    both: dict[str, Any] = {"textDocument": {"inlineCompletion": {}, "completion": {}}}
    async with (
        Endpoint(Reply(text="b)")) as endpoint,
        editing(
            tmp_path, {**endpoint.settings(), **settings}, initialize={"capabilities": both}
        ) as e,
    ):
        e.open("f(a, ║\n")
        assert [entry["label"] for entry in await entries(e)] == ["b)"]


async def actions(e: Editor, **context: Any) -> list[dict[str, Any]]:
    here = e.at(e.offset)
    params: dict[str, Any] = {
        "textDocument": {"uri": e.uri},
        "range": {"start": here, "end": here},
        "context": {"diagnostics": [], **context},
    }
    return await e.client.request("textDocument/codeAction", params)


async def edits(e: Editor) -> list[Any]:
    """What the editor has been told to apply, once it has been told."""

    def told() -> list[Any]:
        return [said["edit"] for method, said in e.told if method == "workspace/applyEdit"]

    await until(told)
    return told()


async def test_a_code_action_asks_by_hand(tmp_path: Path) -> None:
    said = "if a:\n        return b\n    return a"
    capable = {"workspace": {"workspaceEdit": {"documentChanges": True}}}
    async with (
        Endpoint(Reply(text=said)) as endpoint,
        editing(
            tmp_path, endpoint.settings(), client_name="helix", initialize={"capabilities": capable}
        ) as e,
    ):
        e.open("def pick(a, b):\r\n    ║\r\n\r\nx = 1\r\n")
        (action,) = await actions(e)
        assert endpoint.calls == []
        assert await actions(e, only=["quickfix"]) == []
        command = action["command"]
        assert await e.client.request("workspace/executeCommand", command) is None
        here = e.at(e.offset)
        (edit,) = await edits(e)
        assert edit == {
            "documentChanges": [
                {
                    "textDocument": {"uri": e.uri, "version": 0},
                    "edits": [
                        {
                            "range": {"start": here, "end": here},
                            "newText": "if a:\r\n        return b\r\n    return a",
                        }
                    ],
                }
            ]
        }


async def test_a_code_action_changes_nothing_where_somebody_has_typed_on(tmp_path: Path) -> None:
    held = threading.Event()
    async with (
        Endpoint(Reply(text="return a", held=held)) as endpoint,
        editing(tmp_path, endpoint.settings(), client_name="helix") as e,
    ):
        e.open("def pick(a, b):\n    ║\n")
        (action,) = await actions(e)
        await e.client.request("workspace/executeCommand", action["command"])
        e.type("pass")
        held.set()
        await e.eventually("the text has changed since")
        assert not [said for said in e.told if said[0] == "workspace/applyEdit"]


async def test_a_code_action_says_why_nothing_comes(tmp_path: Path) -> None:
    async with (
        Endpoint(Reply(text="")) as endpoint,
        editing(tmp_path, endpoint.settings(), client_name="helix") as e,
    ):
        e.open("def pick(a, b):\n    ║\n")
        (action,) = await actions(e)
        await e.client.request("workspace/executeCommand", action["command"])
        await e.eventually("fim-lsp: ")
