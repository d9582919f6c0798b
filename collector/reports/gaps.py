"""The report on gaps: when nothing was collected, and why."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.records import Gap
from collector.reports.bases import about, one_basis
from collector.reports.gapwords import ACCOUNT, COLUMNS
from collector.reports.values import Basis, Report


def gaps_report(bases: Sequence[Basis], gaps: Sequence[Gap]) -> Report[Gap]:
    """Gaps of each account, oldest first; `bases` are the newest snapshots. Its `gaps` are its rows."""
    return Report(
        basis=one_basis(bases),
        bases=tuple(bases) if len(bases) > 1 else (),
        columns=(ACCOUNT, *COLUMNS),
        rows=tuple(gaps),
        gaps=tuple(gaps),
        notes=_sums(gaps),
        warnings=about(bases, ()),
    )


def _sums(gaps: Sequence[Gap]) -> tuple[str, ...]:
    if len(gaps) < 2:
        return ()
    ticks, failed, missed = (sum(getattr(g, name) for g in gaps) for name in ("ticks", "failed", "missed"))
    return (f"{len(gaps)} gaps, {ticks} ticks: {failed} failed, {missed} missed",)
