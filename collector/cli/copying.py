"""The commands `db backup`, `db restore` and `db copy`: a history in another place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import now_ms
from collector.cli.progress import progress
from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.storage.backup import Show


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@database_option
@pass_app
def backup(app: App, file: Path) -> None:
    """Copy the database to FILE, a new SQLite file, while the daemon runs; it is checked afterwards.

    Of a PostgreSQL database too: `db restore` brings it back to either engine.
    """
    from collector.reports.usage import size
    from collector.storage.backup import back_up_file
    from collector.storage.reader import reading
    from collector.storage.restore import back_up_server
    from collector.storage.urls import describe, sqlite_file

    url = app.settings(accounts=False).database
    with reading(url):
        pass
    with progress() as show:
        if sqlite_file(url) is not None:
            back_up_file(url, file, show=show)
        else:
            back_up_server(url, file, show=show)
    click.echo(f"{describe(url)} is backed up as {file}: {size(file.stat().st_size)}, checked")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace what the database holds.")
@database_option
@pass_app
def restore(app: App, file: Path, *, force: bool) -> None:
    """Put FILE, made by `db backup`, back into the database, of either engine. No daemon may be running.

    A database that holds a history is replaced only with --force; an SQLite file is copied first.
    """
    from collector.storage.lock import held
    from collector.storage.restore import check_backup, holds_history, restore_file, restore_server
    from collector.storage.urls import describe, sqlite_file

    url = app.settings(accounts=False).database
    check_backup(file)
    with held(url), progress() as show:
        if holds_history(url):
            if not force:
                raise UsageError(f"{describe(url)} holds a history already: --force replaces it")
            _keep(url, show)
        if sqlite_file(url) is not None:
            restore_file(file, url, show=show)
        else:
            restore_server(file, url, show=show)
    click.echo(f"{describe(url)} holds what {file} held, checked")


def _keep(url: str, show: Show) -> None:
    from collector.storage.urls import sqlite_file

    path = sqlite_file(url)
    if path is not None:
        complain(f"the file as it was is kept as {keep_file(url, path, 'before-restore', show)}")


def keep_file(url: str, path: Path, suffix: str, show: Show) -> Path:
    """Back an SQLite file up beside itself, under a name that tells why and when."""
    from collector.reports.instants import rfc3339
    from collector.storage.backup import back_up_file

    kept = path.with_name(f"{path.name}.{suffix}-{rfc3339(now_ms() // 1000).replace(':', '')}")
    back_up_file(url, kept, show=show)
    return kept


@click.command()
@click.argument("source")
@click.argument("target")
def copy(source: str, target: str) -> None:
    """Copy every account from SOURCE to TARGET, each a file or a URL: SQLite to PostgreSQL, back, or alike.

    The daemon may go on writing into the source. What was interrupted goes on when it is run again, and it ends with a
    comparison of each account and month.
    """
    from collector.reports.flaws import counted
    from collector.storage.copy import copy as copy_database
    from collector.storage.urls import describe

    source_url, target_url = _url("SOURCE", source), _url("TARGET", target)
    with progress() as show:
        done = copy_database(source_url, target_url, show=show)
    found = ", ".join(counted(getattr(done, name), name) for name in ("accounts", "ticks", "balances"))
    again = f"; {counted(done.again, 'months')} copied again" if done.again else ""
    click.echo(f"{describe(target_url)} holds {found} of {describe(source_url)}, compared{again}")


def _url(name: str, written: str) -> str:
    from collector.config.database import normal_url

    try:
        return normal_url(written, Path.cwd())
    except ValueError as error:
        raise UsageError(f"{name} {error}") from None
