"""The report on any query of a user."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from collector.domain.balances import plain
from collector.reports.values import Basis, Cell, Column, Kind, Report

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")

Row = Sequence[Any]


def query_report(columns: Sequence[str], rows: Sequence[Row], *, cut: bool, limit: int) -> Report[Row]:
    """The rows as they come; what is a number in every row is treated as one."""
    warnings = (f"only the first {limit} rows: there are more, see --limit",) if cut else ()
    return Report(
        basis=Basis(account=None),
        columns=tuple(_column(at, name, rows) for at, name in enumerate(columns)),
        rows=rows,
        facts={"limit": limit, "cut": cut},
        warnings=warnings,
    )


def cell_of(value: Any) -> Cell:
    """A value of either driver: decimals with all digits, doubles with those that give them back, instants in UTC."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date) else str(value)


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _column(at: int, name: str, rows: Sequence[Row]) -> Column[Row]:
    cells = [cell for row in rows if (cell := cell_of(row[at])) is not None]
    numbers = all(not isinstance(cell, bool) and NUMBER.fullmatch(str(cell)) for cell in cells)
    return Column(name=name, kind=Kind.AMOUNT if numbers and cells else Kind.TEXT, cell=_cell(at))


def _cell(at: int) -> Callable[[Row], Cell]:
    return lambda row: cell_of(row[at])
