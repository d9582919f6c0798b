"""What a report says of the snapshots it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from collector.domain.offsets import clock_warnings
from collector.domain.records import Account, Gap, StoredSnapshot
from collector.reports.gapwords import gap_warnings
from collector.reports.instants import ago, duration, rfc3339, rfc3339_ms
from collector.reports.values import Basis, Column, Kind

Row = TypeVar("Row")

STALE_AFTER = 2
"""After how many intervals without a newer snapshot an account is behind."""


def basis_of(snapshot: StoredSnapshot, *, now_ms: int, asked_s: int | None = None) -> Basis:
    """What a report that rests on this snapshot says of it; its age counts until the instant that was asked for."""
    age_s = ((now_ms if asked_s is None else asked_s * 1000) - snapshot.received_at_ms) // 1000
    interval_s = snapshot.interval_s
    return Basis(
        account=snapshot.account.name,
        due_at=snapshot.due_at,
        captured_at_ms=snapshot.received_at_ms,
        age_s=age_s,
        asked_s=asked_s,
        clock_offset_ms=snapshot.clock_offset_ms,
        stale=asked_s is None and interval_s is not None and age_s > STALE_AFTER * interval_s,
    )


def one_basis(bases: Sequence[Basis]) -> Basis:
    """The only one of them, or one that names no account."""
    return bases[0] if len(bases) == 1 else Basis(account=None)


def basis_words(basis: Basis) -> str:
    """The snapshot and its age, like `snapshot due ..., captured ..., 3 min ago`."""
    if basis.due_at is None or basis.captured_at_ms is None:
        return "no snapshot"
    return f"snapshot due {rfc3339(basis.due_at)}, captured {rfc3339_ms(basis.captured_at_ms)}, {age_words(basis)}"


def age_words(basis: Basis) -> str:
    """Its age in words: against now, or against the instant that was asked for."""
    if basis.age_s is None:
        return ""
    if basis.asked_s is None:
        return ago(basis.age_s)
    side = "before" if basis.age_s >= 0 else "after"
    return f"{duration(abs(basis.age_s))} {side} {rfc3339(basis.asked_s)}"


def basis_object(basis: Basis) -> dict[str, str | int | None]:
    """A snapshot as JSON reports name it."""
    return {
        "account": basis.account,
        "due_at": None if basis.due_at is None else rfc3339(basis.due_at),
        "captured_at": None if basis.captured_at_ms is None else rfc3339_ms(basis.captured_at_ms),
        "age": basis.age_s,
        "clock_offset_ms": basis.clock_offset_ms,
    }


def basis_labels(basis: Basis) -> tuple[Column[Row], ...]:
    """Account and times of the snapshot, to be repeated in each row."""
    said = basis_object(basis)
    return (
        Column(name="account", kind=Kind.TEXT, cell=lambda _: said["account"]),
        Column(name="due_at", kind=Kind.INSTANT, cell=lambda _: said["due_at"]),
        Column(name="captured_at", kind=Kind.INSTANT, cell=lambda _: said["captured_at"]),
    )


def scope_warning(account: Account) -> tuple[str, ...]:
    """What an account that is collected for one asset does not know."""
    scope = account.asset_scope
    return () if scope is None else (f"only {scope} is collected: every other asset is unknown, not zero",)


def scope_warnings(accounts: Sequence[Account]) -> tuple[str, ...]:
    """The same of several accounts, each by its name."""
    if len(accounts) == 1:
        return scope_warning(accounts[0])
    return tuple(f"account {account.name}: {word}" for account in accounts for word in scope_warning(account))


def about(
    bases: Sequence[Basis], accounts: Sequence[Account], *, missing: Sequence[str] = (), gaps: Sequence[Gap] = ()
) -> tuple[str, ...]:
    """The warnings that every report has: on the clock, on limited and on unknown accounts, on gaps."""
    newest = max(bases, key=lambda basis: basis.captured_at_ms or 0, default=None)
    clock = clock_warnings(newest.clock_offset_ms if newest else None)
    return (*clock, *scope_warnings(accounts), *missing_warnings(missing), *gap_warnings(gaps))


def missing_warnings(missing: Sequence[str]) -> tuple[str, ...]:
    """Accounts of which nothing is known: they count in no sum, not even as zero."""
    return tuple(f"account {name} has no snapshot: it is unknown, and in no sum" for name in missing)
