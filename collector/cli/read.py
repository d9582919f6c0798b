"""The commands `latest`, `history` and `gaps`: what the database holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import click

from collector.cli.choices import (
    account_option,
    chosen_range,
    did_you_mean,
    one_account,
    range_options,
    some_accounts,
)
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import emit, format_options, now_ms
from collector.errors import NoDataError
from collector.reports.balances import BINANCE_NAMES, FIELDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from collector.domain.records import Account


@click.command()
@account_option
@database_option
@format_options
@pass_app
def latest(app: App, account: str | None) -> None:
    """Show the newest snapshot of an account: what it held, exactly."""
    from collector.reports.latest import latest_report
    from collector.storage import history as past
    from collector.storage import ledger
    from collector.storage.engine import reading

    with reading(app.settings(accounts=False).database) as connection:
        chosen = one_account(connection, account)
        snapshot = past.latest(connection, chosen)
        if snapshot is None:
            raise NoDataError(f"account {chosen.name!r} has no snapshot yet: see `collector gaps`")
        gaps = ledger.gaps(connection, chosen, from_s=snapshot.due_at)
    emit(latest_report(snapshot, gaps, now_ms=now_ms()))
    if not snapshot.balances:
        complain(f"account {chosen.name!r} held nothing at all")


@click.command()
@click.argument("asset")
@account_option
@range_options
@click.option(
    "--field",
    type=click.Choice((*FIELDS, *BINANCE_NAMES)),
    multiple=True,
    help="Only this amount (may be repeated).",
)
@database_option
@format_options
@pass_app
def history(app: App, asset: str, account: str | None, field: tuple[str, ...]) -> None:
    """Show one asset over time, a row for each snapshot.

    Zero is written as zero; when nothing is known there is no row, and the gap is named.
    """
    from collector.storage.engine import reading

    names = tuple(dict.fromkeys(BINANCE_NAMES.get(name, name) for name in field)) or FIELDS
    with reading(app.settings(accounts=False).database) as connection:
        _show_history(connection, one_account(connection, account), asset, names)


def _show_history(connection: Connection, account: Account, asset: str, fields: Sequence[str]) -> None:
    from collector.reports.history import history_report
    from collector.reports.latest import basis_of
    from collector.storage import history as past
    from collector.storage import ledger, series

    from_s, to_s = chosen_range()
    _check_asset(account, asset, past.known_assets(connection, account))
    newest = past.latest(connection, account) if to_s is None else past.as_of(connection, account, to_s - 1)
    if newest is None or newest.due_at < (from_s or 0):
        raise NoDataError(f"account {account.name!r} has no snapshot in this time: see `collector gaps`")
    points = series.asset_points(connection, account, asset, from_s=from_s, to_s=to_s)
    first = next(points, None)
    start = from_s if from_s is not None or first is None else first.due_at
    crossed = ledger.gaps(connection, account, from_s=start, to_s=to_s)
    rows = chain([first], points) if first else ()
    emit(history_report(basis_of(newest, now_ms=now_ms()), account, asset, rows, crossed, fields=fields))
    if first is None:
        complain(f"{asset} appeared only after this time: account {account.name!r} did not hold it yet")


def _check_asset(account: Account, asset: str, known: Sequence[str]) -> None:
    if asset in known:
        return
    if account.asset_scope is not None:
        raise NoDataError(f"only {account.asset_scope} is collected of account {account.name!r}: {asset!r} is unknown")
    hint = did_you_mean(asset, known) if known else "it never held anything"
    raise NoDataError(f"account {account.name!r} was never seen to hold {asset!r}: {hint}")


@click.command()
@click.option("--account", metavar="NAME", help="Only this account; without it all of them.")
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
    from collector.storage import ledger
    from collector.storage.engine import reading

    from_s, to_s = chosen_range()
    with reading(app.settings(accounts=False).database) as connection:
        accounts = some_accounts(connection, account)
        only = accounts[0] if len(accounts) == 1 else None
        newest = past.latest(connection, only) if only else None
        found = ledger.gaps(connection, only, from_s=from_s, to_s=to_s)
    basis = basis_of(newest, now_ms=now_ms()) if newest else Basis(account=only.name if only else None)
    emit(gaps_report(basis, found))
    if not found:
        complain("there is no gap")
