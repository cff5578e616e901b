"""The way to the endpoint, step by step, and one real completion."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from fim_lsp.doctor.check import Check, from_error
from fim_lsp.document import Document
from fim_lsp.errors import ProviderError, SettingError
from fim_lsp.oneshot import Outcome, ask_once
from fim_lsp.providers import listing, registry
from fim_lsp.settings import Settings, is_team_store
from fim_lsp.store import PASSWORD_VARIABLE, Store

SAMPLE = """def area(width: int, height: int) -> int:
    return width * height


def volume(width: int, height: int, depth: int) -> int:
    return width *"""
"""What is to be completed: the embedded provider can do it from these lines alone."""
SLOW_MS = 800.0
"""Beyond this, most people have typed on."""
_CLOCK_OFF_S = 120
_EXPIRES_SOON_DAYS = 14


async def way(settings: Settings) -> AsyncGenerator[Check]:
    """Proxy, name, connection and certificate; ends at the first failure."""
    from fim_lsp.providers.route import proxy_for

    url = urlsplit(settings.effective_base_url)
    try:
        proxy = proxy_for(settings.effective_base_url, settings.network)
    except SettingError as error:
        yield from_error("proxy", str(error), "settings")
        return
    target = urlsplit(proxy) if proxy else url
    if proxy:
        origin = "network.proxy" if settings.network.proxy else "the environment"
        yield Check(name="proxy", found=f"{target.hostname}:{target.port or 80} (from {origin})")
    elif url.scheme == "https":
        yield Check(name="proxy", found="none")
    is_tls = not proxy and url.scheme == "https"
    async for check in _connection(settings, _peer(target), is_tls=is_tls):
        yield check


def _peer(url: SplitResult) -> tuple[str, int]:
    """The host and the port that an address leads to."""
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


async def _connection(
    settings: Settings, peer: tuple[str, int], *, is_tls: bool
) -> AsyncGenerator[Check]:
    """Look the name up, connect, and shake hands; ends at the first failure."""
    host, port = peer
    limit_s = settings.network.connect_timeout_s
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    try:
        async with asyncio.timeout(limit_s):
            addresses = await loop.getaddrinfo(host, port, type=1)
        yield Check(name="name", found=f"{host} has {_count(addresses)} in {_since(began)}")
        asked = time.perf_counter()
        async with asyncio.timeout(limit_s):
            _, writer = await asyncio.open_connection(host, port)
        warm = _since(asked)  # a connection stands after one round trip
        try:
            yield Check(name="connection", found=f"{host}:{port} in {warm}")
            if is_tls:
                yield await _handshake(settings, writer, host)
        finally:
            writer.close()
        found = f"{_since(began)} until a new connection stands, {warm} on one that is kept"
        yield Check(name="round trip", found=found)
    except SettingError as error:
        yield from_error("certificate", str(error), "settings")
    except (OSError, UnicodeError) as error:
        yield from_error("connection", _said(error, settings, peer), "endpoint")


async def _handshake(settings: Settings, writer: asyncio.StreamWriter, host: str) -> Check:
    from fim_lsp.providers.route import trusted

    context = await asyncio.to_thread(trusted, settings.network.ca_bundle)
    began = time.perf_counter()
    async with asyncio.timeout(settings.network.connect_timeout_s):
        await writer.start_tls(context, server_hostname=host)
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate: Mapping[str, Any] = tls.getpeercert() or {}
    found = f"{tls.version()} in {_since(began)}, issued by {_issuer(certificate)}"
    days = _days_left(certificate)
    if days is not None and days < _EXPIRES_SOON_DAYS:
        return Check(
            name="certificate",
            found=f"{found}, expires in {days} days",
            state="warning",
            remedy=f"tell the operator of {host}",
        )
    return Check(name="certificate", found=found)


async def team_store(settings: Settings) -> AsyncGenerator[Check]:
    """The team's store, where the settings name one; without it each server has its share."""
    if not is_team_store(settings.limits.store):
        return
    try:
        store = Store(settings.limits.store, ca_bundle=settings.network.ca_bundle)
    except SettingError as error:
        yield from_error("store", str(error), "settings")
        return
    if not await store.opened():
        remedy = f"check limits.store, {PASSWORD_VARIABLE} and the network"
        found = f"{store.name}: {store.trouble}"
        yield Check(name="store", found=found, state="warning", remedy=remedy)
        return
    began = time.perf_counter()
    try:
        await store.call("PING")
        yield Check(name="store", found=f"{store.name} answers in {_since(began)}")
    except ProviderError as error:
        yield Check(name="store", found=str(error), state="warning", remedy="use a nearer store")
    finally:
        await store.aclose()


async def model(settings: Settings) -> Check | None:
    """Whether the endpoint offers the model, and whether that fills in the middle."""
    wanted = settings.effective_model
    try:
        offered = {one.name: one for one in await listing.offered(settings)}
    except SettingError:
        return None  # said elsewhere, or there is no list
    except ProviderError as error:
        found = str(error).partition(": ")[0]
        return Check(name="model", found=f"{wanted or 'whatever is loaded'}; {found}")
    fills = offered[wanted].fills if wanted in offered else None
    if fills is False:
        remedy = "choose another: fim-lsp models"
        found = f"{wanted} does not fill in the middle"
        return Check(name="model", found=found, state="settings", remedy=remedy)
    if wanted and offered and wanted not in offered:
        near = get_close_matches(wanted, offered, n=1)
        remedy = "".join(f"did you mean {one}? " for one in near) + "What it offers: fim-lsp models"
        found = f"{wanted} is not on the endpoint's list of {len(offered)}"
        return Check(name="model", found=found, state="warning", remedy=remedy)
    says = "it fills in the middle" if fills else "the list does not say whether it fills in"
    return Check(name="model", found=f"{wanted or 'whatever is loaded'}; {says}")


async def completion(settings: Settings) -> AsyncGenerator[Check]:
    """One real completion, timed; and what its response's headers tell."""
    headers: dict[str, str] = {}
    try:
        provider = registry.connect(settings)
    except SettingError as error:
        yield from_error("completion", str(error), "settings")
        return
    if hasattr(provider, "on_headers"):
        setattr(provider, "on_headers", headers.update)  # noqa: B010 - not every provider has it
    document = Document("file:///area.py", "python", None, SAMPLE + "\n")
    last = document.line_count - 2
    context = document.context(last, len(document.line(last)))
    try:
        await provider.warm()
        yield _judged(await ask_once(provider, settings, context))
    except SettingError as error:
        yield from_error("completion", str(error), "settings")
    except ProviderError as error:
        yield from_error("completion", str(error), "endpoint")
    finally:
        await provider.aclose()
    for check in (_limits(headers), _clock(headers)):
        if check is not None:
            yield check


def _judged(outcome: Outcome) -> Check:
    if not outcome.text:
        reason = outcome.reason or "the answer was blank"
        remedy = "try another model: this one may not fill in the middle; or check base_url"
        return Check(
            name="completion", found=f"nothing ({reason})", state="endpoint", remedy=remedy
        )
    first_ms = outcome.first_text_ms or outcome.total_ms
    tokens = ""
    if usage := outcome.usage:
        tokens = f", {usage.prompt_tokens} + {usage.completion_tokens} tokens"
    found = f"first text after {first_ms:.0f} ms, all after {outcome.total_ms:.0f} ms{tokens}"
    if first_ms > SLOW_MS:
        remedy = "ghost text will come late; a nearer endpoint or a smaller model is faster"
        return Check(name="completion", found=found, state="warning", remedy=remedy)
    return Check(name="completion", found=found)


def _limits(headers: Mapping[str, str]) -> Check | None:
    said = {name: value for name, value in headers.items() if "ratelimit" in name}
    if not said:
        return None
    return Check(name="limits", found=", ".join(f"{k} {v}" for k, v in sorted(said.items())))


def _clock(headers: Mapping[str, str]) -> Check | None:
    """The clock here against the endpoint's."""
    try:
        there = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    off_s = (datetime.now(UTC) - there.astimezone(UTC)).total_seconds()
    if abs(off_s) < _CLOCK_OFF_S:
        return Check(name="clock", found="right to two minutes")
    return Check(
        name="clock",
        found=f"{abs(off_s) / 60:.0f} minutes {'ahead' if off_s > 0 else 'behind'}",
        state="warning",
        remedy="set this machine's clock: certificates depend on it",
    )


def _said(error: Exception, settings: Settings, peer: tuple[str, int]) -> str:
    from fim_lsp.providers.transport import Way, translate

    endpoint = _peer(urlsplit(settings.effective_base_url))
    if isinstance(error, TimeoutError):
        limit_s = settings.network.connect_timeout_s
        return (
            f"No connection to {peer[0]} within {limit_s:g} s: check the network and the proxy, "
            "or raise network.connect_timeout_s."
        )
    where = Way(endpoint[0], f"{peer[0]}:{peer[1]}", endpoint != peer, settings.network)
    return str(translate(error, where))


def _issuer(certificate: Mapping[str, Any]) -> str:
    """Who vouches for the endpoint: a firm's own name here means that its proxy reads along."""
    names: dict[str, str] = {key: value for ((key, value),) in certificate.get("issuer", ())}
    return names.get("organizationName") or names.get("commonName") or "an unnamed authority"


def _days_left(certificate: Mapping[str, Any]) -> int | None:
    ends = certificate.get("notAfter")
    return int((ssl.cert_time_to_seconds(ends) - time.time()) // 86_400) if ends else None


def _count(addresses: list[Any]) -> str:
    number = len({address[4][0] for address in addresses})
    return "1 address" if number == 1 else f"{number} addresses"


def _since(began_s: float) -> str:
    return f"{(time.perf_counter() - began_s) * 1000:.0f} ms"
