"""The command `status`: whether collecting works."""

from __future__ import annotations

import click

from collector.cli.context import App, database_option, pass_app
from collector.cli.output import emit, format_options, now_ms
from collector.errors import CollectorError, NoDataError


@click.command()
@database_option
@format_options
@pass_app
def status(app: App) -> None:
    """Tell how the collection of each account stands.

    Ends with 1 when the newest snapshot of a collected account is older than two intervals.
    """
    from collector.reports.status import status_report
    from collector.reports.verdict import behind, nothing_collected
    from collector.storage import accounts, ledger
    from collector.storage.engine import describe, reading

    url, now = app.settings(accounts=False).database, now_ms()
    with reading(url) as connection:
        found = ledger.statuses(connection)
        run, waits = accounts.last_run(connection), accounts.waits(connection, now_ms=now)
    if nothing_collected(found):
        raise NoDataError("nothing has been collected yet: start `collector run`")
    emit(status_report(found, database=describe(url).removeprefix("database "), run=run, waits=waits, now_ms=now))
    sentence = behind(found, now_ms=now)
    if sentence:
        raise CollectorError(sentence)
