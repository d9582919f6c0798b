"""One asset, or the value of all, over time: at each snapshot, or at the last one of each period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from msgspec.structs import replace

from collector.domain.balances import Balance, cells, exact
from collector.domain.periods import Period
from collector.domain.portfolio import values_by_asset
from collector.domain.records import Account, AssetClose, AssetPoint, TotalClose, TotalPoint
from collector.domain.renames import NO_RENAMES, Named, Renames, together
from collector.storage.asked import asked_periods, asked_values, batches
from collector.storage.history import balances_at, first_due
from collector.storage.reader import Reader
from collector.storage.rows import amount_columns, between, name_values, named, stored

# The last snapshot of each period, NULL where there is none: an inner join SQLite would begin at the other end. Both
# seeks follow each other, so that the second one finds its pages at hand.
LAST_DUE = """
(SELECT last.due_at FROM tick AS last
 WHERE last.account_id = :account AND last.outcome = 'stored'
    AND last.due_at >= asked.start_at AND last.due_at < asked.end_at
 ORDER BY last.due_at DESC LIMIT 1)"""
LAST_TICKS = f"asked LEFT JOIN tick ON tick.account_id = :account AND tick.due_at = {LAST_DUE}"


def asset_points(
    reader: Reader,
    account: Account,
    asset: str,
    *,
    from_s: int | None = None,
    to_s: int | None = None,
    renames: Renames = NO_RENAMES,
) -> Iterator[AssetPoint]:
    """One asset at each stored tick, from_s <= due_at < to_s, since it first appeared; with zeros, oldest first."""
    first = first_due(reader, account, asset, renames=renames)
    if first is None:
        return
    for span in _cut(renames.stored(asset), max(first, from_s or first), to_s):
        within = between(reader, "tick.due_at", span.from_s, span.to_s)
        rows = reader.each(
            f"{_named_rows(reader, span.names)} WHERE {stored(reader)}{within} ORDER BY tick.due_at",
            account=account.id,
            **_span_values(span),
        )
        yield from _points(asset, rows, several=len(span.names) > 1)


def asset_closes(
    reader: Reader, account: Account, asset: str, periods: Iterable[Period], *, renames: Renames = NO_RENAMES
) -> Iterator[AssetClose]:
    """One asset at the last snapshot of each period, zeros included: exact values that were true, no averages.

    One key seek for each period, however many snapshots it has. A period without a snapshot has no point.
    """
    for some in batches(periods):
        found: dict[int, AssetPoint] = {}
        for span in renames.stored(asset):
            question = close_question(reader, span)
            rows = reader.all(question, account=account.id, **asked_values(reader, some), **_span_values(span))
            found |= _points_by_start(asset, rows, several=len(span.names) > 1)
        for period in some:
            yield AssetClose(period=period, point=found.get(period.start_s))


def total_points(
    reader: Reader, account: Account, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[TotalPoint]:
    """The value of the account at each snapshot, from_s <= due_at < to_s, oldest first."""
    where = f"{stored(reader)}{between(reader, 'tick.due_at', from_s, to_s)}"
    question = f"SELECT {_totals(reader)} FROM tick WHERE {where} ORDER BY tick.due_at"
    return map(_total, reader.each(question, account=account.id, from_s=from_s, to_s=to_s))


def total_closes(reader: Reader, account: Account, periods: Iterable[Period]) -> Iterator[TotalClose]:
    """The value of the account at the last snapshot of each period. One key seek for each."""
    starts = reader.words.seconds("asked.start_at")
    question = f"{asked_periods(reader)} SELECT {_totals(reader)}, {starts} FROM {LAST_TICKS}"
    for some in batches(periods):
        rows = reader.all(question, account=account.id, **asked_values(reader, some))
        found = {row[-1]: _total(row) for row in rows if row[0] is not None}
        for period in some:
            yield TotalClose(period=period, point=found.get(period.start_s))


def value_closes(
    reader: Reader, account: Account, periods: Iterable[Period], *, renames: Renames = NO_RENAMES
) -> Iterator[tuple[Period, Mapping[str, Decimal] | None]]:
    """What each asset was worth in BTC at the last snapshot of each period; None where there is none."""
    for some in batches(periods):
        last_dues = _last_dues(reader, account, some)
        for period in some:
            due_at = last_dues.get(period.start_s)
            held = None if due_at is None else balances_at(reader, account, due_at, renames=renames)
            yield period, None if held is None else values_by_asset(held)


def first_snapshot(reader: Reader, account: Account) -> int | None:
    """due_at of the oldest snapshot."""
    due_at = reader.words.seconds("due_at")
    found: int | None = reader.value(
        f"SELECT {due_at} FROM tick WHERE {stored(reader)} ORDER BY tick.due_at LIMIT 1", account=account.id
    )
    return found


def _last_dues(reader: Reader, account: Account, periods: Sequence[Period]) -> dict[int, int]:
    """The start of each period that has a snapshot, and due_at of its last one."""
    found = reader.all(last_due_question(reader), account=account.id, **asked_values(reader, periods))
    return {start_s: due_at for start_s, due_at in found if due_at is not None}


def last_due_question(reader: Reader) -> str:
    """The start of each period and due_at of its last snapshot, or NULL, as whole numbers."""
    seconds = reader.words.seconds
    return f"{asked_periods(reader)} SELECT {seconds('asked.start_at')}, {seconds(LAST_DUE)} FROM asked"


def close_question(reader: Reader, span: Named) -> str:
    """The last snapshot of each period, if it lies in this time: what it holds under these names; and the start."""
    start = f", {reader.words.seconds('asked.start_at')}"
    within = between(reader, "tick.due_at", span.from_s, span.to_s)
    return f"{asked_periods(reader)} {_named_rows(reader, span.names, LAST_TICKS, start)} WHERE 1 = 1{within}"


def _named_rows(reader: Reader, names: Sequence[str], ticks: str = "tick", more: str = "") -> str:
    """Each tick with what it holds under these names, as whole numbers and text; amounts are NULL if nothing."""
    words = reader.words
    instants = f"{words.seconds('tick.due_at')}, {words.millis('tick.received_at')}"
    return f"""
        SELECT {instants}, tick.btc_requested, {amount_columns(reader)}{more}
        FROM {ticks} LEFT JOIN balance ON balance.account_id = tick.account_id AND balance.due_at = tick.due_at
            AND {named("balance.asset", names)}"""


def _span_values(span: Named) -> dict[str, Any]:
    return {"from_s": span.from_s, "to_s": span.to_s, **name_values(span.names)}


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


def _totals(reader: Reader) -> str:
    """What `_total` takes of `tick`."""
    words = reader.words
    instants = f"{words.seconds('tick.due_at')}, {words.millis('tick.received_at')}"
    return f"{instants}, {words.amount('tick.btc_total')}, tick.unpriced"


def _total(row: Sequence[Any]) -> TotalPoint:
    due_at, received_at_ms, total, unpriced, *_ = row
    btc_total = None if total is None else exact(total)
    return TotalPoint(due_at=due_at, received_at_ms=received_at_ms, btc_total=btc_total, unpriced=unpriced)


def _cut(spans: Iterable[Named], from_s: int, to_s: int | None) -> Iterator[Named]:
    """What of each span lies in from_s <= due_at < to_s."""
    for span in spans:
        start = max(from_s, span.from_s or from_s)
        ends = [end for end in (span.to_s, to_s) if end is not None]
        if not ends or start < min(ends):
            yield Named(from_s=start, to_s=min(ends, default=None), names=span.names)
