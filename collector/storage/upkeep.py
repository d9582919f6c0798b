"""Upkeep of a database: migrating it, after a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

import collector
from collector.errors import DatabaseError
from collector.storage import revisions
from collector.storage.backup import opened
from collector.storage.engine import open_engine
from collector.storage.failures import database_errors
from collector.storage.files import is_there, make_private
from collector.storage.reader import Reader
from collector.storage.revisions import check_known, current_revision, refuse_foreign
from collector.storage.urls import describe, sqlite_file


def upgrade(url: str) -> str | None:
    """Migrate to this program's revision and return the revision that was there (None: a new database).

    An SQLite file is made when it is missing. Interrupted, it leaves the old state. Raises DatabaseError.
    """
    path = sqlite_file(url)
    if path is not None:
        _create(path)
        with database_errors(url), opened(url) as connection:  # before what migrates changes its journal
            refuse_foreign(Reader.over(connection))
    with _migrating(url) as connection:
        reader = Reader.over(connection)
        before = current_revision(reader)
        check_known(reader, before)
        if before != revisions.REVISIONS[-1]:
            _alembic(connection, "upgrade", revisions.REVISIONS[-1])
    return before


def revision_of(url: str) -> str | None:
    """The revision that a database is at; None when it has no tables."""
    with database_errors(url), opened(url) as connection:
        return current_revision(Reader.over(connection))


def downgrade(url: str, revision: str) -> None:
    """Migrate back to a revision; `base` drops every table with its history."""
    with _migrating(url) as connection:
        _alembic(connection, "downgrade", revision)


def back_up_before_upgrade(url: str) -> Path | None:
    """Copy an SQLite file whose tables are of an older revision to FILE.before-REVISION; None when there is none.

    The copy is made online, mode 0600. Raises DatabaseError.
    """
    source = sqlite_file(url)
    if source is None or not is_there(source) or revision_of(url) not in revisions.REVISIONS[:-1]:
        return None
    target = source.with_name(f"{source.name}.before-{revisions.REVISIONS[-1]}")
    _create(target)
    with database_errors(url), closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


def migrations_folder() -> Path:
    """Where the migrations lie: inside an installed package, or beside it in a checkout."""
    package = Path(collector.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def _create(path: Path) -> None:
    try:
        make_private(path)
    except OSError as error:
        raise DatabaseError(f"can't make the database file {path}: {error.strerror}") from error


@contextmanager
def _migrating(url: str) -> Iterator[Connection]:
    engine = open_engine(url, "migration")
    try:
        with database_errors(url), engine.connect() as connection:
            # Two programs that migrate at once take turns; SQLite's BEGIN IMMEDIATE does the same.
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
            yield connection
            connection.commit()
    finally:
        engine.dispose()


MIGRATION_LOCK = 0x636F6C6C6D69


def _alembic(connection: Connection, direction: str, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that only a migration needs
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        getattr(command, direction)(config, revision)
    except CommandError as error:
        raise DatabaseError(f"{describe(connection.engine.url)}: {error}") from error
