"""How reports speak of gaps."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.records import Gap
from collector.reports.instants import rfc3339
from collector.reports.values import Cell, Column, Kind

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


def gap_object(gap: Gap) -> dict[str, Cell]:
    """A gap as JSON reports hold it."""
    return {column.name: column.cell(gap) for column in (ACCOUNT, *COLUMNS)}


def gap_warnings(gaps: Sequence[Gap]) -> tuple[str, ...]:
    """What a person has to know of the gaps that a report crosses; the newest are named."""
    if not gaps:
        return ()
    several = len({gap.account for gap in gaps}) > 1
    newest = sorted(gaps, key=lambda gap: gap.start_at)[-NAMED:]
    named = [f"{f'account {gap.account}: ' if several else ''}{_kind(gap)} of {gap_words(gap)}" for gap in newest]
    more = len(gaps) - len(newest)
    return (*((f"{more} older gaps: see `collector gaps`",) if more else ()), *named)


def gap_words(gap: Gap) -> str:
    """One gap, like `2 ticks from 2026-03-31T12:05:00Z to 2026-03-31T12:10:00Z: timeout`."""
    ticks = f"{gap.ticks} tick{'s' if gap.ticks != 1 else ''}"
    start, last = rfc3339(gap.start_at), rfc3339(gap.last_due_at)
    where = f"from {start} to {last}" if gap.ticks > 1 else f"at {start}"
    return f"{ticks} {where}: {', '.join(gap.reasons)}"


def _kind(gap: Gap) -> str:
    return "open gap" if gap.open else "gap"
