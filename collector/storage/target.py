"""The database that is copied into: made ready, marked until the copy is whole, and never the source itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, text

from collector.domain.records import Account
from collector.errors import DatabaseError, SchemaMissingError, UsageError
from collector.storage.accounts import find, newest_answer
from collector.storage.columns import is_postgresql
from collector.storage.engine import open_engine
from collector.storage.failures import database_errors
from collector.storage.files import is_there
from collector.storage.plain import first_and_last
from collector.storage.reader import Reader
from collector.storage.revisions import REVISIONS, UNFINISHED, check_schema, current_revision
from collector.storage.schema import account, metadata
from collector.storage.upkeep import revision_of, upgrade
from collector.storage.urls import describe, sqlite_file


@dataclass(frozen=True, slots=True)
class Target:
    """A connection that writes, and how messages name its database."""

    connection: Connection
    url: str

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; its errors name this database, not the source. Raises DatabaseError."""
        with database_errors(self.url), self.connection.begin():
            yield self.connection

    @property
    def unfinished(self) -> bool:
        """True when it has no tables but those that a copy is filling."""
        with self.transaction() as connection:
            return current_revision(Reader.over(connection)) == UNFINISHED

    def mark(self, *, finished: bool) -> None:
        """Say in the database whether it may be used: no daemon shall go on with half a history."""
        with self.transaction() as connection:
            _mark(connection, REVISIONS[-1] if finished else UNFINISHED)

    def mark_new(self) -> None:
        """Mark a database that holds no account yet; one that is in use can be used on."""
        with self.transaction() as connection:
            known = connection.execute(select(account.c.id).limit(1)).first()
        if known is None:
            self.mark(finished=False)

    def empty(self) -> None:
        """Take everything out of a PostgreSQL database, which from this moment on is no history that could be used."""
        with self.transaction() as connection:
            _mark(connection, UNFINISHED)
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))

    @property
    def is_postgresql(self) -> bool:
        """Which engine it is."""
        return is_postgresql(self.connection.dialect)


def _mark(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@contextmanager
def open_target(url: str) -> Iterator[Target]:
    """The target with tables of this revision; they are made where there are none. Raises DatabaseError."""
    if _revision(url) is None:
        upgrade(url)
    engine = open_engine(url, "writer")
    try:
        with database_errors(url):
            connection = engine.connect()
        with connection:
            target = Target(connection, url)
            if not target.unfinished:
                with target.transaction():
                    check_schema(Reader.over(connection))
            yield target
    finally:
        engine.dispose()


def _revision(url: str) -> str | None:
    try:
        return revision_of(url)
    except SchemaMissingError:
        return None


def refuse_same(source: Connection, source_url: str, target_url: str) -> None:
    """Raise UsageError when both are one database, by whatever names."""
    ours, theirs = sqlite_file(source_url), sqlite_file(target_url)
    if ours is not None and theirs is not None:
        same = is_there(theirs) and ours.samefile(theirs)
    else:
        same = ours is None and theirs is None and _identity(source) == _identity_of(target_url)
    if same:
        raise UsageError(f"source and target are both {describe(source_url)}: a copy needs another database")


def _identity_of(url: str) -> tuple[object, ...]:
    engine = open_engine(url, "reader")
    try:
        with database_errors(url), engine.connect() as connection:
            return _identity(connection)
    finally:
        engine.dispose()


def _identity(connection: Connection) -> tuple[object, ...]:
    # No two servers started in the same microsecond.
    return tuple(connection.execute(text("SELECT pg_postmaster_start_time(), current_database()")).one())


def account_in(target: Target, source: Connection, one: Account) -> int:
    """The id of the account in the target, where it is made if it is not there.

    Raises DatabaseError when the one that is there is not a copy of this one, or has lived on by itself.
    """
    with target.transaction() as connection:
        there = find(Reader.over(connection), one.name)
        if there is None:
            values = select(account).where(account.c.id == one.id)
            row = {name: value for name, value in source.execute(values).mappings().one().items() if name != "id"}
            connection.execute(insert(account).values(row))
            there = find(Reader.over(connection), one.name)
    assert there is not None  # noqa: S101 - it was found or inserted above
    where = f"account {one.name!r} in {describe(target.url)}"
    if (there.created_at_ms, there.asset_scope) != (one.created_at_ms, one.asset_scope):
        raise DatabaseError(f"{where} is not a copy of the source's but another history: copy to another database")
    with target.transaction() as connection:
        theirs, ours = _newest(connection, there.id), _newest(source, one.id)
    if theirs > ours:
        raise DatabaseError(
            f"{where} has newer ticks than the source: it was collected there, and nothing is copied over it"
        )
    return there.id


def _newest(connection: Connection, account_id: int) -> int:
    span = first_and_last(connection, account_id)
    return max(-1 if span is None else span[1], newest_answer(Reader.over(connection), account_id) or -1)
