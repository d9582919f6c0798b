"""Rows of any number as plain integers and text, the same from both engines and in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
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
from collector.storage.reader import BATCH
from collector.storage.rows import BALANCE_COLUMNS
from collector.storage.schema import balance, tick


def plain(column: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any]:
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
    rows = connection.execute(wanted.execution_options(yield_per=BATCH))
    try:
        yield from map(tuple, rows)
    finally:
        # Whoever broke off may have closed the connection: SQLite's cursors are gone then, PostgreSQL's are not.
        if is_postgresql(connection.dialect) or not connection.closed:
            rows.close()


def with_balances(
    connection: Connection,
    account_id: int,
    columns: Sequence[str],
    *,
    from_s: int | None = None,
    to_s: int | None = None,
) -> Iterator[tuple[int, tuple[Any, ...] | None, list[tuple[Any, ...]]]]:
    """Each tick of an account with its balances, ascending, from_s <= due_at < to_s.

    Ticks have these columns, the first of which is due_at. Balances are asset, amounts and valuation as text; those
    without a tick come with None.
    """
    ticks = plain_rows(connection, tick, columns, *_of_account(tick, account_id, from_s, to_s))
    rows = plain_rows(
        connection, balance, ("due_at", *BALANCE_COLUMNS), *_of_account(balance, account_id, from_s, to_s)
    )
    row, held = next(ticks, None), next(rows, None)
    while row is not None or held is not None:
        due_at = min(item[0] for item in (row, held) if item is not None)
        balances = []
        while held is not None and held[0] == due_at:
            balances.append(held[1:])
            held = next(rows, None)
        here = row if row is not None and row[0] == due_at else None
        yield due_at, here, balances
        row = row if here is None else next(ticks, None)


def _of_account(table: Table, account_id: int, from_s: int | None, to_s: int | None) -> list[ColumnElement[bool]]:
    where = [table.c.account_id == account_id]
    where += [] if from_s is None else [table.c.due_at >= from_s]
    return where if to_s is None else [*where, table.c.due_at < to_s]


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
