"""The command `withdrawing`: what is on its way out."""

from __future__ import annotations

import click

from collector.cli.choices import accounts_option
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.frame import frame_of
from collector.cli.output import emit, format_options


@click.command()
@accounts_option
@database_option
@format_options
@pass_app
def withdrawing(app: App, names: tuple[str, ...]) -> None:
    """Show which amounts are being withdrawn, and for how long."""
    from collector.cli.snapshots import found_snapshots
    from collector.reports.withdrawing import withdrawing_report
    from collector.storage.ledger import gaps
    from collector.storage.withdrawing import under_way

    frame = frame_of(app)
    with frame.reading() as reader:
        found = found_snapshots(reader, frame, names, None)
        rows = [row for one in found.snapshots for row in under_way(reader, one, renames=frame.renames)]
        since = {
            one.account.name: min(
                [one.due_at, *((row.before or row.first).due_at for row in rows if row.account == one.account.name)]
            )
            for one in found.snapshots
        }
        crossed = [gap for one in found.snapshots for gap in gaps(reader, one.account, from_s=since[one.account.name])]
    emit(withdrawing_report(rows, found.snapshots, crossed, now_ms=frame.now_ms, missing=found.missing))
    if not rows:
        complain("nothing is being withdrawn")
