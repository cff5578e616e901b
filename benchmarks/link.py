"""A relay on loopback that takes as long as a distant endpoint: a simulated round trip."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def distant(port: int, round_trip_s: float) -> AsyncGenerator[int]:
    """The port of a relay to ``port`` of this machine, one round trip away.

    Every byte takes half a round trip each way; the TCP handshake, which a relay cannot delay,
    is paid by a whole one before the first byte.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
        try:
            await asyncio.sleep(round_trip_s)
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, there_writer, round_trip_s / 2))
                both.create_task(_carry(there_reader, writer, round_trip_s / 2))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    """Hand on what comes, in order, ``delay_s`` later; close where it ends."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def hand_on(received: bytes) -> None:
        if received and not writer.is_closing():
            writer.write(received)
        elif not received:
            writer.close()
            if not done.done():
                done.set_result(None)

    try:
        while received := await reader.read(65536):
            loop.call_later(delay_s, hand_on, received)
    except ConnectionError:
        pass
    loop.call_later(delay_s, hand_on, b"")
    with suppress(asyncio.CancelledError):
        await done
