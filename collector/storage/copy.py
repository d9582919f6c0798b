"""Copying every account to another database of either engine; begun again it goes on, and at the end it compares."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from collector.domain.records import Account
from collector.errors import DatabaseError
from collector.storage.accounts import every_account
from collector.storage.bulk import insert_plain
from collector.storage.engine import inspecting
from collector.storage.lock import held
from collector.storage.months import Month, Show, months
from collector.storage.plain import first_and_last, plain_rows
from collector.storage.reader import Reader
from collector.storage.schema import account, daemon_run, known_asset, metadata, missed, price, schedule, thinned, wait
from collector.storage.statements import upsert_into
from collector.storage.target import Target, account_in, open_target, refuse_same
from collector.storage.transfer import append, copy_again, refuse_other_history
from collector.storage.urls import describe

OF_ACCOUNT = (schedule, missed, thinned, known_asset)
OF_ALL = (price, wait, daemon_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What the target holds of the source now, and how many months had to be copied again."""

    accounts: int
    ticks: int
    balances: int
    again: int


def copy(source_url: str, target_url: str, *, show: Show, exclusive: bool = True) -> Copied:
    """Copy what the source holds; a daemon may go on writing there. What the target holds of other accounts stays.

    `exclusive` keeps daemons out of the target meanwhile. Raises UsageError for the same database, LockedError,
    DatabaseError; after any of them, or a kill -9, the same call goes on.
    """
    with ExitStack() as stack:
        with inspecting(source_url) as source:
            refuse_same(source, source_url, target_url)
        if exclusive:
            stack.enter_context(held(target_url))
        target = stack.enter_context(open_target(target_url))
        target.mark_new()
        with inspecting(source_url) as source:
            for one in every_account(Reader.over(source)):
                append(source, one, target, account_in(target, source, one), show)
        # What came meanwhile, and all that changed behind the newest tick: from here on everything is of one moment.
        with inspecting(source_url) as source:
            found = [_complete(source, one, target, show) for one in every_account(Reader.over(source))]
            _copy_common(source, target)
        target.mark(finished=True)
    return Copied(
        accounts=len(found),
        ticks=sum(month.ticks for there, _ in found for month in there),
        balances=sum(month.balances for there, _ in found for month in there),
        again=sum(again for _, again in found),
    )


def _complete(source: Connection, one: Account, target: Target, show: Show) -> tuple[list[Month], int]:
    """Make the target's account equal; returns its months, and how many had to be copied again."""
    there = account_in(target, source, one)
    append(source, one, target, there, show)
    ours, theirs = _months_of_both(source, one, target, there, show)
    different = [month for at, month in sorted((theirs | ours).items()) if ours.get(at) != theirs.get(at)]
    for month in different:
        refuse_other_history(source, one, target, there, month)
        copy_again(source, one, target, there, month)
    if different and _months_of_both(source, one, target, there, show)[1] != ours:
        raise DatabaseError(
            f"account {one.name!r} in {describe(target.url)} still differs after it was copied again: "
            "run 'collector db verify' on the source"
        )
    _copy_rest(source, one, target, there)
    return list(ours.values()), len(different)


def _months_of_both(
    source: Connection, one: Account, target: Target, there: int, show: Show
) -> tuple[dict[int, Month], dict[int, Month]]:
    first, last = first_and_last(source, one.id) or (0, 0)
    found: list[dict[int, Month]] = []

    def reached(due_at: int) -> None:
        share = (due_at - first) / (last - first + 1)
        show(f"comparing account {one.name}", (len(found) + share) / 2)

    found.append({month.from_s: month for month in months(source, one.id, reached)})
    with target.transaction() as connection:
        found.append({month.from_s: month for month in months(connection, there, reached)})
    return found[0], found[1]


def _copy_rest(source: Connection, one: Account, target: Target, there: int) -> None:
    """What is small: schedule, ranges, assets and the account's own state, as they are in the source."""
    state = source.execute(select(account).where(account.c.id == one.id)).mappings().one()
    columns = {t: [c.name for c in t.c if c.name != "account_id"] for t in OF_ACCOUNT}
    rows = {t: list(plain_rows(source, t, columns[t], t.c.account_id == one.id)) for t in OF_ACCOUNT}
    with target.transaction() as connection:
        changed = {name: value for name, value in state.items() if name not in {"id", "name"}}
        connection.execute(update(account).where(account.c.id == there).values(changed))
        for table in OF_ACCOUNT:
            connection.execute(delete(table).where(table.c.account_id == there))
            copies = [(there, *row) for row in rows[table]]
            insert_plain(connection, table, ["account_id", *columns[table]], copies)


def _copy_common(source: Connection, target: Target) -> None:
    """What belongs to no account: prices, waits and the lives of daemons. What the target has beside them stays."""
    for table in OF_ALL:
        rows = source.execute(select(table).execution_options(yield_per=5_000)).mappings()
        for part in rows.partitions():
            with target.transaction() as connection:
                new = upsert_into(table, connection.engine)
                changed = {c.name: new.excluded[c.name] for c in table.c if not c.primary_key}
                keys = [c.name for c in table.primary_key]
                connection.execute(new.on_conflict_do_update(index_elements=keys, set_=changed), list(map(dict, part)))
    if target.is_postgresql:  # or its planner would go on thinking that all tables are empty
        with target.transaction() as connection:
            connection.exec_driver_sql(f"ANALYZE {', '.join(metadata.tables)}")
