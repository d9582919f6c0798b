"""The commands `latest` and `allocation`: what accounts hold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from collector.cli.choices import accounts_option, as_of_option, sum_option, tz_option
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.frame import Frame, frame_of
from collector.cli.output import chosen_format, emit, format_options, is_shown

if TYPE_CHECKING:
    from collector.domain.records import StoredSnapshot
    from collector.storage.reader import Reader

HALF_DAY_S = 43_200


@click.command()
@accounts_option
@as_of_option
@sum_option
@click.option("--all", "everything", is_flag=True, help="Dust too, which a terminal does not show.")
@tz_option
@database_option
@format_options
@pass_app
def latest(app: App, names: tuple[str, ...], as_of: str | None, *, as_sum: bool, everything: bool) -> None:
    """Show the newest snapshot: what an account held, exactly, the most valuable first."""
    from collector.cli.snapshots import found_snapshots
    from collector.reports.latest import Look, latest_report

    frame = frame_of(app)
    asked_s = None if as_of is None else frame.instant(as_of, "--as-of")
    with frame.reading() as reader:
        found = found_snapshots(reader, frame, names, asked_s)
        trends = {} if as_sum else _trends(reader, frame, found.snapshots)
    emit(
        latest_report(
            found.snapshots,
            found.gaps,
            now_ms=frame.now_ms,
            asked_s=asked_s,
            missing=found.missing,
            as_sum=as_sum,
            look=Look(fold_dust=is_shown() and not everything, trends=trends),
        )
    )
    for snapshot in found.snapshots:
        if not snapshot.balances:
            complain(f"account {snapshot.account.name!r} held nothing at all")


def _trends(reader: Reader, frame: Frame, snapshots: Sequence[StoredSnapshot]) -> dict[tuple[str, str], str]:
    """What each asset was worth in the week before its snapshot, where a table can show it."""
    from collector.domain.periods import Period
    from collector.reports.latest import TREND_DAYS
    from collector.reports.sparkline import sparkline
    from collector.storage.series import value_closes

    if chosen_format() != "table" or not (sys.stdout.encoding or "").lower().startswith("utf"):
        return {}
    found = {}
    for one in snapshots:
        # Half of a day without a tick would look like a gap.
        step_s = HALF_DAY_S if (one.interval_s or 0) <= HALF_DAY_S else 2 * HALF_DAY_S
        start = one.due_at + 1 - TREND_DAYS * 2 * HALF_DAY_S
        spans = [
            Period(name="", start_s=at, end_s=at + step_s) for at in range(start, one.due_at + 1, step_s) if at >= 0
        ]
        closes = [values for _, values in value_closes(reader, one.account, spans, renames=frame.renames)]
        for balance in one.balances:
            line = sparkline([None if values is None else values.get(balance.asset) for values in closes])
            found[one.account.name, balance.asset] = line
    return found


@click.command()
@accounts_option
@as_of_option
@sum_option
@tz_option
@database_option
@format_options
@pass_app
def allocation(app: App, names: tuple[str, ...], as_of: str | None, *, as_sum: bool) -> None:
    """Show which share of the value each asset has."""
    from collector.cli.snapshots import found_snapshots
    from collector.reports.allocation import allocation_report

    frame = frame_of(app)
    asked_s = None if as_of is None else frame.instant(as_of, "--as-of")
    with frame.reading() as reader:
        found = found_snapshots(reader, frame, names, asked_s)
    report = allocation_report(
        found.snapshots, found.gaps, now_ms=frame.now_ms, asked_s=asked_s, missing=found.missing, as_sum=as_sum
    )
    emit(report)
