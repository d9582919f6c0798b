"""The command `status`: whether collecting works."""

from __future__ import annotations

import click

from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import emit, format_options, now_ms
from collector.errors import CollectorError, DatabaseError, NoDataError


@click.command()
@database_option
@format_options
@pass_app
def status(app: App) -> None:
    """Tell how the collection of each account stands.

    Ends with 1 when the newest snapshot of a collected account is older than two intervals.
    """
    from collector.reports.spool import spool_warnings
    from collector.reports.status import status_report
    from collector.reports.verdict import behind, nothing_collected
    from collector.storage import accounts, ledger
    from collector.storage.reader import reading
    from collector.storage.spool_view import spooled
    from collector.storage.urls import describe

    settings, now = app.settings(accounts=False), now_ms()
    url, waiting = settings.database, spooled(settings.spool)
    try:
        with reading(url) as reader:
            found = ledger.statuses(reader, now_ms=now)
            run, waits = accounts.last_run(reader), accounts.waits(reader, now_ms=now)
    except DatabaseError:
        for sentence in spool_warnings(waiting):
            complain(sentence)
        raise
    if nothing_collected(found):
        raise NoDataError("nothing has been collected yet: start `collector run`")
    name = describe(url).removeprefix("database ")
    emit(status_report(found, database=name, run=run, waits=waits, now_ms=now, spooled=waiting))
    late = behind(found, now_ms=now)
    if late:
        raise CollectorError(late)
