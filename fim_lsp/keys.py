"""The API key: read from an environment variable or a command when it is first needed.

A key is in memory only: never in an argument list, a log, a message or a ``repr``.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fim_lsp.errors import SettingError, UnavailableError
from fim_lsp.settings import Settings

COMMAND_LIMIT_S = 10.0
"""A key command may take this long; it may have to ask a person to unlock something."""
_OUTPUT_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Key:
    """A key that prints as nothing."""

    value: str = field(repr=False)

    @property
    def header(self) -> dict[str, str]:
        """The header that carries the key."""
        return {"authorization": f"Bearer {self.value}"}


class KeySource:
    """Reads the key once, however many calls want it at the same time."""

    def __init__(self, settings: Settings, *, limit_s: float = COMMAND_LIMIT_S) -> None:
        self._command = settings.api_key_command
        self._variable = settings.api_key_env
        self._limit_s = limit_s
        self._reading: asyncio.Task[Key | None] | None = None

    @property
    def place(self) -> str:
        """Where a person sets it: the variable's name, or that of the command's setting."""
        return f"api_key_command ({self._command[0]})" if self._command else self._variable

    async def get(self) -> Key | None:
        """The key, or None where neither a command nor the variable gives one.

        Raises ``SettingError`` where the command fails or what it gives cannot be a key. Cancelling
        the wait leaves the command running: typing on must not start a password prompt anew.
        """
        if self._reading is None or _failed(self._reading):
            self._reading = asyncio.create_task(self._read())
        reading = self._reading
        await asyncio.wait([reading])
        if reading.cancelled():
            message = "The key is not read any more: the server or the settings changed."
            raise UnavailableError(message)
        return reading.result()

    async def require(self) -> Key:
        """The key; ``SettingError`` where there is none."""
        key = await self.get()
        if key is None:
            message = (
                f"No API key: set the environment variable {self._variable}, "
                "or api_key_command to a command that prints the key."
            )
            raise SettingError(message)
        return key

    def forget(self) -> None:
        """Read anew at the next call: the endpoint did not take this key, it may have expired."""
        if self._reading is not None and self._reading.done():
            self._reading = None

    async def aclose(self) -> None:
        """End a command that still runs."""
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _read(self) -> Key | None:
        if not self._command:
            return _checked(os.environ.get(self._variable, ""), f"The variable {self._variable}")
        name = self.place
        printed = await _output(name, self._command, self._limit_s)
        first, *more = printed.strip().split("\n")
        if more:
            message = f"{name} printed {1 + len(more)} lines: let it print the key alone."
            raise SettingError(message)
        key = _checked(first, name)
        if key is None:
            message = f"{name} printed nothing: run it in a terminal to see why."
            raise SettingError(message)
        return key


def _failed(task: asyncio.Task[Key | None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _checked(text: str, source: str) -> Key | None:
    """A key that fits in a header: an HTTP library would quote a bad one in its error."""
    key = text.strip()
    if not key:
        return None
    if not re.fullmatch(r"[!-~]+", key):
        message = f"{source} holds blanks or characters that no API key has: set it anew."
        raise SettingError(message)
    return Key(key)


async def _output(name: str, command: tuple[str, ...], limit_s: float) -> str:
    """What the command prints until it ends. A child that it leaves behind is not waited for."""
    ours, theirs = os.pipe()
    try:
        process = await _started(command, theirs)
    except (OSError, ValueError) as error:
        os.close(ours)
        reason = error.strerror if isinstance(error, OSError) else "a NUL in it"
        message = f"{name} cannot be run ({reason}): give the program's full path."
        raise SettingError(message) from None
    finally:
        os.close(theirs)
    try:
        async with asyncio.timeout(limit_s):
            status = await process.wait()
        printed = _available(ours)
    except TimeoutError:
        message = f"{name} took longer than {limit_s:g} s: run it once in a terminal to unlock it."
        raise SettingError(message) from None
    finally:
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        message = f"{name} failed with status {status}: run it in a terminal to see why."
        raise SettingError(message)
    return printed.decode("utf-8", errors="replace")


async def _started(command: tuple[str, ...], stdout: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=Path.home(),  # not in a project, whose own files a command such as git would obey
        stdin=asyncio.subprocess.DEVNULL,  # the server's own stdin carries LSP
        stdout=stdout,  # asyncio's own pipe would wait for every child that holds it
        stderr=asyncio.subprocess.DEVNULL,  # it may hold the key
    )


def _available(pipe: int) -> bytes:
    """What is in the pipe: more than a key fits, and nobody writes any more who matters."""
    if sys.platform != "win32":
        os.set_blocking(pipe, False)
    try:
        return os.read(pipe, _OUTPUT_LIMIT_BYTES)
    except BlockingIOError:
        return b""
