"""The report on every movement of amounts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.domain.balances import AMOUNT_FIELDS, plain
from collector.domain.changes import Movement
from collector.domain.records import Account, Gap
from collector.reports.bases import about, one_basis
from collector.reports.instants import rfc3339, rfc3339_ms
from collector.reports.values import Basis, Cell, Column, Kind, Report


def changes_report(
    bases: Sequence[Basis],
    accounts: Sequence[Account],
    movements: Iterable[Movement],
    gaps: Sequence[Gap],
    *,
    asset: str | None = None,
) -> Report[Movement]:
    """A row for each movement, account by account, oldest first; `movements` is read once.

    Each happened at some time between `earliest_at` and `latest_at`. `bases` are the newest snapshots in this time.
    """
    several = len(accounts) > 1
    account: Column[Movement] = Column(name="account", kind=Kind.TEXT, cell=lambda m: m.account)
    return Report(
        basis=one_basis(bases),
        bases=tuple(bases) if several else (),
        subject="all assets" if asset is None else f"asset {asset}",
        labels=() if several else (account,),
        columns=(*((account,) if several else ()), *COLUMNS),
        rows=movements,
        gaps=tuple(gaps),
        facts={"asset": asset},
        warnings=about(bases, accounts, gaps=gaps),
    )


def _by(field: str) -> Column[Movement]:
    return Column(name=f"{field}_change", kind=Kind.AMOUNT, cell=lambda m: plain(m.by(field)))


def _ticks(movement: Movement) -> Cell:
    return sum(gap.ticks for gap in movement.gaps)


def _reasons(movement: Movement) -> Cell:
    return tuple(sorted({reason for gap in movement.gaps for reason in gap.reasons})) or None


COLUMNS: tuple[Column[Movement], ...] = (
    Column(name="asset", kind=Kind.TEXT, cell=lambda m: m.asset),
    Column(name="change", kind=Kind.TEXT, cell=lambda m: m.change),
    Column(name="earliest_at", kind=Kind.INSTANT, cell=lambda m: rfc3339_ms(m.earliest_ms)),
    Column(name="latest_at", kind=Kind.INSTANT, cell=lambda m: rfc3339_ms(m.latest_ms)),
    Column(name="before_due_at", kind=Kind.INSTANT, cell=lambda m: rfc3339(m.earlier.due_at)),
    Column(name="due_at", kind=Kind.INSTANT, cell=lambda m: rfc3339(m.later.due_at)),
    Column(name="total_before", kind=Kind.AMOUNT, cell=lambda m: plain(m.before.total)),
    Column(name="total_after", kind=Kind.AMOUNT, cell=lambda m: plain(m.after.total)),
    *map(_by, ("total", *AMOUNT_FIELDS)),
    Column(name="gap_ticks", kind=Kind.COUNT, cell=_ticks),
    Column(name="gap_reasons", kind=Kind.WORDS, cell=_reasons),
)
