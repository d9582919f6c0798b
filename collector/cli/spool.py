"""The group `spool`: what was received and is not in the database yet."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import emit, format_options
from collector.errors import NoDataError

if TYPE_CHECKING:
    from collector.domain.spooled import Place


@click.group()
def spool() -> None:
    """Look into the spool, where replies wait while the database is away."""


@spool.command("list")
@database_option
@format_options
@pass_app
def list_(app: App) -> None:
    """Show how much waits of each account, and what is in quarantine because it can't be stored."""
    from collector.reports.spool import spool_report
    from collector.storage.spool_view import spooled

    found = spooled(app.settings(accounts=False).spool)
    emit(spool_report(found))
    if not found.lots:
        complain(f"the spool {found.path} is empty")


@spool.command()
@click.argument("number", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@click.option("--quarantine", is_flag=True, help="The entry of this number in quarantine, not in the queue.")
@click.option("--body", is_flag=True, help="The reply itself, byte for byte, and nothing else.")
@database_option
@pass_app
def show(app: App, number: int, quarantine: bool, body: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show what is known of one entry; of the reply only its length, unless --body."""
    from collector.domain.spooled import Place
    from collector.storage.spool_view import entry

    place = Place.QUARANTINE if quarantine else Place.WAITING
    path = app.settings(accounts=False).spool
    found = entry(path, place, number)
    if found is None:
        raise NoDataError(f"the spool {path} has no entry {number} {_where(place)}: see `collector spool list`")
    reply = found.pop("body")
    if not body:
        click.echo("".join(f"{name}\t{_text(name, value)}\n" for name, value in found.items()), nl=False)
        click.echo(f"body\t{'none' if reply is None else f'{len(reply)} bytes'}")
    elif reply is None:
        raise NoDataError(f"entry {number} has no reply: it is {found['outcome']}")
    else:
        sys.stdout.buffer.write(reply)


def _where(place: Place) -> str:
    return "in quarantine" if place == "quarantine" else "that waits"


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_ms") and name != "clock_offset_ms":
        instant = datetime.fromtimestamp(value / 1000, UTC)
        return f"{instant:%Y-%m-%dT%H:%M:%S}.{value % 1000:03}Z"
    return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}" if name.endswith("due_at") else str(value)


@spool.command()
@database_option
@pass_app
def drain(app: App) -> None:
    """Store what waits, oldest first, while no daemon runs; a daemon does that by itself."""
    from collector.bootstrap import now_ms, open_recorder, open_spool
    from collector.daemon.drain import Drain
    from collector.storage.lock import held
    from collector.storage.reader import reading
    from collector.storage.urls import describe

    settings = app.settings(accounts=False)
    with reading(settings.database):
        pass  # the tables are there, and this program's
    with held(settings.database), open_recorder(settings) as recorder, open_spool(settings) as waiting:
        stored = Drain(recorder, waiting, now_ms=now_ms).run()
    click.echo(f"{describe(settings.database)}: stored {stored} answers that waited in {settings.spool}")
