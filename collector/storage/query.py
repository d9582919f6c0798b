"""Any one query of a user, read-only by the engine itself and for a bounded time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection

from collector.domain.balances import EXACT, plain
from collector.errors import DatabaseError, UsageError
from collector.storage.columns import is_postgresql
from collector.storage.engine import inspecting
from collector.storage.failures import is_transient
from collector.storage.urls import describe

STEPS = 2_000
"""How many steps of SQLite's machine lie between two looks at the clock."""

ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
CANCELLED = "57014"
WRITES = {"25006", "0A000", "42501"}
NOTHING = 'there is no query: say one, as in `collector sql "SELECT * FROM latest_balance"`'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The names of the columns and the rows as the driver gives them; `cut` when there would have been more."""

    columns: tuple[str, ...]
    rows: tuple[Sequence[Any], ...]
    cut: bool


def ask(url: str, query: str, *, timeout_s: float, limit: int) -> Answer:
    """Run one query that reads; at most `limit` rows, and no longer than `timeout_s`.

    Instants of PostgreSQL are in UTC. On SQLite there are the aggregate `decimal_sum` and the collation `decimal`.
    Raises UsageError for a query that can't be run, would write or takes too long; DatabaseError.
    """
    if not query.strip():
        raise UsageError(NOTHING)
    with inspecting(url) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - it is connected
        error: type[Exception] = connection.dialect.loaded_dbapi.Error
        try:
            if is_postgresql(connection.dialect):
                return _postgresql(connection, driver, query, timeout_s, limit)
            return _sqlite(driver, query, timeout_s, limit)
        except (error, sqlite3.Warning) as found:
            raise _said(connection, found, timeout_s) from None


def _sqlite(driver: sqlite3.Connection, query: str, timeout_s: float, limit: int) -> Answer:
    deadline = time.monotonic() + timeout_s
    driver.create_aggregate("decimal_sum", 1, _DecimalSum)  # type: ignore[arg-type]  # typeshed wants integers
    driver.create_collation("decimal", _compared)
    driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    driver.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY)
    try:
        return _answer(driver.execute(query), limit)
    finally:
        # What ends the connection's own transaction has to be allowed again.
        driver.set_authorizer(None)
        driver.set_progress_handler(None, 0)


def _postgresql(connection: Connection, driver: Any, query: str, timeout_s: float, limit: int) -> Answer:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, round(timeout_s * 1000))}")
    connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
    # A cursor of the server takes nothing but one query, and keeps what is not asked for there.
    with driver.cursor(name="collector_sql") as cursor:
        cursor.execute(query)
        return _answer(cursor, limit)


def _answer(cursor: Any, limit: int) -> Answer:
    if cursor.description is None:
        raise UsageError(NOTHING)
    columns = tuple(column[0] for column in cursor.description)
    rows = tuple(cursor.fetchmany(limit + 1))
    return Answer(columns=columns, rows=rows[:limit], cut=len(rows) > limit)


def _said(connection: Connection, error: Exception, timeout_s: float) -> Exception:
    diagnosis = getattr(error, "diag", None)
    # Only the primary message: PostgreSQL puts rows, amounts and all, into the others.
    said = str(getattr(diagnosis, "message_primary", None) or error).strip().splitlines()
    message, state = (said or ["unknown error"])[0], getattr(error, "sqlstate", None)
    if state == CANCELLED or message == "interrupted":
        return UsageError(f"the query took longer than {timeout_s:g}s: ask for less, or allow more with --timeout")
    if state in WRITES or message == "not authorized" or "readonly database" in message:
        return UsageError(f"only a query that reads is run ({message}): write SELECT or WITH ... SELECT")
    if "user-defined aggregate" in message:
        return UsageError("decimal_sum adds up the exact columns, which are text, and whole numbers: leave out _num")
    if is_transient(error):
        return DatabaseError(f"{describe(connection.engine.url)}: {message}", transient=True)
    return UsageError(f"the query can't be run: {message}")


class _DecimalSum:
    """Adds up amounts exactly; NULL is left out, and of nothing but NULL the sum is NULL, as with sum()."""

    def __init__(self) -> None:
        self._sum: Decimal | None = None

    def step(self, amount: object) -> None:
        if amount is None:
            return
        if isinstance(amount, float):
            raise TypeError
        self._sum = EXACT.add(self._sum or Decimal(0), Decimal(str(amount)))

    def finalize(self) -> str | None:
        return None if self._sum is None else plain(self._sum)


def _compared(one: str, other: str) -> int:
    """Amounts by their value, before all that is none; 1.5 and 1.50 are equal."""
    first, second = _key(one), _key(other)
    return (first > second) - (first < second)


def _key(text: str) -> tuple[int, Decimal, str]:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return 1, Decimal(0), text
    return (0, amount, "") if amount.is_finite() else (1, Decimal(0), text)
