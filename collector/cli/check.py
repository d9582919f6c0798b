"""`collector check`: try everything that collecting needs, without collecting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from collector.cli.context import App, database_option, interval_option, pass_app

if TYPE_CHECKING:
    from collector.checks import CheckLine
    from collector.collect import Target
    from collector.config.values import AccountSettings, Settings
    from collector.domain.records import Account


@click.command()
@database_option
@interval_option
@click.pass_context
@pass_app
def check(app: App, ctx: click.Context) -> None:
    """Try configuration, database, clock, keys and their permissions; each line is ok or says what to do.

    Ends with 0 when there are warnings only.
    """
    from collector.checks import exit_code_of

    settings = app.settings(warn=False)
    settings.require_accounts()
    lines = []
    for line in _checks(settings):
        click.echo(f"{line.grade:<8} {line.subject}: {line.text}")
        lines.append(line)
    ctx.exit(exit_code_of(lines))


def _checks(settings: Settings) -> Iterator[CheckLine]:
    from collector.bootstrap import client_for
    from collector.checks import check_binance, check_histories

    yield from _configuration(settings)
    line, known = _database(settings)
    yield line
    targets: list[Target] = []
    for account in settings.accounts:
        yield from _usable(settings, account, known.get(account.name), targets)
    yield from check_histories(targets)
    yield from _clock()
    client = client_for(settings)
    try:
        yield from check_binance(client, targets, settings.prices)
    finally:
        client.close()


def _clock() -> Iterator[CheckLine]:
    """A problem when the local clock can't be right; TLS then fails as well, and says less."""
    from collector.bootstrap import now_ms
    from collector.checks import problem
    from collector.domain.offsets import refuse_impossible
    from collector.errors import CollectorError

    try:
        refuse_impossible(now_ms())
    except CollectorError as error:
        yield problem("local clock", error)


def _configuration(settings: Settings) -> Iterator[CheckLine]:
    from collector.bootstrap import places
    from collector.checks import ok, problem, warning
    from collector.config.checks import format_interval
    from collector.errors import ConfigError

    number = len(settings.accounts)
    what = f"{number} account{'s' if number > 1 else ''} every {format_interval(settings.interval_s)}"
    where = f"from {settings.config_file}" if settings.config_file else "from the environment"
    try:
        places(settings)
        yield ok("configuration", f"{what}, {where}")
    except ConfigError as error:
        yield problem("configuration", error)
    for sentence in settings.warnings:
        yield warning("configuration", sentence)


def _database(settings: Settings) -> tuple[CheckLine, dict[str, Account]]:
    """How the database is, and the accounts that it knows."""
    from collector.checks import ok, problem
    from collector.errors import CollectorError, SchemaMissingError
    from collector.storage.accounts import every_account
    from collector.storage.reader import reading
    from collector.storage.urls import describe, sqlite_file

    name = describe(settings.database)
    try:
        with reading(settings.database) as reader:
            known = {account.name: account for account in every_account(reader)}
    except SchemaMissingError as error:
        made = sqlite_file(settings.database) is not None
        return ok("database", str(error)) if made else problem("database", error), {}
    except CollectorError as error:
        return problem("database", error), {}
    return ok("database", f"{name} can be read"), known


def _usable(
    settings: Settings, account: AccountSettings, known: Account | None, targets: list[Target]
) -> Iterator[CheckLine]:
    """Add an account whose key can sign to `targets`; a problem for any other."""
    from collector.bootstrap import untracked_target
    from collector.checks import problem
    from collector.errors import ConfigError

    try:
        targets.append(untracked_target(settings, account, known))
    except ConfigError as error:
        said = str(error).removeprefix(f"account {account.name!r}: ")  # which the line begins with
        yield problem(f"account {account.name}", ConfigError(said))
