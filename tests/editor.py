"""An editor for tests: the real server process, driven over the wire with a visible cursor."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

from fim_lsp.lsp_client import LspClient, ResponseError
from tests.cursor import CURSOR
from tests.patience import until

CANCELLED = -32800
SERVER = (sys.executable, "-m", "fim_lsp", "serve")
Encoding = Literal["utf-8", "utf-16", "utf-32"]
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


class Editor:
    """One document in a real server, and what the server has said by itself."""

    def __init__(self, client: LspClient, encoding: Encoding, told: list[tuple[str, Any]]) -> None:
        self.client = client
        self.uri = "file:///w/a.py"
        self.text = ""
        self.told = told
        """Notifications of the server: method and parameters."""
        self.capabilities: dict[str, Any] = {}
        self._encoding: Encoding = encoding
        self._version = 0

    @property
    def messages(self) -> list[str]:
        """What a person has been shown."""
        return [said["message"] for method, said in self.told if method == "window/showMessage"]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        """What the server has said of its state."""
        return [said for method, said in self.told if method == "fim/status"]

    def open(self, marked: str, *, language: str = "python", uri: str | None = None) -> None:
        """Open a document whose cursor is marked."""
        self.uri = uri or self.uri
        before, _, after = marked.partition(CURSOR)
        self.text, self.offset = before + after, len(before)
        item = {"uri": self.uri, "languageId": language, "version": 0, "text": self.text}
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, text: str) -> None:
        """Insert at the cursor."""
        self._edit(self.offset, self.offset, text)

    def backspace(self, count: int = 1) -> None:
        """Delete before the cursor."""
        self._edit(self.offset - count, self.offset, "")

    def _edit(self, start: int, end: int, text: str) -> None:
        change = {"range": {"start": self.at(start), "end": self.at(end)}, "text": text}
        self._version += 1
        self.client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self._version},
                "contentChanges": [change],
            },
        )
        self.text = self.text[:start] + text + self.text[end:]
        self.offset = start + len(text)

    def at(self, offset: int) -> dict[str, int]:
        """The position of an offset, in the encoding that was agreed on."""
        before = self.text[:offset]
        codec, width = _CODECS[self._encoding]
        line = before[before.rfind("\n") + 1 :]
        return {"line": before.count("\n"), "character": len(line.encode(codec)) // width}

    async def ask(self, *, kind: int = 2, **more: Any) -> list[dict[str, Any]]:
        """The items at the cursor; automatic unless told otherwise."""
        result: Any = await self.client.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self.uri},
                "position": self.at(self.offset),
                "context": {"triggerKind": kind, **more},
            },
        )
        assert isinstance(result, dict), result
        answer = cast("dict[str, list[dict[str, Any]]]", result)
        assert list(answer) == ["items"]
        return answer["items"]

    async def texts(self, *, kind: int = 2) -> list[str]:
        """The items' texts at the cursor."""
        return [item["insertText"] for item in await self.ask(kind=kind)]

    async def eventually(self, wanted: str) -> str:
        """Wait for a message to the person that holds ``wanted``."""

        def found() -> list[str]:
            return [message for message in self.messages if wanted in message]

        await until(found)
        return found()[0]


@asynccontextmanager
async def editing(
    tmp_path: Path,
    settings: Mapping[str, Any] | str,
    *,
    encoding: Encoding = "utf-16",
    client_name: str = "tests",
    key: str = "test-key",
    initialize: Mapping[str, Any] | None = None,
    options: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    command: tuple[str, ...] = SERVER,
    cwd: Path | None = None,
) -> AsyncGenerator[Editor]:
    """Start the server with these settings in its file, and say hello to it."""
    config = tmp_path / "config.toml"
    config.write_text(settings if isinstance(settings, str) else toml(settings))
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "FIM_LSP_CONFIG": str(config),
        "TEST_KEY": key,
        **(env or {}),
    }
    told: list[tuple[str, Any]] = []
    client = await LspClient.start(
        (*command, *options),
        lambda method, params: told.append((method, params)),
        env=environment,
        cwd=cwd,
    )
    editor = Editor(client, encoding, told)
    try:
        answer = await client.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": "file:///w",
                "workspaceFolders": [{"uri": "file:///w", "name": "w"}],
                "clientInfo": {"name": client_name},
                "capabilities": {"general": {"positionEncodings": [encoding]}},
                **(initialize or {}),
            },
        )
        editor.capabilities = answer["capabilities"]
        client.notify("initialized", {})
        yield editor
    finally:
        await client.aclose()


def toml(table: Mapping[str, Any]) -> str:
    """A table as TOML, with a key from TEST_KEY unless it says otherwise."""
    named = {"api_key_env": "TEST_KEY", **table}
    lines = [f"{name} = {_value(one)}" for name, one in named.items() if not _is_table(one)]
    for name, value in table.items():
        if _is_table(value):
            lines.append(f"[{name}]")
            lines += [f"{inner} = {_value(one)}" for inner, one in value.items()]
    return "\n".join(lines) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return repr(list(cast("list[object]", value)))
    return repr(value)


async def code_of(waiting: asyncio.Future[Any] | asyncio.Task[Any]) -> int:
    """The error's code that a request was answered with."""
    try:
        await waiting
    except ResponseError as error:
        return error.code
    return 0
