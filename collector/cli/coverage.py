"""The commands `gaps` and `coverage`: what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from collector.cli.choices import Span, accounts_option, chosen_range, named_accounts, range_options
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.frame import Frame, frame_of
from collector.cli.output import emit, format_options, is_shown
from collector.errors import CollectorError, NoDataError, UsageError

if TYPE_CHECKING:
    from collector.domain.coverage import PeriodCoverage
    from collector.domain.periods import Period
    from collector.domain.records import Account
    from collector.reports.values import Basis
    from collector.storage.reader import Reader

EVERY = {"day": "1d", "week": "1w", "month": "1mo"}


@click.command()
@accounts_option
@range_options
@database_option
@format_options
@pass_app
def gaps(app: App, names: tuple[str, ...]) -> None:
    """Show when nothing was collected, and why."""
    from collector.reports.gaps import gaps_report
    from collector.storage import ledger

    frame = frame_of(app)
    span = chosen_range(frame)
    with frame.reading() as reader:
        accounts = named_accounts(reader, names)
        found = [gap for one in accounts for gap in ledger.gaps(reader, one, from_s=span.from_s, to_s=span.to_s)]
        bases = _bases(reader, frame, accounts)
    emit(gaps_report(bases, found))
    if not found:
        complain("there is no gap")


@click.command()
@accounts_option
@range_options
@click.option("--by", type=click.Choice((*EVERY, "all")), default="all", help="One row for each of these.")
@click.option("--fail-under", metavar="PERCENT", help="End with 1 when a row has less, like 99.9.")
@database_option
@format_options
@pass_app
def coverage(app: App, names: tuple[str, ...], by: str, fail_under: str | None) -> None:
    """Show how many of the due ticks have their snapshot, and what became of the others.

    The percentage is cut and never rounded up: it is 100 only when nothing is missing.
    """
    from collector.reports.coverage import coverage_report
    from collector.storage.coverage import database_now, period_coverage
    from collector.storage.ledger import gaps as gaps_of

    least = _percent(fail_under)
    frame = frame_of(app)
    span = chosen_range(frame)
    with frame.reading() as reader:
        accounts = named_accounts(reader, names)
        now_s = database_now(reader)
        rows, crossed = [], []
        for one in accounts:
            spans = _periods(reader, frame, one, span, by, now_s)
            found = gaps_of(reader, one, from_s=span.from_s, to_s=span.to_s)
            rows += period_coverage(reader, one, spans, now_s=now_s, known_gaps=found)
            crossed += found
        bases = _bases(reader, frame, accounts)
    if not any(row.counts.due for row in rows):
        raise NoDataError("no tick was due in this time: see `collector status`")
    emit(coverage_report(rows, bases, crossed, by=by, tz=frame.tz, strip=is_shown()))
    if least is not None:
        _fail_under(rows, least)


def _percent(written: str | None) -> Decimal | None:
    if written is None:
        return None
    try:
        percent = Decimal(written)
    except InvalidOperation:
        percent = Decimal(-1)
    if not (percent.is_finite() and 0 <= percent <= 100):
        raise UsageError(f"--fail-under takes a percentage from 0 to 100, like 99.9; it is {written!r}")
    return percent


def _fail_under(rows: Sequence[PeriodCoverage], least: Decimal) -> None:
    below = [row for row in rows if row.below(least)]
    if below:
        first = below[0]
        more = f", and {len(below) - 1} more" if len(below) > 1 else ""
        where = f"account {first.counts.account!r} in {first.period.name}{more}"
        raise CollectorError(f"less than {least} % of the due ticks have their snapshot: {where}")


def _periods(  # noqa: PLR0917
    reader: Reader, frame: Frame, account: Account, span: Span, by: str, now_s: int
) -> list[Period]:
    """The periods of the range in which the account was due, up to now."""
    from collector.domain.periods import Every, Period, periods
    from collector.storage.coverage import due_span

    due = due_span(reader, account, now_s=now_s)
    if due is None:
        return []
    start_s = due[0] if span.from_s is None else span.from_s
    end_s = due[1] if span.to_s is None else min(span.to_s, now_s + 1)
    if start_s >= end_s:
        return []
    if by == "all":
        return [Period(name="all", start_s=start_s, end_s=end_s)]
    return list(periods(Every(EVERY[by]), start_s, end_s, frame.zone))


def _bases(reader: Reader, frame: Frame, accounts: Sequence[Account]) -> list[Basis]:
    from collector.reports.bases import basis_of
    from collector.reports.values import Basis
    from collector.storage.history import latest

    newest = {one.name: latest(reader, one) for one in accounts}
    return [
        basis_of(snapshot, now_ms=frame.now_ms) if snapshot else Basis(account=name)
        for name, snapshot in newest.items()
    ]
