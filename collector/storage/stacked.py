"""All balances of a snapshot as one text, column by column: a row for each takes several times as long to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Dialect, and_, func, literal_column, select

from collector.storage.columns import is_postgresql
from collector.storage.plain import plain
from collector.storage.schema import balance, tick
from collector.storage.statements import BALANCE_COLUMNS

CELL, STACK = "\x1f", "\x1e"
"""What stands between the cells of a column, and between columns: no name holds a control character."""


def stacked(dialect: Dialect, names: Sequence[str] | None = None) -> ColumnElement[str | None]:
    """For a row of `tick` all its balances, or those of some assets: NULL when there are none.

    Asset, amounts and valuation, each a column of text with a cell for each balance; they come in any order, the same
    in each column. A valuation that was not asked for is an empty cell.
    """
    of_tick = and_(balance.c.account_id == tick.c.account_id, balance.c.due_at == tick.c.due_at)
    of_tick = of_tick if names is None else and_(of_tick, balance.c.asset.in_(names))
    columns = [_column(dialect, name) for name in BALANCE_COLUMNS]
    text = columns[0]
    for column in columns[1:]:
        text = text.op("||")(_written(STACK)).op("||")(column)
    return select(text).where(of_tick).scalar_subquery()


def _column(dialect: Dialect, name: str) -> ColumnElement[Any]:
    cell = plain(balance.c[name], dialect)
    cell = func.coalesce(cell, "") if balance.c[name].nullable else cell
    join = func.string_agg if is_postgresql(dialect) else func.group_concat
    return join(cell, _written(CELL))


def _written(separator: str) -> ColumnElement[str]:
    """As part of the statement: SQLite takes twice as long with a separator that is bound."""
    return literal_column(f"'{separator}'")


def unstacked(columns: str) -> list[list[str]]:
    """The cells of each column of a text that is not NULL."""
    return [column.split(CELL) for column in columns.split(STACK)]


def unstacked_rows(columns: str) -> Iterable[Any]:
    """The same balance by balance, with None for a valuation that was not asked for."""
    *cells, values = unstacked(columns)
    return zip(*cells, [value or None for value in values], strict=True)
