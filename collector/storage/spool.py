"""Keeps aside what could not be stored, oldest first, until it has been stored."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from collector.storage.spoolfile import claim, make_and_open, spool_errors

MISSED = "missed"
WORTH_SHRINKING = 256
"""From how many pages on an emptied file gives its disk space back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answer for the ledger that waits to be stored, in plain values.

    `outcome` and `reason` are the ledger's words. `body` is the reply of a stored one, byte for byte; a missed one is a
    range from `due_at` to `last_due_at`, else both are the same. Instants are epoch seconds, `_ms` epoch milliseconds.
    """

    account: str
    outcome: str
    reason: str | None = None
    due_at: int
    last_due_at: int
    interval_s: int
    http_status: int | None = None
    code: int | None = None
    detail: str | None = None
    attempts: int = 0
    requested_at_ms: int | None = None
    received_at_ms: int | None = None
    clock_offset_ms: int | None = None
    weight_used: int | None = None
    btc_requested: bool | None = None
    body: bytes | None = None
    spooled_at_ms: int
    id: int = 0


COLUMNS = tuple(field.name for field in fields(Entry) if field.name != "id")
_LISTED = ", ".join(COLUMNS)
_PLACES = ", ".join(f":{name}" for name in COLUMNS)
_CHANGED = ", ".join(f"{name} = :{name}" for name in COLUMNS)
NEWEST = "SELECT max(id) FROM entry WHERE account = :account"


class Spool:
    """A queue in a file. Once `append` has returned, the entry outlives `kill -9`; `done` takes it out.

    `max_bytes` and `min_free_bytes` (of its disk) bound what is asked for, by `has_room`; what has arrived is taken
    as long as the disk does. Every method may raise DatabaseError, and be called from any thread.
    """

    def __init__(self, path: Path, *, database: str, max_bytes: int, min_free_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._lock = threading.Lock()
        self._connection = make_and_open(path)
        claim(self._connection, path, database)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def append(self, entry: Entry) -> None:
        """Add an entry at the end. Missed ticks extend the range before them in the same loss, in place."""
        with self._transaction() as connection:
            if entry.outcome != MISSED or not _extended(connection, entry):
                connection.execute(f"INSERT INTO entry ({_LISTED}) VALUES ({_PLACES})", _row(entry))

    def oldest(self, limit: int) -> list[Entry]:
        """The entries that have waited longest, in their order."""
        with self._transaction() as connection:
            rows = connection.execute(f"SELECT {_LISTED}, id FROM entry ORDER BY id LIMIT ?", (limit,)).fetchall()
        return [_entry(row) for row in rows]

    def done(self, entries: Iterable[Entry]) -> None:
        """Take out what has been stored; a range that was extended meanwhile stays."""
        with self._transaction() as connection:
            for entry in entries:
                _remove(connection, entry)

    def refuse(self, entry: Entry, why: str, *, instead: Entry | None, now_ms: int) -> None:
        """Put an entry that can't be stored into quarantine; `instead` takes its place in the queue, if it has one."""
        with self._transaction() as connection:
            row = {**_row(entry), "why": why, "now": now_ms}
            connection.execute(
                f"INSERT INTO quarantine ({_LISTED}, why, quarantined_at_ms) VALUES ({_PLACES}, :why, :now)", row
            )
            if instead is None:
                _remove(connection, entry)
            else:
                connection.execute(f"UPDATE entry SET {_CHANGED} WHERE id = :id", {**_row(instead), "id": entry.id})

    def waiting(self) -> Counter[str]:
        """How many entries each account has."""
        with self._transaction() as connection:
            return Counter(dict(connection.execute("SELECT account, count(*) FROM entry GROUP BY account").fetchall()))

    def has_room(self) -> bool:
        """True while one more reply may be asked for."""
        with self._transaction() as connection:
            page, pages, unused = (_pragma(connection, name) for name in ("page_size", "page_count", "freelist_count"))
            disk = os.statvfs(self.path)
        return page * (pages - unused) < self._max_bytes and disk.f_bavail * disk.f_frsize > self._min_free_bytes

    def shrink(self) -> None:
        """Give disk space back when it is empty and was large."""
        with self._lock, spool_errors(self.path):
            if _pragma(self._connection, "page_count") >= WORTH_SHRINKING and not self._holds_something():
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _holds_something(self) -> bool:
        found = self._connection.execute("SELECT 1 FROM entry UNION ALL SELECT 1 FROM quarantine LIMIT 1")
        return found.fetchone() is not None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, spool_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._roll_back()
                raise
            self._commit()

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # A full disk may have rolled it back already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _row(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in COLUMNS}


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip((*COLUMNS, "id"), row, strict=True))
    values["btc_requested"] = None if values["btc_requested"] is None else bool(values["btc_requested"])
    return Entry(**values)


def _extended(connection: sqlite3.Connection, entry: Entry) -> bool:
    changed = connection.execute(
        f"UPDATE entry SET last_due_at = :last_due_at WHERE id = ({NEWEST}) AND outcome = :outcome "
        "AND reason = :reason AND interval_s = :interval_s AND last_due_at = :due_at - :interval_s",
        _row(entry),
    )
    return changed.rowcount == 1


def _remove(connection: sqlite3.Connection, entry: Entry) -> None:
    connection.execute("DELETE FROM entry WHERE id = ? AND last_due_at = ?", (entry.id, entry.last_due_at))


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
