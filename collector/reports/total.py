"""The report on what accounts are worth, in BTC and in another currency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from collector.domain.balances import plain
from collector.domain.periods import Period
from collector.domain.records import Account, Gap, TotalPoint
from collector.domain.valuation import worth
from collector.reports.bases import about, one_basis
from collector.reports.instants import rfc3339, rfc3339_ms
from collector.reports.values import Basis, Cell, Column, Kind, Report


class TotalRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What accounts were worth at a snapshot, or at the last one of a period; `point` is None where it is unknown.

    `price` is that of BTC at the same tick, None where there is none. `missing` names accounts without which there is
    no sum; a sum in another currency is the sum of what each account was worth at its own tick.
    """

    accounts: tuple[str, ...]
    point: TotalPoint | None
    price: Decimal | None = None
    value: Decimal | None = None
    period: Period | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalOf:
    """What the rows are about."""

    accounts: Sequence[Account]
    quote: str | None = None
    every: str | None = None
    tz: str = "UTC"
    as_sum: bool = False
    asked_s: int | None = None


def priced(row: TotalRow, prices: Mapping[int, Decimal]) -> TotalRow:
    """The row of one account with the price of its tick; a missing one stays blank and is never 0."""
    if row.point is None:
        return row
    price = prices.get(row.point.due_at)
    return replace(row, price=price, value=worth(row.point.btc_total, price))


def total_report(
    of: TotalOf,
    bases: Sequence[Basis],
    rows: Iterable[TotalRow],
    gaps: Sequence[Gap],
    *,
    missing: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Report[TotalRow]:
    """Rows in order of time, account by account or of all together; `rows` is read once."""
    return Report(
        basis=one_basis(bases),
        bases=tuple(bases) if len(bases) > 1 else (),
        subject=_subject(of),
        columns=_columns(of),
        rows=rows,
        gaps=tuple(gaps),
        facts={
            "as_of": None if of.asked_s is None else rfc3339(of.asked_s),
            "every": of.every,
            "tz": of.tz,
            "quote": of.quote,
            "missing": list(missing),
        },
        notes=tuple(notes),
        warnings=about(bases, of.accounts, missing=missing, gaps=gaps),
    )


def _subject(of: TotalOf) -> str:
    every = f"the last value of each {of.every} ({of.tz})" if of.every else ""
    return ", ".join(filter(None, (every, "all accounts together" if of.as_sum else "")))


def _columns(of: TotalOf) -> tuple[Column[TotalRow], ...]:
    account: Column[TotalRow] = Column(
        name="account", kind=Kind.TEXT, cell=lambda row: row.accounts[0] if len(row.accounts) == 1 else row.accounts
    )
    period: Column[TotalRow] = Column(
        name="period", kind=Kind.TEXT, cell=lambda row: row.period.name if row.period else None
    )
    missing: Column[TotalRow] = Column(name="missing", kind=Kind.WORDS, cell=lambda row: row.missing or None)
    in_quote: tuple[Column[TotalRow], ...] = (
        Column(name="quote", kind=Kind.TEXT, cell=lambda _: of.quote),
        Column(name="price", kind=Kind.AMOUNT, cell=lambda row: _plain(row.price)),
        Column(name="value", kind=Kind.AMOUNT, cell=lambda row: _plain(row.value)),
    )
    return (
        account,
        *((period,) if of.every else ()),
        *COLUMNS,
        *(in_quote if of.quote else ()),
        *((missing,) if of.as_sum else ()),
    )


def _of_point(cell: Callable[[TotalPoint], Cell]) -> Callable[[TotalRow], Cell]:
    return lambda row: None if row.point is None else cell(row.point)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


COLUMNS: tuple[Column[TotalRow], ...] = (
    Column(name="due_at", kind=Kind.INSTANT, cell=_of_point(lambda point: rfc3339(point.due_at))),
    Column(name="captured_at", kind=Kind.INSTANT, cell=_of_point(lambda point: rfc3339_ms(point.received_at_ms))),
    Column(name="btc_total", kind=Kind.AMOUNT, cell=_of_point(lambda point: _plain(point.btc_total))),
    Column(name="unpriced", kind=Kind.COUNT, cell=_of_point(lambda point: point.unpriced)),
)
