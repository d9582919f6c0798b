"""The commands `diff` and `changes`: what became of amounts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from collector.cli.choices import (
    Span,
    accounts_option,
    checked_asset,
    chosen_range,
    named_accounts,
    range_options,
    tz_option,
)
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.frame import Frame, frame_of
from collector.cli.output import chosen_format, emit, format_options
from collector.cli.progress import progress_over
from collector.errors import NoDataError, UsageError
from collector.reports.fields import BINANCE_NAMES, FIELDS

if TYPE_CHECKING:
    from collector.domain.changes import Movement
    from collector.domain.records import Account, StoredSnapshot
    from collector.reports.diff import Pair
    from collector.storage.reader import Reader


class TimesCommand(click.Command):
    """A command whose arguments may be times like -7d, which click would take for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # A blank in front makes an argument of it; the command drops it again.
        return super().parse_args(ctx, [f" {arg}" if arg[:1] == "-" and arg[1:2].isdigit() else arg for arg in args])


@click.command(cls=TimesCommand)
@click.argument("t1", metavar="T1")
@click.argument("t2", metavar="[T2]", required=False)
@accounts_option
@tz_option
@database_option
@format_options
@pass_app
def diff(app: App, t1: str, t2: str | None, names: tuple[str, ...]) -> None:
    """Show what differs between two instants, and which part of it comes from prices.

    Without T2 a period like 2026-03 or yesterday stands for its beginning and its end; an instant is compared with now.
    """
    from collector.reports.diff import diff_report
    from collector.storage.ledger import gaps

    frame = frame_of(app)
    from_s, to_s = _instants(frame, t1, t2)
    with frame.reading() as reader:
        pairs, missing = _pairs(reader, frame, named_accounts(reader, names), from_s, to_s)
        crossed = [
            gap for pair in pairs for gap in gaps(reader, pair.after.account, from_s=pair.before.due_at, to_s=to_s + 1)
        ]
    report = diff_report(pairs, crossed, from_s=from_s, to_s=to_s, missing=missing)
    emit(report)
    if not report.rows:
        complain("nothing differs")


def _instants(frame: Frame, t1: str, t2: str | None) -> tuple[int, int]:
    from collector.domain.timewords import names_period

    t1, t2 = t1.strip(), t2 and t2.strip()
    if t2 is None and names_period(t1):
        period = frame.period(t1, "T1")
        from_s, to_s = period.start_s, min(period.end_s, frame.now_s)
    else:
        from_s = frame.instant(t1, "T1")
        to_s = frame.now_s if t2 is None else frame.instant(t2, "T2")
    if from_s >= to_s:
        raise UsageError("T2 must be later than T1" if t2 else "T1 must lie in the past")
    return from_s, to_s


def _pairs(
    reader: Reader, frame: Frame, accounts: Sequence[Account], from_s: int, to_s: int
) -> tuple[list[Pair], list[str]]:
    from collector.cli.snapshots import no_snapshot, snapshot_of
    from collector.reports.diff import Pair

    pairs, missing = [], []
    for account in accounts:
        before, after = (snapshot_of(reader, frame, account, at) for at in (from_s, to_s))
        if before is None or after is None:
            missing.append(account.name)
        else:
            pairs.append(Pair(before=before, after=after))
    if not pairs:
        raise no_snapshot(missing, from_s)
    return pairs, missing


@click.command()
@click.argument("asset", metavar="[ASSET]", required=False)
@click.option("--all", "everything", is_flag=True, help="Of every asset.")
@accounts_option
@range_options
@click.option(
    "--field",
    type=click.Choice([name for name in (*FIELDS, *BINANCE_NAMES) if name not in {"btc_valuation", "btcValuation"}]),
    multiple=True,
    help="Only movements of this amount (may be repeated).",
)
@database_option
@format_options
@pass_app
def changes(app: App, asset: str | None, names: tuple[str, ...], field: tuple[str, ...], *, everything: bool) -> None:
    """Show every movement of amounts, with the time in which it happened and the gap that it hides in."""
    from collector.reports.bases import basis_of
    from collector.reports.changes import changes_report
    from collector.storage.ledger import gaps

    if (asset is None) != everything:
        raise UsageError(
            "say which asset, or --all: `collector changes BTC`" if asset is None else "--all is for all assets"
        )
    fields = tuple(dict.fromkeys(BINANCE_NAMES.get(name, name) for name in field))
    frame = frame_of(app)
    span = chosen_range(frame)
    with frame.reading() as reader:
        accounts = named_accounts(reader, names)
        newest = _newest(reader, frame, accounts, span, asset)
        crossed = [gap for one in accounts for gap in gaps(reader, one, from_s=span.from_s, to_s=span.to_s)]
        bases = [basis_of(one, now_ms=frame.now_ms) for one in newest]
        with _watching(span, newest) as seen:
            found = _movements(reader, frame, accounts, span, asset, seen)
            rows = (m for m in found if not fields or any(m.by(name) for name in fields))
            if chosen_format() != "table":
                emit(changes_report(bases, accounts, rows, crossed, asset=asset))
                return
            collected = tuple(rows)  # so that the bar is gone before the table comes
    emit(changes_report(bases, accounts, collected, crossed, asset=asset))


@contextmanager
def _watching(span: Span, newest: Sequence[StoredSnapshot]) -> Iterator[Callable[[int], None]]:
    """A bar, unless the rows themselves run over the same terminal."""
    if chosen_format() != "table" and sys.stdout.isatty():
        yield lambda _: None
        return
    start_s = min(one.account.created_at_ms for one in newest) // 1000 if span.from_s is None else span.from_s
    with progress_over("changes", start_s, max(one.due_at for one in newest)) as seen:
        yield seen


def _newest(
    reader: Reader, frame: Frame, accounts: Sequence[Account], span: Span, asset: str | None
) -> list[StoredSnapshot]:
    from collector.cli.snapshots import snapshot_of
    from collector.storage.history import known_assets

    if asset is not None:
        known = {name for one in accounts for name in known_assets(reader, one, renames=frame.renames)}
        checked_asset(accounts[0], asset, sorted(known))
    found = [snapshot_of(reader, frame, one, None if span.to_s is None else span.to_s - 1) for one in accounts]
    newest = [one for one in found if one is not None and one.due_at >= (span.from_s or 0)]
    if not newest:
        raise NoDataError("there is no snapshot in this time: see `collector gaps`")
    return newest


def _movements(  # noqa: PLR0917
    reader: Reader,
    frame: Frame,
    accounts: Sequence[Account],
    span: Span,
    asset: str | None,
    seen: Callable[[int], None],
) -> Iterator[Movement]:
    from collector.storage.movements import movements

    for one in accounts:
        yield from movements(
            reader, one, asset=asset, from_s=span.from_s, to_s=span.to_s, renames=frame.renames, seen=seen
        )
