"""The command `db prune`: thinning a history by rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from collector.cli.choices import accounts_option, named_accounts
from collector.cli.context import App, complain, database_option, pass_app
from collector.cli.output import emit, format_options
from collector.cli.progress import progress
from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.domain.thinning import Rule, Thinning

F = TypeVar("F", bound=Callable[..., Any])

RULES = "collector.cli.prune.rules"


def keep_options(command: F) -> F:
    """--keep-all and its like; `_rules` gives what was said."""
    for name, explanation in (
        ("monthly", "Keep the first and the last snapshot of each month, so far back."),
        ("weekly", "The same of each week."),
        ("daily", "The same of each day."),
        ("hourly", "The same of each hour."),
        ("all", "Keep every snapshot, so far back: 12h, 30d, 6w, 1y or forever."),
    ):
        option = click.option(f"--keep-{name}", metavar="SPAN", expose_value=False, callback=_note, help=explanation)
        command = option(command)
    return command


def _note(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    from collector.domain.thinning import Keep, Rule, parse_span

    rules = ctx.meta.setdefault(RULES, [])
    if value is not None:
        try:
            rules.append(Rule(keep=Keep(str(option.name).removeprefix("keep_")), span_s=parse_span(value)))
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, option) from None


def _rules() -> list[Rule]:
    rules: list[Rule] = click.get_current_context().meta[RULES]
    if not rules:
        raise UsageError(
            "nothing says what is to stay: give --keep-all, --keep-hourly, --keep-daily, --keep-weekly or "
            "--keep-monthly, as in --keep-all 30d --keep-hourly 1y --keep-daily forever"
        )
    return rules


@click.command()
@accounts_option
@keep_options
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("--vacuum", is_flag=True, help="Make the SQLite file smaller afterwards; no daemon may be running.")
@database_option
@format_options
@pass_app
def prune(app: App, names: tuple[str, ...], *, dry_run: bool, vacuum: bool) -> None:
    """Thin a history: what no --keep option keeps goes, and the ledger says so.

    Whole snapshots go, never failed or missed ticks, nor manual snapshots. Spans count back from the newest snapshot
    of an account. It may run beside the daemon.
    """
    from collector.reports.thinning import thinning_report
    from collector.storage.accounts import every_account
    from collector.storage.engine import inspecting
    from collector.storage.prune import plan
    from collector.storage.reader import Reader
    from collector.storage.stats import usage
    from collector.storage.urls import describe, sqlite_file

    url, rules = app.settings(accounts=False).database, _rules()
    file = sqlite_file(url)
    if vacuum and file is None:
        raise UsageError("--vacuum is for SQLite: PostgreSQL uses the space again by itself")
    with inspecting(url) as connection:
        reader = Reader.over(connection)
        planned = [plan(connection, one, rules) for one in named_accounts(reader, names)]
        bytes_a_row = usage(connection, every_account(reader)).bytes_a_row
    if not dry_run:
        _thin(url, planned, rules, vacuum=vacuum)
    database = describe(url).removeprefix("database ")
    emit(thinning_report(planned, rules, bytes_a_row=bytes_a_row, database=database, dry_run=dry_run))
    if file is not None and not dry_run and not vacuum and any(one.ticks for one in planned):
        complain("the file keeps its size, what comes uses the space again: --vacuum makes it smaller")


def _thin(url: str, planned: Sequence[Thinning], rules: Sequence[Rule], *, vacuum: bool) -> None:
    from contextlib import ExitStack

    from collector.storage import prune as storage
    from collector.storage.lock import held

    with ExitStack() as stack, progress() as show:
        if vacuum:
            stack.enter_context(held(url))
        for one in planned:
            storage.prune(url, one, rules, show=show)
        if vacuum:
            storage.vacuum(url)
