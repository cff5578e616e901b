"""What a typist's editor talks to: a server process, or our completer in virtual time.

All count what the model was asked; a call's price is its prompt, its suffix, and what was said.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from benchmarks.model import CHARS_PER_TOKEN, PIECE_CHARS, Model
from benchmarks.plain_server import MAX_TOKENS, PAUSE_S, PROMPT_CHARS, SUFFIX_CHARS
from fim_lsp import postprocess, trigger
from fim_lsp.completer import Ask, Completer
from fim_lsp.context import CursorContext
from fim_lsp.document import Change, Document, Documents, Position
from fim_lsp.lsp_client import LspClient, ResponseError
from fim_lsp.pacing.budget import Budget
from fim_lsp.pacing.pause import CLIENT_WAITS_S
from fim_lsp.providers import Chunk, FimRequest, Usage
from fim_lsp.settings import Settings
from tests.endpoint import Call, Endpoint, Reply

Place = tuple[int, int]
"""A line and a column, both from 0."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One call to the model."""

    prompt: str
    suffix_chars: int
    pieces: int = 0

    @property
    def tokens(self) -> float:
        """What it cost."""
        return (len(self.prompt) + self.suffix_chars) / CHARS_PER_TOKEN + self.pieces


class Served(Protocol):
    """One server with one editor."""

    def open(self, uri: str, language: str, text: str) -> None:
        """Tell of a document."""
        ...

    def edit(self, uri: str, start: Place, end: Place, text: str) -> None:
        """Tell of an edit."""
        ...

    async def ask(self, uri: str, place: Place) -> list[str]:
        """What could be inserted at a place, best first; cancelled when overtaken."""
        ...

    def close(self, uri: str) -> None:
        """Tell that a document is gone."""
        ...

    def calls(self) -> list[Asked]:
        """What the model was asked so far."""
        ...


# -- in virtual time ---------------------------------------------------------------------------


class ModelProvider:
    """The model as a provider, without a network."""

    name = "mistral"
    free = False

    def __init__(self, model: Model) -> None:
        self.on_headers: Callable[[Mapping[str, str]], None] | None = None
        self.asked: list[Asked] = []
        self._model = model

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """Say it piece by piece."""
        asked = Asked(prompt=request.prompt, suffix_chars=len(request.suffix))
        self.asked.append(asked)
        text = self._model.answer(request.prompt, request.suffix)
        most = request.max_tokens or len(text)
        await asyncio.sleep(self._model.ttft_s())
        for at in range(0, len(text), PIECE_CHARS)[:most]:
            asked.pieces += 1
            yield Chunk(text=text[at : at + PIECE_CHARS])
            await asyncio.sleep(self._model.skill.per_token_s)
        prompt_tokens = (len(asked.prompt) + asked.suffix_chars) / CHARS_PER_TOKEN
        usage = Usage(prompt_tokens=int(prompt_tokens), completion_tokens=asked.pieces)
        whole = len(text) <= most * PIECE_CHARS
        yield Chunk(finish_reason="stop" if whole else "length", usage=usage)

    async def warm(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do."""


class InProcess:
    """Documents as the server keeps them; ``answering`` says what is shown at a place."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._documents = Documents()

    def open(self, uri: str, language: str, text: str) -> None:
        """Keep a document."""
        self._documents.open(uri, language, 0, text)

    def edit(self, uri: str, start: Place, end: Place, text: str) -> None:
        """Apply an edit."""
        change = Change(start=Position(*start), end=Position(*end), text=text)
        document = self._documents.change(uri, [change], 0, "utf-32")
        if document:
            self._answering.edited(document, start, text)

    async def ask(self, uri: str, place: Place) -> list[str]:
        """Ask at a place."""
        document = self._documents.get(uri)
        return await self._answering.shown(document.context(*place)) if document else []

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.close(uri)
        self._answering.closed(uri)

    def calls(self) -> list[Asked]:
        """What the model was asked."""
        return self._answering.calls()


class Answering(Protocol):
    """A way to come by ghost text."""

    def edited(self, document: Document, start: Place, text: str) -> None:
        """Hear of an edit."""
        ...

    async def shown(self, context: CursorContext) -> list[str]:
        """What to show."""
        ...

    def closed(self, uri: str) -> None:
        """Hear that a document is gone."""
        ...

    def calls(self) -> list[Asked]:
        """What was asked."""
        ...


class Ours:
    """The completer, driven as the server drives it."""

    def __init__(
        self,
        model: Model,
        settings: Settings,
        client: str,
        *,
        provider: ModelProvider | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._provider = provider or ModelProvider(model)
        wait_s = CLIENT_WAITS_S.get(client, 0.0)
        self.completer = Completer(self._provider, settings, client_wait_s=wait_s, budget=budget)
        self._asking: asyncio.Task[Any] | None = None

    def edited(self, document: Document, start: Place, text: str) -> None:
        """Note it; what it refutes is hung up."""
        uri, context = document.uri, None
        if self.completer.calls.running(uri):
            first, *more = text.split("\n")
            line, column = start[0] + len(more), start[1] + len(first)
            context = document.context(line, len(more[-1]) if more else column)
        self.completer.edited(uri, context)

    async def shown(self, context: CursorContext) -> list[str]:
        """The answer; an older request is overtaken."""
        if self._asking:
            self._asking.cancel()
        self._asking = asyncio.current_task()
        ask = Ask(context=context, path=context.uri.rpartition("/")[2])
        answer = await self.completer.complete(ask)
        return [item.text for item in answer.items]

    def closed(self, uri: str) -> None:
        """Forget it."""
        self.completer.closed(uri)

    def calls(self) -> list[Asked]:
        """What was asked."""
        return self._provider.asked


class Plain:
    """What ``plain_server`` does, in virtual time."""

    def __init__(self, model: Model, pause_s: float = PAUSE_S) -> None:
        self._model = model
        self._pause_s = pause_s
        self._asked: list[Asked] = []

    def edited(self, document: Document, start: Place, text: str) -> None:
        """It keeps nothing in mind."""

    def admits(self, prompt_chars: int) -> bool:
        """Whether the endpoint answers so long a prompt now."""
        del prompt_chars
        return True

    async def shown(self, context: CursorContext) -> list[str]:
        """A pause, a call, the answer when it is whole."""
        await asyncio.sleep(self._pause_s)
        asked = Asked(
            prompt=context.prefix[-PROMPT_CHARS:], suffix_chars=len(context.suffix[:SUFFIX_CHARS])
        )
        if not self.admits(len(asked.prompt) + asked.suffix_chars):
            return []
        self._asked.append(asked)
        text = self._model.answer(asked.prompt, context.suffix[:SUFFIX_CHARS])[
            : MAX_TOKENS * PIECE_CHARS
        ]
        pieces = -(-len(text) // PIECE_CHARS)
        asked.pieces = pieces
        await asyncio.sleep(self._model.ttft_s() + self._model.skill.per_token_s * pieces)
        return [text] if text else []

    def closed(self, uri: str) -> None:
        """It keeps nothing in mind."""

    def calls(self) -> list[Asked]:
        """What was asked."""
        return self._asked


class Bound:
    """What there would be to see with no latency, no limit, and a question at every key.

    ``is_sure`` cuts each answer where it goes wrong: nothing that asks this model can show more.
    """

    def __init__(self, model: Model, *, is_sure: bool = False) -> None:
        self._model = model
        self._is_sure = is_sure
        self._asked: list[Asked] = []

    def edited(self, document: Document, start: Place, text: str) -> None:
        """It keeps nothing in mind."""

    async def shown(self, context: CursorContext) -> list[str]:
        """The model's answer at once, as we shape it."""
        asked = Asked(prompt=context.prefix, suffix_chars=len(context.suffix))
        self._asked.append(asked)
        text = self._model.answer(context.prefix, context.suffix)
        asked.pieces = -(-len(text) // PIECE_CHARS)
        shown = postprocess.shape(text, context, lines=trigger.decide(context).lines).text
        if self._is_sure:
            shown = self._model.right_part(context.prefix, shown)
        return [shown] if shown.strip() else []

    def closed(self, uri: str) -> None:
        """It keeps nothing in mind."""

    def calls(self) -> list[Asked]:
        """What was asked."""
        return self._asked


# -- in real time ------------------------------------------------------------------------------


class Process:
    """A server process over stdio, and the loopback endpoint that it asks."""

    def __init__(self, client: LspClient, endpoint: Endpoint) -> None:
        self.client = client
        self._endpoint = endpoint

    @property
    def pid(self) -> int:
        """The server's process."""
        return self.client.pid

    def open(self, uri: str, language: str, text: str) -> None:
        """Tell of a document."""
        item = {"uri": uri, "languageId": language, "version": 0, "text": text}
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def edit(self, uri: str, start: Place, end: Place, text: str) -> None:
        """Tell of an edit."""
        change = {"range": {"start": _position(start), "end": _position(end)}, "text": text}
        document = {"uri": uri, "version": 0}
        self.client.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    async def ask(self, uri: str, place: Place) -> list[str]:
        """Ask at a place; a cancelled request shows nothing."""
        params = {
            "textDocument": {"uri": uri},
            "position": _position(place),
            "context": {"triggerKind": 2},
        }
        try:
            result = await self.client.request("textDocument/inlineCompletion", params)
        except ResponseError as error:
            if error.code in {-32800, -32801, -32802}:
                raise asyncio.CancelledError from error
            raise
        return [item["insertText"] for item in result["items"]]

    def close(self, uri: str) -> None:
        """Tell that a document is gone."""
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def calls(self) -> list[Asked]:
        """What the endpoint was asked."""
        return [_asked(call) for call in self._endpoint.calls]


def _asked(call: Call) -> Asked:
    prompt, suffix = str(call.body.get("prompt", "")), str(call.body.get("suffix", ""))
    return Asked(prompt=prompt, suffix_chars=len(suffix), pieces=len(call.pieces))


def _position(place: Place) -> dict[str, int]:
    return {"line": place[0], "character": place[1]}


OURS = (sys.executable, "-m", "fim_lsp", "serve")
PLAIN = (sys.executable, "-m", "benchmarks.plain_server")


@asynccontextmanager
async def process(
    command: tuple[str, ...], model: Model, client_name: str, table: str = ""
) -> AsyncGenerator[Process]:
    """Start a server that asks the model; ``table`` is more of its settings file."""

    def reply(_: Call) -> Reply:
        return Reply(
            text=model.answer,
            piece_chars=PIECE_CHARS,
            ttft_s=model.ttft_s(),
            per_piece_s=model.skill.per_token_s,
        )

    async with Endpoint(reply) as endpoint:
        with TemporaryDirectory() as folder:
            environment = {**os.environ, **settings_file(folder, endpoint.base_url, table)}
            client = await LspClient.start(command, _unheard, env=environment)
            try:
                await client.request("initialize", initialize_params(client_name, folder))
                client.notify("initialized", {})
                await asyncio.sleep(0.5)
                yield Process(client, endpoint)
            finally:
                await client.aclose()


def settings_file(folder: str, base_url: str, table: str) -> dict[str, str]:
    """Write a settings file that leads to an endpoint; the environment that leads to the file."""
    config = Path(folder) / "config.toml"
    where = f'provider = "mistral"\nbase_url = "{base_url}"\n'
    config.write_text(f'{where}api_key_env = "PLAIN_KEY"\n{table}')
    return {
        "FIM_LSP_CONFIG": str(config),
        "PLAIN_BASE_URL": base_url,
        "PLAIN_KEY": "test-key",
    }


def _unheard(_: str, __: Mapping[str, Any]) -> None:
    """What the server says by itself is not measured."""


def initialize_params(client_name: str, folder: str) -> dict[str, Any]:
    """What an editor says first."""
    root = Path(folder).as_uri()
    return {
        "processId": os.getpid(),
        "rootUri": root,
        "workspaceFolders": [{"uri": root, "name": "w"}],
        "clientInfo": {"name": client_name, "version": "0"},
        "capabilities": {
            "general": {"positionEncodings": ["utf-32", "utf-16"]},
            "textDocument": {"inlineCompletion": {"dynamicRegistration": False}},
        },
    }
