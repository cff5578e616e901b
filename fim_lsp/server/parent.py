"""Ends the server when the editor's process is gone, though something still holds its stdin.

An editor that is killed leaves that to the system, which closes the pipe at once, unless another
child of the editor has inherited its end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial

CHECK_S = 1.0


def watch_parent(pid: int | None) -> None:
    """Raise ``SystemExit`` out of the running loop once process ``pid`` is gone.

    A process that cannot be seen from the beginning is not watched: it lives in another container.
    """
    if pid is None or pid <= 0 or sys.platform == "win32" or not _lives(pid):
        return
    _look_again(pid, is_ours=os.getppid() == pid)


def _look_again(pid: int, *, is_ours: bool) -> None:
    if not _lives(pid) or (is_ours and os.getppid() != pid):  # dead children stay until looked at
        raise SystemExit(0)
    again = partial(_look_again, pid, is_ours=is_ours)
    asyncio.get_running_loop().call_later(CHECK_S, again)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
