"""How the ticks of periods came out, read by key seeks and never by walking over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, select, text

from collector.domain.coverage import Ledger, PeriodCoverage, cover, due_before, open_ticks
from collector.domain.periods import Period
from collector.domain.records import Account, Gap
from collector.domain.ticks import TickRange
from collector.storage import schema
from collector.storage.accounts import newest_answer, schedule_of
from collector.storage.asked import asked_periods, batches
from collector.storage.columns import is_postgresql
from collector.storage.ledger import gaps

tick, missed, thinned = schema.tick, schema.missed, schema.thinned


def database_now(connection: Connection) -> int:
    """The database's clock, in epoch seconds: by it the views say what is missing."""
    postgresql = is_postgresql(connection.dialect)
    now = "CAST(floor(extract(epoch FROM now())) AS bigint)" if postgresql else "CAST(strftime('%s', 'now') AS INTEGER)"
    return int(connection.execute(text(f"SELECT {now}")).scalar_one())


def due_span(connection: Connection, account: Account, *, now_s: int) -> tuple[int, int] | None:
    """From when (inclusive) until when (exclusive) the account was due, in epoch seconds; None: never."""
    entries = schedule_of(connection, account.id)
    if not entries:
        return None
    return entries[0].from_at, now_s + 1 if entries[-1].interval_s is not None else entries[-1].from_at


def period_coverage(
    connection: Connection,
    account: Account,
    periods: Sequence[Period],
    *,
    now_s: int,
    known_gaps: Sequence[Gap] | None = None,
) -> list[PeriodCoverage]:
    """How the ticks of each period, which follow each other, came out; ticks after now_s are not due yet.

    `known_gaps` are all that touch these periods, from whoever has read them.
    """
    if not periods:
        return []
    first, last = periods[0].start_s, periods[-1].end_s
    entries, newest = schedule_of(connection, account.id), newest_answer(connection, account.id)
    end_s = due_before(entries, newest, now_s)
    lost = [(_range(row), row.reason) for row in _ranges(connection, account, missed, first, last)]
    ledger = Ledger(
        account=account.name,
        schedule=entries,
        end_s=end_s,
        missed=[*lost, *open_ticks(entries, newest, end_s)],
        thinned=[_range(row) for row in _ranges(connection, account, thinned, first, last)],
        failed=_failed(connection, account, periods),
        gaps=gaps(connection, account, from_s=first, to_s=last) if known_gaps is None else known_gaps,
    )
    return cover(ledger, periods)


def thinned_ranges(connection: Connection, account: Account, from_s: int, to_s: int) -> list[TickRange]:
    """Ranges of snapshots that were pruned, of which any tick lies in from_s <= t < to_s."""
    return [_range(row) for row in _ranges(connection, account, thinned, from_s, to_s)]


def _failed(connection: Connection, account: Account, periods: Sequence[Period]) -> dict[int, Mapping[str, int]]:
    """Failed ticks of each period by reason, all of it from the partial index."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for some in batches(periods):
        spans = asked_periods(connection.dialect, some)
        within = and_(tick.c.due_at >= spans.c.start_at, tick.c.due_at < spans.c.end_at)
        wanted = (
            select(spans.c.start_at, tick.c.reason, func.count().label("ticks"))
            .select_from(spans.join(tick, and_(tick.c.account_id == account.id, schema.NOT_STORED, within)))
            .group_by(spans.c.start_at, tick.c.reason)
        )
        for start_s, reason, ticks in connection.execute(wanted):
            found[start_s][reason] = ticks
    return dict(found)


def _ranges(connection: Connection, account: Account, ranges: Table, from_s: int, to_s: int) -> Sequence[Row[Any]]:
    of_time: tuple[ColumnElement[bool], ...] = (ranges.c.last_due_at >= from_s, ranges.c.start_at < to_s)
    wanted = select(ranges).where(ranges.c.account_id == account.id, *of_time).order_by(ranges.c.start_at)
    return connection.execute(wanted).all()


def _range(row: Row[Any]) -> TickRange:
    return TickRange(start_at=row.start_at, last_due_at=row.last_due_at, interval_s=row.interval_s)
