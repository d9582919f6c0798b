"""The report on amounts that are on their way out."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.balances import plain
from collector.domain.changes import UnderWay
from collector.domain.records import Gap, StoredSnapshot
from collector.reports.bases import about, basis_of, one_basis
from collector.reports.instants import duration, rfc3339, rfc3339_ms
from collector.reports.values import Cell, Column, Kind, Report


def withdrawing_report(
    rows: Sequence[UnderWay],
    snapshots: Sequence[StoredSnapshot],
    gaps: Sequence[Gap],
    *,
    now_ms: int,
    missing: Sequence[str] = (),
) -> Report[UnderWay]:
    """A row for each asset of which anything is being withdrawn, the longest first; `seconds` count until now."""
    bases = [basis_of(one, now_ms=now_ms) for one in snapshots]
    several = len(snapshots) + len(missing) > 1
    account: Column[UnderWay] = Column(name="account", kind=Kind.TEXT, cell=lambda row: row.account)

    def seconds(row: UnderWay) -> int:
        return (now_ms - row.first.received_at_ms) // 1000

    columns: tuple[Column[UnderWay], ...] = (
        *((account,) if several else ()),
        *COLUMNS,
        Column(name="seconds", kind=Kind.COUNT, cell=seconds),
    )
    words: Column[UnderWay] = Column(name="for at least", kind=Kind.TEXT, cell=lambda row: duration(seconds(row)))
    return Report(
        basis=one_basis(bases),
        bases=tuple(bases) if several else (),
        labels=() if several else (account,),
        columns=columns,
        digest=(*columns[:-1], words),
        rows=tuple(sorted(rows, key=lambda row: (row.first.received_at_ms, row.account, row.asset))),
        gaps=tuple(gaps),
        facts={"missing": list(missing)},
        notes=() if rows else ("nothing is being withdrawn",),
        warnings=about(bases, [one.account for one in snapshots], missing=missing, gaps=gaps),
    )


def _earliest(row: UnderWay) -> Cell:
    if row.before is None:
        return None
    asked = row.before.requested_at_ms
    return rfc3339_ms(row.before.received_at_ms if asked is None else asked)


COLUMNS: tuple[Column[UnderWay], ...] = (
    Column(name="asset", kind=Kind.TEXT, cell=lambda row: row.asset),
    Column(name="withdrawing", kind=Kind.AMOUNT, cell=lambda row: plain(row.amount)),
    Column(name="earliest_at", kind=Kind.INSTANT, cell=_earliest),
    Column(name="since_at", kind=Kind.INSTANT, cell=lambda row: rfc3339_ms(row.first.received_at_ms)),
    Column(name="since_due_at", kind=Kind.INSTANT, cell=lambda row: rfc3339(row.first.due_at)),
)
