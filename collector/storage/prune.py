"""Thinning a history: snapshots go by whole ranges, and what went is recorded in the same transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from collector.domain.records import Account
from collector.domain.thinning import Rule, Thinning, thinned_ranges, together
from collector.domain.ticks import TickRange
from collector.errors import DatabaseError
from collector.storage.accounts import schedule_of
from collector.storage.engine import inspecting, open_engine
from collector.storage.failures import database_errors
from collector.storage.plain import plain_rows
from collector.storage.reader import Reader
from collector.storage.schema import balance, thinned, tick

TICKS_AT_ONCE = 250
"""In one transaction: some 10,000 balances and 50 ms, which a daemon can wait for."""

Show = Callable[[str, float], None]
"""Called now and then with what is being done, and how much of it is done (0 to 1)."""


def plan(connection: Connection, one: Account, rules: Sequence[Rule]) -> Thinning:
    """What the rules take away. It changes nothing."""
    found = Thinning(account=one, snapshots=_count(connection, _prunable(one)))
    for ticks in _ranges(connection, one, rules):
        rows = select(func.sum(tick.c.asset_count)).where(_prunable(one, ticks))
        found = replace(
            found,
            ticks=found.ticks + ticks.ticks,
            balances=found.balances + int(connection.execute(rows).scalar_one()),
            first=ticks.start_at if found.first is None else found.first,
            last=ticks.last_due_at,
        )
    return found


def prune(
    url: str, planned: Thinning, rules: Sequence[Rule], *, show: Show, pause: Callable[[float], None] = time.sleep
) -> None:
    """Take it away, in many small transactions beside a running daemon.

    Interrupted, it leaves a ledger that is right, and the next run goes on. Raises DatabaseError.
    """
    one, gone = planned.account, 0
    with inspecting(url) as source, _writing(url) as target:
        borders = [entry.from_at for entry in schedule_of(Reader.over(source), one.id)]
        for ranges in _batches(_ranges(source, one, rules)):
            began = time.monotonic()
            with target.begin():
                for ticks in ranges:
                    _take_away(target, one, ticks)
                    _note(target, one, ticks, borders)
            gone += sum(ticks.ticks for ticks in ranges)
            show(f"thinning account {one.name}", gone / max(1, planned.ticks))
            # Whoever wants to write waits by asking again and again: leave as much time as was taken.
            pause(max(0.02, time.monotonic() - began))


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    engine = open_engine(url, "writer")
    try:
        with database_errors(url), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _prunable(one: Account, ticks: TickRange | None = None) -> ColumnElement[bool]:
    """The snapshots of the grid: manual ones have no place in the ledger, so nothing could say that they went."""
    of_account = and_(tick.c.account_id == one.id, tick.c.outcome == "stored", tick.c.interval_s.is_not(None))
    return of_account if ticks is None else and_(of_account, tick.c.due_at.between(ticks.start_at, ticks.last_due_at))


def _ranges(connection: Connection, one: Account, rules: Sequence[Rule]) -> Iterator[TickRange]:
    newest = select(tick.c.due_at).where(_prunable(one)).order_by(tick.c.due_at.desc()).limit(1)
    borders = [entry.from_at for entry in schedule_of(Reader.over(connection), one.id)]
    return thinned_ranges(
        plain_rows(connection, tick, ("due_at", "interval_s"), _prunable(one)),
        rules,
        newest=connection.execute(newest).scalar() or 0,
        borders=borders,
        at_most=TICKS_AT_ONCE,
    )


def _batches(ranges: Iterator[TickRange]) -> Iterator[list[TickRange]]:
    batch: list[TickRange] = []
    for ticks in ranges:
        batch.append(ticks)
        if sum(each.ticks for each in batch) >= TICKS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _take_away(connection: Connection, one: Account, ticks: TickRange) -> None:
    gone = select(tick.c.due_at).where(_prunable(one, ticks))
    connection.execute(delete(balance).where(balance.c.account_id == one.id, balance.c.due_at.in_(gone)))
    if connection.execute(delete(tick).where(_prunable(one, ticks))).rowcount != ticks.ticks:
        raise DatabaseError(
            f"the snapshots of account {one.name!r} changed while they were thinned, by another prune perhaps: "
            "the last step was undone, run it again"
        )


def _note(connection: Connection, one: Account, ticks: TickRange, borders: Sequence[int]) -> None:
    """Record the range; it becomes one with those of which it is the continuation or the beginning."""
    of_account = thinned.c.account_id == one.id
    before = select(thinned).where(of_account, thinned.c.start_at < ticks.start_at)
    after = select(thinned).where(of_account, thinned.c.start_at > ticks.start_at)
    nearest = (before.order_by(thinned.c.start_at.desc()), after.order_by(thinned.c.start_at))
    whole = ticks
    for row in [row for query in nearest for row in connection.execute(query.limit(1))]:
        other = TickRange(start_at=row.start_at, last_due_at=row.last_due_at, interval_s=row.interval_s)
        joined = together(other, whole, borders) or together(whole, other, borders)
        if joined is not None:
            connection.execute(delete(thinned).where(of_account, thinned.c.start_at == row.start_at))
            whole = joined
    ends = {"start_at": whole.start_at, "last_due_at": whole.last_due_at, "interval_s": whole.interval_s}
    connection.execute(insert(thinned).values(account_id=one.id, ticks=whole.ticks, **ends))


def _count(connection: Connection, where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(tick).where(where)).scalar_one()


def vacuum(url: str) -> None:
    """Give the free pages of an SQLite file back to the disk; nobody can write meanwhile. Raises DatabaseError."""
    with _writing(url) as connection:
        # By the driver itself: it can't run inside of a transaction.
        connection.connection.cursor().execute("VACUUM")
