"""The report on how much room the history takes."""

from __future__ import annotations

from collector.domain.usage import AccountUsage, Usage
from collector.reports.instants import rfc3339
from collector.reports.values import Basis, Column, Kind, Report

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def usage_report(usage: Usage, *, database: str) -> Report[AccountUsage]:
    """A row for each account, and the sums of all."""
    return Report(
        basis=Basis(account=None),
        columns=_columns(usage),
        rows=tuple(usage.accounts),
        facts={
            "database": database,
            "balances": usage.balances,
            "bytes": usage.bytes,
            "free_bytes": usage.free_bytes,
            "bytes_a_row": usage.bytes_a_row,
            "measured": usage.measured,
            "bytes_a_year": usage.bytes_a_year,
        },
        notes=_notes(usage, database),
    )


def _columns(usage: Usage) -> tuple[Column[AccountUsage], ...]:
    return (
        Column(name="account", kind=Kind.TEXT, cell=lambda u: u.account.name),
        Column(name="interval_s", kind=Kind.COUNT, cell=lambda u: u.interval_s),
        *(_count(name) for name in ("snapshots", "manual", "balances", "failed", "missed", "thinned")),
        Column(name="oldest", kind=Kind.INSTANT, cell=lambda u: _instant(u.oldest)),
        Column(name="newest", kind=Kind.INSTANT, cell=lambda u: _instant(u.newest)),
        _count("balances_a_year"),
        Column(name="bytes_a_year", kind=Kind.COUNT, cell=lambda u: u.balances_a_year * usage.bytes_a_row),
    )


def _count(name: str) -> Column[AccountUsage]:
    def cell(usage: AccountUsage) -> int:
        return int(getattr(usage, name))

    return Column(name=name, kind=Kind.COUNT, cell=cell)


def _notes(usage: Usage, database: str) -> tuple[str, ...]:
    free = f", {size(usage.free_bytes)} of free pages beside" if usage.free_bytes else ""
    row = "a row of balances takes" if usage.measured else "too few rows to measure one: typically one takes"
    return (
        f"database {database}: {size(usage.bytes)}{free}",
        f"{row} {usage.bytes_a_row} bytes, keys and its share of the rest included",
        f"at the present pace it grows by {size(usage.bytes_a_year)} a year",
    )


def size(number: int) -> str:
    """Bytes in the largest unit that leaves a whole digit, like 1.5 GB."""
    power = min((len(str(number)) - 1) // 3, len(UNITS) - 1)
    return f"{number} bytes" if power == 0 else f"{number / 1000**power:.1f} {UNITS[power]}"


def _instant(instant_s: int | None) -> str | None:
    return None if instant_s is None else rfc3339(instant_s)
