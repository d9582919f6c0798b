"""How many rows and bytes a database holds."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, func, select, text

from collector.domain.records import Account
from collector.domain.usage import AccountUsage, Usage
from collector.storage.accounts import schedule_of
from collector.storage.columns import is_postgresql
from collector.storage.reader import Reader
from collector.storage.schema import NOT_STORED, metadata, missed, thinned, tick

# Measured on histories of 40 assets with 8 to 18 decimals, keys and the tick's share included.
SQLITE_ROW = 64
POSTGRESQL_ROW = 125


def usage(connection: Connection, accounts: Sequence[Account]) -> Usage:
    """What these accounts take. It reads every tick, and no balance."""
    postgresql = is_postgresql(connection.dialect)
    taken, free = _postgresql_bytes(connection) if postgresql else _sqlite_bytes(connection)
    return Usage(
        accounts=tuple(_of_account(connection, one) for one in accounts),
        bytes=taken,
        free_bytes=free,
        typical_row=POSTGRESQL_ROW if postgresql else SQLITE_ROW,
    )


def _of_account(connection: Connection, one: Account) -> AccountUsage:
    snapshots = (tick.c.account_id == one.id, tick.c.outcome == "stored")
    counts = select(
        func.count(), func.count(tick.c.interval_s), func.sum(tick.c.asset_count),
        func.min(tick.c.due_at, type_=tick.c.due_at.type), func.max(tick.c.due_at, type_=tick.c.due_at.type),
    ).where(*snapshots)  # fmt: skip
    number, of_grid, balances, oldest, newest = connection.execute(counts).one()
    newest_assets = select(tick.c.asset_count).where(*snapshots).order_by(tick.c.due_at.desc()).limit(1)
    failed = select(func.count()).select_from(tick).where(tick.c.account_id == one.id, NOT_STORED)
    entries = schedule_of(Reader.over(connection), one.id)
    return AccountUsage(
        account=one,
        interval_s=entries[-1].interval_s if entries else None,
        snapshots=number,
        manual=number - of_grid,
        balances=int(balances or 0),
        failed=connection.execute(failed).scalar_one(),
        missed=_ticks(connection, missed, one),
        thinned=_ticks(connection, thinned, one),
        oldest=oldest,
        newest=newest,
        newest_assets=connection.execute(newest_assets).scalar() or 0,
    )


def _ticks(connection: Connection, ranges: Table, one: Account) -> int:
    ticks = select(func.sum(ranges.c.ticks)).where(ranges.c.account_id == one.id)
    return int(connection.execute(ticks).scalar() or 0)


def _sqlite_bytes(connection: Connection) -> tuple[int, int]:
    size, pages, free = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free), size * free


def _postgresql_bytes(connection: Connection) -> tuple[int, int]:
    size = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
    return sum(connection.execute(size, {"name": name}).scalar_one() for name in metadata.tables), 0
