"""The columns that tell of a balance."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar

from collector.domain.balances import Balance, plain
from collector.reports.fields import FIELDS
from collector.reports.values import Cell, Column, Kind

Row = TypeVar("Row")


def amount_columns(balance_of: Callable[[Row], Balance]) -> tuple[Column[Row], ...]:
    """A column for each field, exact and in plain notation; empty where Binance was not asked for the valuation."""
    return tuple(Column(name=name, kind=Kind.AMOUNT, cell=_amount(balance_of, name)) for name in FIELDS)


def _amount(balance_of: Callable[[Row], Balance], name: str) -> Callable[[Row], Cell]:
    amount_of = attrgetter(name)

    def cell(row: Row) -> Cell:
        amount = amount_of(balance_of(row))
        return None if amount is None else plain(amount)

    return cell
