"""A provider over HTTP: what every dialect shares; a dialect is a description of what differs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fim_lsp.errors import ProviderError, SettingError
from fim_lsp.keys import Key, KeySource
from fim_lsp.providers import Chunk, FimRequest
from fim_lsp.providers.answers import AnswerReader
from fim_lsp.providers.reading import table
from fim_lsp.providers.refusals import Asked, refusal
from fim_lsp.providers.route import check_key_is_for, extra_headers, is_loopback
from fim_lsp.providers.transport import Response, Transport
from fim_lsp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one kind of endpoint is asked and how it answers."""

    name: str
    path: str
    """Behind the base URL."""
    payload: Callable[[FimRequest, Settings], dict[str, Any]]
    """The request's body."""
    read: Callable[[Mapping[str, Any]], Chunk]
    """One JSON object of the answer."""
    has_lines: bool = False
    """Whether a stream is a JSON object on each line, and not server-sent events."""
    needs_key: bool = True
    """Whether it cannot be asked without a key; on this machine none is ever needed."""
    warm_path: str = ""
    """Behind the base URL: where a GET without a key opens a spare connection."""
    ahead: Callable[[FimRequest, Settings], dict[str, Any]] | None = None
    """The body that lets it read a prompt into its cache and write nothing, where it can."""


class HttpProvider:
    """One dialect, connected to one endpoint; the ``Provider`` that the settings describe."""

    free = False

    def __init__(self, dialect: Dialect, settings: Settings) -> None:
        self.name = dialect.name
        self.on_headers: Callable[[Mapping[str, str]], None] | None = None
        """Called with each response's headers, names in lower case: they may tell of limits."""
        self._dialect = dialect
        self._settings = settings
        self._headers = extra_headers(settings.headers)
        self._keys = KeySource(settings)
        self._path = dialect.path
        if settings.full_url:
            _, mark, query = settings.full_url.partition("?")
            self._path = mark + query
        self._transport = Transport(
            settings.effective_base_url, settings.network, warm_path=dialect.warm_path
        )
        check_key_is_for(self._transport.host, settings)

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """As ``Provider.stream``; close it (``aclosing``) when it is left early.

        Raises ``ProviderError``: a ``SettingError`` where there is no usable key.
        """
        key = await self._key()
        payload = self._dialect.payload(request, self._settings)
        headers = self._headers | (key.header if key else {})
        asked = self._asked(request, key)
        reader = AnswerReader(
            self._dialect.read,
            partial(_failed, asked),
            has_lines=self._dialect.has_lines,
        )
        async with self._transport.exchange(self._path, payload, headers) as response:
            if self.on_headers is not None:
                self.on_headers(response.headers)
            if response.status != 200:
                raise await self._refused(response, asked)
            async for piece in response:
                for chunk in reader.feed(piece):
                    response.answer_is_complete = chunk.finish_reason is not None
                    yield chunk
                    if chunk.finish_reason is not None:
                        return
                if reader.is_complete:
                    response.answer_is_complete = True
                    return
            for chunk in reader.end():
                yield chunk

    async def warm(self) -> None:
        """Read the key and have a connection ready before they are needed. Never raises."""
        try:
            await self._keys.get()
        except SettingError:
            return  # the first request says it
        await self._transport.warm()

    @property
    def reads_ahead(self) -> bool:
        """Whether it can, and is this machine's own: elsewhere each reading has its price."""
        return self._dialect.ahead is not None and is_loopback(self._transport.host)

    async def read_ahead(self, request: FimRequest) -> None:
        """Let the endpoint read the prompt, and write nothing. Never raises."""
        if self._dialect.ahead is None:
            return
        with contextlib.suppress(ProviderError):  # the next call says what is wrong
            key = await self._key()
            headers = self._headers | (key.header if key else {})
            payload = self._dialect.ahead(request, self._settings)
            async with self._transport.exchange(self._path, payload, headers) as response:
                await response.read()
                response.answer_is_complete = True

    async def aclose(self) -> None:
        """Close every connection. Calls that still run end with an ``UnavailableError``."""
        await self._keys.aclose()
        await self._transport.aclose()

    async def _key(self) -> Key | None:
        if self._dialect.needs_key and not is_loopback(self._transport.host):
            return await self._keys.require()
        return await self._keys.get()

    def _asked(self, request: FimRequest, key: Key | None) -> Asked:
        texts = [request.prompt, request.suffix, *(one.text for one in request.snippets)]
        return Asked(
            host=self._transport.host,
            model=self._settings.effective_model,
            sent=(key.value if key else "", *texts),
            has_key=key is not None,
            key_from=self._keys.place,
        )

    async def _refused(self, response: Response, asked: Asked) -> ProviderError:
        if response.status in {401, 403}:
            self._keys.forget()  # a key from a command may have expired
        try:
            body = await response.read()
        except ProviderError:
            body = b""  # the status alone says enough
        return refusal(response.status, body, response.headers, asked)


def _failed(asked: Asked, found: Mapping[str, Any]) -> ProviderError | None:
    """The error that an object of an answer stands for: one can come with status 200, even late."""
    if not found.get("error") and found.get("object") not in {"error", "Error"}:
        return None
    inner = table(found.get("error"))
    codes = (found.get("raw_status_code"), found.get("code"), inner.get("code"))
    status = next((code for code in codes if type(code) is int and 400 <= code < 600), 500)
    return refusal(status, json.dumps(found).encode(), {}, asked)
