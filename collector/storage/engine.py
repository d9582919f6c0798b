"""Engines: how a database is opened, and how its errors are said."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url, text
from sqlalchemy.pool import NullPool

from collector.errors import (
    CollectorError,
    DamagedError,
    DatabaseError,
    SchemaMissingError,
    SchemaVersionError,
    UnstorableError,
)
from collector.storage.failures import is_damage, is_transient, needs_folder
from collector.storage.files import is_there
from collector.storage.postgresql import connect_arguments, hosts
from collector.storage.schema import REVISIONS

Role = Literal["writer", "reader", "migration"]
OLDEST_SQLITE = (3, 37)
BUSY_TIMEOUT_S = 10
READER_CACHE_KB = 65_536
"""At most: SQLite's own 2 MB can't hold the upper pages of a file of gigabytes, which each row would read again."""
UNFINISHED = "unfinished copy"
"""Stands for a revision in a database that a copy is still filling."""


def open_engine(url: str | URL, role: Role, *, patience_s: float | None = None) -> Engine:
    """For one role: a `writer` begins IMMEDIATE on SQLite, a `reader` only reads, a `migration` lacks foreign keys.

    `patience_s` bounds how long a lock, a connection or a statement is waited for, for a writer that has other places
    to write to; without it a lock is waited for as long as a tool can bear.

    Raises DatabaseError for an engine that is not supported, a missing driver or an SQLite that is too old.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, role, BUSY_TIMEOUT_S if patience_s is None else patience_s)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql_engine(parsed, role, patience_s)
    raise DatabaseError(
        f"a database of kind {parsed.get_backend_name()!r} is not supported: use sqlite:///FILE or postgresql://..."
    )


def _parsed(url: str | URL) -> URL:
    try:
        return make_url(url)
    except (exc.ArgumentError, ValueError):
        # Not even shown: it may hold a password anywhere.
        raise DatabaseError("the database's URL can't be read: use sqlite:///FILE or postgresql://...") from None


def sqlite_file(url: str | URL) -> Path | None:
    """The file behind an SQLite URL; None for PostgreSQL. Raises DatabaseError for a database in memory."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise DatabaseError("an SQLite database in memory keeps no history: use sqlite:///FILE")
    if parsed.query or parsed.database.startswith("file:"):
        raise DatabaseError("an SQLite database is a plain file here, without file: and parameters: use sqlite:///FILE")
    return Path(parsed.database)


def _sqlite_engine(url: URL, role: Role, patience_s: float) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseError(
            f"SQLite {sqlite3.sqlite_version} is too old: use a Python with 3.37 or newer, or PostgreSQL"
        )
    path = sqlite_file(url)
    connect = {"timeout": patience_s, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "do_connect")
    def refuse_to_create(*_: Any) -> None:
        if path is not None and not is_there(path):
            raise SchemaMissingError(
                f"there is no database at {path} yet: 'collector run' or 'collector db upgrade' makes it"
            )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None
        for statement in _pragmas(role):
            _patiently(connection, statement, patience_s)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # By the driver itself: it is half a tenth of a millisecond, in each transaction of every tick.
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - it is connected
        driver.execute("BEGIN" if role == "reader" else "BEGIN IMMEDIATE")

    return engine


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
        return ("PRAGMA query_only=ON", f"PRAGMA cache_size=-{READER_CACHE_KB}")
    keys = "ON" if role == "writer" else "OFF"
    return ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", f"PRAGMA foreign_keys={keys}")


def _postgresql_engine(url: URL, role: Role, patience_s: float | None) -> Engine:
    level: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if role == "reader" else {}
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=connect_arguments(url, role, patience_s),
            pool_pre_ping=True,
            hide_parameters=True,
            **level,
        )
    except ImportError as error:
        raise DatabaseError("PostgreSQL needs its driver: pip install 'binance-asset-collector[postgres]'") from error


@contextmanager
def database_errors(url: str | URL) -> Iterator[None]:
    """Turn what drivers raise into one sentence that names the database; parameters and row contents stay out of it."""
    try:
        yield
    except CollectorError:
        raise
    except (exc.IntegrityError, exc.DataError) as error:
        raise UnstorableError(f"{describe(url)}: {_first_line(error.orig)}") from None
    except exc.DBAPIError as error:
        raise _failure(url, error.orig) from None
    except sqlite3.Error as error:
        raise _failure(url, error) from None
    except exc.SQLAlchemyError as error:
        raise DatabaseError(f"{describe(url)}: {type(error).__name__}") from None
    except UnicodeError as error:
        if "idna" not in str(error):
            raise
        raise DatabaseError(f"{describe(url)}: this can't be the name of a host") from None


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


def describe(url: str | URL) -> str:
    """How messages name a database: without user, password or options."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return f"database {parsed.database}"
    return f"database {parsed.database or ''} at {', '.join(hosts(parsed))}"


def _first_line(error: BaseException | None) -> str:
    # PostgreSQL puts the failing row, amounts and all, into DETAIL: only the primary message may be shown.
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    lines = str(primary or error or "unknown error").strip().splitlines()
    return lines[0] if lines else "unknown error"


def current_revision(connection: Connection) -> str | None:
    """The revision of the tables, None when there are none."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def refuse_foreign(connection: Connection) -> None:
    """Raise DatabaseError for an SQLite file that another program has filled; a server may serve several."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = connection.execute(text(names)).scalars().all() if connection.dialect.name == "sqlite" else []
    if tables and "alembic_version" not in tables:
        where = describe(connection.engine.url)
        raise DatabaseError(f"{where} belongs to another program: it is left as it is, name another file")


def check_schema(connection: Connection) -> None:
    """Raise a sentence with the command that helps unless the tables are those of this program."""
    revision, where = current_revision(connection), describe(connection.engine.url)
    if revision is None:
        refuse_foreign(connection)
        by = "'collector run' or " if connection.dialect.name == "sqlite" else ""
        raise SchemaMissingError(f"{where} has no tables yet: {by}'collector db upgrade' makes them")
    check_known(connection, revision)
    if revision != REVISIONS[-1]:
        raise SchemaVersionError(
            f"{where} is at revision {revision}, this version needs {REVISIONS[-1]}: run 'collector db upgrade'"
        )


def check_known(connection: Connection, revision: str | None) -> None:
    """Raise when the tables were made by a newer program, or hold only a part of what is being copied into them."""
    if revision == UNFINISHED:
        where = describe(connection.engine.url)
        raise SchemaVersionError(
            f"{where} is a copy that is not finished: run 'collector db copy' or 'collector db restore' again, "
            "whichever began it"
        )
    if revision is not None and revision not in REVISIONS:
        where = describe(connection.engine.url)
        raise SchemaVersionError(
            f"{where} is at revision {revision}, which this version does not know: install a newer collector"
        )


@contextmanager
def reading(url: str | URL) -> Iterator[Connection]:
    """A read-only connection with one consistent view of a database of this program's schema."""
    engine = open_engine(url, "reader")
    try:
        with database_errors(url), engine.connect() as connection:
            check_schema(connection)
            yield connection
    finally:
        engine.dispose()
