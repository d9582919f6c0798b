"""The report on a verified database: every tick or range that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.domain.audit import Problem
from collector.reports.instants import rfc3339
from collector.reports.values import Basis, Column, Kind, Report

COLUMNS: tuple[Column[Problem], ...] = (
    Column(name="flaw", kind=Kind.TEXT, cell=lambda p: str(p.flaw)),
    Column(name="account", kind=Kind.TEXT, cell=lambda p: p.account),
    Column(name="start_at", kind=Kind.INSTANT, cell=lambda p: _instant(p.start_at)),
    Column(name="last_due_at", kind=Kind.INSTANT, cell=lambda p: _instant(p.last_due_at)),
    Column(name="detail", kind=Kind.TEXT, cell=lambda p: p.detail),
)


def flaws_report(problems: Iterable[Problem], *, database: str) -> Report[Problem]:
    """A row for each problem, in the order in which they were found; `problems` is read once."""
    return Report(basis=Basis(account=None), columns=COLUMNS, rows=problems, facts={"database": database})


def verified_sentence(database: str, counts: Mapping[str, int]) -> str:
    """What was looked at, when all of it was right."""
    parts = (counted(counts.get(name, 0), name) for name in ("accounts", "ticks", "ranges", "balances"))
    return f"database {database} is right: {', '.join(parts)}"


def counted(number: int, plural: str) -> str:
    """Like `1 tick` or `2 ticks`."""
    return f"{number} {plural if number != 1 else plural.removesuffix('s')}"


def _instant(instant_s: int | None) -> str | None:
    # A damaged file may hold any number.
    return None if instant_s is None else rfc3339(instant_s) if 0 <= instant_s < 253_370_764_800 else str(instant_s)
