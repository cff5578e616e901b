"""Our server with the time noted at its edges: what it reads, sends, receives and writes.

Not a line of it is another; only where it meets the system it is watched. At the end a list of
``[what, seconds of the clock, seconds of the processor]`` goes as JSON into the file that
``WATCHED_LOG`` names: ``read`` (stdin), ``sent`` (a piece of a POST), ``received`` (an event of an
answer), ``written`` (an answer on stdout).
"""

from __future__ import annotations

import json
import os
import sys
import time
from asyncio import selector_events
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyio._backends import _asyncio as backend  # pyright: ignore[reportPrivateUsage]

from fim_lsp.cli import main

Mark = tuple[str, float, float]


def watch(marks: list[Mark]) -> None:
    """Note the time at the edges from now on."""

    def note(what: str) -> None:
        marks.append((what, time.monotonic(), time.process_time()))

    watch_pipes(note)
    watch_sockets(note)


def watch_pipes(note: Callable[[str], None]) -> None:
    """Note what is read from the editor and what is answered."""
    read, write = os.read, os.write

    def taken(descriptor: int, size: int) -> bytes:
        data = read(descriptor, size)
        note("read")
        return data

    def written(descriptor: int, data: Any) -> int:
        count = write(descriptor, data)
        if b'"result": {' in bytes(data):
            note("written")
        return count

    os.read, os.write = taken, written


def watch_sockets(note: Callable[[str], None]) -> None:
    """Note what is sent to the endpoint and what of its answer arrives."""
    transport: Any = vars(selector_events)["_SelectorSocketTransport"]
    write: Callable[..., None] = transport.write
    arrived = backend.StreamProtocol.data_received
    posts: set[int] = set()

    def sent(connection: object, data: bytes) -> None:
        write(connection, data)
        if bytes(data[:5]) == b"POST ":
            posts.add(id(connection))
        elif bytes(data[:4]) == b"GET ":
            posts.discard(id(connection))
        if id(connection) in posts:
            note("sent")

    def received(protocol: Any, data: bytes) -> None:
        if b"data: {" in data:
            note("received")
        arrived(protocol, data)

    transport.write = sent
    backend.StreamProtocol.data_received = received  # type: ignore[method-assign]


if __name__ == "__main__":
    noted: list[Mark] = []
    watch(noted)
    try:
        sys.exit(main(["serve"]))
    finally:
        Path(os.environ["WATCHED_LOG"]).write_text(json.dumps(noted))
