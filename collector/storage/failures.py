"""What an error of a driver means, and in which sentence it is told."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from collector.errors import CollectorError, DamagedError, DatabaseError, UnstorableError
from collector.storage.urls import describe

if TYPE_CHECKING:
    from sqlalchemy import URL

# Serialization, deadlock, lock not available; the server was stopped, crashed or is starting; read only: a standby.
TRANSIENT_STATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25006"})
CONNECTION_LOST = "08"


@contextmanager
def database_errors(url: str | URL) -> Iterator[None]:
    """Turn what drivers raise into one sentence that names the database; parameters and row contents stay out of it."""
    try:
        yield
    except CollectorError:
        raise
    except sqlite3.Error as error:
        raise _failure(url, error) from None
    except UnicodeError as error:
        if "idna" not in str(error):
            raise
        raise DatabaseError(f"{describe(url)}: this can't be the name of a host") from None
    except Exception as error:
        told = _alchemy_failure(url, error)
        if told is None:
            raise
        raise told from None


def _alchemy_failure(url: str | URL, error: Exception) -> DatabaseError | None:
    """What an error of SQLAlchemy means; None for any other. A report that did without it need not import it now."""
    exc = sys.modules.get("sqlalchemy.exc")
    if exc is None or not isinstance(error, exc.SQLAlchemyError):
        return None
    if isinstance(error, exc.IntegrityError | exc.DataError):
        return UnstorableError(f"{describe(url)}: {_first_line(error.orig)}")
    if isinstance(error, exc.DBAPIError):
        return _failure(url, error.orig)
    return DatabaseError(f"{describe(url)}: {type(error).__name__}")


def _failure(url: str | URL, error: BaseException | None) -> DatabaseError:
    said = f"{describe(url)}: {_first_line(error)}"
    if needs_folder(error):
        return DatabaseError(
            f"{describe(url)}: SQLite keeps its log beside it, also for reading, in a folder that may not be written "
            "to: run this as the owner of the file"
        )
    if is_damage(error):
        return DamagedError(said)
    return DatabaseError(said, transient=is_transient(error))


def _first_line(error: BaseException | None) -> str:
    # PostgreSQL puts the failing row, amounts and all, into DETAIL: only the primary message may be shown.
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    lines = str(primary or error or "unknown error").strip().splitlines()
    return lines[0] if lines else "unknown error"


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
