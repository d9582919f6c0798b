"""The grid of due instants, and what came of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from collector.domain.balances import Snapshot

MIN_INTERVAL_S = 1
MAX_INTERVAL_S = 86_400
TRY_FOR_S = 60


class Outcome(StrEnum):
    """What came of a tick."""

    STORED = "stored"
    FAILED = "failed"
    MISSED = "missed"


class FailReason(StrEnum):
    """Why a tick for which a request left brought no snapshot."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    SERVER_ERROR = "server_error"
    BAD_REPLY = "bad_reply"
    CLOCK = "clock"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    FIREWALL = "firewall"
    BUSY = "busy"
    MAINTENANCE = "maintenance"
    BAD_SIGNATURE = "bad_signature"
    KEY_REJECTED = "key_rejected"
    BAD_PARAMETER = "bad_parameter"
    UNKNOWN_CODE = "unknown_code"
    ABORTED = "aborted"


class MissReason(StrEnum):
    """Why no request left for a tick."""

    NOT_RUNNING = "not_running"
    SUSPENDED = "suspended"
    OVERRUN = "overrun"
    CLOCK_STEP = "clock_step"
    PAUSED = "paused"
    ACCOUNT_STOPPED = "account_stopped"
    WAITING = "waiting"
    SPOOL_FULL = "spool_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRange:
    """Consecutive due instants of one grid, first and last both inclusive, in epoch seconds."""

    start_at: int
    last_due_at: int
    interval_s: int

    @property
    def ticks(self) -> int:
        """How many due instants lie in the range."""
        return (self.last_due_at - self.start_at) // self.interval_s + 1

    def holds(self, instant_s: int) -> bool:
        """Whether this is one of its due instants."""
        return self.start_at <= instant_s <= self.last_due_at and (instant_s - self.start_at) % self.interval_s == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEntry:
    """From this instant on (epoch seconds) the account is due at this interval; None: it is not collected."""

    from_at: int
    interval_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TickOutcome:
    """What came of one account's tick, as the store, the log, metrics and alerts receive it.

    Instants: `due_at` in epoch seconds, the `_ms` ones in epoch milliseconds of the local clock. `requested_at_ms` and
    `received_at_ms` belong to the attempt that decided. `interval_s` is None for a manual snapshot.
    `clock_offset_ms` is the server's clock minus ours. `spooled`: the database was away, and will have it later.
    """

    account_id: int
    account: str
    due_at: int
    interval_s: int | None
    outcome: Outcome
    reason: FailReason | MissReason | None = None
    http_status: int | None = None
    code: int | None = None
    detail: str | None = None
    attempts: int = 0
    requested_at_ms: int | None = None
    received_at_ms: int | None = None
    clock_offset_ms: int | None = None
    weight_used: int | None = None
    snapshot: Snapshot | None = None
    spooled: bool = False


def due_at_or_before(instant_s: int, interval_s: int) -> int:
    """Newest due instant that is not later."""
    return instant_s - instant_s % interval_s


def due_after(instant_s: int, interval_s: int) -> int:
    """First due instant that is later."""
    return due_at_or_before(instant_s, interval_s) + interval_s


def due_at_or_after(instant_s: int, interval_s: int) -> int:
    """First due instant that is not earlier."""
    return due_after(instant_s - 1, interval_s)


def count_due(from_s: int, to_s: int, interval_s: int) -> int:
    """How many due instants t lie in from_s <= t < to_s."""
    return max(0, (to_s - 1) // interval_s - (from_s - 1) // interval_s)


def range_between(from_s: int, to_s: int, interval_s: int) -> TickRange | None:
    """The due instants t with from_s <= t < to_s, or None when there are none."""
    first, last = due_at_or_after(from_s, interval_s), due_at_or_before(to_s - 1, interval_s)
    return TickRange(start_at=first, last_due_at=last, interval_s=interval_s) if first <= last else None


def without(ticks: TickRange, answered: Iterable[tuple[int, int]]) -> list[TickRange]:
    """What is left of a range without some spans of instants, each given by its first and last second."""
    left, start = [], ticks.start_at
    for first, last in [*sorted(answered), (ticks.last_due_at + 1, ticks.last_due_at + 1)]:
        part = range_between(start, min(first, ticks.last_due_at + 1), ticks.interval_s)
        left += [part] if part else []
        start = max(start, last + 1)
    return left


def unexplained(schedule: Sequence[ScheduleEntry], *, after: int | None, before: int) -> list[TickRange]:
    """Every due instant t with after < t < before, split where the schedule changes.

    `after` is the newest instant that already has an answer (None: there is none yet).
    """
    floor = -1 if after is None else after
    found = []
    for entry, end in _periods(schedule):
        if entry.interval_s is not None:
            ticks = range_between(
                max(entry.from_at, floor + 1), min(end, before) if end is not None else before, entry.interval_s
            )
            found += [ticks] if ticks else []
    return found


def _periods(schedule: Sequence[ScheduleEntry]) -> Iterator[tuple[ScheduleEntry, int | None]]:
    yield from ((entry, following.from_at) for entry, following in pairwise(schedule))
    if schedule:
        yield schedule[-1], None


def deadline_ms(due_at: int, interval_s: int, offset_ms: int) -> int:
    """Last moment (epoch ms) to try a tick: a minute, or an interval, after its start in the window."""
    return due_at * 1000 + offset_ms + min(TRY_FOR_S, interval_s) * 1000


def instants(ranges: Iterable[TickRange]) -> Iterator[int]:
    """Each due instant of the ranges."""
    for r in ranges:
        yield from range(r.start_at, r.last_due_at + 1, r.interval_s)
