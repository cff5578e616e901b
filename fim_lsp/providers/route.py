"""How to reach an endpoint: its address, a proxy on the way, and whom to trust."""

from __future__ import annotations

import ipaddress
import re
import ssl
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from fim_lsp.errors import SettingError
from fim_lsp.presets import PRESETS
from fim_lsp.settings import NetworkSettings, Settings


def checked_host(base_url: str, network: NetworkSettings) -> str:
    """The host that ``base_url`` names. Raises ``SettingError`` where it must not be used."""
    try:
        parts = urlsplit(base_url)
        host, is_address = parts.hostname or "", parts.port != 0
    except ValueError:
        parts, host, is_address = urlsplit(""), "", False
    if parts.username is not None or parts.password is not None:
        message = f"base_url names a user before {host}: give the key by api_key_env instead."
        raise SettingError(message)
    if parts.scheme not in {"http", "https"} or not host or not is_address:
        message = f"base_url = {base_url!r} is no address: write https://host/path."
        raise SettingError(message)
    if parts.query or parts.fragment:
        message = f"base_url holds a '?' or '#' behind {host}: end it before the endpoint's path."
        raise SettingError(message)
    if parts.scheme == "http" and not (network.allow_insecure or is_loopback(host)):
        message = (
            f"http://{host} would carry the key and the code in clear: "
            "use https, or set network.allow_insecure = true."
        )
        raise SettingError(message)
    return host


def check_key_is_for(host: str, settings: Settings) -> None:
    """Raise ``SettingError`` where the key's variable is known to be for another known host."""
    homes = {
        urlsplit(preset.base_url).hostname: (name, preset.api_key_env)
        for name, preset in PRESETS.items()
        if preset.base_url and preset.base_url.startswith("https:")
    }
    named = settings.api_key_env
    owners = [home for home, (_, variable) in homes.items() if variable == named]
    if settings.api_key_command or host not in homes or host in owners or not owners:
        return
    preset, variable = homes[host]
    message = (
        f"{named} holds a key for {owners[0]}, which is not sent to {host}: "
        f'set api_key_env = "{variable}", or preset = "{preset}".'
    )
    raise SettingError(message)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def extra_headers(lines: Sequence[str]) -> dict[str, str]:
    """The headers of ``name: value`` lines. Raises ``SettingError``; never quotes a value."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        is_name = re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name.strip())
        if not (colon and is_name and re.fullmatch(r"[\x20-\x7e]*", value)):
            message = f"headers: {name.strip()!r} is no header: write 'name: value'."
            raise SettingError(message)
        headers[name.strip().lower()] = value.strip()
    return headers


def proxy_for(base_url: str, network: NetworkSettings) -> str | None:
    """The proxy's address: the setting's, else the environment's or the system's.

    This machine is reached without one, unless the setting says otherwise.
    """
    parts = urlsplit(base_url)
    url = network.proxy
    if url is None:
        import urllib.request

        host = parts.hostname or ""
        if is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        named = urllib.request.getproxies()
        url = named.get(parts.scheme) or named.get("all")
    if not url:
        return None
    if "://" not in url:
        url = f"http://{url}"
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        host = parts.hostname
        message = (
            f"Only http proxies are used: set network.proxy to one, or name {host} in NO_PROXY."
        )
        raise SettingError(message)
    return url


def trusted(ca_bundle: str | None) -> ssl.SSLContext:
    """What the system trusts, and the certificates in the file ``ca_bundle`` beside it."""
    context = ssl.create_default_context()
    if sys.platform in {"win32", "darwin"} or not context.cert_store_stats()["x509_ca"]:
        import truststore

        # Not where OpenSSL has a store: truststore reads that anew at each handshake (30 ms).
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except OSError as error:  # an ssl.SSLError is one
            reason = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
            message = f"network.ca_bundle = {ca_bundle!r} cannot be used ({reason}): name a file."
            raise SettingError(message) from None
    return context
