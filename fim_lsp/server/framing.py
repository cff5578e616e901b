r"""LSP's framing, with no I/O in it: feed it bytes split anywhere, take the bodies of messages.

A message is ``Content-Length: N\r\n\r\n`` and N bytes (LSP, "Base Protocol"). Whatever else comes
is passed over up to the next such header, even one that stands at the end of garbage: an editor or
a wrapper that once counts wrongly must not leave the server deaf.
"""

from __future__ import annotations

import re

MAX_BODY_BYTES = 128 * 1024 * 1024
"""No editor opens a document that long here; a body that says it is longer is passed over."""
MAX_LINE_BYTES = 16 * 1024
"""A header's line is shorter; of a longer one only the end is kept."""

_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*\r?\Z", re.IGNORECASE)
_LONGEST_HEADER = 64


class MessageParser:
    """Takes bytes, gives bodies."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._length: int | None = None
        """What the header says of the body, as far as it has been read."""
        self._in_body = False
        self._surplus = 0
        """How many bytes of a body that is too long are still to come."""

    def feed(self, received: bytes) -> list[bytes]:
        """The bodies that ``received`` completes, in order; one that is too long comes out empty.

        They are not looked into: they need not be JSON.
        """
        self._received += received
        bodies: list[bytes] = []
        while True:
            while not self._in_body and self._read_line():
                pass
            body = self._body() if self._in_body else None
            if body is None:
                return bodies
            bodies.append(body)

    def _read_line(self) -> bool:
        """Take a line of a header; False where none has arrived whole."""
        end = self._received.find(b"\n")
        if end < 0:
            if len(self._received) > MAX_LINE_BYTES:
                del self._received[:-_LONGEST_HEADER]
            return False
        line = bytes(self._received[max(0, end - _LONGEST_HEADER) : end])
        del self._received[: end + 1]
        if line in {b"", b"\r"}:
            self._end_header()
        elif found := _LENGTH.search(line):
            self._length = int(found.group(1))
        return True

    def _end_header(self) -> None:
        if self._length is None:  # a blank line between messages, or a header that says too little
            return
        self._in_body = True
        if self._length > MAX_BODY_BYTES:
            self._length, self._surplus = 0, self._length

    def _body(self) -> bytes | None:
        """Take the body; None where it has not arrived whole."""
        dropped = min(self._surplus, len(self._received))
        del self._received[:dropped]
        self._surplus -= dropped
        length = self._length or 0
        if self._surplus or len(self._received) < length:
            return None
        body = bytes(self._received[:length])
        del self._received[:length]
        self._length, self._in_body = None, False
        return body
