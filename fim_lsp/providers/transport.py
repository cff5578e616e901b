"""HTTP for the providers: one request, one streamed response, one clean hang-up.

The only module that knows httpx. It speaks HTTP/1.1 only, because httpx does not tell an HTTP/2
server that a stream is no longer wanted: the model would go on generating.

Each exchange has a *lane*, a connection in a pool of its own. A shared pool of httpx 0.28 loses a
slot whenever a task is cancelled while it connects; a lane that was hung up is thrown away whole,
so there is nothing to lose. Lanes that ended cleanly are kept, and one spare is opened ahead: after
a hang-up the next request would otherwise wait for a new connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from fim_lsp import __version__
from fim_lsp.errors import ProviderError, RefusedError, SettingError, UnavailableError
from fim_lsp.providers.route import checked_host, proxy_for, trusted
from fim_lsp.settings import NetworkSettings

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 1024 * 1024
"""No answer comes near this; more is a broken or hostile endpoint."""
KEEP_ALIVE_S = 60.0
"""An idle connection older than this is not used again; routers forget them at about this age."""
MAX_IDLE_LANES = 2
SPARE_AFTER_S = 0.01
"""So long after a request its spare connection begins: opened at once, it would hold it up."""
SETTLE_LIMIT_S = 1.0
"""How long the rest of a body whose answer is complete may take, to keep its connection."""

_HEADERS = {
    "accept": "application/json, text/event-stream",
    "accept-encoding": "identity",  # a compressing gateway would hold back the pieces of a stream
    "user-agent": f"fim-lsp/{__version__}",
}
_CLOSED = "The connection was closed because the server or the settings changed: ask again."


class Transport:
    """The way to one endpoint."""

    def __init__(self, base_url: str, network: NetworkSettings, *, warm_path: str = "") -> None:
        """Check ``base_url``; connects nothing yet. Raises ``SettingError``.

        ``warm_path`` is appended to the base URL for the request that opens a spare connection.
        """
        self.host = checked_host(base_url, network)
        self._base_url = base_url.rstrip("/")
        self._warm_path = warm_path
        self._network = network
        self._active: set[_Lane] = set()
        self._idle: list[_Lane] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._warming: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[Callable[[], _Lane]] | None = None
        self._closed = False

    @asynccontextmanager
    async def exchange(
        self, path: str, payload: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> AsyncGenerator[Response]:
        """POST ``payload`` and give the response, whatever its status; leaving early hangs up.

        Without a payload it is a GET.

        Raises ``ProviderError``, also while the body is read. A redirect is an error: the key goes
        to the configured host only.
        """
        content = None
        if payload is not None:
            text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            content = text.encode(errors="replace")  # a document may hold half a surrogate pair
            headers = {"content-type": "application/json", **headers}
        headers = {**_HEADERS, **headers}
        new_lane = await self._lane_maker()  # our own start is not the endpoint's time
        deadline_s = asyncio.get_running_loop().time() + self._network.total_timeout_s
        ask = _Ask(
            "GET" if content is None else "POST",
            self._base_url + path,
            headers,
            content,
            deadline_s,
        )
        response = await self._respond(ask, new_lane)
        try:
            _refuse(response, self.host)
            yield response
        finally:
            self._leave(response)

    async def warm(self) -> None:
        """Open a spare connection unless there is one or the settings forbid it. Never raises."""
        self._open_spare()
        if self._warming is not None:
            await asyncio.wait([self._warming])

    async def aclose(self) -> None:
        """Close every connection; exchanges that still run end with an ``UnavailableError``."""
        self._closed = True
        for lane in (*self._active, *self._idle):
            self._spawn(lane.close())
        self._idle.clear()
        for task in (self._warming, self._preparing):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _respond(self, ask: _Ask, new_lane: Callable[[], _Lane]) -> Response:
        """The head of the response; asks a second time where the first cannot have arrived."""
        lane = self._take() or new_lane()
        asyncio.get_running_loop().call_later(SPARE_AFTER_S, self._open_spare)
        try:
            return await self._attempt(lane, ask)
        except _failures() as error:
            if not lane.may_ask_again(error):
                raise self._translated(error, lane) from None
        lane = new_lane()
        try:
            return await self._attempt(lane, ask)
        except _failures() as error:
            raise self._translated(error, lane) from None

    async def _attempt(self, lane: _Lane, ask: _Ask) -> Response:
        if self._closed:
            raise UnavailableError(_CLOSED)
        self._active.add(lane)
        sending = lane.send(ask, self._network)
        try:
            limit_s = ask.deadline_s - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait([sending], timeout=limit_s)
            if not done:
                raise TimeoutError
            if sending.cancelled():
                raise UnavailableError(_CLOSED)
            answer = sending.result()
        except BaseException:
            self._hang_up(lane)
            raise
        return Response(answer, lane, ask.deadline_s, self._translated)

    def _leave(self, response: Response) -> None:
        if response.is_reusable and not self._closed:
            self._keep(response.lane)
        elif response.answer_is_complete and not self._closed:
            self._spawn(self._settle(response))
        else:
            self._hang_up(response.lane)
            self._open_spare()

    async def _settle(self, response: Response) -> None:
        """Read on to the end of a body that has nothing more to say, to keep its connection."""
        try:
            async with asyncio.timeout(SETTLE_LIMIT_S):
                await response.read()
        except (ProviderError, TimeoutError):
            pass
        finally:
            response.answer_is_complete = False
            self._leave(response)

    def _keep(self, lane: _Lane) -> None:
        self._active.discard(lane)
        lane.idle_since_s = time.monotonic()
        self._idle.append(lane)
        while len(self._idle) > MAX_IDLE_LANES:
            self._spawn(self._idle.pop(0).close())

    def _hang_up(self, lane: _Lane) -> None:
        self._active.discard(lane)
        self._spawn(lane.close())

    def _take(self) -> _Lane | None:
        """An idle lane that is still good, the latest used first; the others are closed."""
        while self._idle:
            lane = self._idle.pop()
            if lane.is_alive:
                return lane
            self._spawn(lane.close())
        return None

    def _open_spare(self) -> None:
        is_warming = self._warming is not None and not self._warming.done()
        if self._closed or is_warming or not self._network.warm_connection:
            return
        if not any(lane.is_alive for lane in self._idle):
            self._warming = asyncio.create_task(self._warm_one())

    async def _warm_one(self) -> None:
        """Open a connection by a GET without a key; any answer is fine.

        Not HEAD: a server that sends a body all the same would spoil the connection.
        """
        limit_s = self._network.connect_timeout_s + self._network.read_timeout_s
        url = self._base_url + self._warm_path
        try:
            lane = (await self._lane_maker())()
            deadline_s = asyncio.get_running_loop().time() + limit_s
            response = await self._attempt(lane, _Ask("GET", url, _HEADERS, None, deadline_s))
        except (ProviderError, *_failures()):
            return  # the request itself will say it
        try:
            await response.read()
        except ProviderError:
            pass
        finally:
            if response.is_reusable and not self._closed:
                self._keep(lane)
            else:
                self._hang_up(lane)

    async def _lane_maker(self) -> Callable[[], _Lane]:
        """Imports httpx and reads the certificates once, off the event loop: 0.1 s together."""
        if self._preparing is None or (self._preparing.done() and _has_failed(self._preparing)):
            work = asyncio.to_thread(_lane_maker, self._base_url, self._network)
            self._preparing = asyncio.create_task(work)
        preparing = self._preparing
        await asyncio.wait([preparing])  # not by itself: it goes on where the wait is cancelled
        if preparing.cancelled():
            raise UnavailableError(_CLOSED)
        return preparing.result()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _translated(self, error: Exception, lane: _Lane) -> ProviderError:
        if self._closed:
            return UnavailableError(_CLOSED)
        way = Way(self.host, lane.peer, lane.has_proxy, self._network)
        return translate(error, way)


class Response:
    """A response whose body is still to be read: iterate for its pieces, once."""

    def __init__(
        self,
        answer: httpx.Response,
        lane: _Lane,
        deadline_s: float,
        translated: Callable[[Exception, _Lane], ProviderError],
    ) -> None:
        self.status = answer.status_code
        self.headers: Mapping[str, str] = dict(answer.headers)  # names in lower case
        self.lane = lane
        self.answer_is_complete = False
        """Set by who reads: the rest of the body, if any, says nothing more."""
        self._stays_open = _stays_open(answer)
        self._pieces = answer.aiter_raw()
        self._deadline_s = deadline_s
        self._translated = translated
        self._received_bytes = 0
        self._ended = False

    @property
    def is_reusable(self) -> bool:
        """Whether the next request may use this connection."""
        return self._ended and self._stays_open

    def __aiter__(self) -> Response:
        """The body as it comes, at most MAX_BODY_BYTES of it. Raises ``ProviderError``."""
        return self

    async def __anext__(self) -> bytes:
        try:
            # Around each piece, never around a ``yield``: a limit that spans one would cancel
            # whatever the reading task happens to be doing.
            async with asyncio.timeout_at(self._deadline_s):
                piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._ended = True
            raise
        except _failures() as error:
            raise self._translated(error, self.lane) from None
        self._received_bytes += len(piece)
        if self._received_bytes > MAX_BODY_BYTES:
            message = "The endpoint sent more than 1 MiB for one completion: check base_url."
            raise UnavailableError(message)
        return piece

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([piece async for piece in self])


@dataclass(frozen=True, slots=True)
class _Ask:
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    deadline_s: float


class _Lane:
    """One connection, in an httpx pool that holds no other.

    httpcore's ``trace`` extension tells which stream the connection is on, so that a lane can close
    it itself: httpcore 1.0 forgets the stream of a connection cancelled in its TLS handshake.
    """

    def __init__(self, pool: httpx.AsyncHTTPTransport, *, has_proxy: bool) -> None:
        self.has_proxy = has_proxy
        self.idle_since_s = 0.0
        self.peer = ""
        """``host:port`` of the last connection: the endpoint, or a proxy."""
        self._pool = pool
        self._streams: list[Any] = []
        self._sending: asyncio.Task[httpx.Response] | None = None
        self._is_reused = False

    @property
    def is_alive(self) -> bool:
        """Whether the idle connection is still good, as far as this end can know."""
        if not self._streams or time.monotonic() - self.idle_since_s > KEEP_ALIVE_S:
            return False
        return not self._streams[-1].get_extra_info("is_readable")  # readable: the end of it

    def send(self, ask: _Ask, network: NetworkSettings) -> asyncio.Task[httpx.Response]:
        """Start the request; the task ends with the response's head."""
        self._is_reused = True
        self._sending = asyncio.create_task(self._send(ask, network))
        return self._sending

    def may_ask_again(self, error: Exception) -> bool:
        """Whether the request cannot have been read, so that it may be sent once more."""
        import httpx

        if isinstance(error, httpx.ConnectError):
            return not any(isinstance(cause, ssl.SSLError) for cause in _causes(error))
        lost = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
        return self._is_reused and isinstance(error, lost)

    async def close(self) -> None:
        """Close the connection at once, whatever it is doing. Leaves nothing behind."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
            if not self._sending.cancelled():
                self._sending.exception()  # looked at: nobody else waits for it now
        await self._pool.aclose()
        for stream in self._streams:
            await stream.aclose()
        self._streams.clear()

    async def _send(self, ask: _Ask, network: NetworkSettings) -> httpx.Response:
        import httpx

        limits_s = {
            "connect": network.connect_timeout_s,
            "read": network.read_timeout_s,
            "write": network.read_timeout_s,
            "pool": network.connect_timeout_s,
        }
        request = httpx.Request(
            ask.method,
            _parsed(ask.url),
            headers=ask.headers,
            content=ask.content,
            extensions={"timeout": limits_s, "trace": self._watch},
        )
        return await self._pool.handle_async_request(request)

    async def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        step = event.partition(".")[2]
        if step == "connect_tcp.started":
            self.peer = f"{info['host']}:{info['port']}"
            self._is_reused = False
        elif step == "connect_tcp.complete":
            self._streams.append(info["return_value"])


def _lane_maker(base_url: str, network: NetworkSettings) -> Callable[[], _Lane]:
    import httpx

    proxy_url = proxy_for(base_url, network) or ""
    needs_tls = base_url.startswith("https:") or proxy_url.startswith("https:")
    # Without TLS there is nothing to verify, and reading certificates takes 40 ms.
    context = trusted(network.ca_bundle) if needs_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_S)
    proxy = None
    if proxy_url:
        has_own_tls = proxy_url.startswith("https:")
        proxy = httpx.Proxy(proxy_url, ssl_context=context if has_own_tls else None)

    def new_lane() -> _Lane:
        pool = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=proxy)
        return _Lane(pool, has_proxy=proxy is not None)

    return new_lane


@lru_cache(maxsize=8)
def _parsed(url: str) -> httpx.URL:
    """The URL, which is the same for every request, read once. Raises ``httpx.InvalidURL``."""
    import httpx

    return httpx.URL(url)


def _stays_open(answer: httpx.Response) -> bool:
    is_old = answer.extensions.get("http_version") == b"HTTP/1.0"
    return not is_old and answer.headers.get("connection", "").lower() != "close"


def _refuse(response: Response, host: str) -> None:
    """Refuse what is not read: another host's answer, and compressed bodies."""
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        message = (
            f"{host} compresses its answer ({encoding}) though asked not to: tell its operator."
        )
        raise UnavailableError(message)
    if not 300 <= response.status < 400:
        return
    try:
        target = urlsplit(response.headers.get("location", "")).hostname or host
    except ValueError:
        target = "what is no address"
    message = (
        f"{host} redirects to {target} (status {response.status}): "
        "the key is not sent there; set base_url to the address that answers itself."
    )
    raise RefusedError(message, status=response.status)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None


def _failures() -> tuple[type[Exception], ...]:
    """Every way in which httpx and what is below it fail."""
    import httpx

    return (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError)


@dataclass(frozen=True, slots=True)
class Way:
    """What a message about a failed request has to name."""

    host: str
    peer: str
    """``host:port`` of the connection: the endpoint's, or a proxy's."""
    has_proxy: bool
    network: NetworkSettings


def translate(error: Exception, way: Way) -> ProviderError:
    """The one place where a failure below becomes ours, with its cause and what to do."""
    import httpx

    causes = list(_causes(error))
    by_tls = [cause for cause in causes if isinstance(cause, ssl.SSLError)]
    if by_tls and not isinstance(error, httpx.TimeoutException):
        return UnavailableError(_tls_message(by_tls[0], way.host))
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)):
        return SettingError(f"base_url names {way.host!r}, which is no usable host: correct it.")
    to_connect = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, OSError)
    is_on_the_way = isinstance(error, to_connect)  # an OSError, where somebody else connects
    if is_on_the_way and way.has_proxy:
        return UnavailableError(
            f"The proxy {way.peer} does not connect to {way.host} ({_reason(causes)}): "
            "check network.proxy or HTTPS_PROXY."
        )
    for kind, message in _messages(way):
        if any(isinstance(cause, kind) for cause in causes):
            return UnavailableError(message)
    return UnavailableError(f"The request to {way.host} failed ({type(error).__name__}).")


def _messages(way: Way) -> list[tuple[type[Exception], str]]:
    """What to say for each kind of failure; the first that fits counts."""
    import httpx

    host, limits = way.host, way.network
    unknown = f"{host} cannot be found (DNS): check base_url and the network."
    refused = f"{way.peer} refuses the connection: check base_url, and that the server runs."
    unreachable = f"{host} cannot be reached: check base_url and the network."
    no_connection = f"No connection to {host} within {limits.connect_timeout_s:g} s"
    silent = f"{host} sent nothing for {limits.read_timeout_s:g} s"
    unfinished = f"{host} did not finish within {limits.total_timeout_s:g} s"
    lost = f"The connection to {host} was lost: try again."
    broken = f"{host} broke off its answer or does not speak HTTP: check base_url, or try again."
    return [
        (socket.gaierror, unknown),
        (ConnectionRefusedError, refused),
        (httpx.ConnectTimeout, f"{no_connection}: try again, or raise network.connect_timeout_s."),
        (httpx.ConnectError, unreachable),
        (httpx.TimeoutException, f"{silent}: try again, or raise network.read_timeout_s."),
        (TimeoutError, f"{unfinished}: try again, or raise network.total_timeout_s."),
        (httpx.NetworkError, lost),
        (httpx.RemoteProtocolError, broken),
    ]


_TLS_MESSAGES = {
    9: "is not valid yet: check this machine's clock",
    10: "has expired: check this machine's clock, or tell its operator",
    18: "is signed by itself: set network.ca_bundle to it if you trust it",
    19: "comes from an authority that is not trusted here: set network.ca_bundle to it",
    20: "comes from an authority that is not trusted here: set network.ca_bundle to it",
    21: "comes from an authority that is not trusted here: set network.ca_bundle to it",
    62: "is for another host: check base_url",
    64: "is for another host: check base_url",
}
"""By OpenSSL's X509_V_ERR code."""


def _tls_message(error: ssl.SSLError, host: str) -> str:
    reason = str(getattr(error, "reason", None) or error)  # only OpenSSL's own have one
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = reason.lower().replace("_", " ")
        return f"{host} does not speak TLS as it should ({reason}): check that base_url is https."
    said = _TLS_MESSAGES.get(getattr(error, "verify_code", 0))
    said = said or f"cannot be verified ({getattr(error, 'verify_message', '') or reason})"
    return f"The certificate of {host} {said}."


def _reason(causes: list[BaseException]) -> str:
    """The most telling cause: an operating system's words, or the proxy's own."""
    for cause in reversed(causes):
        if isinstance(cause, ConnectionError) and cause.errno:
            return os.strerror(cause.errno)  # asyncio puts an address there in its stead
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(causes[0]) or type(causes[0]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and everything below it, groups opened."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for one in group.exceptions:
            yield from _causes(one)
    below = error.__cause__ or error.__context__
    if below is not None:
        yield from _causes(below)
