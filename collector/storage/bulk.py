"""Writing many rows of plain values at once: COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from collector.storage.columns import EPOCH, MILLISECOND, SECOND, Millis, Seconds, is_postgresql


def insert_plain(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of what `plain_rows` gives; none of them may be there."""
    names = ", ".join(columns)
    if not is_postgresql(connection.dialect):
        places = ", ".join("?" * len(columns))
        found = list(map(tuple, rows))
        if found:
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({places})", found)
        return
    bind = [_binder(table, name) for name in columns]
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([one(value) for one, value in zip(bind, row, strict=True)])
    except driver_error(connection) as error:
        raise DBAPIError("COPY", None, error) from None


def driver_error(connection: Connection) -> type[Exception]:
    """The base of what the driver raises when it is used directly."""
    found: type[Exception] = connection.dialect.loaded_dbapi.Error
    return found


def _binder(table: Table, name: str) -> Callable[[Any], Any]:
    column = table.c[name].type
    if isinstance(column, Seconds):
        return _second
    return _millisecond if isinstance(column, Millis) else _as_it_is


@lru_cache(maxsize=64)
def _second(value: int | None) -> datetime | None:
    # The balances of a snapshot share their due_at.
    return _instant(value, SECOND)


def _millisecond(value: int | None) -> datetime | None:
    return _instant(value, MILLISECOND)


def _instant(value: int | None, unit: timedelta) -> datetime | None:
    return None if value is None else EPOCH + value * unit


def _as_it_is(value: Any) -> Any:
    return value
