"""The commands `db current` and `db downgrade`: which revision the tables are at, and back to an older one."""

from __future__ import annotations

import click

from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.copying import keep_file
from collector.errors import UsageError


@click.command()
@database_option
@pass_app
def current(app: App) -> None:
    """Show at which revision the tables are; ends with 6 unless this version can use them."""
    from collector.storage import revisions, upkeep
    from collector.storage.reader import reading
    from collector.storage.urls import describe

    url = app.settings(accounts=False).database
    revision = upkeep.revision_of(url)
    click.echo(f"{describe(url)}: revision {revision or 'base'}, this version needs {revisions.REVISIONS[-1]}")
    with reading(url):
        pass


@click.command()
@click.argument("revision")
@click.option("--force", is_flag=True, help="Drop every table, with the whole history.")
@database_option
@pass_app
def downgrade(app: App, revision: str, *, force: bool) -> None:
    """Bring the tables back to an older REVISION, for an older version of the program; `base` drops them all.

    An SQLite file is copied first. No daemon may be running.
    """
    from collector.storage import upkeep
    from collector.storage.lock import held
    from collector.storage.reader import reading
    from collector.storage.revisions import REVISIONS
    from collector.storage.urls import describe

    url = app.settings(accounts=False).database
    if revision not in {"base", *REVISIONS}:
        raise UsageError(f"there is no revision {revision!r}: choose one of base, {', '.join(REVISIONS)}")
    with reading(url):
        what = describe(url)
    if revision == REVISIONS[-1]:
        click.echo(f"{what}: already at revision {revision}")
        return
    if revision == "base" and not force:
        raise UsageError(f"revision base has no tables: --force drops those of {what}, with the whole history")
    with held(url):
        _keep(url, f"before-{revision}")
        upkeep.downgrade(url, revision)
    click.echo(f"{what}: from revision {REVISIONS[-1]} to {revision}")


def _keep(url: str, suffix: str) -> None:
    from collector.storage.urls import sqlite_file

    path = sqlite_file(url)
    if path is not None:
        kept = keep_file(url, path, suffix, lambda _what, _share: None)
        complain(f"the file as it was is kept as {kept}")
