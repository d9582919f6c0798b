"""The report on how the ticks of accounts came out, by day, by month or over all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter

from collector.domain.coverage import LostTicks, PeriodCoverage
from collector.domain.records import Gap
from collector.reports.bases import about, one_basis
from collector.reports.instants import rfc3339
from collector.reports.values import Basis, Cell, Column, Kind, Report
from collector.reports.verdict import percent

STRIP_MONTHS = 24
SHADES = ((100, "█"), (99, "▓"), (50, "▒"), (0, "░"))
NOT_DUE = "·"


def coverage_report(
    rows: Sequence[PeriodCoverage],
    bases: Sequence[Basis],
    gaps: Sequence[Gap],
    *,
    by: str,
    tz: str,
    strip: bool = False,
) -> Report[PeriodCoverage]:
    """A row for each account and period; with `strip` a calendar of its days stands below the table."""
    return Report(
        basis=one_basis(bases),
        bases=tuple(bases) if len(bases) > 1 else (),
        subject=f"coverage by {by} ({tz})" if by != "all" else "coverage",
        columns=COLUMNS,
        rows=tuple(rows),
        gaps=tuple(gaps),
        facts={"by": by, "tz": tz},
        notes=tuple(_strips(rows)) if strip and by == "day" else (),
        warnings=about(bases, ()),
    )


def _count(name: str) -> Column[PeriodCoverage]:
    return Column(name=name, kind=Kind.COUNT, cell=attrgetter(f"counts.{name}"))


def _reasons(name: str, of: Callable[[PeriodCoverage], Iterable[tuple[str, int]]]) -> Column[PeriodCoverage]:
    """Reasons with their number, the most frequent first."""

    def cell(row: PeriodCoverage) -> Cell:
        found = sorted(of(row), key=lambda one: (-one[1], one[0]))
        return tuple([f"{reason}={ticks}" for reason, ticks in found]) or None

    return Column(name=name, kind=Kind.WORDS, cell=cell)


def _gap(name: str, kind: Kind, of: Callable[[LostTicks], Cell]) -> Column[PeriodCoverage]:
    return Column(name=name, kind=kind, cell=lambda row: of(row.longest_gap) if row.longest_gap else None)


COLUMNS: tuple[Column[PeriodCoverage], ...] = (
    Column(name="account", kind=Kind.TEXT, cell=lambda row: row.counts.account),
    Column(name="period", kind=Kind.TEXT, cell=lambda row: row.period.name),
    Column(name="from", kind=Kind.INSTANT, cell=lambda row: rfc3339(row.period.start_s)),
    Column(name="to", kind=Kind.INSTANT, cell=lambda row: rfc3339(row.period.end_s)),
    *map(_count, ("due", "stored", "thinned", "failed", "missed")),
    Column(name="percent", kind=Kind.AMOUNT, cell=lambda row: percent(row.counts)),
    _reasons("failed_by", lambda row: row.failed_by.items()),
    _reasons("missed_by", lambda row: row.missed_by.items()),
    _gap("longest_gap_ticks", Kind.COUNT, lambda gap: gap.ticks),
    _gap("longest_gap_start_at", Kind.INSTANT, lambda gap: rfc3339(gap.start_at)),
    _gap("longest_gap_last_due_at", Kind.INSTANT, lambda gap: rfc3339(gap.last_due_at)),
)


def _strips(rows: Sequence[PeriodCoverage]) -> Iterable[str]:
    """A line for each month, a character for each day: full, 99 % at least, 50 %, less; a dot where nothing was due."""
    by_month = groupby(rows, key=lambda row: (row.counts.account, row.period.name[:7]))
    months = [(month, list(days)) for month, days in by_month]
    several = len({account for (account, _), _ in months}) > 1
    for (account, month), days in months[-STRIP_MONTHS:]:
        cells = [" "] * 31
        for day in days:
            cells[date.fromisoformat(day.period.name).day - 1] = _shade(day)
        yield f"{f'{account} ' if several else ''}{month}  {''.join(cells).rstrip()}"


def _shade(row: PeriodCoverage) -> str:
    counts = row.counts
    if not counts.due:
        return NOT_DUE
    kept = (counts.due - counts.failed - counts.missed) * 100
    return next(shade for least, shade in SHADES if kept >= least * counts.due)
