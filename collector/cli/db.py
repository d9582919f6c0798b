"""The commands that look after the database."""

from __future__ import annotations

from pathlib import Path

import click

from collector.cli.context import App, complain, database_option, pass_app


@click.group()
def db() -> None:
    """Make, upgrade and look after the database."""


@db.command()
@database_option
@pass_app
def upgrade(app: App) -> None:
    """Make the tables, or bring them to this version; an SQLite file is copied first."""
    from collector.storage import upkeep
    from collector.storage.engine import describe
    from collector.storage.schema import REVISIONS

    url = app.settings(accounts=False).database
    backup, what = _backup(url), describe(url)
    if backup:
        complain(f"the file as it was is kept as {backup}")
    before = upkeep.upgrade(url)
    if before is None:
        click.echo(f"{what}: tables made, revision {REVISIONS[-1]}")
    elif before == REVISIONS[-1]:
        click.echo(f"{what}: already at revision {before}")
    else:
        click.echo(f"{what}: from revision {before} to {REVISIONS[-1]}")


def _backup(url: str) -> Path | None:
    """Copy an SQLite file whose tables are of an older revision; None when there is nothing to lose."""
    from collector.storage import schema, upkeep
    from collector.storage.engine import sqlite_file

    path = sqlite_file(url)
    if path is None or not path.exists() or upkeep.revision_of(url) not in schema.REVISIONS[:-1]:
        return None
    return upkeep.back_up_sqlite(url, f"before-{schema.REVISIONS[-1]}")
