"""The command `statement`: what an accountant files."""

from __future__ import annotations

import click

from collector.cli.choices import account_option, one_account, tz_option
from collector.cli.context import App, database_option, pass_app
from collector.cli.frame import frame_of
from collector.cli.output import emit, format_options
from collector.cli.progress import progress_over
from collector.errors import UsageError


@click.command()
@click.option("--month", metavar="MONTH", required=True, help="Like 2026-03; another period like 2026-Q1 will do too.")
@click.option("--known-at", metavar="T", help="By what had been recorded until then.")
@account_option
@tz_option
@database_option
@format_options
@pass_app
def statement(app: App, month: str, known_at: str | None, account: str | None) -> None:
    """Show what there was at the beginning and the end of a month, and what came between.

    It says by which instant it was known: with --known-at it can be made again, whatever was recorded since.
    """
    from collector.cli.snapshots import no_snapshot
    from collector.reports.statement import statement_report
    from collector.storage.statement import statement as statement_of

    frame = frame_of(app)
    period = frame.period(month, "--month")
    known_at_ms = None if known_at is None else frame.instant_ms(known_at, "--known-at")
    if known_at_ms is not None and known_at_ms > frame.now_ms:
        raise UsageError("--known-at lies in the future: nobody knows what will be recorded until then")
    if period.start_s * 1000 > (frame.now_ms if known_at_ms is None else known_at_ms):
        raise UsageError(f"{period.name} has not begun {'yet' if known_at_ms is None else 'at --known-at'}")
    with frame.reading() as reader, progress_over(period.name, period.start_s, period.end_s) as seen:
        chosen = one_account(reader, account)
        made = statement_of(
            reader, chosen, period, now_ms=frame.now_ms, known_at_ms=known_at_ms, renames=frame.renames, seen=seen
        )
    if made is None:
        raise no_snapshot([chosen.name], period.end_s)
    emit(statement_report(made, tz=frame.tz))
