"""The report on which share of the value each asset has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from collector.domain.portfolio import Holding
from collector.domain.records import Gap, StoredSnapshot
from collector.reports.latest import latest_report
from collector.reports.values import Cell, Column, Kind, Report

BAR_CELLS = 20
KEPT = ("account", "due_at", "captured_at", "asset", "total", "btc_valuation", "share")


def allocation_report(
    snapshots: Sequence[StoredSnapshot],
    gaps: Sequence[Gap],
    *,
    now_ms: int,
    asked_s: int | None = None,
    missing: Sequence[str] = (),
    as_sum: bool = False,
) -> Report[Holding]:
    """A row for each asset, the most valuable first, with its share in percent; what has no price has none."""
    whole = latest_report(snapshots, gaps, now_ms=now_ms, asked_s=asked_s, missing=missing, as_sum=as_sum)
    columns = tuple(sorted((c for c in whole.columns if c.name in KEPT), key=lambda c: KEPT.index(c.name)))
    bars = Column(name="", kind=Kind.TEXT, cell=_bar)
    return replace(whole, columns=columns, digest=(*(c for c in columns if c.kind is not Kind.INSTANT), bars))


def _bar(row: Holding) -> Cell:
    return None if row.share is None else "#" * int(row.share * BAR_CELLS / 100)
