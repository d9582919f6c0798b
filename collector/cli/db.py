"""The group `db`: the commands that look after the database."""

from __future__ import annotations

import click

from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.copying import backup, copy, restore
from collector.cli.prune import prune
from collector.cli.revisions import current, downgrade
from collector.cli.verify import stats, verify


@click.group()
def db() -> None:
    """Make, upgrade and look after the database."""


@db.command()
@database_option
@pass_app
def upgrade(app: App) -> None:
    """Make the tables, or bring them to this version; an SQLite file is copied first."""
    from collector.storage import upkeep
    from collector.storage.revisions import REVISIONS
    from collector.storage.urls import describe

    url = app.settings(accounts=False).database
    backup, what = upkeep.back_up_before_upgrade(url), describe(url)
    if backup:
        complain(f"the file as it was is kept as {backup}")
    before = upkeep.upgrade(url)
    if before is None:
        click.echo(f"{what}: tables made, revision {REVISIONS[-1]}")
    elif before == REVISIONS[-1]:
        click.echo(f"{what}: already at revision {before}")
    else:
        click.echo(f"{what}: from revision {before} to {REVISIONS[-1]}")


for command in (downgrade, current, stats, verify, prune, backup, restore, copy):
    db.add_command(command)
