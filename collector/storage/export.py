"""Every snapshot of a range as plain text, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, or_, select

from collector.domain.records import Account
from collector.storage import schema
from collector.storage.columns import is_postgresql
from collector.storage.plain import plain
from collector.storage.rows import stored, streamed
from collector.storage.stacked import stacked, unstacked

tick, balance = schema.tick, schema.balance

AMOUNTS = ("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation")
AT_ONCE = 200
"""How many snapshots are fetched at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSnapshot:
    """A snapshot with what it holds: asset, amounts and valuation as text, assets in code-point order."""

    due_at: int
    received_at_ms: int
    balances: Sequence[tuple[str | None, ...]]


def plain_snapshots(
    connection: Connection, account: Account, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[PlainSnapshot]:
    """Every snapshot of an account, from_s <= due_at < to_s (epoch seconds), oldest first."""
    dialect = connection.dialect
    wanted = (
        select(plain(tick.c.due_at, dialect), plain(tick.c.received_at, dialect), stacked(dialect))
        .where(*stored(account), *_between(tick.c.due_at, from_s, to_s))
        .order_by(tick.c.due_at)
    )
    rows: Iterator[Any] = streamed(connection, wanted, at_once=AT_ONCE)
    for due_at, received_at_ms, columns in rows:
        yield PlainSnapshot(due_at=due_at, received_at_ms=received_at_ms, balances=_balances(columns))


def _balances(columns: str | None) -> list[tuple[str | None, ...]]:
    if columns is None:
        return []
    *cells, values = unstacked(columns)
    valued = [value or None for value in values] if "" in values else values
    return sorted(zip(*cells, valued, strict=True))


def first_and_last_snapshot(
    connection: Connection, account: Account, *, from_s: int | None = None, to_s: int | None = None
) -> tuple[int, int] | None:
    """due_at of the oldest and the newest snapshot of a range, by two key seeks; None when there is none."""
    within = [*stored(account), *_between(tick.c.due_at, from_s, to_s)]
    ends = (tick.c.due_at, tick.c.due_at.desc())
    first, last = (
        connection.execute(select(tick.c.due_at).where(*within).order_by(end).limit(1)).scalar() for end in ends
    )
    return None if first is None or last is None else (first, last)


def too_long(
    connection: Connection,
    accounts: Sequence[Account],
    *,
    whole: int,
    after: int,
    from_s: int | None = None,
    to_s: int | None = None,
) -> list[str]:
    """The columns with amounts of more than `whole` digits before the point, or more than `after` behind it."""
    wanted = select(*(func.max(_longer(connection, balance.c[name], whole, after)) for name in AMOUNTS)).where(
        balance.c.account_id.in_([account.id for account in accounts]), *_between(balance.c.due_at, from_s, to_s)
    )
    return [name for name, found in zip(AMOUNTS, connection.execute(wanted).one(), strict=True) if found]


def _longer(connection: Connection, amount: ColumnElement[Any], whole: int, after: int) -> ColumnElement[int]:
    written = cast(amount, Text)
    find = func.strpos if is_postgresql(connection.dialect) else func.instr
    point, length = find(written, "."), func.length(written)
    no_point = (point == 0) & (length > whole)
    return case((or_(no_point, point - 1 > whole, (point > 0) & (length - point > after)), 1), else_=0)


def _between(column: ColumnElement[Any], from_s: int | None, to_s: int | None) -> list[ColumnElement[bool]]:
    conditions = [] if from_s is None else [column >= from_s]
    return conditions if to_s is None else [*conditions, column < to_s]
