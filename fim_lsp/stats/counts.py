"""The counts' file: sums for each day in SQLite, written in a thread, a few times a minute.

Whoever counts never waits: ``add`` is a sum in memory. Several servers may share the file, since
each adds to what is there. Where it cannot be written (a read-only disk, a full one, somebody
else's file), one line goes to the log and nothing is counted any more.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fim_lsp.settings import state_folder

FLUSH_S = 5.0
"""What was counted is lost by no more than this when the process is killed."""
_BUSY_S = 2.0
_LEAVE_S = 1.0
"""At its end the server waits so long for the last write."""

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "suggestions": ("day", "language", "provider", "model"),
        "answers": ("day", "language", "source", "bucket"),
        "calls": ("day", "language", "provider", "model"),
    }
)
"""Each table's key."""
SUMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "suggestions": (
            *("shown", "shown_chars", "accepted_by_command", "accepted_by_edit", "partly", "typed"),
            *("accepted_chars", "kept_30s", "asked_30s", "kept_5m", "asked_5m"),
        ),
        "answers": ("answers",),
        "calls": ("calls", "failed", "hung_up", "prompt_tokens", "answer_tokens"),
    }
)
"""Each table's sums. ``kept_…`` are characters that were still there, of ``asked_…`` looked for."""

_log = logging.getLogger(__name__)

Key = tuple[str | int, ...]
_Batch = dict[tuple[str, Key], Counter[str]]


def stats_file() -> Path:
    """Where the counts are."""
    return state_folder() / "stats.db"


class Counts:
    """Sums that find their way into the file. Never raises, never waits."""

    def __init__(self, path: Path, *, flush_s: float = FLUSH_S) -> None:
        self._path = path
        self._flush_s = flush_s
        self._pending: _Batch = {}
        self._changing = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_off = False

    def add(self, table: str, key: Key, **sums: int) -> None:
        """Add to a row's sums."""
        if self._is_off:
            return
        with self._changing:
            self._pending.setdefault((table, key), Counter()).update(sums)
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._work, name="stats", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what is left, and wait for that a little."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_LEAVE_S)

    def _work(self) -> None:
        file: sqlite3.Connection | None = None
        is_last = False
        while not (is_last or self._is_off):
            is_last = self._closing.wait(self._flush_s)
            with self._changing:
                batch, self._pending = self._pending, {}
            try:
                file = file or opened(self._path)
                _write(file, batch)
            except (sqlite3.Error, OSError) as error:
                self._failed(batch, error)
        if file is not None:
            with contextlib.suppress(sqlite3.Error):
                file.close()

    def _failed(self, batch: _Batch, error: Exception) -> None:
        """Try again where somebody else was just writing; give up otherwise."""
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            with self._changing:
                for row, sums in batch.items():
                    self._pending.setdefault(row, Counter()).update(sums)
            return
        self._is_off = True
        _log.warning("statistics are off: stats.db cannot be written (%s)", error)


def opened(path: Path, *, to_read: bool = False) -> sqlite3.Connection:
    """The file, with its tables. Raises ``sqlite3.Error`` and ``OSError``."""
    if to_read:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        for table, keys in KEYS.items():
            sums = ", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in SUMS[table])
            names = ", ".join(f"{name} NOT NULL" for name in keys)
            file.execute(
                f"CREATE TABLE IF NOT EXISTS {table} "
                f"({names}, {sums}, PRIMARY KEY ({', '.join(keys)})) WITHOUT ROWID"
            )
    except sqlite3.Error:
        file.close()
        raise
    return file


def _write(file: sqlite3.Connection, batch: _Batch) -> None:
    """Add a batch to the rows that are there, in one transaction."""
    if not batch:
        return
    with file:
        file.execute("BEGIN IMMEDIATE")
        for (table, key), sums in batch.items():
            names = [*KEYS[table], *sums]
            added = ", ".join(f"{name} = {name} + excluded.{name}" for name in sums)
            file.execute(
                f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608 - names of our own
                f"VALUES ({', '.join('?' * len(names))}) "
                f"ON CONFLICT ({', '.join(KEYS[table])}) DO UPDATE SET {added}",
                (*key, *sums.values()),
            )
