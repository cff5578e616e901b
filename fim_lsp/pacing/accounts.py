"""Which calls count together: those with one key to one model of one endpoint."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import urlsplit

from fim_lsp.pacing.sqlite_ledger import SqliteLedger
from fim_lsp.providers.route import is_loopback
from fim_lsp.settings import Settings, state_folder

FILE = "calls.sqlite3"
"""In the state folder. It holds times, numbers of tokens and hashes: nothing of any document."""


def account_of(settings: Settings) -> str:
    """A name for the account that tells nothing of the key. A key's command stands for its key."""
    key = settings.api_key_command or (os.environ.get(settings.api_key_env, ""),)
    parts = (settings.effective_base_url, settings.effective_model, *key)
    text = "\0".join(parts).encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16, person=b"fim-lsp").hexdigest()


def shared_ledger(settings: Settings, *, now: float) -> SqliteLedger | None:
    """The ledger of all windows on this machine; None where each counts for itself."""
    store = settings.limits.store
    host = urlsplit(settings.effective_base_url).hostname or ""
    if settings.effective_provider == "local" or store == "memory":
        return None
    if store == "auto" and (not host or is_loopback(host)):
        return None
    return SqliteLedger(state_folder() / FILE, account_of(settings), now=now)
