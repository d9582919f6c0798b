"""The commands `latest`, `history` and `gaps`: what the database holds."""

from __future__ import annotations

import time

import click

from collector.cli.choices import account_option, chosen_range, one_account, range_options, some_accounts
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import emit, format_options
from collector.errors import NoDataError


def now_ms() -> int:
    """The clock of this machine, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@click.command()
@account_option
@database_option
@format_options
@pass_app
def latest(app: App, account: str | None) -> None:
    """Show the newest snapshot of an account: what it held, exactly."""
    from collector.reports.latest import latest_report
    from collector.storage import history as past
    from collector.storage.engine import reading

    with reading(app.settings(accounts=False).database) as connection:
        chosen = one_account(connection, account)
        snapshot = past.latest(connection, chosen)
        if snapshot is None:
            raise NoDataError(f"account {chosen.name!r} has no snapshot yet: see `collector gaps`")
        gaps = past.gaps(connection, chosen, from_s=snapshot.due_at)
    emit(latest_report(snapshot, gaps, now_ms=now_ms()))
    if not snapshot.balances:
        complain(f"account {chosen.name!r} held nothing at all")


@click.command()
@account_option
@range_options
@database_option
@format_options
@pass_app
def gaps(app: App, account: str | None) -> None:
    """Show when nothing was collected, and why."""
    from collector.reports.gaps import gaps_report
    from collector.reports.latest import basis_of
    from collector.reports.values import Basis
    from collector.storage import history as past
    from collector.storage.engine import reading

    from_s, to_s = chosen_range()
    with reading(app.settings(accounts=False).database) as connection:
        accounts = some_accounts(connection, account)
        only = accounts[0] if len(accounts) == 1 else None
        newest = past.latest(connection, only) if only else None
        found = past.gaps(connection, only, from_s=from_s, to_s=to_s)
    basis = basis_of(newest, now_ms=now_ms()) if newest else Basis(account=only.name if only else None)
    emit(gaps_report(basis, found))
    if not found:
        complain("there is no gap")
