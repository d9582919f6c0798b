"""Ticks with their balances from one database to another, in transactions of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select

from collector.domain.records import Account
from collector.errors import DatabaseError
from collector.storage.bulk import insert_plain
from collector.storage.months import TICK_COLUMNS, Month, Show
from collector.storage.plain import first_and_last, plain_rows, with_balances
from collector.storage.rows import BALANCE_COLUMNS
from collector.storage.schema import balance, thinned, tick
from collector.storage.target import Target
from collector.storage.urls import describe

ROWS_AT_ONCE = 20_000

Snapshot = tuple[tuple[Any, ...], list[tuple[Any, ...]]]
"""A row of tick without its account, due_at first, and its balances."""


def append(source: Connection, one: Account, target: Target, there: int, show: Show) -> None:
    """Copy every tick that is newer than the newest one in the target, whose account has the id `there`."""
    span = first_and_last(source, one.id)
    if span is None:
        return
    with target.transaction() as connection:
        newest = connection.execute(select(func.max(tick.c.due_at)).where(tick.c.account_id == there)).scalar()
    for batch in _batches(source, one, None if newest is None else newest + 1, None):
        with target.transaction() as connection:
            _write(connection, there, batch)
        share = (batch[-1][0][0] - span[0]) / (span[1] - span[0] + 1)
        show(f"copying account {one.name}", share)


def copy_again(source: Connection, one: Account, target: Target, there: int, month: Month) -> None:
    """Replace a month of the target's account by that of the source, part by part."""
    start = month.from_s
    for batch in _batches(source, one, month.from_s, month.to_s):
        end = batch[-1][0][0] + 1
        _replace(target, there, start, end, batch)
        start = end
    _replace(target, there, start, month.to_s, [])


def _replace(target: Target, there: int, from_s: int, to_s: int, batch: list[Snapshot]) -> None:
    with target.transaction() as connection:
        for table in (balance, tick):
            part = (table.c.account_id == there, table.c.due_at >= from_s, table.c.due_at < to_s)
            connection.execute(delete(table).where(*part))
        _write(connection, there, batch)


def _batches(source: Connection, one: Account, from_s: int | None, to_s: int | None) -> Iterator[list[Snapshot]]:
    batch: list[Snapshot] = []
    rows = 0
    for due_at, row, held in with_balances(source, one.id, TICK_COLUMNS, from_s=from_s, to_s=to_s):
        if row is None:
            raise DatabaseError(
                f"account {one.name!r} has balances without a tick at {due_at}: run 'collector db verify' on the source"
            )
        batch.append((row, held))
        rows += 1 + len(held)
        if rows >= ROWS_AT_ONCE:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _write(connection: Connection, there: int, batch: list[Snapshot]) -> None:
    insert_plain(connection, tick, ("account_id", *TICK_COLUMNS), [(there, *row) for row, _ in batch])
    balances = [(there, row[0], *one) for row, held in batch for one in held]
    insert_plain(connection, balance, ("account_id", "due_at", *BALANCE_COLUMNS), balances)


def refuse_other_history(source: Connection, one: Account, target: Target, there: int, month: Month) -> None:
    """Raise DatabaseError when the target holds a tick in this month that can't have come from the source.

    A failed tick may have become stored since, and a stored one may have been thinned; anything else is a history of
    its own, which no copy may write over.
    """
    columns = ("due_at", "outcome", "recorded_at")
    part = (tick.c.due_at >= month.from_s, tick.c.due_at < month.to_s)
    ours = plain_rows(source, tick, columns, tick.c.account_id == one.id, *part)
    mine = next(ours, None)
    with target.transaction() as connection:
        for due_at, outcome, recorded_at in plain_rows(connection, tick, columns, tick.c.account_id == there, *part):
            while mine is not None and mine[0] < due_at:
                mine = next(ours, None)
            if mine is None or mine[0] != due_at:
                kept = _was_thinned(source, one, due_at)
            else:
                kept = outcome == "failed" or mine[1:] == (outcome, recorded_at)
            if not kept:
                raise DatabaseError(
                    f"account {one.name!r} in {describe(target.url)} has a tick at {due_at} (epoch seconds) that the "
                    "source has not: it has a history of its own, and nothing is copied over it"
                )


def _was_thinned(source: Connection, one: Account, due_at: int) -> bool:
    of_range = (thinned.c.account_id == one.id, thinned.c.start_at <= due_at, thinned.c.last_due_at >= due_at)
    return bool(source.execute(select(exists().where(*of_range))).scalar())
