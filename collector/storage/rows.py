"""From rows of tables and views to values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Row, Select

from collector.domain.balances import Balance, of_cells
from collector.domain.records import Account, Gap, StoredSnapshot
from collector.storage.columns import is_postgresql
from collector.storage.plain import plain
from collector.storage.schema import balance, tick
from collector.storage.statements import BALANCE_COLUMNS

BATCH = 2_000
"""How many rows are fetched at once."""

held = of_cells


def fetched(
    connection: Connection, wanted: Select[Any], values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a query as the driver gives them: its columns have to be `plain`."""
    result = connection.execute(wanted, values)
    try:
        assert result.cursor is not None  # noqa: S101 - it is a query
        return list(result.cursor.fetchall())
    finally:
        result.close()


def streamed(connection: Connection, wanted: Select[Any], *, at_once: int = BATCH) -> Iterator[Row[Any]]:
    """The rows of a query in constant memory, whoever stops before their end leaves nothing open."""
    result = connection.execute(wanted.execution_options(yield_per=at_once))
    try:
        for some in result.partitions():
            yield from some
    finally:
        # Whoever broke off may have closed the connection: SQLite's cursors are gone then, PostgreSQL's are not.
        if is_postgresql(connection.dialect) or not connection.closed:
            result.close()


def stored(account: Account, *, known_at_ms: int | None = None) -> tuple[ColumnElement[bool], ...]:
    """Conditions on `tick`: snapshots of the account, without those that were recorded after an instant."""
    of_account = (tick.c.account_id == account.id, tick.c.outcome == "stored")
    return of_account if known_at_ms is None else (*of_account, tick.c.recorded_at <= known_at_ms)


def snapshot_from(account: Account, row: Row[Any], balances: tuple[Balance, ...]) -> StoredSnapshot:
    """A row of `tick` and the balances that belong to it."""
    return StoredSnapshot(
        account=account,
        due_at=row.due_at,
        interval_s=row.interval_s,
        requested_at_ms=row.requested_at,
        received_at_ms=row.received_at,
        recorded_at_ms=row.recorded_at,
        clock_offset_ms=row.clock_offset_ms,
        unpriced=row.unpriced,
        btc_total=row.btc_total,
        btc_requested=bool(row.btc_requested),
        digest=row.digest,
        extra=json.loads(row.extra) if row.extra else {},
        balances=balances,
    )


def held_columns(dialect: Dialect) -> list[ColumnElement[Any]]:
    """What `held` takes of `balance`."""
    return [plain(balance.c[name], dialect) for name in BALANCE_COLUMNS]


def gap_from(row: Row[Any]) -> Gap:
    """A row of the view `gap`."""
    return Gap(
        account=row.account,
        start_at=row.start_epoch,
        last_due_at=row.last_due_epoch,
        ticks=row.ticks,
        failed=row.failed,
        missed=row.missed,
        reasons=tuple(sorted(row.reasons.split(","))),
        open=bool(row.open),
    )
