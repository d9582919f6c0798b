"""Questions to a database as text, which the driver runs by itself.

SQLAlchemy takes longer to import than any of them to be answered: on SQLite a report does without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from collector.storage.failures import database_errors
from collector.storage.revisions import check_schema
from collector.storage.sqlite import connected
from collector.storage.urls import sqlite_file
from collector.storage.words import Words

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

BATCH = 2_000
"""How many rows are fetched at once."""

Answer = tuple[Any, ...]

_names = count()  # of cursors of a server


class Reader:
    """One connection that reads, in one transaction.

    A question has its values by name, as in `due_at < :to_s`; `words` say what differs between the engines. Errors are
    those of sqlite3, and on a connection of SQLAlchemy its own: `database_errors` knows both.
    """

    def __init__(self, url: str | URL, driver: Any, connection: Connection | None = None) -> None:
        self.url = url
        self.words = Words(postgresql=connection is not None and connection.dialect.name == "postgresql")
        self._driver, self._connection = driver, connection

    @classmethod
    def over(cls, connection: Connection) -> Reader:
        """Questions in the transaction of a connection that may write too."""
        if not connection.in_transaction():
            connection.begin()
        return cls(connection.engine.url, connection.connection, connection)

    def all(self, question: str, **values: Any) -> list[Answer]:
        """All rows."""
        with self._asked(question, values) as cursor:
            rows: list[Answer] = cursor.fetchall()
        return rows

    def first(self, question: str, **values: Any) -> Answer | None:
        """The first row; None when there is none."""
        with self._asked(question, values) as cursor:
            row: Answer | None = cursor.fetchone()
        return row

    def value(self, question: str, **values: Any) -> Any:
        """The first column of the first row; None when there is none."""
        row = self.first(question, **values)
        return None if row is None else row[0]

    def each(self, question: str, *, at_once: int = BATCH, **values: Any) -> Iterator[Answer]:
        """The rows in constant memory; whoever stops before their end leaves nothing open."""
        name = [f"collector_{next(_names)}"] if self.words.postgresql else []
        with self._asked(question, values, *name) as cursor:
            while rows := cursor.fetchmany(at_once):
                yield from rows

    def _asked(self, question: str, values: dict[str, Any], *options: str) -> AbstractContextManager[Any]:
        if self._connection is not None:
            return self._asked_below(self._connection, question, values, *options)
        return nullcontext(self._driver.execute(question, values))

    @contextmanager
    def _asked_below(self, connection: Connection, question: str, values: Any, *options: str) -> Iterator[Any]:
        from collector.storage.driver import Driver  # noqa: PLC0415 - see above

        with Driver(connection, *options) as cursor:
            yield cursor.execute(_for_psycopg(question) if self.words.postgresql else question, values)


@cache
def _for_psycopg(question: str) -> str:
    """The same question with the names of its values as psycopg writes them."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", question.replace("%", "%%"))


@contextmanager
def reading(url: str) -> Iterator[Reader]:
    """A read-only connection with one consistent view of a database of this program's schema. Raises DatabaseError."""
    path = sqlite_file(url)
    if path is None:
        with _server(url) as reader:
            yield reader
        return
    with database_errors(url), closing(connected(path, "reader")) as driver:
        driver.execute("BEGIN")
        reader = Reader(url, driver)
        check_schema(reader)
        yield reader


@contextmanager
def _server(url: str) -> Iterator[Reader]:
    from collector.storage.engine import inspecting  # noqa: PLC0415 - see above

    with inspecting(url) as connection:
        yield Reader.over(connection)
