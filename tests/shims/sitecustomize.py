"""Faults of the machine itself, for a server process started with this folder on PYTHONPATH.

A file in the folder that FIM_TEST_FAULTS names switches each on: ``no-dns`` makes every look-up
fail, ``wall-clock`` and ``monotonic-clock`` hold the seconds by which these clocks are off.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any

_FOLDER = Path(os.environ["FIM_TEST_FAULTS"])
_getaddrinfo, _time, _monotonic = socket.getaddrinfo, time.time, time.monotonic


def _off_s(name: str) -> float:
    try:
        return float((_FOLDER / name).read_text() or 0)
    except OSError:
        return 0.0


def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
    """Look up, unless there is no DNS."""
    if (_FOLDER / "no-dns").exists():
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _getaddrinfo(host, *rest, **options)


socket.getaddrinfo = getaddrinfo
time.time = lambda: _time() + _off_s("wall-clock")
time.monotonic = lambda: _monotonic() + _off_s("monotonic-clock")
