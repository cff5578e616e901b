"""Which calls count together: on one machine those with one key to one model of one endpoint.

In a team's store it is those to one model of one endpoint, by whatever key: its limits are the
whole workspace's, and each person may have a key of their own.
"""

from __future__ import annotations

import hashlib
import os
from urllib.parse import urlsplit

from fim_lsp.pacing.ledger import WINDOW_S
from fim_lsp.pacing.redis_ledger import RedisLedger
from fim_lsp.pacing.sqlite_ledger import SqliteLedger
from fim_lsp.providers.route import is_loopback
from fim_lsp.settings import Settings, is_team_store, state_folder
from fim_lsp.store import Store

FILE = "calls.sqlite3"
"""In the state folder. It holds times, numbers of tokens and hashes: nothing of any document."""
LATE_S = 5.0
"""A call that has not ended so long after its limit of time has lost its server."""


def account_of(settings: Settings) -> str:
    """A name for the account that tells nothing of the key. A key's command stands for its key."""
    key = settings.api_key_command or (os.environ.get(settings.api_key_env, ""),)
    return _hashed(settings.effective_base_url, settings.effective_model, *key)


def _hashed(*parts: str) -> str:
    text = "\0".join(parts).encode(errors="surrogatepass")  # a setting may hold half a character
    return hashlib.blake2b(text, digest_size=16, person=b"fim-lsp").hexdigest()


def team_account_of(settings: Settings) -> str:
    """A name for the team's account, the same for each of its people."""
    return _hashed(settings.effective_base_url, settings.effective_model)


def shared_ledger(settings: Settings, *, now: float) -> SqliteLedger | RedisLedger | None:
    """The ledger of a team, or of all windows on this machine; None where each counts for itself.

    Raises ``SettingError`` where a team's store can never be used.
    """
    store = settings.limits.store
    host = urlsplit(settings.effective_base_url).hostname or ""
    if settings.effective_provider == "local" or store == "memory":
        return None
    if is_team_store(store):
        return RedisLedger(
            Store(store, ca_bundle=settings.network.ca_bundle),
            team_account_of(settings),
            window_s=WINDOW_S,
            longest_call_s=settings.network.total_timeout_s + LATE_S,
        )
    if store == "auto" and (not host or is_loopback(host)):
        return None
    return SqliteLedger(state_folder() / FILE, account_of(settings), now=now)
