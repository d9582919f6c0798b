"""The commands `db stats` and `db verify`: what a database holds, and whether it contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from collector.cli.choices import accounts_option, named_accounts
from collector.cli.context import App, database_option, pass_app
from collector.cli.output import chosen_format, emit, format_options
from collector.cli.progress import progress
from collector.errors import CollectorError

if TYPE_CHECKING:
    from collector.domain.audit import Problem


@click.command()
@accounts_option
@database_option
@format_options
@pass_app
def stats(app: App, names: tuple[str, ...]) -> None:
    """Show how many rows and bytes there are, and how the database grows."""
    from collector.reports.usage import usage_report
    from collector.storage.engine import inspecting
    from collector.storage.reader import Reader
    from collector.storage.stats import usage
    from collector.storage.urls import describe

    url = app.settings(accounts=False).database
    with inspecting(url) as connection:
        found = usage(connection, named_accounts(Reader.over(connection), names))
    emit(usage_report(found, database=describe(url).removeprefix("database ")))


@click.command()
@accounts_option
@database_option
@format_options
@pass_app
def verify(app: App, names: tuple[str, ...]) -> None:
    """Recompute everything that can be recomputed, and name each tick or range that is wrong.

    Ends with 1 when something is wrong. It may run beside the daemon.
    """
    from collector.reports.flaws import flaws_report, verified_sentence
    from collector.storage.accounts import every_account
    from collector.storage.engine import inspecting
    from collector.storage.reader import Reader
    from collector.storage.urls import describe
    from collector.storage.verify import problems_in

    url, counts = app.settings(accounts=False).database, Counter[str]()
    database = describe(url).removeprefix("database ")
    with inspecting(url) as connection, progress() as show:
        reader = Reader.over(connection)
        accounts = named_accounts(reader, names) if names else every_account(reader)
        problems = problems_in(connection, accounts, whole=not names, counts=counts, show=show)
        first = next(problems, None)
        if first is None and chosen_format() in {"table", "tsv"}:
            click.echo(verified_sentence(database, counts))
            return
        found = () if first is None else chain([first], problems)
        emit(flaws_report(_counted(found, counts), database=database))
    if first is not None:
        number = counts["problems"]
        raise CollectorError(f"{number} problem{'s' if number > 1 else ''} in database {database}")


def _counted(problems: Iterable[Problem], counts: Counter[str]) -> Iterator[Problem]:
    for problem in problems:
        counts["problems"] += 1
        yield problem
