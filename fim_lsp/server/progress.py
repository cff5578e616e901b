"""``window/workDoneProgress`` while a project is read, where that takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

LONG_S = 1.0
"""What takes no longer is not worth a line."""
BEGINS_WITHIN_S = 30.0
"""Reading begins with the first document of a language that can teach something."""
_LOOK_S = 0.25


async def report_reading(server: LanguageServer, is_reading: Callable[[], bool]) -> None:
    """Show that the project is being read, once that has taken ``LONG_S``, until it is done."""
    window = server.client_capabilities.window
    if not (window and window.work_done_progress) or not await _takes_long(is_reading):
        return
    import secrets

    token = f"fim-lsp/{secrets.token_hex(4)}"
    try:
        wanted = lsp.WorkDoneProgressCreateParams(token)
        await server.window_work_done_progress_create_async(wanted)
    except JsonRpcException:
        return
    begin = lsp.WorkDoneProgressBegin(title="fim-lsp", message="reading the project")
    server.work_done_progress.begin(token, begin)
    try:
        while is_reading():  # noqa: ASYNC110 - it reads in a thread
            await asyncio.sleep(_LOOK_S)
    finally:
        server.work_done_progress.end(token, lsp.WorkDoneProgressEnd())


async def _takes_long(is_reading: Callable[[], bool]) -> bool:
    """Wait until it has read for ``LONG_S`` on end; False where it never does."""
    was_reading = False
    for _ in range(int(BEGINS_WITHIN_S / LONG_S)):
        await asyncio.sleep(LONG_S)
        reads = is_reading()
        if reads and was_reading:
            return True
        was_reading = reads
    return False
