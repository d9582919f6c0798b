"""What tests of the store need: values to store with few words, and plain SQL beside the code under test."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, make_url, text

from collector.domain.balances import Balance, Snapshot, snapshot_of
from collector.domain.records import Account
from collector.domain.ticks import FailReason, Outcome, TickOutcome
from collector.storage import registry
from collector.storage.engine import open_engine
from collector.storage.record import Recorder
from collector.storage.sqlite import Role

T0 = 1_699_999_800
"""2023-11-14 22:10:00 UTC, a due instant of every interval that the tests use (1, 7 aside, 60, 300, 600 s)."""


def held(asset: str, free: str = "1", **amounts: str | None) -> Balance:
    """A balance with 0 for what is not named; `btc_valuation=None` says that none was asked for."""
    names = ("locked", "frozen", "withdrawing", "ipoable", "btc_valuation")
    said: dict[str, str | None] = {**dict.fromkeys(names, "0"), **amounts}
    exact = {name: None if value is None else Decimal(value) for name, value in said.items()}
    return Balance(asset=asset, free=Decimal(free), **exact)  # type: ignore[arg-type]  # None only for the valuation


def snapshot(
    *balances: Balance, btc_requested: bool = True, extra: Mapping[str, Mapping[str, str]] | None = None
) -> Snapshot:
    """A snapshot of these balances."""
    return snapshot_of(balances, btc_requested=btc_requested, extra=extra)


def stored(account: Account, due_at: int, what: Snapshot | None = None, *, interval_s: int | None = 60) -> TickOutcome:
    """A tick that brought a snapshot (of one bitcoin if none is given); `interval_s=None` for a manual one."""
    return TickOutcome(
        account_id=account.id,
        account=account.name,
        due_at=due_at,
        interval_s=interval_s,
        outcome=Outcome.STORED,
        attempts=1,
        requested_at_ms=due_at * 1000 + 12,
        received_at_ms=due_at * 1000 + 345,
        clock_offset_ms=-3,
        weight_used=5,
        snapshot=what or snapshot(held("BTC", btc_valuation="1")),
    )


def failed(
    account: Account, due_at: int, reason: FailReason = FailReason.TIMEOUT, *, interval_s: int | None = 60
) -> TickOutcome:
    """A tick for which a request left that brought nothing."""
    return TickOutcome(
        account_id=account.id,
        account=account.name,
        due_at=due_at,
        interval_s=interval_s,
        outcome=Outcome.FAILED,
        reason=reason,
        http_status=502,
        code=-1001,
        detail="what was seen",
        attempts=3,
        requested_at_ms=due_at * 1000 + 12,
        clock_offset_ms=4,
        weight_used=15,
    )


@contextmanager
def opened(url: str, role: Role, *, patience_s: float | None = None) -> Iterator[Engine]:
    """The program's own engine for this role, disposed of at the end."""
    engine = open_engine(url, role, patience_s=patience_s)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def recorder(url: str) -> Iterator[Recorder]:
    """A writer on the database, closed at the end."""
    with opened(url, "writer") as engine:
        writer = Recorder(engine)
        try:
            yield writer
        finally:
            writer.close()


def register(writer: Recorder, name: str = "main", *, asset_scope: str | None = None, now_s: int = T0) -> Account:
    """An account of this name."""
    with writer.transaction() as connection:
        return registry.register(connection, name, asset_scope=asset_scope, now_ms=now_s * 1000)


def record(writer: Recorder, outcome: TickOutcome) -> bool:
    """Record an outcome, two seconds after it was due."""
    return writer.record_tick(outcome, recorded_at_ms=outcome.due_at * 1000 + 2000)


def rows(connection: Connection, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as plain tuples."""
    return [tuple(row) for row in connection.execute(text(sql), values)]


def ask(url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query over the bare driver, as any other program would ask; writes are committed."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys=ON")
            return connection.execute(sql).fetchall()
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True, options="-c timezone=UTC") as server:
        cursor = server.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def instant(url: str, epoch_s: int) -> str:
    """The SQL of an instant as the engine's tables hold it."""
    return str(epoch_s) if url.startswith("sqlite") else f"to_timestamp({epoch_s})"


def instant_ms(url: str, epoch_ms: int) -> str:
    """The SQL of an instant in milliseconds as the engine's tables hold it."""
    return str(epoch_ms) if url.startswith("sqlite") else f"to_timestamp({epoch_ms} / 1000.0)"
