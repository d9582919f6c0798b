"""How a connection to an SQLite file is made, whoever asks through it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Literal

from collector.errors import DatabaseError, SchemaMissingError
from collector.storage.files import is_there

Role = Literal["writer", "reader", "migration"]
OLDEST_SQLITE = (3, 37)
BUSY_TIMEOUT_S = 10


def check_version() -> None:
    """Raise DatabaseError for an SQLite without what the tables need."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseError(
            f"SQLite {sqlite3.sqlite_version} is too old: use a Python with 3.37 or newer, or PostgreSQL"
        )


def connected(path: Path, role: Role, patience_s: float | None = None) -> sqlite3.Connection:
    """A connection outside of any transaction; it waits for a lock so long, or as long as a tool can bear.

    Raises SchemaMissingError when there is no such file, DatabaseError for an SQLite that is too old, sqlite3.Error.
    """
    check_version()
    patience_s = BUSY_TIMEOUT_S if patience_s is None else patience_s
    if not is_there(path):
        raise SchemaMissingError(
            f"there is no database at {path} yet: 'collector run' or 'collector db upgrade' makes it"
        )
    connection = sqlite3.connect(path, timeout=patience_s, check_same_thread=False, isolation_level=None)
    try:
        for statement in _pragmas(role):
            _patiently(connection, statement, patience_s)
    except BaseException:
        connection.close()
        raise
    return connection


def _patiently(connection: sqlite3.Connection, statement: str, patience_s: float) -> None:
    """Execute; SQLite's own time-out does not cover the change to WAL while another program opens the same new file."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _pragmas(role: Role) -> tuple[str, ...]:
    if role == "reader":
        return ("PRAGMA query_only=ON",)  # a larger cache than SQLite's own takes longer to fill than it saves
    keys = "ON" if role == "writer" else "OFF"
    return ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", f"PRAGMA foreign_keys={keys}")
