"""Copies of an SQLite file that are made online, checked, and never half there."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, func, select

from collector.errors import DatabaseError, UsageError
from collector.storage.engine import open_engine
from collector.storage.failures import database_errors
from collector.storage.files import is_there, make_private
from collector.storage.plain import plain_rows
from collector.storage.reader import Reader
from collector.storage.revisions import REVISIONS, check_known, current_revision
from collector.storage.schema import metadata, tick

Show = Callable[[str, float], None]
"""Called now and then with what is being done, and how much of it is done (0 to 1)."""

STEP_PAGES = 2_000


def back_up_file(url: str, target: Path, *, show: Show) -> None:
    """Copy an SQLite database as it is at this moment to a new file that only its owner can read.

    The file takes its name when it is complete and checked. Raises UsageError when the name is taken, DatabaseError.
    """
    with partial_file(target) as unfinished, database_errors(url), opened(url) as source:
        # All in one read transaction: the copy is of one moment, and what a daemon writes meanwhile can't restart it.
        reader = Reader.over(source)
        check_known(reader, current_revision(reader))
        copy_pages(source, unfinished, show)
        make_single(unfinished)
        check_copy(source, unfinished, show)


@contextmanager
def opened(url: str | URL) -> Iterator[Connection]:
    """A connection that only reads, whatever the revision."""
    engine = open_engine(url, "reader")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def file_url(path: Path) -> URL:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(path))


@contextmanager
def partial_file(target: Path) -> Iterator[Path]:
    """An empty file beside `target` that takes its name when all went well, and is removed when not."""
    if is_there(target):
        raise UsageError(f"{target} is there already, and is not replaced: choose another name")
    unfinished = target.with_name(f"{target.name}.partial")
    try:
        remove_file(unfinished)
        make_private(unfinished)
        yield unfinished
        unfinished.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise DatabaseError(f"can't write {target}: {error.strerror}") from error
    finally:
        remove_file(unfinished)


def _sync(folder: Path) -> None:
    """Make the names in a folder outlive a loss of power."""
    opened_folder = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened_folder)
    finally:
        os.close(opened_folder)


def remove_file(path: Path) -> None:
    """Remove an SQLite file, if it is there, and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def copy_pages(source: Connection, target: Path, show: Show) -> None:
    """Copy every page, in steps, in one transaction of the target."""

    def shown(_status: int, remaining: int, total: int) -> None:
        show("copying", 1 - remaining / max(1, total))

    with database_errors(file_url(target)), closing(sqlite3.connect(target)) as copy:
        driver(source).backup(copy, pages=STEP_PAGES, progress=shown)


def make_single(file: Path) -> None:
    """Without a log beside it a file is whole in itself, and can be read where nothing can be written."""
    with database_errors(file_url(file)), closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    found: Any = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)  # noqa: S101 - only called for SQLite
    return found


def check_copy(source: Connection, target: Path, show: Show) -> None:
    """Raise DatabaseError unless the copy is sound and holds what the source holds."""
    show("checking the copy", 0.5)
    with opened(file_url(target)) as copy:
        check_sound(copy)
        show("comparing", 0.9)
        if contents(copy) != contents(source):
            raise DatabaseError(f"the copy {target} does not hold what the database holds: it was removed, try again")


def check_sound(connection: Connection) -> None:
    """Raise DatabaseError with the first thing that SQLite finds wrong."""
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if found != "ok":
        # Torn pages come below a heading that says nothing.
        raise DatabaseError(f"{connection.engine.url.database} is damaged: {str(found).splitlines()[-1]}")


def contents(connection: Connection) -> dict[str, object]:
    """How many rows each table has, and in tables of this revision a hash of what every tick says."""
    tables = [table for table in metadata.sorted_tables if connection.dialect.has_table(connection, table.name)]
    counts = {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}
    said = hashlib.sha256()
    if current_revision(Reader.over(connection)) == REVISIONS[-1]:
        for row in plain_rows(connection, tick, tick.c.keys()):
            said.update(repr(row).encode())
    return {**counts, "said": said.hexdigest()}
