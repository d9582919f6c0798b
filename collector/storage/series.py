"""One asset, or the value of all, over time: at each snapshot, or at the last one of each period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    ScalarSelect,
    Select,
    and_,
    select,
    true,
)

from collector.domain.balances import AMOUNT_FIELDS, Balance, cells, exact
from collector.domain.periods import Period
from collector.domain.portfolio import values_by_asset
from collector.domain.records import Account, AssetClose, AssetPoint, TotalClose, TotalPoint
from collector.domain.renames import NO_RENAMES, Named, Renames, together
from collector.storage import schema
from collector.storage.asked import asked_periods, batches
from collector.storage.history import balances_at, first_due
from collector.storage.plain import plain
from collector.storage.rows import fetched, stored, streamed

tick, balance = schema.tick, schema.balance


def asset_points(
    connection: Connection,
    account: Account,
    asset: str,
    *,
    from_s: int | None = None,
    to_s: int | None = None,
    renames: Renames = NO_RENAMES,
) -> Iterator[AssetPoint]:
    """One asset at each stored tick, from_s <= due_at < to_s, since it first appeared; with zeros, oldest first."""
    first = first_due(connection, account, asset, renames=renames)
    if first is None:
        return
    for named in _cut(renames.stored(asset), max(first, from_s or first), to_s):
        within = _between(named.from_s, named.to_s)
        wanted = _named_rows(connection.dialect, named.names).where(*stored(account), within).order_by(tick.c.due_at)
        yield from _points(asset, streamed(connection, wanted), several=len(named.names) > 1)


def asset_closes(
    connection: Connection, account: Account, asset: str, periods: Iterable[Period], *, renames: Renames = NO_RENAMES
) -> Iterator[AssetClose]:
    """One asset at the last snapshot of each period, zeros included: exact values that were true, no averages.

    One key seek for each period, however many snapshots it has. A period without a snapshot has no point.
    """
    for some in batches(periods):
        found: dict[int, AssetPoint] = {}
        for named in renames.stored(asset):
            rows = fetched(connection, close_query(connection.dialect, account, some, named))
            found |= _points_by_start(asset, rows, several=len(named.names) > 1)
        for period in some:
            yield AssetClose(period=period, point=found.get(period.start_s))


def total_points(
    connection: Connection, account: Account, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[TotalPoint]:
    """The value of the account at each snapshot, from_s <= due_at < to_s, oldest first."""
    wanted = _totals(connection.dialect).where(*stored(account), _between(from_s, to_s)).order_by(tick.c.due_at)
    return map(_total, streamed(connection, wanted))


def total_closes(connection: Connection, account: Account, periods: Iterable[Period]) -> Iterator[TotalClose]:
    """The value of the account at the last snapshot of each period. One key seek for each."""
    for some in batches(periods):
        spans = asked_periods(connection.dialect, some)
        wanted = _totals(connection.dialect).add_columns(plain(spans.c.start_at, connection.dialect))
        rows = fetched(connection, wanted.select_from(_last_ticks(spans, account)))
        found = {row[-1]: _total(row) for row in rows if row[0] is not None}
        for period in some:
            yield TotalClose(period=period, point=found.get(period.start_s))


def value_closes(
    connection: Connection, account: Account, periods: Iterable[Period], *, renames: Renames = NO_RENAMES
) -> Iterator[tuple[Period, Mapping[str, Decimal] | None]]:
    """What each asset was worth in BTC at the last snapshot of each period; None where there is none."""
    for some in batches(periods):
        last_dues = _last_dues(connection, account, some)
        for period in some:
            due_at = last_dues.get(period.start_s)
            held = None if due_at is None else balances_at(connection, account, due_at, renames=renames)
            yield period, None if held is None else values_by_asset(held)


def first_snapshot(connection: Connection, account: Account) -> int | None:
    """due_at of the oldest snapshot."""
    wanted = select(tick.c.due_at).where(*stored(account)).order_by(tick.c.due_at).limit(1)
    return connection.execute(wanted).scalar()


def _last_dues(connection: Connection, account: Account, periods: Sequence[Period]) -> dict[int, int]:
    """The start of each period that has a snapshot, and due_at of its last one."""
    found = connection.execute(last_due_query(connection.dialect, account, periods)).all()
    return {start_s: due_at for start_s, due_at in found if due_at is not None}


def last_due_query(dialect: Dialect, account: Account, periods: Sequence[Period]) -> Select[Any]:
    """The start of each period and due_at of its last snapshot, or NULL, as whole numbers."""
    spans = asked_periods(dialect, periods)
    return select(plain(spans.c.start_at, dialect), _last_due(spans, account, dialect))


def close_query(dialect: Dialect, account: Account, periods: Sequence[Period], named: Named) -> Select[Any]:
    """The last snapshot of each period, if it lies in this time: what it holds under these names; and the start."""
    spans = asked_periods(dialect, periods)
    wanted = _named_rows(dialect, named.names, _last_ticks(spans, account)).add_columns(
        plain(spans.c.start_at, dialect)
    )
    return wanted.where(_between(named.from_s, named.to_s))


def _last_ticks(spans: CTE, account: Account) -> FromClause:
    """The last snapshot of each period, NULL where there is none: an inner join SQLite would begin at the other end."""
    # Both seeks follow each other, so that the second one finds its pages at hand.
    of_account = tick.c.account_id == account.id
    return spans.outerjoin(tick, and_(of_account, tick.c.due_at == _last_due(spans, account)))


def _last_due(spans: CTE, account: Account, dialect: Dialect | None = None) -> ScalarSelect[Any]:
    """due_at of the last snapshot of a period, by one key seek; as a whole number for a dialect."""
    last = tick.alias("last")
    return (
        select(last.c.due_at if dialect is None else plain(last.c.due_at, dialect))
        .where(last.c.account_id == account.id, last.c.outcome == "stored")
        .where(last.c.due_at >= spans.c.start_at, last.c.due_at < spans.c.end_at)
        .order_by(last.c.due_at.desc())
        .limit(1)
        .scalar_subquery()
    )


def _named_rows(dialect: Dialect, names: Sequence[str], ticks: FromClause = tick) -> Select[Any]:
    """Each tick with what it holds under these names, as whole numbers and text."""
    of_tick = and_(balance.c.account_id == tick.c.account_id, balance.c.due_at == tick.c.due_at)
    called = balance.c.asset == names[0] if len(names) == 1 else balance.c.asset.in_(names)
    amounts = (*(balance.c[name] for name in AMOUNT_FIELDS), balance.c.btc_valuation)
    columns = (tick.c.due_at, tick.c.received_at, tick.c.btc_requested, *amounts)
    return select(*(plain(column, dialect) for column in columns)).select_from(
        ticks.outerjoin(balance, and_(of_tick, called))
    )


def _points_by_start(asset: str, rows: Iterable[Sequence[Any]], *, several: bool) -> Mapping[int, AssetPoint]:
    """The point of each period that has one; the start of the period is what a row ends with."""
    there = [row for row in rows if row[0] is not None]
    if several:
        there.sort(key=itemgetter(0))
    starts = dict.fromkeys(row[-1] for row in there)
    return dict(zip(starts, _points(asset, there, several=several), strict=True))


def _points(asset: str, rows: Iterable[Sequence[Any]], *, several: bool) -> Iterator[AssetPoint]:
    """A point for each tick; with several names a tick may have as many rows."""
    points = _point_of_each(asset, rows)
    return map(_as_one, groupby(points, key=attrgetter("due_at"))) if several else points


def _point_of_each(asset: str, rows: Iterable[Sequence[Any]]) -> Iterator[AssetPoint]:
    nothing = [cells(Balance.zero(asset, btc_requested=valued)) for valued in (False, True)]
    for due_at, received_at_ms, valued, free, locked, frozen, withdrawing, ipoable, btc_valuation, *_ in rows:
        there = (asset, free, locked, frozen, withdrawing, ipoable, btc_valuation)
        amounts = nothing[bool(valued)] if free is None else there
        yield AssetPoint(due_at=due_at, received_at_ms=received_at_ms, cells=amounts)


def _as_one(of_tick: tuple[int, Iterable[AssetPoint]]) -> AssetPoint:
    points = list(of_tick[1])
    return replace(points[0], cells=cells(together([point.balance for point in points])))


def _totals(dialect: Dialect) -> Select[Any]:
    columns = (tick.c.due_at, tick.c.received_at, tick.c.btc_total, tick.c.unpriced)
    return select(*(plain(column, dialect) for column in columns))


def _total(row: Sequence[Any]) -> TotalPoint:
    due_at, received_at_ms, total, unpriced, *_ = row
    btc_total = None if total is None else exact(total)
    return TotalPoint(due_at=due_at, received_at_ms=received_at_ms, btc_total=btc_total, unpriced=unpriced)


def _between(from_s: int | None, to_s: int | None) -> ColumnElement[bool]:
    return and_(
        tick.c.due_at >= from_s if from_s is not None else true(), tick.c.due_at < to_s if to_s is not None else true()
    )


def _cut(spans: Iterable[Named], from_s: int, to_s: int | None) -> Iterator[Named]:
    """What of each span lies in from_s <= due_at < to_s."""
    for named in spans:
        start = max(from_s, named.from_s or from_s)
        ends = [end for end in (named.to_s, to_s) if end is not None]
        if not ends or start < min(ends):
            yield Named(from_s=start, to_s=min(ends, default=None), names=named.names)
