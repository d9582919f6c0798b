"""The report on thinning: what goes of each account, and what that frees."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.thinning import FOREVER, Rule, Thinning
from collector.reports.instants import duration, rfc3339
from collector.reports.usage import size
from collector.reports.values import Basis, Column, Kind, Report


def thinning_report(
    found: Sequence[Thinning], rules: Sequence[Rule], *, bytes_a_row: int, database: str, dry_run: bool
) -> Report[Thinning]:
    """A row for each account; `dry_run` when nothing went yet."""
    return Report(
        basis=Basis(account=None),
        columns=_columns(bytes_a_row),
        rows=tuple(found),
        facts={"database": database, "dry_run": dry_run, "keep": {rule.keep: span(rule) for rule in rules}},
        notes=_notes(found, rules, bytes_a_row, dry_run=dry_run),
    )


def _columns(bytes_a_row: int) -> tuple[Column[Thinning], ...]:
    return (
        Column(name="account", kind=Kind.TEXT, cell=lambda t: t.account.name),
        Column(name="snapshots", kind=Kind.COUNT, cell=lambda t: t.snapshots),
        Column(name="kept", kind=Kind.COUNT, cell=lambda t: t.snapshots - t.ticks),
        Column(name="thinned", kind=Kind.COUNT, cell=lambda t: t.ticks),
        Column(name="first_thinned", kind=Kind.INSTANT, cell=lambda t: _instant(t.first)),
        Column(name="last_thinned", kind=Kind.INSTANT, cell=lambda t: _instant(t.last)),
        Column(name="balances", kind=Kind.COUNT, cell=lambda t: t.balances),
        Column(name="bytes", kind=Kind.COUNT, cell=lambda t: t.balances * bytes_a_row),
    )


def _notes(found: Sequence[Thinning], rules: Sequence[Rule], bytes_a_row: int, *, dry_run: bool) -> tuple[str, ...]:
    ticks, balances = sum(t.ticks for t in found), sum(t.balances for t in found)
    done = "would go" if dry_run else "went"
    longest = max(rules, key=lambda rule: rule.span_s)
    end = () if longest.span_s == FOREVER else (f"nothing that is older than {span(longest)} before the newest stays",)
    return (f"{ticks} snapshots {done}, and {size(balances * bytes_a_row)} with them", *end)


def span(rule: Rule) -> str:
    """How long a rule holds, in words."""
    return "forever" if rule.span_s == FOREVER else duration(rule.span_s)


def _instant(instant_s: int | None) -> str | None:
    return None if instant_s is None else rfc3339(instant_s)
