"""The command `total`: what accounts are worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import click

from collector.cli.choices import (
    Span,
    accounts_option,
    as_of_option,
    chosen_range,
    named_accounts,
    range_options,
    sum_option,
)
from collector.cli.context import App, database_option, pass_app
from collector.cli.frame import Frame, frame_of
from collector.cli.output import emit, format_options
from collector.domain.periods import Every, Period
from collector.errors import NoDataError, UsageError

if TYPE_CHECKING:
    from collector.domain.records import Account, StoredSnapshot
    from collector.reports.total import TotalOf, TotalRow
    from collector.storage.reader import Reader

PRICED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the command line asks for, and of what database."""

    reader: Reader
    frame: Frame
    accounts: Sequence[Account]
    span: Span
    asked_s: int | None
    every: Every | None
    quote: str | None
    as_sum: bool


@click.command()
@accounts_option
@as_of_option
@range_options
@click.option("--every", type=click.Choice([str(every) for every in Every]), help="The last value of each period.")
@click.option("--in", "quote", metavar="CURRENCY", help="In this currency too, like USDT.")
@sum_option
@database_option
@format_options
@pass_app
def total(
    app: App, names: tuple[str, ...], as_of: str | None, every: str | None, quote: str | None, *, as_sum: bool
) -> None:
    """Show what accounts are worth: now, at an instant, or over time.

    In another currency by the price of BTC at the same tick; without such a price the value stays blank.
    """
    frame = frame_of(app)
    span = chosen_range(frame)
    asked_s = None if as_of is None else frame.instant(as_of, "--as-of")
    over_time = bool(every) or span != Span(None, None)
    if as_of is not None and over_time:
        raise UsageError("--as-of is one instant: leave out --from, --to, --during and --every")
    if as_sum and over_time and not every:
        raise UsageError("--sum over time needs --every: snapshots of different accounts are not of the same moment")
    with frame.reading() as reader:
        question = Question(
            reader=reader,
            frame=frame,
            accounts=named_accounts(reader, names),
            span=span,
            asked_s=asked_s,
            every=Every(every) if every else None,
            quote=quote,
            as_sum=as_sum,
        )
        _check_quote(question)
        (_series if over_time else _newest)(question)


def _check_quote(question: Question) -> None:
    from collector.storage.prices import has_prices, newest_quotes

    if question.quote is None:
        return
    if not question.quote.isascii() or not has_prices(question.reader, question.quote):
        known = newest_quotes(question.reader)
        hint = f"there are {', '.join(known)}" if known else "no price was ever collected"
        raise NoDataError(f"there is no price of BTC in {question.quote!r}: {hint}")


def _newest(question: Question) -> None:
    from collector.cli.snapshots import found_snapshots
    from collector.domain.balances import plain
    from collector.domain.portfolio import btc_total
    from collector.domain.records import TotalPoint
    from collector.reports.bases import basis_of
    from collector.reports.total import TotalRow, total_report
    from collector.reports.values import Basis

    names = [one.name for one in question.accounts]
    found = found_snapshots(question.reader, question.frame, names, question.asked_s)
    rows = [
        TotalRow(
            accounts=(one.account.name,),
            point=TotalPoint(
                due_at=one.due_at,
                received_at_ms=one.received_at_ms,
                btc_total=one.btc_total,
                unpriced=one.unpriced,
            ),
        )
        for one in found.snapshots
    ]
    whole = btc_total(found.snapshots)
    notes = [f"sum of {len(rows)} accounts {plain(whole)} BTC"] if whole is not None and len(rows) > 1 else []
    bases = [basis_of(one, now_ms=question.frame.now_ms, asked_s=question.asked_s) for one in found.snapshots]
    each = list(_priced(question, rows))
    report = total_report(
        _of(question),
        [*bases, *(Basis(account=name) for name in found.missing)],
        [_added(each, found.missing)] if question.as_sum else each,
        found.gaps,
        missing=found.missing,
        notes=notes,
    )
    emit(report)


def _added(rows: Sequence[TotalRow], missing: tuple[str, ...]) -> TotalRow:
    """All of them as one; what is missing is named, and not counted as zero."""
    from collector.domain.balances import exact_sum
    from collector.domain.closes import total_sum
    from collector.reports.total import TotalRow

    values = [row.value for row in rows]
    return TotalRow(
        accounts=tuple(name for row in rows for name in row.accounts),
        point=total_sum(row.point for row in rows if row.point is not None),
        value=None if None in values else exact_sum(value for value in values if value is not None),
        missing=missing,
    )


def _series(question: Question) -> None:
    from collector.cli.snapshots import snapshot_of
    from collector.reports.bases import basis_of
    from collector.reports.total import total_report
    from collector.storage.ledger import gaps

    span, frame = question.span, question.frame
    asked_s = None if span.to_s is None else span.to_s - 1
    found = [snapshot_of(question.reader, frame, one, asked_s) for one in question.accounts]
    newest = [one for one in found if one is not None and one.due_at >= (span.from_s or 0)]
    if not newest:
        raise NoDataError("there is no snapshot in this time: see `collector gaps`")
    crossed = [
        gap for one in question.accounts for gap in gaps(question.reader, one, from_s=span.from_s, to_s=span.to_s)
    ]
    rows = _by_period(question, newest) if question.every else _by_snapshot(question)
    bases = [basis_of(one, now_ms=frame.now_ms) for one in newest]
    emit(total_report(_of(question), bases, rows, crossed))


def _by_snapshot(question: Question) -> Iterator[TotalRow]:
    from collector.reports.total import TotalRow
    from collector.storage.series import total_points

    for one in question.accounts:
        name = (one.name,)
        points = total_points(question.reader, one, from_s=question.span.from_s, to_s=question.span.to_s)
        yield from _priced(question, (TotalRow(accounts=name, point=point) for point in points))


def _closes(question: Question, account: Account, spans: Sequence[Period]) -> Iterator[TotalRow]:
    from collector.reports.total import TotalRow
    from collector.storage.series import total_closes

    for close in total_closes(question.reader, account, spans):
        yield TotalRow(accounts=(account.name,), point=close.point, period=close.period)


def _by_period(question: Question, newest: Sequence[StoredSnapshot]) -> Iterator[TotalRow]:
    from msgspec.structs import replace

    from collector.reports.total import TotalRow

    spans = _periods(question, newest)
    each = {one.name: _priced(question, _closes(question, one, spans)) for one in question.accounts}
    if not question.as_sum:
        for rows in each.values():
            yield from rows
        return
    for rows_of_period in zip(*each.values(), strict=True):
        missing = tuple(name for row in rows_of_period if row.point is None for name in row.accounts)
        if missing:
            yield TotalRow(accounts=tuple(each), point=None, period=rows_of_period[0].period, missing=missing)
        else:
            yield replace(_added(rows_of_period, ()), period=rows_of_period[0].period)


def _periods(question: Question, newest: Sequence[StoredSnapshot]) -> list[Period]:
    from collector.domain.periods import periods
    from collector.storage.series import first_snapshot

    now_s = max(question.frame.now_s, *(one.due_at for one in newest)) + 1
    end_s = now_s if question.span.to_s is None else min(question.span.to_s, now_s)
    firsts = [first_snapshot(question.reader, one) for one in question.accounts]
    start_s = question.span.from_s
    if start_s is None:
        start_s = min(first for first in firsts if first is not None)
    return list(periods(question.every or Every.DAY, start_s, end_s, question.frame.zone))


def _priced(question: Question, rows: Iterable[TotalRow]) -> Iterator[TotalRow]:
    """Each row with the price of its tick, asked for in batches."""
    from collector.reports.total import priced
    from collector.storage.prices import prices_at

    rest = iter(rows)
    while some := list(islice(rest, PRICED_AT_ONCE)):
        if question.quote is None:
            yield from some
            continue
        dues = [row.point.due_at for row in some if row.point is not None]
        prices = prices_at(question.reader, question.quote, dues)
        yield from (priced(row, prices) for row in some)


def _of(question: Question) -> TotalOf:
    from collector.reports.total import TotalOf

    return TotalOf(
        accounts=question.accounts,
        quote=question.quote,
        every=question.every,
        tz=question.frame.tz,
        as_sum=question.as_sum,
        asked_s=question.asked_s,
    )
