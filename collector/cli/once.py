"""`collector once`: one snapshot now, off the grid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import now_ms
from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.bootstrap import Services
    from collector.collect import Fetched, Target
    from collector.config.values import AccountSettings, Settings


@click.command()
@click.option("--account", metavar="NAME", multiple=True, help="Only this account; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Ask Binance and say what came of it, but store nothing.")
@database_option
@click.pass_context
@pass_app
def once(app: App, ctx: click.Context, account: tuple[str, ...], dry_run: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Take one snapshot of each account now and store it, outside of the daemon's grid.

    Ends with 0 when each was stored, else with the code of the first failure.
    """
    from collector.domain.offsets import refuse_impossible

    settings = app.settings()
    accounts = _chosen(settings, account)
    refuse_impossible(now_ms())
    codes = [_dry(settings, one) for one in accounts] if dry_run else _stored(settings, accounts)
    ctx.exit(next((code for code in codes if code), 0))


def _chosen(settings: Settings, names: tuple[str, ...]) -> list[AccountSettings]:
    known = {account.name: account for account in settings.require_accounts()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no account {unknown[0]!r} is configured: there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


def _dry(settings: Settings, account: AccountSettings) -> int:
    from collector.bootstrap import client_for, untracked_target
    from collector.collect import fetch, manual_tick

    client = client_for(settings)
    try:
        return _tell(fetch(client, untracked_target(settings, account), manual_tick(now_ms())), "fetched")
    finally:
        client.close()


def _stored(settings: Settings, accounts: list[AccountSettings]) -> list[int]:
    from collector.bootstrap import open_services, targets
    from collector.checks import check_histories
    from collector.storage.reader import reading

    with reading(settings.database):
        pass  # the tables are there, and this program's
    with open_services(settings) as services:
        wanted = {account.name for account in accounts}
        known = targets(services, instant_ms=now_ms())
        for line in check_histories(known):  # of all: each key is noted now, and would be named nowhere later
            complain(f"warning: {line.subject}: {line.text}")
        return [_store(services, target) for target in known if target.account.name in wanted]


def _store(services: Services, target: Target) -> int:
    from collector.collect import collect_once, manual_tick

    fetched, kept = collect_once(services.client, services.recorder, target, manual_tick(now_ms()), now_ms)
    if fetched.error is None and not kept:
        complain(f"{target.account.name}: a snapshot of this very second is there already; nothing was added")
        return 0
    return _tell(fetched, "stored")


def _tell(fetched: Fetched, verb: str) -> int:
    name, snapshot = fetched.outcome.account, fetched.outcome.snapshot
    if fetched.error is not None:
        complain(f"{name}: {fetched.error}")
        return fetched.error.exit_code
    number = 0 if snapshot is None else len(snapshot.balances)
    complain(f"{name}: {verb} {number} asset{'' if number == 1 else 's'} as of {_instant(fetched.outcome.due_at)}")
    return 0


def _instant(due_at: int) -> str:
    return datetime.fromtimestamp(due_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
