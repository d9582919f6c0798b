"""The spool's file: made for its owner only, opened so that what was acknowledged outlives a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.errors import DamagedError, DatabaseError
from collector.storage.failures import is_damage
from collector.storage.files import is_there, make_private

VERSION = 1
WAIT_S = 5.0

ENTRY = """
    account TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    due_at INTEGER NOT NULL,
    last_due_at INTEGER NOT NULL,
    interval_s INTEGER NOT NULL,
    http_status INTEGER,
    code INTEGER,
    detail TEXT,
    attempts INTEGER NOT NULL,
    requested_at_ms INTEGER,
    received_at_ms INTEGER,
    clock_offset_ms INTEGER,
    weight_used INTEGER,
    btc_requested INTEGER,
    body BLOB,
    spooled_at_ms INTEGER NOT NULL
"""
# AUTOINCREMENT: a number is never used twice, so that nobody can take a new entry for one that is done.
TABLES = f"""
CREATE TABLE IF NOT EXISTS owner (database TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY AUTOINCREMENT, {ENTRY}) STRICT;
CREATE INDEX IF NOT EXISTS ix_entry_account ON entry (account, id);
CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, {ENTRY}, why TEXT NOT NULL,
    quarantined_at_ms INTEGER NOT NULL) STRICT;
PRAGMA user_version = {VERSION};
"""


def make_and_open(path: Path) -> sqlite3.Connection:
    """The spool's file, made with mode 0600 when it is missing, to be written. Raises DatabaseError."""
    with spool_errors(path):
        make_private(path)
        connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            _check_ours(connection, path)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "journal_size_limit=4194304"):
                connection.execute(f"PRAGMA {pragma}")
            connection.executescript(f"BEGIN IMMEDIATE;{TABLES}COMMIT;")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def looking_at(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection that only reads, also beside a daemon; None when there is no spool. Raises DatabaseError."""
    if not is_there(path):
        yield None
        return
    with spool_errors(path):
        connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, timeout=WAIT_S, isolation_level=None)
        try:
            _check_ours(connection, path)
            made = connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
            yield connection if made else None
        finally:
            connection.close()


def claim(connection: sqlite3.Connection, path: Path, database: str) -> None:
    """Note whose spool this is; one that holds entries of another database is refused."""
    with spool_errors(path):
        owner = connection.execute("SELECT database FROM owner").fetchone()
        held = connection.execute("SELECT 1 FROM entry LIMIT 1").fetchone()
        if owner is not None and owner[0] != database and held is not None:
            raise DatabaseError(
                f"the spool {path} holds replies that belong to {owner[0]}, not to {database}: "
                "store them there with 'collector spool drain', or choose another file with the key spool"
            )
        if owner is None or owner[0] != database:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM owner")
            connection.execute("INSERT INTO owner VALUES (?)", (database,))
            connection.execute("COMMIT")


@contextmanager
def spool_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into one sentence that names it."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedError(
                f"the spool {path} is damaged ({error}): it is left as it is; "
                "save a copy of it, and move it away to start with an empty one"
            ) from None
        raise DatabaseError(f"the spool {path} can't be used: {error}") from None
    except OSError as error:
        raise DatabaseError(
            f"the spool {path} can't be made: {error.strerror}; choose another place with the key spool"
        ) from None


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "owner" not in tables:
        raise DatabaseError(f"the file {path} belongs to another program: choose another file with the key spool")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise DatabaseError(f"the spool {path} was made by a newer collector: install that one to empty it")


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
