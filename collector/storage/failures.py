"""What an error of a driver means: whether another attempt helps, a row is refused for good, or a file is damaged."""

from __future__ import annotations

import sqlite3

# Serialization, deadlock, lock not available; the server was stopped, crashed or is starting; read only: a standby.
TRANSIENT_STATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25006"})
CONNECTION_LOST = "08"


def is_transient(error: BaseException | None) -> bool:
    """True when the same transaction may well succeed at once, on a new connection."""
    if isinstance(error, sqlite3.Error):
        return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    state = getattr(error, "sqlstate", None)
    if state is None:
        # psycopg's own words for a connection that broke or could not be made: there is no SQLSTATE without a server.
        return type(error).__name__ == "OperationalError"
    return state in TRANSIENT_STATES or str(state).startswith(CONNECTION_LOST)


def is_damage(error: BaseException | None) -> bool:
    """True only for SQLITE_CORRUPT and SQLITE_NOTADB: the file itself is broken, and nothing must write to it."""
    return _primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def needs_folder(error: BaseException | None) -> bool:
    """True when SQLite can't make its log beside the file, which it needs for reading as well."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_DIRECTORY


def _primary_code(error: BaseException | None) -> int | None:
    # The upper bytes of an extended code tell details, such as SQLITE_CORRUPT_INDEX.
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF
