"""Rows of any number as plain integers and text, the same from both engines and in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Table,
    Text,
    cast,
    extract,
    func,
    select,
    type_coerce,
)

from collector.storage.columns import Amount, Millis, Seconds, is_postgresql
from collector.storage.schema import tick

BATCH = 2_000
"""How many rows are fetched at once."""


def plain(column: Column[Any], dialect: Dialect) -> ColumnElement[Any]:
    """A column as it is compared and copied: amounts with all digits, instants as whole seconds or milliseconds."""
    postgresql = is_postgresql(dialect)
    if isinstance(column.type, Amount):
        return cast(column, Text) if postgresql else type_coerce(column, Text)
    if isinstance(column.type, Seconds | Millis):
        per_second = 1000 if isinstance(column.type, Millis) else 1
        epoch = cast(extract("epoch", column) * per_second, BigInteger)
        return epoch if postgresql else type_coerce(column, Integer)
    return column


def plain_rows(
    connection: Connection, table: Table, columns: Iterable[str], *where: ColumnElement[bool]
) -> Iterator[tuple[Any, ...]]:
    """Some columns of the rows that fulfil all conditions, in the order of the primary key."""
    chosen = [plain(table.c[name], connection.dialect) for name in columns]
    wanted = select(*chosen).where(*where).order_by(*table.primary_key.columns)
    with connection.execute(wanted.execution_options(yield_per=BATCH)) as rows:
        yield from map(tuple, rows)


def account_ids(connection: Connection, table: Table) -> Iterator[int]:
    """Every account that a table has rows of, by key seeks: a GROUP BY would read all of them."""
    after = -(2**31)
    while True:
        found = connection.execute(select(func.min(table.c.account_id)).where(table.c.account_id > after)).scalar()
        if found is None:
            return
        yield found
        after = found


def first_and_last(connection: Connection, account_id: int) -> tuple[int, int] | None:
    """The due instants (epoch seconds) of an account's oldest and newest tick, by two key seeks."""
    newest = select(func.max(tick.c.due_at)).where(tick.c.account_id == account_id)
    oldest = select(func.min(tick.c.due_at)).where(tick.c.account_id == account_id)
    first, last = connection.execute(oldest).scalar(), connection.execute(newest).scalar()
    return None if first is None or last is None else (first, last)
