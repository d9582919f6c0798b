"""What the ledger says of an account, judged: its state, its coverage, and whether it is behind."""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.offsets import is_future
from collector.domain.records import AccountStatus, Coverage
from collector.domain.ticks import MissReason
from collector.reports.bases import STALE_AFTER
from collector.reports.instants import duration, rfc3339


def behind(statuses: Sequence[AccountStatus], *, now_ms: int) -> str | None:
    """A sentence on the accounts whose newest snapshot is older than two intervals; None when there is none."""
    late = [s for s in statuses if _is_behind(s, now_ms)]
    if not late:
        return None
    if len(late) > 1:
        names = ", ".join(s.account.name for s in late)
        return f"{len(late)} of {len(statuses)} accounts have no snapshot of the last {STALE_AFTER} intervals: {names}"
    account, interval_s = late[0].account, late[0].interval_s or 0
    return f"account {account.name!r} {_lateness(late[0], now_ms)}: a snapshot is due every {duration(interval_s)}"


def ahead(statuses: Sequence[AccountStatus], *, now_ms: int) -> tuple[str, ...]:
    """A sentence on the accounts whose ledger reaches further than the local clock."""
    found = [(s.newest_answer_at, s.account.name) for s in statuses if is_future(s.newest_answer_at, now_ms)]
    if not found:
        return ()
    names = ", ".join(name for _, name in found)
    until = rfc3339(max(at for at, _ in found if at))
    return (f"the ledger of {names} has answers of the future, until {until}: the local clock is behind, or ran ahead",)


def nothing_collected(statuses: Sequence[AccountStatus]) -> bool:
    """True when no account has a snapshot, nor ever had a tick that was due."""
    return not any(s.newest_snapshot or s.coverage.due for s in statuses)


def state(status: AccountStatus) -> str:
    """`collected`, `paused`, `stopped`, `removed`, or `unscheduled` when it only ever had manual snapshots."""
    if status.interval_s is None:
        return "removed" if status.coverage.due else "unscheduled"
    if status.account.stopped_at_ms is not None:
        return "stopped"
    # Whoever paused an account knows; that the daemon died meanwhile shows as a second reason.
    paused = status.open_gap is not None and status.open_gap.reasons == (MissReason.PAUSED,)
    return "paused" if paused else "collected"


def percent(coverage: Coverage) -> str | None:
    """The share of due ticks that have their snapshot, cut to two digits: 100 only when nothing is missing."""
    if not coverage.due:
        return None
    whole, rest = divmod((coverage.due - coverage.failed - coverage.missed) * 10_000 // coverage.due, 100)
    return "100" if whole == 100 else f"{whole}.{rest:02}"


def newest_offset_ms(statuses: Sequence[AccountStatus]) -> int | None:
    """How far the clock is off by the newest snapshot of all."""
    found = [s.newest_snapshot for s in statuses if s.newest_snapshot]
    return max(found, key=lambda s: s.received_at_ms).clock_offset_ms if found else None


def _is_behind(status: AccountStatus, now_ms: int) -> bool:
    if status.interval_s is None or state(status) == "paused":
        return False
    newest = status.newest_snapshot
    if newest is None:
        return status.coverage.due > 0
    return now_ms - newest.received_at_ms > STALE_AFTER * status.interval_s * 1000


def _lateness(status: AccountStatus, now_ms: int) -> str:
    newest = status.newest_snapshot
    if newest is None:
        return "has no snapshot yet"
    return f"has no newer snapshot than that of {duration((now_ms - newest.received_at_ms) // 1000)} ago"
