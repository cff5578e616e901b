"""Server-sent events, as a parser with no I/O in it: feed it bytes, take the events' data.

Follows the event stream grammar of the HTML standard, section 9.2.6, with two leniencies: an event
that the body's end cuts off before its blank line still counts, and a byte order mark may come
anywhere a line starts. Names, ids and retry times of events are of no use here and are dropped.
"""

from __future__ import annotations

import codecs

MAX_EVENT_BYTES = 256 * 1024
"""No event of a completion comes near this; more is a broken or hostile endpoint."""


class EventTooLongError(ValueError):
    """One event is longer than MAX_EVENT_BYTES."""


class EventParser:
    r"""Turns a body's bytes, split anywhere, into the ``data`` of its events.

    Only ``\n``, ``\r\n`` and ``\r`` end a line: ``str.splitlines`` would also split at U+2028 and
    others, which JSON may hold as they are. Bytes that are not UTF-8 become U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._after_return = False
        self._lines: list[str] = []
        self._size = 0

    def feed(self, received: bytes) -> list[str]:
        """The data of every event that ``received`` completes."""
        return self._take(self._decoder.decode(received))

    def end(self) -> list[str]:
        """The data of what the body's end cut off, if any."""
        events = self._take(self._decoder.decode(b"", final=True) + "\n\n")
        self._rest = ""
        return events

    def _take(self, text: str) -> list[str]:
        if text and self._after_return:
            text = text.removeprefix("\n")  # the second half of a \r\n that was split
            self._after_return = False
        self._after_return = self._after_return or text.endswith("\r")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, rest = text.split("\n")
        if lines:
            lines[0] = self._rest + lines[0]
            self._rest = rest
        else:
            self._rest += rest
        self._bound(len(self._rest))
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: str) -> str | None:
        if not line:
            event = "\n".join(self._lines) if self._lines else None
            self._lines, self._size = [], 0
            return event
        name, _, value = line.removeprefix("\ufeff").partition(":")
        if name == "data":
            self._lines.append(value.removeprefix(" "))
            self._size += len(value)
            self._bound(0)
        return None

    def _bound(self, pending: int) -> None:
        if self._size + pending > MAX_EVENT_BYTES:
            raise EventTooLongError
