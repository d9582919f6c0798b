"""The report on gaps: when nothing was collected, and why."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.offsets import clock_warnings
from collector.domain.records import Gap
from collector.reports.instants import rfc3339
from collector.reports.values import Basis, Cell, Column, Kind, Report

NAMED = 3
"""How many gaps a warning names one by one."""

COLUMNS: tuple[Column[Gap], ...] = (
    Column(name="start_at", kind=Kind.INSTANT, cell=lambda g: rfc3339(g.start_at)),
    Column(name="last_due_at", kind=Kind.INSTANT, cell=lambda g: rfc3339(g.last_due_at)),
    Column(name="ticks", kind=Kind.COUNT, cell=lambda g: g.ticks),
    Column(name="failed", kind=Kind.COUNT, cell=lambda g: g.failed),
    Column(name="missed", kind=Kind.COUNT, cell=lambda g: g.missed),
    Column(name="reasons", kind=Kind.WORDS, cell=lambda g: g.reasons),
    Column(name="open", kind=Kind.FLAG, cell=lambda g: g.open),
)
ACCOUNT: Column[Gap] = Column(name="account", kind=Kind.TEXT, cell=lambda g: g.account)


def gaps_report(basis: Basis, gaps: Sequence[Gap]) -> Report[Gap]:
    """Gaps, oldest first. Its `gaps` are its rows: they are there in every report."""
    return Report(
        basis=basis,
        columns=(ACCOUNT, *COLUMNS),
        rows=tuple(gaps),
        gaps=tuple(gaps),
        notes=_sums(gaps),
        warnings=clock_warnings(basis.clock_offset_ms),
    )


def gap_object(gap: Gap) -> dict[str, Cell]:
    """A gap as JSON reports hold it."""
    return {column.name: column.cell(gap) for column in (ACCOUNT, *COLUMNS)}


def gap_warnings(gaps: Sequence[Gap]) -> tuple[str, ...]:
    """What a person has to know of the gaps that a report crosses; the newest are named."""
    if not gaps:
        return ()
    newest = [f"{'open gap' if gap.open else 'gap'} of {gap_words(gap)}" for gap in gaps[-NAMED:]]
    more = len(gaps) - len(newest)
    return (*((f"{more} older gaps: see `collector gaps`",) if more else ()), *newest)


def gap_words(gap: Gap) -> str:
    """One gap, like `2 ticks from 2026-03-31T12:05:00Z to 2026-03-31T12:10:00Z: timeout`."""
    ticks = f"{gap.ticks} tick{'s' if gap.ticks != 1 else ''}"
    start, last = rfc3339(gap.start_at), rfc3339(gap.last_due_at)
    where = f"from {start} to {last}" if gap.ticks > 1 else f"at {start}"
    return f"{ticks} {where}: {', '.join(gap.reasons)}"


def _sums(gaps: Sequence[Gap]) -> tuple[str, ...]:
    if len(gaps) < 2:
        return ()
    ticks, failed, missed = (sum(getattr(g, name) for g in gaps) for name in ("ticks", "failed", "missed"))
    return (f"{len(gaps)} gaps, {ticks} ticks: {failed} failed, {missed} missed",)
