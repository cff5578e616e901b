"""A response's body into chunks of text: pure, however the body is framed and split.

Bodies are server-sent events, one JSON object, or a JSON object on each line. Which one it is shows
in the first byte, not in the content type: gateways mislabel, and some answer a request for a
stream with one JSON body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fim_lsp.errors import ProviderError, UnavailableError
from fim_lsp.providers import Chunk
from fim_lsp.providers.reading import parsed
from fim_lsp.providers.sse import EventParser, EventTooLongError

Framing = Literal["events", "lines", "whole"]

_DONE = "[DONE]"


class AnswerReader:
    """Reads one body: feed it what arrives, take the chunks; ``is_complete`` ends it early."""

    def __init__(
        self,
        read: Callable[[Mapping[str, Any]], Chunk],
        fail: Callable[[Mapping[str, Any]], ProviderError | None],
        *,
        has_lines: bool = False,
    ) -> None:
        """Make a reader for a dialect.

        ``read`` turns one JSON object into a chunk, ``fail`` into an error if it is one.
        ``has_lines`` says that a body of JSON holds an object on each line.
        """
        self.is_complete = False
        """Whether the answer is whole, though the body may not have ended."""
        self._read, self._fail, self._has_lines = read, fail, has_lines
        self._framing: Framing | None = None
        self._events = EventParser()
        self._pending = b""
        self._has_begun = False

    def feed(self, received: bytes) -> list[Chunk]:
        """The chunks that ``received`` completes. Raises ``ProviderError``."""
        if self._framing is None:
            received = (self._pending + received).lstrip(b"\xef\xbb\xbf \t\r\n")
            self._pending = b""
            if not received:
                return []
            self._framing = self._framing_of(received)
        if self._framing == "events":
            return self._from_events(self._parsed_events(received))
        self._pending += received
        if self._framing == "whole":
            return []
        *lines, self._pending = self._pending.split(b"\n")
        return self._chunks([line for line in lines if line.strip()])

    def end(self) -> list[Chunk]:
        """The chunks that only the body's end completes. Raises ``ProviderError``."""
        chunks = self._from_the_end()
        if not self._has_begun and not self.is_complete:
            message = "The endpoint ended its answer before any of it: check base_url and provider."
            raise UnavailableError(message)
        return chunks

    def _from_the_end(self) -> list[Chunk]:
        if self._framing == "events":
            return self._from_events(self._events.end())
        rest, self._pending = self._pending, b""
        chunks = self._chunks([rest] if rest.strip() else [])
        if self._framing == "whole" and not any(chunk.finish_reason for chunk in chunks):
            chunks.append(Chunk(finish_reason="stop"))  # a body that parses is not cut off
        return chunks

    def _framing_of(self, received: bytes) -> Framing:
        if received.startswith(b"<"):
            message = "The endpoint answered with a web page: check base_url."
            raise UnavailableError(message)
        if not received.startswith(b"{"):
            return "events"
        return "lines" if self._has_lines else "whole"

    def _parsed_events(self, received: bytes) -> list[str]:
        try:
            return self._events.feed(received)
        except EventTooLongError:
            message = "The endpoint sent an event without an end: check base_url."
            raise UnavailableError(message) from None

    def _from_events(self, events: list[str]) -> list[Chunk]:
        if _DONE in events:
            self.is_complete = True
            events = events[: events.index(_DONE)]
        return self._chunks(events)

    def _chunks(self, texts: list[str] | list[bytes]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for text in texts:
            found = parsed(text)
            if found is None:
                message = (
                    "The endpoint sent something that is no JSON: check base_url and provider."
                )
                raise UnavailableError(message)
            if error := self._fail(found):
                raise error
            self._has_begun = True
            chunk = self._read(found)
            if chunk.text or chunk.finish_reason or chunk.usage:
                chunks.append(chunk)
        return chunks
