"""Which models an endpoint offers, and which of them fill in the middle, as far as can be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from fim_lsp.errors import RefusedError, SettingError, UnavailableError
from fim_lsp.keys import KeySource
from fim_lsp.providers.reading import parsed, table
from fim_lsp.providers.refusals import Asked, refusal
from fim_lsp.providers.route import extra_headers
from fim_lsp.providers.templates import template_for
from fim_lsp.providers.transport import Transport
from fim_lsp.settings import Settings

_PATHS = {"llamacpp": "/v1/models", "ollama": "/api/tags"}
"""Where the list is, for those that have it elsewhere than at ``/models``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model that the endpoint offers."""

    name: str
    fills: bool | None = None
    """Whether it fills in the middle; None where nobody says."""


async def offered(settings: Settings) -> tuple[Model, ...]:
    """The endpoint's models, in its order. Raises ``ProviderError``."""
    provider = settings.effective_provider
    if provider == "local" or settings.full_url:
        place = "provider = 'local'" if provider == "local" else "full_url"
        message = f"With {place} there is no list of models: set provider and base_url."
        raise SettingError(message)
    endpoint = _Endpoint(settings)
    try:
        listed = await endpoint.asked(_PATHS.get(provider, "/models"))
        rows = _rows(listed.get("models" if provider == "ollama" else "data"))
        if provider == "ollama":
            return tuple([await _of_ollama(endpoint, str(row.get("name", ""))) for row in rows])
        return tuple(_described(row, provider) for row in rows)
    finally:
        await endpoint.aclose()


class _Endpoint:
    """Answers questions beside completions."""

    def __init__(self, settings: Settings) -> None:
        self._headers = extra_headers(settings.headers)
        self._keys = KeySource(settings)
        network = replace(settings.network, warm_connection=False)
        self._transport = Transport(settings.effective_base_url, network)

    async def asked(self, path: str, payload: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The answer's object. Raises ``ProviderError``."""
        key, host = await self._keys.get(), self._transport.host
        headers = self._headers | (key.header if key else {})
        async with self._transport.exchange(path, payload, headers) as response:
            body = await response.read()
            if response.status in {404, 405}:
                message = f"{host} does not list its models: see what it says of them elsewhere."
                raise RefusedError(message, status=response.status)
            if response.status != 200:
                sent = (key.value,) if key else ()
                asked = Asked(
                    host=host,
                    model="the list",
                    sent=sent,
                    has_key=key is not None,
                    key_from=self._keys.place,
                )
                raise refusal(response.status, body, response.headers, asked)
        found = parsed(body)
        if found is None:
            message = f"{host} answers with something that is no list of models: check base_url."
            raise UnavailableError(message)
        return found

    async def aclose(self) -> None:
        """Close the connection."""
        await self._keys.aclose()
        await self._transport.aclose()


def _rows(found: object) -> list[Mapping[str, Any]]:
    items = cast("list[object]", found) if isinstance(found, list) else []
    return [row for one in items if (row := table(one)).get("id") or row.get("name")]


def _described(row: Mapping[str, Any], provider: str) -> Model:
    name = str(row.get("id") or row.get("name"))
    fills = table(row.get("capabilities")).get("completion_fim")
    if fills is None and provider == "openai" and template_for(name):
        fills = True
    return Model(name=name, fills=fills if isinstance(fills, bool) else None)


async def _of_ollama(endpoint: _Endpoint, name: str) -> Model:
    """A model is asked for itself; one without a template of its own may be laid out by ours."""
    try:
        shown = await endpoint.asked("/api/show", {"model": name})
    except RefusedError:
        return Model(name=name)
    capabilities = shown.get("capabilities")
    inserts = isinstance(capabilities, list) and "insert" in cast("list[object]", capabilities)
    return Model(name=name, fills=inserts or template_for(name) is not None)
