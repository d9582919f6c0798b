"""Engines of SQLAlchemy: how a database is opened for one role."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from collector.errors import DatabaseError
from collector.storage import sqlite
from collector.storage.failures import database_errors
from collector.storage.postgresql import connect_arguments
from collector.storage.reader import Reader
from collector.storage.revisions import check_schema
from collector.storage.sqlite import Role
from collector.storage.urls import parsed, sqlite_file


def open_engine(url: str | URL, role: Role, *, patience_s: float | None = None) -> Engine:
    """For one role: a `writer` begins IMMEDIATE on SQLite, a `reader` only reads, a `migration` lacks foreign keys.

    `patience_s` bounds how long a lock, a connection or a statement is waited for, for a writer that has other places
    to write to; without it a lock is waited for as long as a tool can bear.

    Raises DatabaseError for an engine that is not supported or a missing driver; connecting raises it too.
    """
    target = parsed(url)
    if target.get_backend_name() == "sqlite":
        return _sqlite_engine(target, role, patience_s)
    if target.get_backend_name() == "postgresql":
        return _postgresql_engine(target, role, patience_s)
    raise DatabaseError(
        f"a database of kind {target.get_backend_name()!r} is not supported: use sqlite:///FILE or postgresql://..."
    )


def _sqlite_engine(url: URL, role: Role, patience_s: float | None) -> Engine:
    path = sqlite_file(url)
    assert path is not None  # noqa: S101 - it is an SQLite URL
    sqlite.check_version()
    engine = create_engine(
        url, creator=lambda: sqlite.connected(path, role, patience_s), poolclass=NullPool, hide_parameters=True
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # By the driver itself: it is half a tenth of a millisecond, in each transaction of every tick.
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - it is connected
        driver.execute("BEGIN" if role == "reader" else "BEGIN IMMEDIATE")

    return engine


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
def inspecting(url: str) -> Iterator[Connection]:
    """A read-only connection with one consistent view of a database of this program's schema, for its tools.

    Reports ask through `reading`, which needs no SQLAlchemy on SQLite. Raises DatabaseError.
    """
    engine = open_engine(url, "reader")
    try:
        with database_errors(url), engine.connect() as connection:
            check_schema(Reader.over(connection))
            yield connection
    finally:
        engine.dispose()
