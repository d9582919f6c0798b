"""The report on one asset over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.domain.balances import Balance
from collector.domain.offsets import clock_warnings
from collector.domain.records import Account, AssetPoint, Gap
from collector.reports.balances import FIELDS, amount_columns
from collector.reports.gaps import gap_warnings
from collector.reports.instants import rfc3339, rfc3339_ms
from collector.reports.latest import scope_warning
from collector.reports.values import Basis, Column, Kind, Report

TIMES: tuple[Column[AssetPoint], ...] = (
    Column(name="due_at", kind=Kind.INSTANT, cell=lambda p: rfc3339(p.due_at)),
    Column(name="captured_at", kind=Kind.INSTANT, cell=lambda p: rfc3339_ms(p.received_at_ms)),
)


def history_report(
    basis: Basis,
    account: Account,
    asset: str,
    points: Iterable[AssetPoint],
    gaps: Sequence[Gap],
    *,
    fields: Sequence[str] = FIELDS,
) -> Report[AssetPoint]:
    """A row for each stored tick, zeros included, oldest first; `basis` is the newest of them.

    What no row tells is unknown: `gaps` says when.
    """
    return Report(
        basis=basis,
        subject=f"asset {asset}",
        labels=(
            Column(name="account", kind=Kind.TEXT, cell=lambda _: account.name),
            Column(name="asset", kind=Kind.TEXT, cell=lambda _: asset),
        ),
        columns=(*TIMES, *amount_columns(_balance, fields)),
        rows=points,
        gaps=tuple(gaps),
        facts={"asset_scope": account.asset_scope, "asset": asset},
        warnings=(*clock_warnings(basis.clock_offset_ms), *scope_warning(account), *gap_warnings(gaps)),
    )


def _balance(point: AssetPoint) -> Balance:
    return point.balance
