"""What the ledger says when it is read back: accounts, snapshots, gaps and coverage.

Instants: `due_at` and others without a suffix in epoch seconds, `_ms` in epoch milliseconds, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from collector.domain.balances import Balance, Cells, of_cells
from collector.domain.periods import Period
from collector.domain.ticks import FailReason

WALLET = "spot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the database knows it; `asset_scope` is None when the whole account is collected."""

    id: int
    name: str
    created_at_ms: int
    asset_scope: str | None
    key_fingerprint: str | None
    stopped_at_ms: int | None
    stop_reason: str | None
    probe_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """One stored tick, whole. Its amounts were true between `requested_at_ms` and `received_at_ms` (captured_at)."""

    account: Account
    due_at: int
    interval_s: int | None
    requested_at_ms: int | None
    received_at_ms: int
    recorded_at_ms: int
    clock_offset_ms: int | None
    unpriced: int
    btc_total: Decimal | None
    btc_requested: bool
    digest: str
    extra: Mapping[str, Mapping[str, str]]
    balances: tuple[Balance, ...]

    @property
    def manual(self) -> bool:
        """True for a snapshot taken off the grid."""
        return self.interval_s is None


class AssetPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset at one stored tick; all amounts are zero where the snapshot does not name it."""

    due_at: int
    received_at_ms: int
    cells: Cells

    @property
    def balance(self) -> Balance:
        """Its amounts as numbers, made anew each time: a history is written from their text."""
        return of_cells(self.cells)


class AssetClose(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset at the last snapshot of a period; `point` is None where nothing is known of it."""

    period: Period
    point: AssetPoint | None


class TotalPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one snapshot was worth in BTC; None where no valuation was asked for."""

    due_at: int
    received_at_ms: int
    btc_total: Decimal | None
    unpriced: int


class TotalClose(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The value at the last snapshot of a period; `point` is None where nothing is known of it."""

    period: Period
    point: TotalPoint | None


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Consecutive ticks without a snapshot, first and last inclusive; `open` while no snapshot has followed."""

    account: str
    start_at: int
    last_due_at: int
    ticks: int
    failed: int
    missed: int
    reasons: tuple[str, ...]
    open: bool


class Coverage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the ticks of one account came out: due = stored + thinned + failed + missed."""

    account: str
    due: int
    stored: int
    thinned: int
    failed: int
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A tick that failed, and why."""

    due_at: int
    reason: FailReason
    http_status: int | None
    code: int | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Until when nothing may be asked in this scope (`ip` or `account:NAME`), and why."""

    scope: str
    until_ms: int
    reason: FailReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one BTC cost in a currency at a tick."""

    due_at: int
    quote: str
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One life of a daemon; `clean` when it ended by its own will."""

    host: str
    pid: int
    started_at_ms: int
    ended_at_ms: int | None
    clean: bool
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """How an account's collection stands; `interval_s` is None when it is not collected now.

    `newest_answer_at` is the newest due instant that has an answer. Snapshots of the future don't count as the newest.
    """

    account: Account
    interval_s: int | None
    newest_snapshot: StoredSnapshot | None
    newest_failure: Failure | None
    open_gap: Gap | None
    coverage: Coverage
    newest_answer_at: int | None = None
