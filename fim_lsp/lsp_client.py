"""The editor's side of LSP, as small as can be: for watching the real server at work.

It speaks to a server process over its stdin and stdout, and knows framing, requests and
notifications; what they mean is its caller's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

from fim_lsp.errors import FimError

FAREWELL_S = 2.0
"""A server that has not ended by itself after ``exit`` is ended after this time."""
LAST_WORDS_S = 0.5
"""How long to wait for what a server still says on stderr when its stdout has ended."""
_METHOD_NOT_FOUND = -32601


class ResponseError(Exception):
    """The server answered a request with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServerGoneError(FimError):
    """The server process has ended, or never started."""


class LspClient:
    """A server process and the requests that it still owes an answer."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        on_told: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._process = process
        self._on_told = on_told
        self._ids = itertools.count(1)
        self._owed: dict[int, asyncio.Future[Any]] = {}
        self._complaints: deque[str] = deque(maxlen=20)
        self._gone: ServerGoneError | None = None
        self._reading = [
            asyncio.create_task(self._read_messages()),
            asyncio.create_task(self._read_complaints()),
        ]

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        on_told: Callable[[str, Mapping[str, Any]], None],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Self:
        """Start the server's process. Raises ``ServerGoneError`` where that fails.

        ``on_told`` hears the server's notifications, and its requests, which are refused.
        """
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, cwd=cwd
            )
        except OSError as error:
            message = f"{command[0]} cannot be started ({error.strerror})."
            raise ServerGoneError(message) from error
        return cls(process, on_told)

    @property
    def last_complaint(self) -> str:
        """The last line that the server wrote to its stderr."""
        return self._complaints[-1] if self._complaints else ""

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    async def request(self, method: str, params: object = None) -> Any:
        """The server's result; cancelling the wait cancels the request.

        Raises ``ResponseError`` and ``ServerGoneError``.
        """
        if self._gone is not None:
            raise self._gone
        number = next(self._ids)
        self._owed[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        try:
            return await self._owed[number]
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": number})
            raise
        finally:
            del self._owed[number]

    def notify(self, method: str, params: object = None) -> None:
        """Send what wants no answer."""
        self._send({"method": method, "params": params})

    async def aclose(self) -> None:
        """Say goodbye as the protocol wants it, and see to it that the process has ended."""
        with contextlib.suppress(ResponseError, ServerGoneError, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self.request("shutdown")
                self.notify("exit")
        await self._ended()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _ended(self) -> None:
        """Close the server's stdin, and end it where that does not."""
        stdin = cast("asyncio.StreamWriter", self._process.stdin)
        stdin.close()
        with contextlib.suppress(ConnectionError):
            await stdin.wait_closed()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin = cast("asyncio.StreamWriter", self._process.stdin)
        if not stdin.is_closing():
            stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read_messages(self) -> None:
        stdout = cast("asyncio.StreamReader", self._process.stdout)
        reason = "ended"
        try:
            while True:
                header = await stdout.readuntil(b"\r\n\r\n")
                self._take(json.loads(await stdout.readexactly(_length(header))))
        except asyncio.IncompleteReadError:
            pass
        except (ValueError, asyncio.LimitOverrunError):
            reason = "wrote something that is no LSP to its stdout"
        await self._give_up(reason)

    async def _give_up(self, reason: str) -> None:
        """Let nobody wait for a server that will not answer any more."""
        await asyncio.wait([self._reading[1]], timeout=LAST_WORDS_S)
        last = f": {self.last_complaint}" if self.last_complaint else "."
        self._gone = ServerGoneError(f"The server {reason}{last}")
        for owed in self._owed.values():
            if not owed.done():
                owed.set_exception(self._gone)

    def _take(self, message: Mapping[str, Any]) -> None:
        if "method" not in message:
            self._settle(message)
            return
        if "id" in message:
            error = {"code": _METHOD_NOT_FOUND, "message": "not known to this client"}
            self._send({"id": message["id"], "error": error})
        self._on_told(message["method"], message.get("params") or {})

    def _settle(self, response: Mapping[str, Any]) -> None:
        owed = self._owed.get(response["id"])
        if owed is None or owed.done():
            return
        if error := response.get("error"):
            owed.set_exception(ResponseError(error["code"], error["message"]))
        else:
            owed.set_result(response.get("result"))

    async def _read_complaints(self) -> None:
        """Keep stderr's last lines, and keep it from filling up."""
        stderr = cast("asyncio.StreamReader", self._process.stderr)
        while piece := await stderr.read(65_536):
            lines = piece.decode(errors="replace").split("\n")
            self._complaints.extend(line.strip() for line in lines if line.strip())


def _length(header: bytes) -> int:
    for line in header.decode("ascii").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    message = "no Content-Length"
    raise ValueError(message)
