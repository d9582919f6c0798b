"""Which account and which part of its history a command is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from collector.errors import NoDataError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from collector.domain.records import Account

F = TypeVar("F", bound=Callable[..., Any])

RANGE = "collector.cli.choices.range"

account_option = click.option("--account", metavar="NAME", help="Which account; without it the only one.")


def range_options(command: F) -> F:
    """--from and --to; `chosen_range` gives what was said. (`from` can't be the name of an argument in Python.)"""
    earliest = click.option("--from", metavar="T", expose_value=False, callback=_note, help="First instant, inclusive.")
    latest = click.option("--to", metavar="T", expose_value=False, callback=_note, help="Last instant, exclusive.")
    return earliest(latest(command))


def _note(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    from collector.reports.instants import parse_instant

    try:
        ctx.meta.setdefault(RANGE, {})[option.name] = None if value is None else parse_instant(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from None


def chosen_range() -> tuple[int | None, int | None]:
    """From (inclusive) and to (exclusive) in epoch seconds; None is open. Raises UsageError for an empty range."""
    said = click.get_current_context().meta[RANGE]
    from_s, to_s = said["from"], said["to"]
    if from_s is not None and to_s is not None and from_s >= to_s:
        raise UsageError("nothing lies between --from and --to: --to is exclusive and must be the later one")
    return from_s, to_s


def one_account(connection: Connection, name: str | None) -> Account:
    """The account of this name, or the only one. Raises NoDataError; UsageError when there are several."""
    accounts = some_accounts(connection, name)
    if len(accounts) > 1:
        raise UsageError(f"there are {len(accounts)} accounts, choose one with --account: {_names(accounts)}")
    return accounts[0]


def some_accounts(connection: Connection, name: str | None) -> list[Account]:
    """The account of this name, or all that were ever collected. Raises NoDataError."""
    from collector.storage.accounts import every_account

    known = every_account(connection)
    if not known:
        raise NoDataError(
            "nothing has been collected yet: `collector run` collects, `collector once` takes one snapshot"
        )
    found = [account for account in known if name in {None, account.name}]
    if not found:
        raise NoDataError(
            f"account {name!r} has never been collected: {did_you_mean(str(name), [a.name for a in known])}"
        )
    return found


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The known words that are nearest, or some of all."""
    from difflib import get_close_matches

    # BTC for btc, and both of wBTC and WBTC.
    near = get_close_matches(word.upper(), {name.upper() for name in known}, n=5)
    close = [name for upper in near for name in known if name.upper() == upper]
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"there {'is' if len(known) == 1 else 'are'} {_listed(known)}"


def _names(accounts: Sequence[Account]) -> str:
    return _listed([account.name for account in accounts])


def _listed(names: Sequence[str], *, at_most: int = 20) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
