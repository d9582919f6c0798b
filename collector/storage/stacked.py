"""All balances of a snapshot as one text, column by column: a row for each takes several times as long to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from collector.storage.reader import Reader
from collector.storage.rows import BALANCE_COLUMNS, named

CELL, STACK = "\x1f", "\x1e"
"""What stands between the cells of a column, and between columns: no name holds a control character."""


def stacked(reader: Reader, names: Sequence[str] | None = None) -> str:
    """For a row of `tick` all its balances, or those of some assets (`name_values`): NULL when there are none.

    Asset, amounts and valuation, each a column of text with a cell for each balance; they come in any order, the same
    in each column. A valuation that was not asked for is an empty cell.
    """
    asset, *amounts, valuation = BALANCE_COLUMNS
    cells = [asset, *map(reader.words.amount, amounts), f"coalesce({reader.words.amount(valuation)}, '')"]
    # As part of the question: SQLite takes twice as long with a separator that is bound.
    join = "string_agg" if reader.words.postgresql else "group_concat"
    text = f" || '{STACK}' || ".join(f"{join}({cell}, '{CELL}')" for cell in cells)
    some = "" if names is None else f" AND {named('asset', names)}"
    of_tick = "balance.account_id = tick.account_id AND balance.due_at = tick.due_at"
    return f"(SELECT {text} FROM balance WHERE {of_tick}{some})"


def unstacked_rows(columns: str | None) -> Iterable[Any]:
    """The cells of each balance in such a text, with None for a valuation that was not asked for."""
    if columns is None:
        return ()
    *cells, values = [column.split(CELL) for column in columns.split(STACK)]
    valued = [value or None for value in values] if "" in values else values
    return zip(*cells, valued, strict=True)
