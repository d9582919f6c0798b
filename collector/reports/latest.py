"""The report on one snapshot: what an account held then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from collector.domain.balances import Balance, plain
from collector.domain.offsets import clock_warnings
from collector.domain.records import Account, Gap, StoredSnapshot
from collector.reports.balances import amount_columns
from collector.reports.gaps import gap_warnings
from collector.reports.instants import rfc3339, rfc3339_ms
from collector.reports.values import Basis, Column, Kind, Report

Row = TypeVar("Row")


def basis_of(snapshot: StoredSnapshot, *, now_ms: int) -> Basis:
    """What a report that rests on this snapshot says of it."""
    return Basis(
        account=snapshot.account.name,
        due_at=snapshot.due_at,
        captured_at_ms=snapshot.received_at_ms,
        age_s=(now_ms - snapshot.received_at_ms) // 1000,
        clock_offset_ms=snapshot.clock_offset_ms,
    )


def latest_report(snapshot: StoredSnapshot, gaps: Sequence[Gap], *, now_ms: int) -> Report[Balance]:
    """The balances of a snapshot in code-point order; `gaps` are those since then."""
    basis = basis_of(snapshot, now_ms=now_ms)
    return Report(
        basis=basis,
        labels=basis_labels(basis),
        columns=(Column(name="asset", kind=Kind.TEXT, cell=lambda b: b.asset), *amount_columns(_itself)),
        rows=snapshot.balances,
        gaps=tuple(gaps),
        facts={
            "asset_scope": snapshot.account.asset_scope,
            "btc_total": None if snapshot.btc_total is None else plain(snapshot.btc_total),
            "unpriced": snapshot.unpriced,
        },
        notes=_notes(snapshot),
        warnings=(*clock_warnings(basis.clock_offset_ms), *scope_warning(snapshot.account), *gap_warnings(gaps)),
    )


def basis_labels(basis: Basis) -> tuple[Column[Row], ...]:
    """Account and times of the snapshot, to be repeated in each row."""
    due_at = None if basis.due_at is None else rfc3339(basis.due_at)
    captured_at = None if basis.captured_at_ms is None else rfc3339_ms(basis.captured_at_ms)
    return (
        Column(name="account", kind=Kind.TEXT, cell=lambda _: basis.account),
        Column(name="due_at", kind=Kind.INSTANT, cell=lambda _: due_at),
        Column(name="captured_at", kind=Kind.INSTANT, cell=lambda _: captured_at),
    )


def scope_warning(account: Account) -> tuple[str, ...]:
    """What an account that is collected for one asset does not know."""
    scope = account.asset_scope
    return () if scope is None else (f"only {scope} is collected: every other asset is unknown, not zero",)


def _notes(snapshot: StoredSnapshot) -> tuple[str, ...]:
    notes = ["this snapshot was taken by hand, off the grid"] if snapshot.manual else []
    if snapshot.btc_total is not None:
        unpriced = f", without a price: {snapshot.unpriced} of {len(snapshot.balances)} assets"
        notes.append(f"valuation {plain(snapshot.btc_total)} BTC{unpriced if snapshot.unpriced else ''}")
    return tuple(notes)


def _itself(balance: Balance) -> Balance:
    return balance
