"""Which accounts and which part of their history a command is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from collector.cli.context import settings_option
from collector.errors import NoDataError, UsageError

if TYPE_CHECKING:
    from collector.cli.frame import Frame
    from collector.domain.records import Account
    from collector.storage.reader import Reader

F = TypeVar("F", bound=Callable[..., Any])

RANGE = "collector.cli.choices.range"

account_option = click.option("--account", metavar="NAME", help="Which account; without it the only one.")
accounts_option = click.option(
    "--account", "names", metavar="NAME", multiple=True, help="Which account (may be repeated); without it all of them."
)
sum_option = click.option("--sum", "as_sum", is_flag=True, help="Add the accounts up.")
as_of_option = click.option("--as-of", metavar="T", help="At this instant, instead of now.")
tz_option = settings_option("tz", "ZONE", "The time zone of days, like Europe/Berlin.")


class Span(NamedTuple):
    """From (inclusive) to (exclusive) in epoch seconds; None is open."""

    from_s: int | None
    to_s: int | None


def range_options(command: F) -> F:
    """--from, --to and --during; `chosen_range` gives what was said. (`from` can't be an argument's name in Python.)"""
    earliest = click.option("--from", metavar="T", expose_value=False, callback=_note, help="First instant, inclusive.")
    latest = click.option("--to", metavar="T", expose_value=False, callback=_note, help="Last instant, exclusive.")
    during = click.option(
        "--during",
        metavar="PERIOD",
        expose_value=False,
        callback=_note,
        help="Instead of both: a day, week, month, quarter or year, like yesterday, 2026-03 or 2026-Q1.",
    )
    return earliest(latest(during(tz_option(command))))


def _note(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    ctx.meta.setdefault(RANGE, {})[option.name] = value


def chosen_range(frame: Frame) -> Span:
    """What the options say. Raises UsageError for an empty range, or for two at once."""
    said = click.get_current_context().meta[RANGE]
    if said["during"] is not None:
        if said["from"] is not None or said["to"] is not None:
            raise UsageError("--during is a range by itself: leave out --from and --to")
        period = frame.period(said["during"], "--during")
        return Span(period.start_s, period.end_s)
    from_s, to_s = (None if said[name] is None else frame.instant(said[name], f"--{name}") for name in ("from", "to"))
    if from_s is not None and to_s is not None and from_s >= to_s:
        raise UsageError("nothing lies between --from and --to: --to is exclusive and must be the later one")
    return Span(from_s, to_s)


def one_account(reader: Reader, name: str | None) -> Account:
    """The account of this name, or the only one. Raises NoDataError; UsageError when there are several."""
    accounts = some_accounts(reader, name)
    if len(accounts) > 1:
        raise UsageError(f"there are {len(accounts)} accounts, choose one with --account: {_names(accounts)}")
    return accounts[0]


def some_accounts(reader: Reader, name: str | None) -> list[Account]:
    """The account of this name, or all that were ever collected. Raises NoDataError."""
    return named_accounts(reader, () if name is None else (name,))


def named_accounts(reader: Reader, names: Sequence[str]) -> list[Account]:
    """The accounts of these names in this order, or all that were ever collected. Raises NoDataError."""
    from collector.storage.accounts import every_account

    known = {account.name: account for account in every_account(reader)}
    if not known:
        raise NoDataError(
            "nothing has been collected yet: `collector run` collects, `collector once` takes one snapshot"
        )
    for name in names:
        if name not in known:
            raise NoDataError(f"account {name!r} has never been collected: {did_you_mean(name, list(known))}")
    return [known[name] for name in dict.fromkeys(names or known)]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The known words that are nearest, or some of all."""
    from difflib import get_close_matches

    # BTC for btc, and both of wBTC and WBTC.
    near = get_close_matches(word.upper(), {name.upper() for name in known}, n=5)
    close = [name for upper in near for name in known if name.upper() == upper]
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"there {'is' if len(known) == 1 else 'are'} {_listed(known)}"


def checked_asset(account: Account, asset: str, known: Sequence[str]) -> None:
    """Raise NoDataError unless the account was ever seen to hold this asset."""
    if asset in known:
        return
    if account.asset_scope is not None:
        raise NoDataError(f"only {account.asset_scope} is collected of account {account.name!r}: {asset!r} is unknown")
    hint = did_you_mean(asset, known) if known else "it never held anything"
    raise NoDataError(f"account {account.name!r} was never seen to hold {asset!r}: {hint}")


def _names(accounts: Sequence[Account]) -> str:
    return _listed([account.name for account in accounts])


def _listed(names: Sequence[str], *, at_most: int = 20) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more
