"""Reading the past back: rows to the same values that were stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, column, select, table, true

from collector.domain.balances import Balance
from collector.domain.records import Account, AccountStatus, AssetPoint, Coverage, Failure, Gap, StoredSnapshot
from collector.domain.ticks import FailReason
from collector.storage import schema
from collector.storage.accounts import every_account, schedule_of
from collector.storage.columns import is_postgresql

tick, balance, known_asset = schema.tick, schema.balance, schema.known_asset

GAP = table(
    "gap",
    *(
        column(c)
        for c in (
            "account",
            "account_id",
            "start_epoch",
            "last_due_epoch",
            "ticks",
            "failed",
            "missed",
            "reasons",
            "open",
        )
    ),
)
COVERAGE = table(
    "coverage", *(column(c) for c in ("account", "account_id", "due", "stored", "thinned", "failed", "missed"))
)


def latest(connection: Connection, account: Account) -> StoredSnapshot | None:
    """The newest snapshot, whole; None when there is none."""
    return _newest(connection, account, select(tick).where(*_stored(account)))


def as_of(connection: Connection, account: Account, instant_s: int) -> StoredSnapshot | None:
    """The newest snapshot with due_at <= instant_s, whole; None when there is none."""
    return _newest(connection, account, select(tick).where(*_stored(account), tick.c.due_at <= instant_s))


def balances_at(connection: Connection, account: Account, due_at: int) -> tuple[Balance, ...]:
    """The rows of one snapshot in code-point order of their assets."""
    of_tick = (balance.c.account_id == account.id, balance.c.due_at == due_at)
    return tuple(_balance(row) for row in connection.execute(select(balance).where(*of_tick).order_by(balance.c.asset)))


def known_assets(connection: Connection, account: Account) -> list[str]:
    """Every asset that the account was ever seen to hold."""
    of_account = known_asset.c.account_id == account.id
    return list(
        connection.execute(select(known_asset.c.asset).where(of_account).order_by(known_asset.c.asset)).scalars()
    )


def asset_points(
    connection: Connection, account: Account, asset: str, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[AssetPoint]:
    """One asset at each stored tick, from_s <= due_at < to_s, since it first appeared; with zeros, oldest first."""
    first = connection.execute(
        select(known_asset.c.first_due_at).where(known_asset.c.account_id == account.id, known_asset.c.asset == asset)
    ).scalar()
    if first is None:
        return
    rows = and_(balance.c.account_id == tick.c.account_id, balance.c.due_at == tick.c.due_at, balance.c.asset == asset)
    wanted = (
        select(tick.c.due_at.label("tick_due_at"), tick.c.received_at, tick.c.btc_requested, balance)
        .select_from(tick.outerjoin(balance, rows))
        .where(
            *_stored(account),
            tick.c.due_at >= max(first, from_s or first),
            tick.c.due_at < to_s if to_s is not None else true(),
        )
        .order_by(tick.c.due_at)
    )
    for row in connection.execute(wanted):
        held = _balance(row) if row.asset is not None else Balance.zero(asset, btc_requested=bool(row.btc_requested))
        yield AssetPoint(due_at=row.tick_due_at, received_at_ms=row.received_at, balance=held)


def gaps(
    connection: Connection, account: Account | None = None, *, from_s: int | None = None, to_s: int | None = None
) -> list[Gap]:
    """Gaps that touch from_s <= t < to_s, oldest first, with the open one by the database's clock."""
    wanted = select(GAP).order_by(GAP.c.account_id, GAP.c.start_epoch)
    wanted = wanted if account is None else wanted.where(GAP.c.account_id == account.id)
    wanted = wanted if from_s is None else wanted.where(GAP.c.last_due_epoch >= from_s)
    wanted = wanted if to_s is None else wanted.where(GAP.c.start_epoch < to_s)
    return [_gap(row) for row in connection.execute(wanted)]


def open_gap(connection: Connection, account: Account) -> Gap | None:
    """The gap at the end, if the newest tick that was due has no snapshot."""
    still_open = GAP.c.open if is_postgresql(connection.dialect) else GAP.c.open == 1
    row = connection.execute(select(GAP).where(GAP.c.account_id == account.id, still_open)).first()
    return None if row is None else _gap(row)


def coverage(connection: Connection, account: Account | None = None) -> list[Coverage]:
    """How all ticks that were due came out, one row an account."""
    wanted = select(COVERAGE).order_by(COVERAGE.c.account_id)
    wanted = wanted if account is None else wanted.where(COVERAGE.c.account_id == account.id)
    names = ("account", "due", "stored", "thinned", "failed", "missed")
    return [Coverage(**{name: getattr(row, name) for name in names}) for row in connection.execute(wanted)]


def statuses(connection: Connection) -> list[AccountStatus]:
    """How the collection of each account stands."""
    return [_status(connection, account) for account in every_account(connection)]


def _status(connection: Connection, account: Account) -> AccountStatus:
    entries = schedule_of(connection, account.id)
    return AccountStatus(
        account=account,
        interval_s=entries[-1].interval_s if entries else None,
        newest_snapshot=latest(connection, account),
        newest_failure=_newest_failure(connection, account),
        open_gap=open_gap(connection, account),
        coverage=coverage(connection, account)[0],
    )


def _newest_failure(connection: Connection, account: Account) -> Failure | None:
    failed = (tick.c.account_id == account.id, schema.NOT_STORED)
    row = connection.execute(select(tick).where(*failed).order_by(tick.c.due_at.desc()).limit(1)).first()
    if row is None:
        return None
    return Failure(
        due_at=row.due_at, reason=FailReason(row.reason), http_status=row.http_status, code=row.code, detail=row.detail
    )


def _stored(account: Account) -> tuple[Any, ...]:
    return (tick.c.account_id == account.id, tick.c.outcome == "stored")


def _newest(connection: Connection, account: Account, wanted: Select[Any]) -> StoredSnapshot | None:
    row = connection.execute(wanted.order_by(tick.c.due_at.desc()).limit(1)).first()
    return None if row is None else _snapshot(account, row, balances_at(connection, account, row.due_at))


def _snapshot(account: Account, row: Row[Any], balances: tuple[Balance, ...]) -> StoredSnapshot:
    return StoredSnapshot(
        account=account,
        due_at=row.due_at,
        interval_s=row.interval_s,
        requested_at_ms=row.requested_at,
        received_at_ms=row.received_at,
        recorded_at_ms=row.recorded_at,
        clock_offset_ms=row.clock_offset_ms,
        unpriced=row.unpriced,
        btc_total=row.btc_total,
        btc_requested=bool(row.btc_requested),
        digest=row.digest,
        extra=json.loads(row.extra) if row.extra else {},
        balances=balances,
    )


def _balance(row: Row[Any]) -> Balance:
    return Balance(
        asset=row.asset,
        free=row.free,
        locked=row.locked,
        frozen=row.frozen,
        withdrawing=row.withdrawing,
        ipoable=row.ipoable,
        btc_valuation=row.btc_valuation,
    )


def _gap(row: Row[Any]) -> Gap:
    return Gap(
        account=row.account,
        start_at=row.start_epoch,
        last_due_at=row.last_due_epoch,
        ticks=row.ticks,
        failed=row.failed,
        missed=row.missed,
        reasons=tuple(sorted(row.reasons.split(","))),
        open=bool(row.open),
    )
