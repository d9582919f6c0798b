"""A backup put back: into a database that holds nothing, or in place of what one holds."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from collector.errors import NoDataError, SchemaMissingError, UsageError
from collector.storage.backup import (
    Show,
    check_copy,
    check_sound,
    copy_pages,
    file_url,
    make_single,
    opened,
    partial_file,
)
from collector.storage.copy import copy
from collector.storage.failures import database_errors
from collector.storage.files import is_there, make_private
from collector.storage.reader import Reader
from collector.storage.revisions import UNFINISHED, check_known, current_revision, refuse_foreign
from collector.storage.schema import account
from collector.storage.target import open_target
from collector.storage.urls import sqlite_file


def back_up_server(url: str, target: Path, *, show: Show) -> None:
    """Copy a PostgreSQL database to a new SQLite file, compared month by month; it appears when it is complete."""
    with partial_file(target) as unfinished:
        copy(url, _url(unfinished), show=show, exclusive=False)
        make_single(unfinished)
        with database_errors(_url(unfinished)), opened(_url(unfinished)) as written:
            check_sound(written)


def _url(path: Path) -> str:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(f"{str(path)!a} is no UTF-8 text, which a database's name has to be: rename it") from None
    return file_url(path).render_as_string(hide_password=False)


def check_backup(file: Path) -> None:
    """Raise a sentence unless the file is a sound SQLite database with tables that this program knows."""
    if not is_there(file):
        raise NoDataError(f"there is no file {file}")
    with database_errors(_url(file)), opened(_url(file)) as backup:
        reader = Reader.over(backup)
        revision = current_revision(reader)
        check_known(reader, revision)
        if revision is None:
            raise SchemaMissingError(f"{file} holds no history: it was not made by 'collector db backup'")
        check_sound(backup)


def holds_history(url: str) -> bool:
    """True when a database knows any account, and the copy that brought it was finished."""
    path = sqlite_file(url)
    if path is not None and not (is_there(path) and path.stat().st_size):
        return False
    with database_errors(url), opened(url) as connection:
        reader = Reader.over(connection)
        revision = current_revision(reader)
        refuse_foreign(reader)
        if revision in {None, "", UNFINISHED}:
            return False
        check_known(reader, revision)
        return connection.execute(select(account.c.id).limit(1)).first() is not None


def restore_file(file: Path, url: str, *, show: Show) -> None:
    """Make an SQLite database what the backup is, in one transaction: interrupted, it is what it was."""
    target = sqlite_file(url)
    assert target is not None  # noqa: S101 - only called for SQLite
    if is_there(target) and target.samefile(file):
        raise UsageError(f"{file} is the database itself")
    make_private(target)
    with database_errors(url), opened(_url(file)) as backup:
        current_revision(Reader.over(backup))
        copy_pages(backup, target, show)
        check_copy(backup, target, show)


def restore_server(file: Path, url: str, *, show: Show) -> None:
    """Make a PostgreSQL database hold what the backup holds, and nothing else, be it of another restore's beginning."""
    with open_target(url) as target:
        target.empty()
    copy(_url(file), url, show=show, exclusive=False)
