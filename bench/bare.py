"""The same ticks by bare drivers: what a program of its own would do that keeps the same rows as safely."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from collector.domain.balances import EXACT, Snapshot, plain
from collector.domain.ticks import TickOutcome

Write = Callable[[TickOutcome, int], bool]
"""Stores a tick (recorded at this millisecond) durably; True when it became the tick's answer."""

COLUMNS = (
    "due_at", "account_id", "interval_s", "outcome", "reason", "http_status", "code", "detail", "attempts",
    "requested_at", "received_at", "recorded_at", "clock_offset_ms", "weight_used", "asset_count", "unpriced",
    "btc_total", "btc_requested", "digest", "extra",
)  # fmt: skip
UPSERT = f"""
INSERT INTO tick ({", ".join(COLUMNS)}) VALUES ({{places}})
ON CONFLICT (account_id, due_at) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[3:])}
WHERE tick.outcome = 'failed' RETURNING account_id
"""
AMOUNTS = ("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation")
SQLITE_UPSERT = UPSERT.format(places=", ".join("?" * len(COLUMNS)))
SQLITE_BALANCE = f"INSERT INTO balance (due_at, account_id, asset, {', '.join(AMOUNTS)}) VALUES (?{', ?' * 8})"
PG_UPSERT = UPSERT.format(places=", ".join(["%s"] * len(COLUMNS)))
PG_BALANCES = f"""
INSERT INTO balance (due_at, account_id, asset, {", ".join(AMOUNTS)})
SELECT %s, %s, u.* FROM unnest(%s::text[]{", %s::text[]::numeric[]" * 6}) AS u
"""
TOTAL = COLUMNS.index("btc_total")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextmanager
def bare_sqlite(path: Path) -> Iterator[Write]:
    """One connection of sqlite3, as durable as ours: WAL, synchronous FULL, foreign keys."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")

    def write(o: TickOutcome, recorded_ms: int) -> bool:
        assert o.snapshot is not None
        texts = _texts(o.snapshot)
        connection.execute("BEGIN IMMEDIATE")
        row = _tick(o, o.snapshot, texts, (o.due_at, o.requested_at_ms, o.received_at_ms, recorded_ms))
        row[TOTAL] = plain(row[TOTAL])
        won = connection.execute(SQLITE_UPSERT, row).fetchone() is not None
        if won:
            connection.executemany(SQLITE_BALANCE, [(o.due_at, o.account_id, *text) for text in texts])
        connection.execute("COMMIT")
        return won

    try:
        yield write
    finally:
        connection.close()


@contextmanager
def bare_psycopg(url: str) -> Iterator[Write]:
    """One connection of psycopg, all balances of a tick by one statement, as text: Decimals take longer."""
    with psycopg.connect(url) as connection:

        def write(o: TickOutcome, recorded_ms: int) -> bool:
            assert o.snapshot is not None
            texts = _texts(o.snapshot)
            instants = tuple(map(_instant, (o.due_at * 1000, o.requested_at_ms, o.received_at_ms, recorded_ms)))
            row = _tick(o, o.snapshot, texts, instants)
            won = connection.execute(PG_UPSERT.encode(), row).fetchone() is not None
            if won:
                columns = map(list, zip(*texts, strict=True))
                connection.execute(PG_BALANCES.encode(), (instants[0], o.account_id, *columns))
            connection.commit()
            return won

        yield write


def _texts(snapshot: Snapshot) -> list[tuple[str, ...]]:
    return [
        (
            b.asset,
            plain(b.free),
            plain(b.locked),
            plain(b.frozen),
            plain(b.withdrawing),
            plain(b.ipoable),
            plain(b.btc_valuation or Decimal(0)),
        )
        for b in snapshot.balances
    ]


def _tick(o: TickOutcome, snapshot: Snapshot, texts: list[tuple[str, ...]], instants: tuple[Any, ...]) -> list[Any]:
    due_at, requested_at, received_at, recorded_at = instants
    digest = hashlib.sha256("".join(["\t".join(text) + "\n" for text in texts]).encode()).hexdigest()
    total, unpriced = Decimal(0), 0
    for b in snapshot.balances:
        assert b.btc_valuation is not None
        total = EXACT.add(total, b.btc_valuation)
        unpriced += not b.btc_valuation
    return [
        due_at, o.account_id, o.interval_s, str(o.outcome), None, o.http_status, o.code, o.detail, o.attempts,
        requested_at, received_at, recorded_at, o.clock_offset_ms, o.weight_used, len(texts), unpriced,
        total, 1, digest, None,
    ]  # fmt: skip


def _instant(epoch_ms: int | None) -> datetime:
    assert epoch_ms is not None
    return EPOCH + timedelta(milliseconds=epoch_ms)
