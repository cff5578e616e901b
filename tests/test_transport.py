"""The way to an endpoint: what each failure says, which connections are kept, clean hang-ups."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fim_lsp.errors import ProviderError, RefusedError, SettingError, UnavailableError
from fim_lsp.providers.http import HttpProvider
from fim_lsp.providers.mistral import connect
from fim_lsp.providers.route import checked_host, proxy_for
from fim_lsp.providers.transport import MAX_IDLE_LANES, Transport, Way, translate
from fim_lsp.settings import NetworkSettings, Settings
from tests.endpoint import Endpoint, Reply
from tests.hangups import REQUEST, ask, complaints, hang_up_often, open_descriptors
from tests.patience import PATIENCE_S, until

TLS = Path(__file__).parent / "tls"
AUTHORITY = str(TLS / "authority.pem")
COLD = NetworkSettings(warm_connection=False, read_timeout_s=5.0)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODEUS_API_KEY", "test-key")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def provider_for(url: str, network: NetworkSettings = COLD) -> AsyncGenerator[HttpProvider]:
    provider = connect(Settings(provider="mistral", base_url=url, network=network))
    try:
        yield provider
    finally:
        await provider.aclose()


def transport_of(provider: HttpProvider) -> Transport:
    return provider._transport  # pyright: ignore[reportPrivateUsage]


def lanes_of(provider: HttpProvider) -> tuple[int, int]:
    """How many connections are in use, and how many are kept."""
    transport = transport_of(provider)
    return len(transport._active), len(transport._idle)  # pyright: ignore[reportPrivateUsage]


def tls(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{name}.pem", TLS / "key.pem")
    return context


# Addresses

REFUSED: dict[str, tuple[str, NetworkSettings, str]] = {
    "no address": ("codestral", COLD, "is no address: write https://host/path"),
    "another scheme": ("ftp://h.example/v1", COLD, "is no address"),
    "no host": ("https:///v1", COLD, "is no address"),
    "a port that is none": ("https://h.example:port/v1", COLD, "is no address"),
    "a broken bracket": ("https://[::1/v1", COLD, "is no address"),
    "a password": ("https://me:secret@h.example/v1", COLD, "names a user before h.example"),
    "a query": ("https://h.example/v1?key=1", COLD, "holds a '[?]' or '#'"),
    "plain http": ("http://h.example/v1", COLD, "use https, or set network.allow_insecure = true"),
}


@pytest.mark.parametrize(("url", "network", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_an_address_that_is_not_used(url: str, network: NetworkSettings, words: str) -> None:
    with pytest.raises(SettingError, match=words) as raised:
        Transport(url, network)
    assert "secret" not in str(raised.value)


USED: dict[str, tuple[str, NetworkSettings, str]] = {
    "https": ("https://h.example/v1", COLD, "h.example"),
    "plain http to this machine": ("http://127.0.0.1:1/v1", COLD, "127.0.0.1"),
    "by its name": ("http://localhost/v1", COLD, "localhost"),
    "in IPv6": ("http://[::1]:80/v1", COLD, "::1"),
    "plain http where it is allowed": (
        "http://h.example/v1",
        replace(COLD, allow_insecure=True),
        "h.example",
    ),
}


@pytest.mark.parametrize(("url", "network", "host"), USED.values(), ids=USED.keys())
def test_an_address_that_is_used(url: str, network: NetworkSettings, host: str) -> None:
    assert checked_host(url, network) == host


PROXIES: dict[str, tuple[str, str | None, dict[str, str], str | None]] = {
    "none": ("https://h.example", None, {}, None),
    "the environment's": ("https://h.example", None, {"https_proxy": "http://p:1"}, "http://p:1"),
    "its other name": ("https://h.example", None, {"ALL_PROXY": "http://p:1"}, "http://p:1"),
    "the setting's": ("https://h.example", "p:2", {"https_proxy": "http://p:1"}, "http://p:2"),
    "none for what is excepted": (
        "https://h.example",
        None,
        {"https_proxy": "http://p:1", "no_proxy": "x,.example"},
        None,
    ),
    "none for this machine": ("http://127.0.0.1:9", None, {"http_proxy": "http://p:1"}, None),
    "an empty setting is none": ("https://h.example", "", {"https_proxy": "http://p:1"}, None),
}


@pytest.mark.parametrize(("url", "own", "named", "proxy"), PROXIES.values(), ids=PROXIES.keys())
def test_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    own: str | None,
    named: dict[str, str],
    proxy: str | None,
) -> None:
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url, NetworkSettings(proxy=own)) == proxy


async def test_a_proxy_of_another_kind_is_an_error() -> None:
    async with provider_for(
        "https://h.example/v1", replace(COLD, proxy="socks5://p:1")
    ) as provider:
        for _ in range(2):
            with pytest.raises(
                SettingError, match=r"set network\.proxy to one, or name h\.example"
            ):
                await ask(provider)


# Failures


async def failure(url: str, network: NetworkSettings = COLD) -> ProviderError:
    async with provider_for(url, network) as provider:
        with pytest.raises(ProviderError) as raised:
            await ask(provider)
        assert "\n" not in str(raised.value)
        assert "test-key" not in repr(raised.value)
        return raised.value


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def test_nobody_listens() -> None:
    port = free_port()
    error = await failure(f"http://127.0.0.1:{port}/v1")
    assert f"127.0.0.1:{port} refuses the connection" in str(error)


async def test_a_host_that_is_not_known() -> None:
    error = await failure("https://nowhere.invalid/v1")
    assert "nowhere.invalid cannot be found (DNS)" in str(error)


@pytest.mark.parametrize("host", ["999.1.1.1", "xn--.example", "☃.example"])
async def test_a_host_that_cannot_be(host: str) -> None:
    error = await failure(f"https://{host}/v1")
    assert isinstance(error, SettingError)
    assert f"base_url names {host!r}, which is no usable host" in str(error)


CERTIFICATES = {
    "expired": ("expired", AUTHORITY, "has expired"),
    "for another host": ("elsewhere", AUTHORITY, "is for another host: check base_url"),
    "of an unknown authority": ("good", None, "not trusted here: set network.ca_bundle"),
}


@pytest.mark.parametrize(
    ("name", "bundle", "words"), CERTIFICATES.values(), ids=CERTIFICATES.keys()
)
async def test_a_certificate_that_is_not_trusted(name: str, bundle: str | None, words: str) -> None:
    async with Endpoint(tls=tls(name)) as endpoint:
        error = await failure(endpoint.base_url, replace(COLD, ca_bundle=bundle))
        assert "The certificate of 127.0.0.1" in str(error)
        assert words in str(error)
        assert endpoint.calls == []


async def test_a_certificate_of_ca_bundle_is_trusted() -> None:
    async with Endpoint(Reply(text="ok"), tls=tls("good")) as endpoint:
        network = replace(COLD, ca_bundle=AUTHORITY)
        async with provider_for(endpoint.base_url, network) as provider:
            assert await ask(provider) == "ok"


@pytest.mark.parametrize(
    ("bundle", "words"),
    [("/no/such.pem", "No such file or directory"), (__file__, "no certificates in it")],
)
async def test_a_ca_bundle_that_cannot_be_used(bundle: str, words: str) -> None:
    error = await failure("https://h.example/v1", replace(COLD, ca_bundle=bundle))
    assert isinstance(error, SettingError)
    assert f"network.ca_bundle = {bundle!r} cannot be used ({words})" in str(error)


async def test_tls_to_a_host_that_speaks_none() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    error = await failure(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    server.close()
    assert "127.0.0.1 does not speak TLS as it should" in str(error)


async def test_a_connection_that_does_not_come_about() -> None:
    """A handshake that is never answered stands for a host that drops packets."""
    async with Endpoint(Reply(fault="hang")) as silent:
        server = await asyncio.start_server(_silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        error = await failure(f"https://127.0.0.1:{port}/v1", replace(COLD, connect_timeout_s=0.2))
        server.close()
        assert "No connection to 127.0.0.1 within 0.2 s" in str(error)
        error = await failure(silent.base_url, replace(COLD, read_timeout_s=0.2))
        assert "127.0.0.1 sent nothing for 0.2 s" in str(error)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="a", ttft_s=60),
        Reply(text="a" * 400, per_piece_s=0.02),
        Reply(text="a" * 400, per_piece_s=0.02, fault="json"),
    ],
    ids=["before it begins", "in the middle", "in one body"],
)
async def test_an_answer_has_a_limit_in_all(reply: Reply) -> None:
    async with Endpoint(reply) as endpoint:
        error = await failure(endpoint.base_url, replace(COLD, total_timeout_s=0.3))
        assert "127.0.0.1 did not finish within 0.3 s" in str(error)
        await until(lambda: all(call.hung_up for call in endpoint.calls))


async def test_a_limit_never_strikes_who_reads_slowly() -> None:
    """The limit is around the connection's reads; what a reader does between them is its own."""
    network = replace(COLD, total_timeout_s=1.0)
    async with (
        Endpoint(Reply(text="a" * 400, per_piece_s=0.05)) as endpoint,
        provider_for(endpoint.base_url, network) as provider,
        aclosing(provider.stream(REQUEST)) as chunks,
    ):
        await anext(chunks)
        await asyncio.sleep(1.2)
        with pytest.raises(UnavailableError, match="did not finish"):
            [_ async for _ in chunks]


@asynccontextmanager
async def proxy(status: int) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A proxy that gives every CONNECT this status, and tunnels where it is 200."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        writer.write(f"HTTP/1.1 {status} Because\r\n\r\n".encode())
        if status == 200:
            host, _, port = head.split()[1].decode().partition(":")
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65536):
        writer.write(received)
    writer.close()


async def test_a_proxy_on_the_way() -> None:
    async with (
        Endpoint(Reply(text="ok"), tls=tls("good")) as endpoint,
        proxy(200) as (url, heads),
        provider_for(endpoint.base_url, replace(COLD, proxy=url, ca_bundle=AUTHORITY)) as provider,
    ):
        assert await ask(provider) == "ok"
        await provider.aclose()
    assert heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"test-key" not in heads[0]


async def test_a_proxy_that_refuses() -> None:
    async with proxy(407) as (url, _):
        error = await failure("https://h.example/v1", replace(COLD, proxy=url))
    address = url.removeprefix("http://")
    assert f"The proxy {address} does not connect to h.example (407 Because)" in str(error)


async def test_a_proxy_that_is_not_there() -> None:
    port = free_port()
    network = replace(COLD, proxy=f"http://me:secret@127.0.0.1:{port}")
    error = await failure("https://h.example/v1", network)
    assert f"The proxy 127.0.0.1:{port} does not connect" in str(error)
    assert "secret" not in str(error)


def exceptions_of_httpx() -> Iterator[type[Exception]]:
    """Every exception that httpx can raise from a transport."""
    waiting: list[type[Exception]] = [httpx.HTTPError, httpx.StreamError, httpx.InvalidURL]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        yield kind


RAISED: list[Exception] = [
    *(kind.__new__(kind, "why") for kind in exceptions_of_httpx()),
    TimeoutError(),
    OSError(5, "Input/output error"),
    socket.gaierror(-2, "Name or service not known"),
    ConnectionRefusedError(111, "Connection refused"),
    ConnectionResetError(104, "Connection reset by peer"),
    ssl.SSLError(1, "wrong version number"),
    ssl.SSLCertVerificationError(1, "certificate verify failed"),
    UnicodeError("label too long"),
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
@pytest.mark.parametrize("has_proxy", [False, True])
def test_every_failure_below_becomes_one_of_ours(raised: Exception, has_proxy: bool) -> None:
    way = Way(host="h.example", peer="p:1", has_proxy=has_proxy, network=COLD)
    error = translate(raised, way)
    assert isinstance(error, ProviderError)
    assert "h.example" in str(error) or "p:1" in str(error)
    assert str(error).endswith(".")


# Connections


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with Endpoint(Reply(text="ok")) as endpoint:
        async with provider_for(endpoint.base_url) as provider:
            for _ in range(5):
                assert await ask(provider) == "ok"
                await until(lambda: lanes_of(provider) == (0, 1))
        assert endpoint.connections == 1
        await until(lambda: endpoint.open_connections == 0)


async def test_no_more_connections_are_kept_than_are_of_use() -> None:
    async with (
        Endpoint(Reply(text="ok", ttft_s=0.02)) as endpoint,
        provider_for(endpoint.base_url) as provider,
    ):
        await asyncio.gather(*(ask(provider) for _ in range(6)))
        await until(lambda: lanes_of(provider) == (0, MAX_IDLE_LANES))
        await until(lambda: endpoint.open_connections == MAX_IDLE_LANES)


async def test_a_body_that_was_not_read_to_its_end_is_hung_up_at_once() -> None:
    async with Endpoint(Reply(text="a" * 400, per_piece_s=0.01)) as endpoint:
        async with provider_for(endpoint.base_url) as provider:
            async with aclosing(provider.stream(REQUEST)) as chunks:
                await anext(chunks)
            await until(lambda: endpoint.calls[0].hung_up)
            assert lanes_of(provider) == (0, 0)
        assert len(endpoint.calls[0].pieces) < 5


@pytest.mark.parametrize("ttft_s", [0.0, 60.0], ids=["streaming", "waiting"])
async def test_cancelling_who_reads_hangs_up(ttft_s: float) -> None:
    async with (
        Endpoint(Reply(text="a" * 400, per_piece_s=0.01, ttft_s=ttft_s)) as endpoint,
        provider_for(endpoint.base_url) as provider,
    ):
        reading = asyncio.create_task(ask(provider))
        await until(lambda: bool(endpoint.calls))
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        await until(lambda: endpoint.calls[0].hung_up)


async def test_an_answer_that_is_complete_does_not_cost_its_connection() -> None:
    """Who reads stops at the finish reason; the end of the body comes after it."""
    async with Endpoint(Reply(text="ok")) as endpoint:
        async with provider_for(endpoint.base_url) as provider:
            async with aclosing(provider.stream(REQUEST)) as chunks:
                async for chunk in chunks:
                    if chunk.finish_reason:
                        break
            await until(lambda: lanes_of(provider) == (0, 1))
        assert not endpoint.calls[0].hung_up


@pytest.mark.parametrize("fault", ["close when idle", "http/1.0"])
async def test_a_kept_connection_that_was_closed_costs_no_request(fault: Any) -> None:
    async with Endpoint(Reply(text="ok", fault=fault)) as endpoint:
        async with provider_for(endpoint.base_url) as provider:
            for _ in range(4):
                assert await ask(provider) == "ok"
                await until(lambda: endpoint.open_connections == 0)
        assert len(endpoint.calls) == 4


async def test_a_kept_connection_that_breaks_is_asked_again_once() -> None:
    """It may have been closed just as the request went out."""
    async with Endpoint(Reply(text="ok")) as endpoint:
        async with provider_for(endpoint.base_url) as provider:
            assert await ask(provider) == "ok"
            await until(lambda: lanes_of(provider) == (0, 1))
            endpoint.script = [Reply(fault="close")]
            assert await ask(provider) == "ok"
            await until(lambda: lanes_of(provider) == (0, 1))
            endpoint.script = [Reply(fault="reset"), Reply(fault="reset")]
            with pytest.raises(UnavailableError, match="was lost"):
                await ask(provider)
        assert len(endpoint.calls) == 5


@pytest.mark.parametrize("target", ["https://[", "/here", ""])
async def test_a_redirect_to_anywhere_is_refused(target: str) -> None:
    reply = Reply(status=307, body="", headers={"location": target})
    async with Endpoint(reply) as endpoint:
        error = await failure(endpoint.base_url)
    assert isinstance(error, RefusedError)
    assert "127.0.0.1 redirects to" in str(error)


async def test_a_new_connection_that_breaks_is_not_asked_again() -> None:
    """The request may have been read, and cost its tokens."""
    async with Endpoint(Reply(fault="close")) as endpoint:
        await failure(endpoint.base_url)
        assert len(endpoint.calls) == 1


async def test_no_log_holds_the_key_or_the_document(caplog: pytest.LogCaptureFixture) -> None:
    """Not even at the level where httpx's own layers tell what they do."""
    caplog.set_level(logging.DEBUG)
    async with (
        Endpoint(Reply(text="the_answer()"), tls=tls("good")) as endpoint,
        provider_for(endpoint.base_url, replace(COLD, ca_bundle=AUTHORITY)) as provider,
    ):
        assert await ask(provider) == "the_answer()"
    assert "send_request_headers" in caplog.text, "the layers below were heard"
    for secret in ("test-key", "def add", "the_answer"):
        assert secret not in caplog.text


# The spare connection

WARM = replace(COLD, warm_connection=True)


async def test_warming_up_opens_a_connection_without_the_key() -> None:
    async with (
        Endpoint(Reply(text="ok")) as endpoint,
        provider_for(endpoint.base_url, WARM) as provider,
    ):
        await provider.warm()
        await provider.warm()
        assert lanes_of(provider) == (0, 1)
        (opening,) = endpoint.warm_ups
        assert "authorization" not in opening.headers
        assert await ask(provider) == "ok"
        assert endpoint.calls[0].connection == opening.connection


async def test_a_spare_is_ready_when_the_first_is_hung_up() -> None:
    async with (
        Endpoint(Reply(text="a" * 400, per_piece_s=0.01)) as endpoint,
        provider_for(endpoint.base_url, WARM) as provider,
    ):
        reading = asyncio.create_task(ask(provider))
        await until(lambda: lanes_of(provider) == (1, 1))
        reading.cancel()
        await asyncio.wait([reading])
        endpoint.reply = Reply(text="ok")
        assert await ask(provider) == "ok"
        assert endpoint.calls[1].connection == endpoint.warm_ups[0].connection


async def test_nothing_is_warmed_up_where_that_is_not_wanted() -> None:
    async with Endpoint(Reply(text="ok")) as endpoint:
        async with provider_for(endpoint.base_url, COLD) as provider:
            await provider.warm()
            assert await ask(provider) == "ok"
        assert endpoint.warm_ups == []


async def test_nothing_is_warmed_up_by_a_timer() -> None:
    async with (
        Endpoint(Reply(text="ok", ttft_s=0.05)) as endpoint,
        provider_for(endpoint.base_url, WARM) as provider,
    ):
        await ask(provider)
        await until(lambda: lanes_of(provider) == (0, 2))
        opened = endpoint.connections
        await asyncio.sleep(0.3)
        assert endpoint.connections == opened == 2


async def test_a_request_goes_out_before_the_spare_that_it_asks_for() -> None:
    """Made at once, the spare would hold up the request, which is what somebody waits for."""
    async with (
        Endpoint(Reply(text="ok", ttft_s=0.05)) as endpoint,
        provider_for(endpoint.base_url, WARM) as provider,
    ):
        await provider.warm()
        asking = asyncio.create_task(ask(provider))
        await until(lambda: bool(endpoint.calls))
        assert endpoint.connections == 1
        await asking
        await until(lambda: endpoint.connections == 2)


async def test_a_spare_that_the_endpoint_closed_is_opened_anew_when_asked_for() -> None:
    async with (
        Endpoint(Reply(text="ok", fault="close when idle")) as endpoint,
        provider_for(endpoint.base_url, COLD) as provider,
    ):
        await ask(provider)
        await until(lambda: endpoint.open_connections == 0)
        warm = transport_of(provider)
        warm._network = WARM  # pyright: ignore[reportPrivateUsage]
        await provider.warm()
        assert len(endpoint.warm_ups) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "https://nowhere.invalid/v1"])
async def test_warming_up_never_raises(url: str) -> None:
    async with provider_for(url, WARM) as provider:
        await provider.warm()
        assert lanes_of(provider) == (0, 0)


# The end


@pytest.mark.parametrize("ttft_s", [0.0, 60.0], ids=["streaming", "waiting"])
async def test_closing_ends_what_runs(ttft_s: float) -> None:
    async with Endpoint(Reply(text="a" * 400, per_piece_s=0.02, ttft_s=ttft_s)) as endpoint:
        async with provider_for(endpoint.base_url, WARM) as provider:
            reading = asyncio.create_task(ask(provider))
            await until(lambda: bool(endpoint.calls))
            await asyncio.sleep(0.03)
            await provider.aclose()
            with pytest.raises(UnavailableError, match="connection was closed"):
                await reading
            with pytest.raises(UnavailableError, match="connection was closed"):
                await ask(provider)
            assert lanes_of(provider) == (0, 0)
        await until(lambda: endpoint.open_connections == 0)


async def test_closing_ends_what_connects() -> None:
    server = await asyncio.start_server(_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with provider_for(f"https://127.0.0.1:{port}/v1", COLD) as provider:
        reading = asyncio.create_task(ask(provider))
        await until(lambda: lanes_of(provider) == (1, 0))
        async with asyncio.timeout(PATIENCE_S):
            await provider.aclose()
            with pytest.raises(UnavailableError):
                await reading
    server.close()


@pytest.mark.parametrize("network", [WARM, COLD], ids=["with a spare", "without"])
@pytest.mark.parametrize("has_tls", [False, True], ids=["plain", "TLS"])
async def test_hanging_up_at_random_moments_leaves_nothing(
    network: NetworkSettings, has_tls: bool
) -> None:
    """A long version is benchmarks/hangups.py."""
    reply = Reply(text="return a + b\n" * 3, ttft_s=0.003, per_piece_s=0.0005)
    network = replace(network, ca_bundle=AUTHORITY if has_tls else None)
    async with Endpoint(reply, tls=tls("good") if has_tls else None) as endpoint:
        await asyncio.sleep(0.01)
        before = open_descriptors()
        with complaints() as heard:
            async with provider_for(endpoint.base_url, network) as provider:
                moments = await hang_up_often(provider, endpoint, 150)
                assert {"connecting", "waiting"} <= set(moments)
                for _ in range(20):
                    assert await ask(provider) == reply.text
                await until(lambda: lanes_of(provider)[0] == 0)
            await until(lambda: endpoint.open_connections == 0)
        assert heard == []
        await until(lambda: open_descriptors() == before)
