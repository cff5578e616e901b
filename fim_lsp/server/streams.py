"""The editor's end of the server: messages from stdin, answers to stdout.

pygls asks a thread for every line of every header, which costs more than all the rest of a key.
Here the event loop itself says when there is something to read; only where the system cannot tell
it (Windows, a regular file) a thread reads, and hands on whatever has arrived.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from fim_lsp.server.framing import MessageParser

if TYPE_CHECKING:
    from pygls.io_ import AsyncWriter, Writer

PIECE_BYTES = 256 * 1024
NOBODY_READS = 141
"""The exit status of a program that SIGPIPE has ended, as a shell gives it."""
_STDIN, _STDOUT = 0, 1


class Receiver(Protocol):
    """Whom the messages are for."""

    def set_writer(self, writer: AsyncWriter | Writer) -> None:
        """Take the way back."""
        ...

    def receive(self, body: bytes) -> None:
        """Act on one message."""
        ...


def serve_stdio(receiver: Receiver) -> None:
    """Run until stdin ends; raises ``SystemExit`` on ``exit``, or where nobody reads stdout."""
    if sys.stdin is None or sys.stdout is None:  # closed: their numbers may be other files' by now
        return
    receiver.set_writer(DescriptorWriter(_STDOUT))
    asyncio.run(_from_descriptor(receiver, _STDIN))


async def _from_descriptor(receiver: Receiver, descriptor: int) -> None:
    await converse(receiver, DescriptorReader(descriptor).read)


async def converse(
    receiver: Receiver,
    read: Callable[[], Awaitable[bytes]],
    parser: MessageParser | None = None,
) -> None:
    """Hand on the messages in what ``read`` gives, until it gives nothing more.

    ``parser`` has read what came before.
    """
    parser = parser or MessageParser()
    while received := await read():
        for body in parser.feed(received):
            receiver.receive(body)
            await asyncio.sleep(0)  # a request begins before the edit behind it changes its text


class DescriptorWriter:
    """Writes to a file descriptor, all of it before it returns, whatever mode it is in.

    Python's own stdout, when told to be unbuffered, drops what a pipe does not take at once.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Write it all. Raises ``SystemExit`` where nobody reads any more.

        pygls calls this from where any ``Exception`` would be logged and forgotten.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                raise SystemExit(NOBODY_READS) from None

    def close(self) -> None:
        """Nothing: the process's end does it."""


class DescriptorReader:
    """Reads a file descriptor as soon as there is something. It stays in the mode it is in."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._pieces: _Pieces | None = None

    async def read(self) -> bytes:
        """What has arrived, at least one byte; empty at the end."""
        while self._pieces is None:
            if not await self._is_readable():
                self._pieces = _Pieces(self._descriptor)
                break
            try:
                return os.read(self._descriptor, PIECE_BYTES)
            except BlockingIOError:  # its other owner has been faster
                continue
            except OSError:
                return b""
        return await self._pieces.get()

    async def _is_readable(self) -> bool:
        """Wait until it is; False where the system cannot tell."""
        arrived: asyncio.Future[None] = self._loop.create_future()

        def note() -> None:
            self._loop.remove_reader(self._descriptor)
            if not arrived.done():
                arrived.set_result(None)

        try:
            self._loop.add_reader(self._descriptor, note)
        except (NotImplementedError, OSError):
            return False
        try:
            await arrived
        finally:
            self._loop.remove_reader(self._descriptor)
        return True


class _Pieces:
    """What a thread reads from a descriptor: one piece ahead of who takes them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._read: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(1)
        # a daemon, for nothing can end a read; os.read, for it holds no lock at the exit
        threading.Thread(target=self._work, name="fim-lsp stdin", daemon=True).start()

    async def get(self) -> bytes:
        """The next piece; empty at the end."""
        piece = await self._read.get()
        self._room.release()
        return piece

    def _work(self) -> None:
        piece = b"."
        while piece:
            self._room.acquire()
            try:
                piece = os.read(self._descriptor, PIECE_BYTES)
            except OSError:
                piece = b""
            try:
                self._loop.call_soon_threadsafe(self._read.put_nowait, piece)
            except RuntimeError:  # the loop is closed
                return
