"""The team's store, a Redis or Valkey server: one connection, and nobody waits for it.

The only module that knows redis-py. A command has a strict limit of time; one that fails or is late
closes the connection, and a new one is opened in the background, never while somebody waits. Until
it stands every command fails at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from fim_lsp.errors import SettingError, UnavailableError

if TYPE_CHECKING:
    from redis.asyncio import Redis

PASSWORD_VARIABLE = "FIM_LSP_STORE_PASSWORD"  # noqa: S105 - its name, not the password
"""Holds the password, so that it need not stand in the address."""
LIMIT_S = 0.25
"""A command that takes longer is given up: a key is not held up by the team."""
CONNECT_LIMIT_S = 2.0
FIRST_RETRY_S, LONGEST_RETRY_S = 0.25, 10.0
"""The pauses between attempts to connect double from the first to the longest."""
TOLD_AFTER = 4
"""So many failures in a row, some seconds' worth, and somebody should know."""
_JITTER = 0.25


class Store:
    """One store, connected while it can be. Make it anywhere, use it on one event loop."""

    def __init__(self, url: str, *, ca_bundle: str | None = None) -> None:
        """Connects nothing yet. Raises ``SettingError`` where it never could."""
        try:
            import redis.asyncio
        except ImportError:
            message = (
                "A store of the team needs the redis client: pip install 'fim-lsp[redis]' where "
                "fim-lsp is installed. Until then this server counts for itself."
            )
            raise SettingError(message) from None
        self._make_client = cast("Callable[..., Redis]", redis.asyncio.Redis.from_url)  # pyright: ignore[reportUnknownMemberType] - redis-py leaves **kwargs untyped
        self.url = url
        self.name = name_of(url)
        self.password = urlsplit(url).password or os.environ.get(PASSWORD_VARIABLE, "")
        self.on_open: Callable[[], None] | None = None
        """Is called each time that a connection stands."""
        self.on_trouble: Callable[[str], None] | None = None
        """Is told why it is away, when it has been so for a while, and nothing when it is back."""
        self.trouble = ""
        """Why the last attempt has failed, in a few words."""
        self._ca_bundle = ca_bundle
        self._client: Redis | None = None
        self._opening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Lock()
        self._try_at, self._failures = -math.inf, 0
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether a connection stands, as far as is known."""
        return self._client is not None

    def open_soon(self) -> None:
        """Begin to connect in the background unless it is so already, or too early again."""
        is_trying = self._opening is not None and not self._opening.done()
        if not (self._closed or self.is_open or is_trying) and time.monotonic() >= self._try_at:
            self._opening = asyncio.ensure_future(self._open())

    async def opened(self) -> bool:
        """Connect now, and say whether it stands: for who has the time to wait."""
        self.open_soon()
        if self._opening is not None:
            await asyncio.wait([self._opening])
        return self.is_open

    async def call(self, *command: str | bytes | float) -> Any:
        """A command's reply. Raises ``UnavailableError`` at once where no connection stands.

        Cancelling the wait leaves the command running: half a reply would spoil the connection.
        """
        task = asyncio.ensure_future(self._call(command))
        self._tasks.add(task)
        task.add_done_callback(self._called)
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Close the connection for good, when what is under way has ended."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self._leave()

    def _called(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited may be gone; asyncio would log it

    async def _call(self, command: tuple[str | bytes | float, ...]) -> Any:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(LIMIT_S), self._turn:
                if self._client is None:
                    message = f"The team's store {self.name} is away."
                    raise UnavailableError(message)
                return await _run(self._client, *command)
        except (RedisError, OSError, TimeoutError) as error:
            self._postpone(error)
            await self._leave()
            message = f"The team's store {self.name} is away: {self.trouble}."
            raise UnavailableError(message) from None

    async def _open(self) -> None:
        from redis.exceptions import RedisError

        client = self._make_client(self.url, **self._options())
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                await _run(client, "PING")
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            self._postpone(error)
            await _closed(client)
            return
        except asyncio.CancelledError:
            await _closed(client)
            raise
        was_told = self._failures >= TOLD_AFTER
        self._client, self._failures, self.trouble = client, 0, ""
        if was_told and self.on_trouble:
            self.on_trouble("")
        if self.on_open:
            self.on_open()

    def _options(self) -> dict[str, Any]:
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        options: dict[str, Any] = {
            "socket_timeout": CONNECT_LIMIT_S,
            "socket_connect_timeout": CONNECT_LIMIT_S,
            "retry": Retry(NoBackoff(), 0),  # a second try would be late; ours is in the background
            "max_connections": 1,
            "client_name": "fim-lsp",
        }
        if self.url.startswith("rediss:") and self._ca_bundle:
            options["ssl_ca_certs"] = self._ca_bundle
        if self.password:
            options["password"] = self.password
        return options

    def _postpone(self, error: Exception) -> None:
        self.trouble = _words_for(error)
        pause_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._failures, 10))
        self._failures += 1
        if self._failures == TOLD_AFTER and self.on_trouble:
            self.on_trouble(self.trouble)
        # a team must not come back all at once
        self._try_at = time.monotonic() + pause_s * (1 + _JITTER * random.random())  # noqa: S311

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _closed(client)


def name_of(url: str) -> str:
    """What may be shown of a store's address: neither a user nor a password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _words_for(error: Exception) -> str:
    from redis.exceptions import AuthenticationError, ResponseError

    if isinstance(error, AuthenticationError):
        return f"it does not accept the password in {PASSWORD_VARIABLE}"
    if isinstance(error, ResponseError):
        return f"it refuses a command ({type(error).__name__})"
    return "it does not answer in time" if isinstance(error, TimeoutError) else "no connection"


async def _run(client: Redis, *command: str | bytes | float) -> Any:
    execute = cast("Callable[..., Awaitable[Any]]", client.execute_command)  # pyright: ignore[reportUnknownMemberType] - redis-py leaves it untyped
    return await execute(*command)


async def _closed(client: Redis) -> None:
    """Close it; a connection that was broken may say so once more."""
    from redis.exceptions import RedisError

    with contextlib.suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await client.aclose()
