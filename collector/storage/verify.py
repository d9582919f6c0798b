"""Finds whatever in a database contradicts its own ledger, row by row and in constant memory."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from collector.domain.audit import Answer, Flaw, LedgerAudit, Problem
from collector.domain.balances import EXACT
from collector.domain.records import Account
from collector.domain.ticks import TickRange
from collector.storage.accounts import schedule_of
from collector.storage.columns import is_postgresql
from collector.storage.plain import account_ids, first_and_last, plain_rows, with_balances
from collector.storage.reader import Reader
from collector.storage.schema import account, balance, known_asset, missed, schedule, thinned, tick

Show = Callable[[str, float], None]
"""Called now and then with what is being looked at, and how much of it all is done (0 to 1)."""

REFERRING = (schedule, tick, balance, missed, thinned, known_asset)


class _Tick(NamedTuple):
    due_at: int
    outcome: str
    asset_count: int | None
    unpriced: int | None
    btc_total: str | None
    btc_requested: int | None
    digest: str | None
    extra: str | None


def problems_in(
    connection: Connection, accounts: Sequence[Account], *, whole: bool, counts: Counter[str], show: Show
) -> Iterator[Problem]:
    """Everything that is wrong with these accounts, and with the database itself if it is to be looked at as a whole.

    `counts` receives how many accounts, ticks, balances and ranges were looked at.
    """
    if whole:
        show("the database itself", 0)
        yield from chain(_sqlite_problems(connection), _unknown_accounts(connection))
    for number, one in enumerate(accounts):
        counts["accounts"] += 1
        yield from _ledger_problems(connection, one, counts)
        known: dict[str, int] = {}
        oldest, newest = first_and_last(connection, one.id) or (0, 0)
        for due_at, row, balances in with_balances(connection, one.id, _Tick._fields):
            counts["ticks"] += row is not None
            counts["balances"] += len(balances)
            yield from _content_problems(one, due_at, _Tick(*row) if row else None, balances, known)
            if counts["ticks"] % 100 == 0:
                show(f"account {one.name}", (number + (due_at - oldest) / (newest - oldest + 1)) / len(accounts))
        yield from _known_asset_problems(connection, one, known)


def _sqlite_problems(connection: Connection) -> Iterator[Problem]:
    """What SQLite itself finds: torn pages, lost index entries, broken CHECKs and foreign keys."""
    if is_postgresql(connection.dialect):
        return
    for (message,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        for line in str(message).splitlines() if message != "ok" else ():
            yield Problem(flaw=Flaw.INTEGRITY, detail=line)
    dangling = Counter((row[0], row[2]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check"))
    for (table, parent), rows in sorted(dangling.items()):
        yield Problem(flaw=Flaw.REFERENCE, detail=f"{rows} of {table} refer to a row of {parent} that is not there")


def _unknown_accounts(connection: Connection) -> Iterator[Problem]:
    known = set(connection.execute(select(account.c.id)).scalars())
    for table in REFERRING:
        for account_id in account_ids(connection, table):
            if account_id not in known:
                detail = f"rows of {table.name} belong to account {account_id}, which is not there"
                yield Problem(flaw=Flaw.REFERENCE, detail=detail)


def _ledger_problems(connection: Connection, one: Account, counts: Counter[str]) -> Iterator[Problem]:
    audit = LedgerAudit(one.name, schedule_of(Reader.over(connection), one.id))
    sources = (_tick_answers(connection, one), _ranges(connection, missed, one), _ranges(connection, thinned, one))
    for answer in heapq.merge(*sources, key=lambda a: a.ticks.start_at):
        counts["ranges"] += answer.kind in {missed.name, thinned.name}
        yield from audit.see(answer)
    yield from audit.end()


def _tick_answers(connection: Connection, one: Account) -> Iterator[Answer]:
    of_grid = (tick.c.account_id == one.id, tick.c.interval_s.is_not(None))
    for due_at, interval_s, outcome in plain_rows(connection, tick, ("due_at", "interval_s", "outcome"), *of_grid):
        yield Answer(kind=outcome, ticks=_range(due_at, due_at, interval_s))


def _ranges(connection: Connection, table: Table, one: Account) -> Iterator[Answer]:
    columns = ("start_at", "last_due_at", "interval_s", "ticks")
    for start, last, interval_s, ticks in plain_rows(connection, table, columns, table.c.account_id == one.id):
        yield Answer(kind=table.name, ticks=_range(start, last, interval_s), said=ticks)


def _range(start: int, last: int, interval_s: int) -> TickRange:
    # A damaged file may hold an interval that no CHECK would let in: nothing may be divided by it.
    return TickRange(start_at=start, last_due_at=last, interval_s=max(1, interval_s))


def _content_problems(
    one: Account, due_at: int, row: _Tick | None, balances: Sequence[tuple[Any, ...]], first: dict[str, int]
) -> Iterator[Problem]:
    for asset, *_ in balances:
        first.setdefault(asset, due_at)
    for flaw, detail in _tick_problems(row, balances):
        yield Problem(flaw=flaw, account=one.name, start_at=due_at, last_due_at=due_at, detail=detail)


def _tick_problems(row: _Tick | None, balances: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Flaw, str]]:
    if row is None:
        yield Flaw.REFERENCE, f"{len(balances)} balances without a tick"
    elif row.outcome != "stored":
        if balances:
            yield Flaw.REFERENCE, f"{len(balances)} balances of a tick that is not stored"
    else:
        if row.asset_count != len(balances):
            yield Flaw.ASSET_COUNT, f"{row.asset_count} assets are said and {len(balances)} are there"
        if row.digest != _digest(balances):
            yield Flaw.DIGEST, "the digest is not that of the balances"
        yield from _valuation_problems(row, balances)
        if row.extra is not None and not _is_object(row.extra):
            yield Flaw.EXTRA, "extra is not a JSON object"


def _digest(balances: Sequence[tuple[Any, ...]]) -> str:
    lines = ("\t".join(["" if cell is None else str(cell) for cell in row]) + "\n" for row in balances)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _valuation_problems(row: _Tick, balances: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Flaw, str]]:
    valuations = [held[-1] for held in balances if held[-1] is not None]
    unpriced = sum(_is_zero(held[-1]) and not all(map(_is_zero, held[1:-1])) for held in balances if held[-1])
    if row.unpriced != unpriced:
        yield Flaw.UNPRICED, f"{row.unpriced} unpriced assets are said and {unpriced} are there"
    if (row.btc_total is not None) != bool(row.btc_requested):
        yield Flaw.BTC_TOTAL, "btc_total and btc_requested contradict each other"
    elif row.btc_total is not None and not _is_sum(row.btc_total, valuations):
        yield Flaw.BTC_TOTAL, "btc_total is not the sum of the valuations"


def _is_sum(said: str, amounts: Sequence[str]) -> bool:
    try:
        total = Decimal(0)
        for amount in amounts:
            total = EXACT.add(total, Decimal(amount))
        return total == Decimal(said)
    except ArithmeticError:
        return False


def _is_zero(amount: str) -> bool:
    return not amount.strip("0.")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _known_asset_problems(connection: Connection, one: Account, first: dict[str, int]) -> Iterator[Problem]:
    """`asset_history` shows an asset from its first due_at on: one that is unknown or too late hides what is there."""
    rows = plain_rows(connection, known_asset, ("asset", "first_due_at"), known_asset.c.account_id == one.id)
    known = dict(rows)
    for asset, due_at in first.items():
        if known.get(asset, due_at + 1) > due_at:
            detail = f"{asset} is held here and known only later" if asset in known else f"{asset} is not known"
            yield Problem(flaw=Flaw.KNOWN_ASSET, account=one.name, start_at=due_at, last_due_at=due_at, detail=detail)
