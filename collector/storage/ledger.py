"""What the ledger says of time: gaps, coverage, and how the collection of each account stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, column, select, table, true

from collector.domain.offsets import is_future
from collector.domain.records import Account, AccountStatus, Coverage, Failure, Gap
from collector.domain.ticks import FailReason
from collector.storage import schema
from collector.storage.accounts import every_account, newest_answer, schedule_of
from collector.storage.columns import Seconds, is_postgresql
from collector.storage.history import as_of, latest
from collector.storage.rows import gap_from, stored, streamed

tick = schema.tick

_GAP = ("account", "account_id", "start_epoch", "last_due_epoch", "ticks", "failed", "missed", "reasons", "open")
_COVERAGE = ("account", "account_id", "due", "stored", "thinned", "failed", "missed")
GAP = table("gap", *map(column, _GAP), column("start_at", Seconds()))
COVERAGE = table("coverage", *map(column, _COVERAGE))
_GAPS = select(*(GAP.c[name] for name in _GAP))


def gaps(
    connection: Connection, account: Account | None = None, *, from_s: int | None = None, to_s: int | None = None
) -> list[Gap]:
    """Gaps that touch from_s <= t < to_s, oldest first, with the open one by the database's clock."""
    return list(each_gap(connection, account, from_s=from_s, to_s=to_s))


def each_gap(
    connection: Connection, account: Account | None = None, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[Gap]:
    """The same, one by one and in constant memory."""
    wanted = _GAPS.order_by(GAP.c.account_id, GAP.c.start_epoch)
    wanted = wanted if account is None else wanted.where(GAP.c.account_id == account.id)
    wanted = wanted if to_s is None else wanted.where(_start(connection) < to_s)
    if account is not None and from_s is not None:
        wanted = wanted.where(_start(connection) > _newest_kept(connection, account, from_s))
    found = map(gap_from, streamed(connection, wanted))
    # Not in the query: there the view would work out the end of each gap twice.
    return found if from_s is None else (gap for gap in found if gap.last_due_at >= from_s)


def open_gap(connection: Connection, account: Account) -> Gap | None:
    """The gap at the end, if the newest tick that was due has no snapshot."""
    still_open = GAP.c.open if is_postgresql(connection.dialect) else GAP.c.open == 1
    at_the_end = _start(connection) > _newest_kept(connection, account)
    row = connection.execute(_GAPS.where(GAP.c.account_id == account.id, still_open, at_the_end)).first()
    return None if row is None else gap_from(row)


def _start(connection: Connection) -> ColumnElement[Any]:
    """The start of a gap as the engine finds it by key; the other spelling it has to work out for each gap."""
    return GAP.c.start_at if is_postgresql(connection.dialect) else GAP.c.start_epoch


def _newest_kept(connection: Connection, account: Account, before_s: int | None = None) -> int:
    """The newest snapshot of the grid, and no gap spans one: what touches a later instant begins after it."""
    kept = (*stored(account), tick.c.interval_s.is_not(None), true() if before_s is None else tick.c.due_at < before_s)
    return connection.execute(select(tick.c.due_at).where(*kept).order_by(tick.c.due_at.desc()).limit(1)).scalar() or 0


def coverage(connection: Connection, account: Account | None = None) -> list[Coverage]:
    """How all ticks that were due came out, one row an account."""
    wanted = select(COVERAGE).order_by(COVERAGE.c.account_id)
    wanted = wanted if account is None else wanted.where(COVERAGE.c.account_id == account.id)
    names = ("account", "due", "stored", "thinned", "failed", "missed")
    return [Coverage(**{name: getattr(row, name) for name in names}) for row in connection.execute(wanted)]


def statuses(connection: Connection, *, now_ms: int) -> list[AccountStatus]:
    """How the collection of each account stands."""
    return [_status(connection, account, now_ms) for account in every_account(connection)]


def _status(connection: Connection, account: Account, now_ms: int) -> AccountStatus:
    entries, newest = schedule_of(connection, account.id), latest(connection, account)
    if newest is not None and is_future(newest.due_at, now_ms):
        newest = as_of(connection, account, now_ms // 1000)
    return AccountStatus(
        account=account,
        interval_s=entries[-1].interval_s if entries else None,
        newest_snapshot=newest,
        newest_failure=_newest_failure(connection, account),
        open_gap=open_gap(connection, account),
        coverage=coverage(connection, account)[0],
        newest_answer_at=newest_answer(connection, account.id),
    )


def _newest_failure(connection: Connection, account: Account) -> Failure | None:
    failed = (tick.c.account_id == account.id, schema.NOT_STORED)
    row = connection.execute(select(tick).where(*failed).order_by(tick.c.due_at.desc()).limit(1)).first()
    if row is None:
        return None
    return Failure(
        due_at=row.due_at, reason=FailReason(row.reason), http_status=row.http_status, code=row.code, detail=row.detail
    )
