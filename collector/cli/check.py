"""`collector check`: try everything that collecting needs, without collecting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from collector.cli.context import App, database_option, interval_option, pass_app

if TYPE_CHECKING:
    from collector.checks import CheckLine
    from collector.config.values import Settings


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
    from collector.bootstrap import client_for, untracked_target
    from collector.checks import check_clock, check_keys

    yield from _configuration(settings)
    yield _database(settings)
    client = client_for(settings)
    try:
        yield check_clock(client)
        yield from check_keys(client, [untracked_target(settings, account) for account in settings.accounts])
    finally:
        client.close()


def _configuration(settings: Settings) -> Iterator[CheckLine]:
    from collector.checks import ok, warning
    from collector.config.checks import format_interval

    number = len(settings.accounts)
    what = f"{number} account{'s' if number > 1 else ''} every {format_interval(settings.interval_s)}"
    where = f"from {settings.config_file}" if settings.config_file else "from the environment"
    yield ok("configuration", f"{what}, {where}")
    for sentence in settings.warnings:
        yield warning("configuration", sentence)


def _database(settings: Settings) -> CheckLine:
    from collector.checks import ok, problem
    from collector.errors import CollectorError, SchemaMissingError
    from collector.storage.engine import describe, reading, sqlite_file

    try:
        with reading(settings.database):
            return ok("database", f"{describe(settings.database)} can be read")
    except SchemaMissingError as error:
        if sqlite_file(settings.database) is not None:
            return ok("database", f"{describe(settings.database)} will be made by 'collector run'")
        return problem("database", error)
    except CollectorError as error:
        return problem("database", error)
