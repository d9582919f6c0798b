"""The report on one asset over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from collector.domain.balances import amount_in
from collector.domain.periods import Period
from collector.domain.records import Account, AssetPoint, Gap
from collector.reports.bases import about, one_basis
from collector.reports.fields import FIELDS
from collector.reports.instants import rfc3339, rfc3339_ms
from collector.reports.values import Basis, Cell, Column, Kind, Report


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset at a snapshot, or at the last one of a period; `point` is None where nothing is known of it.

    `accounts` are those it is the sum of, `missing` those without which there is none.
    """

    accounts: tuple[str, ...]
    point: AssetPoint | None
    period: Period | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOf:
    """What the rows are about: which asset of which accounts, which amounts, and whether by period or as a sum."""

    asset: str
    accounts: Sequence[Account]
    fields: Sequence[str] = FIELDS
    every: str | None = None
    tz: str = "UTC"
    as_sum: bool = False


def history_report(
    about_what: HistoryOf, bases: Sequence[Basis], rows: Iterable[HistoryRow], gaps: Sequence[Gap]
) -> Report[HistoryRow]:
    """Rows in order of time, account by account; `bases` are the newest snapshots of each account in this time.

    Without periods what no row tells is unknown: `gaps` says when. With them such a period has a blank row.
    """
    several = len(about_what.accounts) > 1
    account: Column[HistoryRow] = Column.of_many(name="account", kind=Kind.TEXT, cells=_accounts)
    asset: Column[HistoryRow] = Column.of_many(
        name="asset", kind=Kind.TEXT, cells=lambda rows: [about_what.asset] * len(rows)
    )
    return Report(
        basis=one_basis(bases),
        bases=tuple(bases) if several else (),
        subject=_subject(about_what),
        labels=() if several else (account, asset),
        columns=(*((account, asset) if several else ()), *_columns(about_what)),
        rows=rows,
        gaps=tuple(gaps),
        facts={
            "asset_scope": None if several else about_what.accounts[0].asset_scope,
            "asset": about_what.asset,
            "every": about_what.every,
            "tz": about_what.tz,
        },
        warnings=about(bases, about_what.accounts, gaps=gaps),
    )


def _columns(about_what: HistoryOf) -> tuple[Column[HistoryRow], ...]:
    period: tuple[Column[HistoryRow], ...] = (
        Column(name="period", kind=Kind.TEXT, cell=lambda row: row.period.name if row.period else None),
    )
    missing: tuple[Column[HistoryRow], ...] = (
        Column(name="missing", kind=Kind.WORDS, cell=lambda row: row.missing or None),
    )
    return (
        *(period if about_what.every else ()),
        Column.of_many(name="due_at", kind=Kind.INSTANT, cells=_due_at),
        Column.of_many(name="captured_at", kind=Kind.INSTANT, cells=_captured_at),
        *(Column.of_many(name=name, kind=Kind.AMOUNT, cells=_amounts(name)) for name in about_what.fields),
        *(missing if about_what.as_sum else ()),
    )


def _subject(about_what: HistoryOf) -> str:
    every = f", the last value of each {about_what.every} ({about_what.tz})" if about_what.every else ""
    return f"asset {about_what.asset}{every}{', all accounts together' if about_what.as_sum else ''}"


def _accounts(rows: Sequence[HistoryRow]) -> list[Cell]:
    return [row.accounts[0] if len(row.accounts) == 1 else row.accounts for row in rows]


def _due_at(rows: Sequence[HistoryRow]) -> list[Cell]:
    return [None if (point := row.point) is None else rfc3339(point.due_at) for row in rows]


def _captured_at(rows: Sequence[HistoryRow]) -> list[Cell]:
    return [None if (point := row.point) is None else rfc3339_ms(point.received_at_ms) for row in rows]


def _amounts(field: str) -> Callable[[Sequence[HistoryRow]], list[Cell]]:
    """As they are stored; empty where there is no point, and where Binance was not asked for the valuation."""
    amount_of = amount_in(field)
    return lambda rows: [None if (point := row.point) is None else amount_of(point.cells) for row in rows]
