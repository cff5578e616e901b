"""Answers that a team shares: a provider around another, which asks the team's store first.

An answer is filed under a hash of all that was asked, and encrypted with a key made of the same:
who has asked the very same question can read it, and nobody else, the store's keeper included.
Nothing of any document lies there in clear. (Who holds a copy of the store could still test a guess
of a whole question, so the store's password goes into the hash.)

A store that is slow or gone is done without.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, cast

from fim_lsp.errors import SettingError, UnavailableError
from fim_lsp.providers import Chunk, FimRequest, FinishReason, Provider, Reader, Usage
from fim_lsp.settings import Settings
from fim_lsp.store import Store

KEPT_S = 24 * 3600
"""An answer is forgotten after a day: by then the code around it is another."""
_NONCE_BYTES = 12
_FREE = Usage(prompt_tokens=0, completion_tokens=0)


@dataclass(frozen=True, slots=True)
class _Secret:
    """Where an answer lies, and what opens it."""

    name: str
    key: bytes


class SharedAnswers:
    """The ``Provider`` that asks the team's store, and another where that knows nothing."""

    free = False

    def __init__(self, provider: Provider, settings: Settings, store: Store) -> None:
        """Connects nothing yet. Raises ``SettingError`` where it could not encrypt."""
        if find_spec("cryptography") is None:
            message = "cache.store needs cryptography: pip install 'fim-lsp[redis]'. It is off."
            raise SettingError(message)
        self.name = provider.name
        self.on_headers: Callable[[Mapping[str, str]], None] | None = None
        provider.on_headers = self._told
        self._provider = provider
        self._store = store
        self._asked_of = _asked_of(settings)
        self._tasks: set[asyncio.Task[None]] = set()

    def _told(self, headers: Mapping[str, str]) -> None:
        if self.on_headers is not None:
            self.on_headers(headers)

    async def stream(self, request: FimRequest) -> AsyncGenerator[Chunk]:
        """As ``Provider.stream``; an answer from the store comes whole and costs nothing."""
        secret = _secret_of(self._asked_of, request, self._store.password)
        if (found := await self._found(secret)) is not None:
            yield found
            return
        text, finish = "", None
        try:
            async with aclosing(self._provider.stream(request)) as chunks:
                async for chunk in chunks:
                    text, finish = text + chunk.text, chunk.finish_reason or finish
                    yield chunk
        except GeneratorExit:  # whoever asked has enough; one that was refuted is cancelled
            finish = finish or "length"
            raise
        finally:
            if finish in {"stop", "length"}:
                self._keep(secret, text, finish)

    async def warm(self) -> None:
        """Have connections ready before they are needed. Never raises."""
        self._store.open_soon()
        await self._provider.warm()

    @property
    def reads_ahead(self) -> bool:
        """As the other provider."""
        return isinstance(self._provider, Reader) and self._provider.reads_ahead

    async def read_ahead(self, request: FimRequest) -> None:
        """As the other provider."""
        if isinstance(self._provider, Reader):
            await self._provider.read_ahead(request)

    async def aclose(self) -> None:
        """Close every connection. Calls that still run end with an ``UnavailableError``."""
        await self._provider.aclose()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._store.aclose()

    async def _found(self, secret: _Secret) -> Chunk | None:
        if not self._store.is_open:
            self._store.open_soon()
            return None
        try:
            sealed = await self._store.call("GET", secret.name)
        except UnavailableError:
            return None
        return _opened(sealed, secret) if isinstance(sealed, bytes) else None

    def _keep(self, secret: _Secret, text: str, finish: FinishReason) -> None:
        """Put an answer into the store, in the background."""
        if not self._store.is_open:
            return
        task = asyncio.ensure_future(self._put(secret, _sealed(text, finish, secret)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put(self, secret: _Secret, sealed: bytes) -> None:
        with contextlib.suppress(UnavailableError):
            await self._store.call("SET", secret.name, sealed, "EX", KEPT_S)


def _asked_of(settings: Settings) -> dict[str, Any]:
    """Whatever of the settings decides about an answer."""
    return {
        "provider": settings.effective_provider,
        "url": settings.full_url or settings.effective_base_url,
        "model": settings.effective_model,
        "template": settings.template,
        "request": asdict(settings.request),
    }


def _secret_of(asked_of: Mapping[str, Any], request: FimRequest, password: str) -> _Secret:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    asked = json.dumps([asked_of, asdict(request)], sort_keys=True).encode()
    salt = password.encode() or None
    made = HKDF(algorithm=SHA256(), length=64, salt=salt, info=b"fim-lsp answer").derive(asked)
    return _Secret(f"fim-lsp:answer:{made[:32].hex()}", made[32:])


def _sealed(text: str, finish: FinishReason, secret: _Secret) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    nonce = os.urandom(_NONCE_BYTES)
    said = json.dumps([text, finish]).encode()
    return nonce + ChaCha20Poly1305(secret.key).encrypt(nonce, said, None)


def _opened(sealed: bytes, secret: _Secret) -> Chunk | None:
    """The answer; None where somebody else has written it, who had not asked the same."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        said = ChaCha20Poly1305(secret.key).decrypt(nonce, rest, None)
    except (InvalidTag, ValueError):
        return None
    text, finish = cast("tuple[str, FinishReason]", json.loads(said))
    return Chunk(text=text, finish_reason=finish, usage=_FREE)
