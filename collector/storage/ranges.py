"""Ranges of missed ticks: each instant keeps one answer, whatever comes twice, late or under a clock set back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, Table, bindparam, delete, insert, select, update

from collector.domain.ticks import MissReason, TickRange, without
from collector.storage.schema import missed, thinned, tick


def _newest_in(ranges: Table) -> Select[Any]:
    begun = select(ranges).where(ranges.c.account_id == bindparam("of"), ranges.c.start_at <= bindparam("at"))
    return begun.order_by(ranges.c.start_at.desc()).limit(1)


# Every tick asks; putting the statement together would cost more than running it.
NEWEST = {ranges.name: _newest_in(ranges) for ranges in (missed, thinned)}


def write_missed(connection: Connection, account_id: int, ticks: TickRange, reason: MissReason) -> None:
    """Insert a range of missed ticks without those that have an answer; it extends the range of which it is more."""
    for left in without(ticks, _answered(connection, account_id, ticks)):
        _append(connection, account_id, left, str(reason))


def make_room(connection: Connection, account_id: int, due_at: int) -> None:
    """Take one instant out of the range that holds it: a request left for it after all."""
    row = _newest(connection, account_id, due_at)
    if row is not None and _range(row).holds(due_at):
        _cut_out(connection, row, due_at, due_at)


def forget_missed(connection: Connection, account_id: int, from_s: int) -> None:
    """Let no instant from this one on be missed: it is still to come."""
    of_future = (missed.c.account_id == account_id, missed.c.last_due_at >= from_s)
    for row in connection.execute(select(missed).where(*of_future)).all():
        _cut_out(connection, row, from_s, row.last_due_at)


def _cut_out(connection: Connection, row: Row[Any], first: int, last: int) -> None:
    connection.execute(delete(missed).where(missed.c.account_id == row.account_id, missed.c.start_at == row.start_at))
    for left in without(_range(row), [(first, last)]):
        _insert(connection, row.account_id, left, row.reason)


def _append(connection: Connection, account_id: int, ticks: TickRange, reason: str) -> None:
    last = _newest(connection, account_id, ticks.start_at)
    same_loss = last is not None and last.reason == reason and last.interval_s == ticks.interval_s
    if last is not None and same_loss and last.last_due_at + ticks.interval_s == ticks.start_at:
        longer = {"last_due_at": ticks.last_due_at, "ticks": last.ticks + ticks.ticks}
        of_range = (missed.c.account_id == account_id, missed.c.start_at == last.start_at)
        connection.execute(update(missed).where(*of_range).values(longer))
    else:
        _insert(connection, account_id, ticks, reason)


def _insert(connection: Connection, account_id: int, ticks: TickRange, reason: str) -> None:
    row = {"start_at": ticks.start_at, "last_due_at": ticks.last_due_at, "interval_s": ticks.interval_s}
    connection.execute(insert(missed).values(account_id=account_id, reason=reason, ticks=ticks.ticks, **row))


def _newest(connection: Connection, account_id: int, instant_s: int, ranges: Table = missed) -> Row[Any] | None:
    """The newest range that begins at this instant or before; ranges never overlap, so no other can reach it."""
    return connection.execute(NEWEST[ranges.name], {"of": account_id, "at": instant_s}).first()


def _answered(connection: Connection, account_id: int, ticks: TickRange) -> list[tuple[int, int]]:
    """First and last instant of every answer that may lie in the range or reach into it."""
    of_tick = (tick.c.account_id == account_id, tick.c.due_at.between(ticks.start_at, ticks.last_due_at))
    rows = connection.execute(select(tick.c.due_at).where(*of_tick, tick.c.interval_s.is_not(None)))
    found = [(row.due_at, row.due_at) for row in rows]
    for ranges in (missed, thinned):
        before = _newest(connection, account_id, ticks.start_at, ranges)
        begun = ranges.c.start_at.between(ticks.start_at if before is None else before.start_at, ticks.last_due_at)
        of_range = select(ranges.c.start_at, ranges.c.last_due_at).where(ranges.c.account_id == account_id, begun)
        found += [(row.start_at, row.last_due_at) for row in connection.execute(of_range)]
    return found


def _range(row: Row[Any]) -> TickRange:
    return TickRange(start_at=row.start_at, last_due_at=row.last_due_at, interval_s=row.interval_s)
