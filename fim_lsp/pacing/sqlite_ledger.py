"""One account for all windows on this machine: the ledger in a file, exact over any sixty seconds.

A row for each call, in SQLite; every entry checks the sums and adds its row in one transaction.
``now`` must be the machine's monotonic clock, which all of its processes share; rows from before
the last start lie in its future and are dropped.

Nobody waits for the file: where it is locked, slow, broken or read-only, this process goes on with
its own calls alone, which it knows anyhow, and puts them into the file when it works again.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from fim_lsp.pacing.ledger import LONGEST_CALL_S, WINDOW_S, Spent, fits

_T = TypeVar("_T")

BUSY_S = 0.02
"""The longest wait for another process, which holds the file for some 0.1 ms."""
SLOW_S = 0.1
"""A file that takes longer lies on a slow disk: better without it."""
RETRY_S = 30.0
"""After so long a file that failed is tried again."""
_TIDY_S = 1.0
_CLOCKS_APART_S = 5.0

_TABLE = """
CREATE TABLE IF NOT EXISTS calls (
  account TEXT NOT NULL, owner TEXT NOT NULL, entry INTEGER NOT NULL, tokens INTEGER NOT NULL,
  started REAL NOT NULL, ended REAL, pid INTEGER NOT NULL, born INTEGER NOT NULL,
  PRIMARY KEY (owner, entry)
) WITHOUT ROWID
"""
_COUNTED = "account = ? AND (ended IS NULL OR ended > ?)"


@dataclass(slots=True)
class _Call:
    tokens: int
    started: float
    ended: float | None = None


class SqliteLedger:
    """The ``Ledger`` of one account, which other processes may keep with us. Never raises."""

    is_teams = False

    def __init__(self, path: Path, account: str, *, now: float) -> None:
        self.path = path
        self.account = account
        self._owner = secrets.token_hex(8)
        self._pid = os.getpid()
        self._born = _born(self._pid) or 0
        self._entries = 0
        self._ours: dict[int, _Call] = {}
        """This process's calls that count or run, in the order of their starts."""
        self._file: sqlite3.Connection | None = None
        self._file_id: tuple[int, int] | None = None
        self._try_at, self._tidy_at = now, -math.inf
        self._connected(now)

    @property
    def is_shared(self) -> bool:
        """Whether the file works, so that other windows' calls are counted too."""
        return self._file is not None

    def parts(self, shared_by: int) -> int:
        """As many as people share the limits: this machine is one's own."""
        return shared_by

    def enter(self, tokens: int, *, most: Spent, now: float) -> int | None:
        """Count a call that starts now, or None where it would take the sums over ``most``."""
        entry, call = self._entries + 1, _Call(tokens, now)
        has_room = self._on_file(now, partial(self._enter, entry, call, most), writes=True)
        if has_room is None:
            has_room = fits(self._spent_by_us(now), tokens, most)
        if not has_room:
            return None
        self._entries = entry
        self._ours[entry] = call
        return entry

    async def confirm(self, entry: int) -> bool:
        """Whether the call may be made: as it was entered."""
        return entry in self._ours

    def settle(self, entry: int, tokens: int, *, now: float) -> None:
        """Note that a call has ended and what it cost; nothing where that was noted before."""
        call = self._ours.get(entry)
        if call is not None and call.ended is None:
            call.tokens, call.ended = tokens, now
            self._on_file(now, partial(self._put, entry, call), writes=True)

    def strike(self, entry: int) -> None:
        """Take a call that never reached the endpoint out of the account."""
        call = self._ours.get(entry)
        if call is not None and call.ended is None:
            del self._ours[entry]
            self._on_file(call.started, partial(self._delete, entry), writes=True)

    def spent(self, *, now: float) -> Spent:
        """What counts now, running calls included."""
        there = self._on_file(now, partial(self._spent, now))
        return self._spent_by_us(now) if there is None else there

    def leaving(self, *, now: float) -> Iterator[tuple[float, int]]:
        """When each call will count no more if it ends now, soonest first, and its tokens."""
        there = self._on_file(now, partial(self._leaving, now))
        if there is None:
            self._forget(now)
            calls = self._ours.values()
            there = sorted((now if c.ended is None else c.ended, c.tokens) for c in calls)
        return iter([(ended + WINDOW_S, tokens) for ended, tokens in there])

    def close(self) -> None:
        """Close the file; what was counted stays counted there."""
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.close()
        self._file = None

    # -- without the file ----------------------------------------------------------------------

    def _spent_by_us(self, now: float) -> Spent:
        self._forget(now)
        return Spent(len(self._ours), sum(call.tokens for call in self._ours.values()))

    def _forget(self, now: float) -> None:
        for entry, call in list(self._ours.items()):
            if call.ended is None and call.started + LONGEST_CALL_S <= now:
                call.ended = now
            if call.ended is not None and call.ended + WINDOW_S <= now:
                del self._ours[entry]

    # -- the file ------------------------------------------------------------------------------

    def _on_file(
        self, now: float, work: Callable[[sqlite3.Connection], _T], *, writes: bool = False
    ) -> _T | None:
        """The work's result in one transaction; None where there is no working file now."""
        is_due = now >= self._tidy_at + _TIDY_S
        if is_due and self._file is not None and _id_of(self.path) != self._file_id:
            self.close()  # somebody has deleted it, and others may have made another one
        file = self._connected(now)
        if file is None:
            return None
        began_s = time.perf_counter()
        try:
            if is_due:
                self._tidy_at = now
                _transact(file, partial(self._tidy, now), writes=True)
            result = _transact(file, work, writes=writes)
        except sqlite3.Error as error:
            self._give_up(now, error)
            return None
        if time.perf_counter() - began_s > SLOW_S:
            self._give_up(now)
        return result

    def _connected(self, now: float) -> sqlite3.Connection | None:
        if self._file is not None or now < self._try_at:
            return self._file
        try:
            self._file = _opened(self.path)
            self._file_id = _id_of(self.path)
            for entry, call in self._ours.items():
                self._put(entry, call, self._file)
        except (sqlite3.Error, OSError) as error:
            self._give_up(now, error)
        return self._file

    def _give_up(self, now: float, error: Exception | None = None) -> None:
        """Go on alone for a while. A file that is no database will never be one: it is removed."""
        self.close()
        self._try_at = now + RETRY_S
        if getattr(error, "sqlite_errorname", "") in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
            for ending in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    self.path.with_name(self.path.name + ending).unlink()

    def _enter(self, entry: int, call: _Call, most: Spent, file: sqlite3.Connection) -> bool:
        if not fits(self._spent(call.started, file), call.tokens, most):
            return False
        self._put(entry, call, file)
        return True

    def _put(self, entry: int, call: _Call, file: sqlite3.Connection) -> None:
        file.execute(
            "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(self.account, self._owner, entry, call.tokens, call.started, call.ended),
                *(self._pid, self._born),
            ),
        )

    def _delete(self, entry: int, file: sqlite3.Connection) -> None:
        file.execute("DELETE FROM calls WHERE owner = ? AND entry = ?", (self._owner, entry))

    def _spent(self, now: float, file: sqlite3.Connection) -> Spent:
        sums = f"SELECT count(*), coalesce(sum(tokens), 0) FROM calls WHERE {_COUNTED}"  # noqa: S608 - no value in it
        return Spent(*file.execute(sums, (self.account, now - WINDOW_S)).fetchone())

    def _leaving(self, now: float, file: sqlite3.Connection) -> list[tuple[float, int]]:
        rows = f"SELECT coalesce(ended, ?) AS at, tokens FROM calls WHERE {_COUNTED} ORDER BY at"  # noqa: S608 - no value in it
        return file.execute(rows, (now, self.account, now - WINDOW_S)).fetchall()

    def _tidy(self, now: float, file: sqlite3.Connection) -> None:
        """Drop what counts no more; take a call as ended now where nobody is left to end it."""
        self._forget(now)
        future = now + _CLOCKS_APART_S
        file.execute(
            "DELETE FROM calls WHERE ended <= ? OR started > ? OR ended > ?",
            (now - WINDOW_S, future, future),
        )
        file.execute(
            "UPDATE calls SET ended = ? WHERE ended IS NULL AND started <= ?",
            (now, now - LONGEST_CALL_S),
        )
        others = "SELECT DISTINCT pid, born FROM calls WHERE ended IS NULL AND owner <> ?"
        for pid, born in file.execute(others, (self._owner,)).fetchall():
            if _born(pid) != born:
                gone = "UPDATE calls SET ended = ? WHERE ended IS NULL AND pid = ? AND born = ?"
                file.execute(gone, (now, pid, born))


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # It is made in one thread and used in another, never in two at once.
    file = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = OFF")  # a minute's account need not survive a power cut
        file.execute(_TABLE)
    except sqlite3.Error:
        file.close()
        raise
    return file


def _id_of(path: Path) -> tuple[int, int] | None:
    """What the system knows the file by that lies there now; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _transact(
    file: sqlite3.Connection, work: Callable[[sqlite3.Connection], _T], *, writes: bool
) -> _T:
    with file:  # commits, or takes all back
        file.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        return work(file)


def _born(pid: int) -> int | None:
    """When a process was started, in the system's own count; None where there is none of that id.

    0 where the system does not say: a call that its process has left behind then counts until
    ``LONGEST_CALL_S`` are over.
    """
    proc = Path("/proc")
    try:
        stat = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None if (proc / "self" / "stat").exists() else 0
    return int(stat.rpartition(b")")[2].split()[19])  # the 22nd of proc(5)
