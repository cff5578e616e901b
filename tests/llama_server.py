"""A real llama-server on a free port, and what it says of its work."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.editors.terminal import program
from tests.patience import PATIENCE_S


@contextmanager
def running(model: Path, *options: str) -> Generator[str]:
    """A server's base URL, as soon as its process has started."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [program("llama-server") or "", "-m", str(model), "--offline", "--no-warmup"]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "-c",
        "16384",
        "-np",
        "2",
        "--slots",
        "--metrics",
    ]
    with (model.parent / "log").open("ab") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def wait_until_ready(url: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            get(url, "/health")
        except OSError:
            assert time.monotonic() < end_s, "llama-server did not come up"
            time.sleep(0.02)
        else:
            return


def get(url: str, path: str) -> Any:
    with urllib.request.urlopen(url + path, timeout=PATIENCE_S) as response:  # noqa: S310 - our own server
        return json.load(response)


def prompt_tokens_read(url: str) -> int:
    """How many tokens of prompts the server has read that were not in its cache."""
    with urllib.request.urlopen(url + "/metrics", timeout=PATIENCE_S) as response:  # noqa: S310 - our own server
        lines = response.read().decode().split("\n")
    wanted = "llamacpp:prompt_tokens_total "
    return int(next(line for line in lines if line.startswith(wanted)).removeprefix(wanted))
