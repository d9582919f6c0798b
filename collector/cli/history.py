"""The command `history`: one asset over time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import click

from collector.cli.choices import (
    Span,
    accounts_option,
    checked_asset,
    chosen_range,
    named_accounts,
    range_options,
    sum_option,
)
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.frame import Frame, frame_of
from collector.cli.output import emit, format_options, say_picture
from collector.domain.periods import Every, Period
from collector.errors import NoDataError, UsageError
from collector.reports.fields import BINANCE_NAMES, FIELDS

if TYPE_CHECKING:
    from collector.domain.records import Account, StoredSnapshot
    from collector.reports.history import HistoryRow
    from collector.storage.reader import Reader

CHART_HEIGHT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the command line asks for, and of what database."""

    reader: Reader
    frame: Frame
    accounts: Sequence[Account]
    span: Span
    asset: str
    fields: tuple[str, ...]
    every: Every | None
    as_sum: bool


@click.command()
@click.argument("asset")
@accounts_option
@range_options
@click.option("--every", type=click.Choice([str(every) for every in Every]), help="The last value of each period.")
@click.option(
    "--field",
    type=click.Choice((*FIELDS, *BINANCE_NAMES)),
    multiple=True,
    help="Only this amount (may be repeated).",
)
@sum_option
@click.option("--chart", is_flag=True, help="Draw one amount (else the total) on the terminal.")
@database_option
@format_options
@pass_app
def history(
    app: App,
    asset: str,
    names: tuple[str, ...],
    every: str | None,
    field: tuple[str, ...],
    *,
    as_sum: bool,
    chart: bool,
) -> None:
    """Show one asset over time: at each snapshot, or the last exact value of each period.

    Zero is written as zero. Where nothing is known there is no row, or a blank one for a period, and the gap is named.
    """
    fields = tuple(dict.fromkeys(BINANCE_NAMES.get(name, name) for name in field))
    if as_sum and not (every or chart):
        raise UsageError("--sum needs --every: snapshots of different accounts are not of the same moment")
    if chart and len(fields) > 1:
        raise UsageError("a chart shows one amount: give --field once")
    frame = frame_of(app)
    span = chosen_range(frame)
    with frame.reading() as reader:
        question = Question(
            reader=reader,
            frame=frame,
            accounts=named_accounts(reader, names),
            span=span,
            asset=asset,
            fields=fields,
            every=Every(every) if every else None,
            as_sum=as_sum,
        )
        (_draw if chart else _show)(question)


def _show(question: Question) -> None:
    from collector.reports.bases import basis_of
    from collector.reports.history import HistoryOf, history_report
    from collector.storage.ledger import gaps

    newest = _newest(question)
    span = _from_its_start(question)
    rows = _rows(question, span, newest)
    first = next(rows, None)
    crossed = [
        gap for one in question.accounts for gap in gaps(question.reader, one, from_s=span.from_s, to_s=span.to_s)
    ]
    about_what = HistoryOf(
        asset=question.asset,
        accounts=question.accounts,
        fields=question.fields or FIELDS,
        every=question.every,
        tz=question.frame.tz,
        as_sum=question.as_sum,
    )
    bases = [basis_of(one, now_ms=question.frame.now_ms) for one in newest]
    emit(history_report(about_what, bases, chain([first], rows) if first else (), crossed))
    if first is None:
        names = " and ".join(repr(one.name) for one in question.accounts)
        who = f"account {names}" if len(question.accounts) == 1 else f"accounts {names}"
        complain(f"{question.asset} appeared only after this time: {who} did not hold it yet")


def _draw(question: Question) -> None:
    from collector.domain.periods import slices
    from collector.reports.chart import chart_text

    if len(question.accounts) > 1 and not question.as_sum:
        raise UsageError("a chart shows one account: choose it with --account, or add them up with --sum")
    newest = _newest(question)
    size = shutil.get_terminal_size()
    spans = _periods(question, _from_its_start(question), newest)
    first_s, end_s = spans[0].start_s, spans[-1].end_s
    least_s = _longest_interval(question, first_s, end_s)
    cells = spans if question.every else slices(first_s, end_s, size.columns, least_s=least_s)
    field = (question.fields or ("total",))[0]
    series = [
        (row.period.start_s, None if row.point is None else getattr(row.point.balance, field))
        for row in _by_period(question, cells)
        if row.period is not None
    ]
    names = ", ".join(one.name for one in question.accounts)
    title = f"{question.asset} {field}, account {names}, wallet spot, {question.frame.tz}"
    picture = chart_text(
        series, title=title, width=size.columns, height=min(size.lines - 2, CHART_HEIGHT), zone=question.frame.zone
    )
    say_picture(picture)


def _longest_interval(question: Question, from_s: int, to_s: int) -> int:
    """The longest at which anything was due then: a shorter part of a picture may lack a tick, which is no gap."""
    from collector.storage.accounts import schedule_of

    longest = 1
    for one in question.accounts:
        ends_s = to_s
        for entry in reversed(schedule_of(question.reader, one.id)):
            if entry.interval_s is not None and entry.from_at < to_s and ends_s > from_s:
                longest = max(longest, entry.interval_s)
            ends_s = entry.from_at
    return longest


def _newest(question: Question) -> list[StoredSnapshot]:
    """The newest snapshot of each account in this time. Raises NoDataError for an asset that nobody ever held."""
    from collector.cli.snapshots import snapshot_of
    from collector.storage.history import known_assets

    accounts, frame, span = question.accounts, question.frame, question.span
    known = {asset for one in accounts for asset in known_assets(question.reader, one, renames=frame.renames)}
    checked_asset(accounts[0], question.asset, sorted(known))
    asked_s = None if span.to_s is None else span.to_s - 1
    found = [snapshot_of(question.reader, frame, one, asked_s) for one in accounts]
    newest = [one for one in found if one is not None and one.due_at >= (span.from_s or 0)]
    if not newest:
        who = f"account {accounts[0].name!r} has no" if len(accounts) == 1 else "none of these accounts has a"
        raise NoDataError(f"{who} snapshot in this time: see `collector gaps`")
    return newest


def _from_its_start(question: Question) -> Span:
    """The range; where it has no start, from when on the asset appeared."""
    from collector.storage.history import first_due

    if question.span.from_s is not None:
        return question.span
    firsts = [
        first_due(question.reader, one, question.asset, renames=question.frame.renames) for one in question.accounts
    ]
    return Span(min((first for first in firsts if first is not None), default=None), question.span.to_s)


def _rows(question: Question, span: Span, newest: Sequence[StoredSnapshot]) -> Iterator[HistoryRow]:
    from collector.reports.history import HistoryRow
    from collector.storage.series import asset_points

    if question.every is not None:
        yield from _by_period(question, _periods(question, span, newest))
        return
    for one in question.accounts:
        name = (one.name,)
        for point in asset_points(
            question.reader,
            one,
            question.asset,
            from_s=span.from_s,
            to_s=span.to_s,
            renames=question.frame.renames,
        ):
            yield HistoryRow(accounts=name, point=point)


def _periods(question: Question, span: Span, newest: Sequence[StoredSnapshot]) -> list[Period]:
    """The periods of the range, up to now: of the future nothing can be said."""
    from collector.domain.periods import periods

    now_s = max(question.frame.now_s, *(one.due_at for one in newest)) + 1
    end_s = now_s if span.to_s is None else min(span.to_s, now_s)
    start_s = min(one.due_at for one in newest) if span.from_s is None else span.from_s
    return list(periods(question.every or Every.DAY, start_s, end_s, question.frame.zone))


def _by_period(question: Question, spans: Sequence[Period]) -> Iterator[HistoryRow]:
    from collector.domain.closes import sum_of_assets
    from collector.reports.history import HistoryRow
    from collector.storage.series import asset_closes

    closes = {
        one.name: asset_closes(question.reader, one, question.asset, spans, renames=question.frame.renames)
        for one in question.accounts
    }
    if question.as_sum:
        for added in sum_of_assets(closes):
            close = added.close
            yield HistoryRow(accounts=tuple(closes), point=close.point, period=close.period, missing=added.missing)
        return
    for name, each in closes.items():
        for close in each:
            yield HistoryRow(accounts=(name,), point=close.point, period=close.period)
