"""Reading snapshots back: rows to the same values that were stored."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Select, bindparam, select

from collector.domain.balances import Balance
from collector.domain.records import Account, StoredSnapshot
from collector.domain.renames import NO_RENAMES, Renames
from collector.storage import schema
from collector.storage.rows import fetched, held, held_columns, snapshot_from, stored

tick, balance, known_asset = schema.tick, schema.balance, schema.known_asset


def latest(connection: Connection, account: Account, *, renames: Renames = NO_RENAMES) -> StoredSnapshot | None:
    """The newest snapshot, whole; None when there is none."""
    return _newest(connection, account, select(tick).where(*stored(account)), renames)


def as_of(
    connection: Connection,
    account: Account,
    instant_s: int,
    *,
    known_at_ms: int | None = None,
    renames: Renames = NO_RENAMES,
) -> StoredSnapshot | None:
    """The newest snapshot with due_at <= instant_s, whole; None when there is none.

    With `known_at_ms` snapshots that were recorded later do not count: it is what could be known then.
    """
    wanted = select(tick).where(*stored(account, known_at_ms=known_at_ms), tick.c.due_at <= instant_s)
    return _newest(connection, account, wanted, renames)


def balances_at(
    connection: Connection, account: Account, due_at: int, *, renames: Renames = NO_RENAMES
) -> tuple[Balance, ...]:
    """The rows of one snapshot in code-point order of their assets."""
    rows = fetched(connection, _balances(connection.dialect), {"account": account.id, "at": due_at})
    return renames.applied([held(row) for row in rows], due_at)


@lru_cache(maxsize=4)
def _balances(dialect: Dialect) -> Select[Any]:
    """Put together once: that takes as long as the question."""
    of_tick = (balance.c.account_id == bindparam("account"), balance.c.due_at == bindparam("at"))
    return select(*held_columns(dialect)).where(*of_tick).order_by(balance.c.asset)


def known_assets(connection: Connection, account: Account, *, renames: Renames = NO_RENAMES) -> list[str]:
    """Every asset that the account was ever seen to hold, in code-point order."""
    days = [entry.on_s for entry in renames.entries]
    found: set[str] = set()
    for name, first in _first_dues(connection, account).items():
        found |= {renames.shown(name, at) for at in (first, *(day for day in days if day > first))}
    return sorted(found)


def first_due(connection: Connection, account: Account, asset: str, *, renames: Renames = NO_RENAMES) -> int | None:
    """From when on the asset may have been held: due_at of the first snapshot that names it; None: never."""
    first_dues = _first_dues(connection, account)
    found = [
        max(first_dues[name], named.from_s or 0)
        for named in renames.stored(asset)
        for name in named.names
        if name in first_dues and (named.to_s is None or first_dues[name] < named.to_s)
    ]
    return min(found, default=None)


def _first_dues(connection: Connection, account: Account) -> dict[str, int]:
    rows = connection.execute(
        select(known_asset.c.asset, known_asset.c.first_due_at).where(known_asset.c.account_id == account.id)
    )
    return {row.asset: row.first_due_at for row in rows}


def _newest(connection: Connection, account: Account, wanted: Select[Any], renames: Renames) -> StoredSnapshot | None:
    row = connection.execute(wanted.order_by(tick.c.due_at.desc()).limit(1)).first()
    if row is None:
        return None
    return snapshot_from(account, row, balances_at(connection, account, row.due_at, renames=renames))
