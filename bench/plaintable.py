"""The plain table that one would write first: a row for each balance, an automatic id, two indexes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Index, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.answers import Point, Whole
from collector.domain.periods import Period

AMOUNTS = "free, locked, frozen, withdrawing, ipoable, btc_valuation"


class Base(DeclarativeBase):
    """Of the one table."""


class BalanceRecord(Base):
    """Amounts are text: SQLite would round numbers."""

    __tablename__ = "balance_record"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    taken_at: Mapped[datetime]
    asset: Mapped[str]
    free: Mapped[str]
    locked: Mapped[str]
    frozen: Mapped[str]
    withdrawing: Mapped[str]
    ipoable: Mapped[str]
    btc_valuation: Mapped[str]

    __table_args__ = (
        Index("ix_taken_at", "account_id", "taken_at"),
        Index("ix_asset", "account_id", "asset", "taken_at"),
    )


FILL = f"""
INSERT INTO balance_record (account_id, taken_at, asset, {AMOUNTS})
SELECT account_id, strftime('%Y-%m-%d %H:%M:%S.000000', due_at, 'unixepoch'), asset, {AMOUNTS}
FROM ours.balance ORDER BY account_id, due_at, asset
"""
NEWEST = "SELECT max(taken_at) FROM balance_record WHERE account_id = 1"
# With the plus, SQLite's planner does not walk through all of the other index only to save the sorting of 40 rows.
WHOLE = f"""
SELECT taken_at, asset, {AMOUNTS} FROM balance_record
WHERE account_id = 1 AND taken_at = ({{newest}}) ORDER BY +asset
"""
LATEST, AS_OF = WHOLE.format(newest=NEWEST), WHOLE.format(newest=f"{NEWEST} AND taken_at <= ?")
RANGE = f"""
SELECT taken_at, {AMOUNTS} FROM balance_record
WHERE account_id = 1 AND asset = ? AND taken_at >= ? AND taken_at < ? ORDER BY taken_at
"""
CLOSES = f"""
WITH asked AS (SELECT json_extract(value, '$[0]') AS start_s, json_extract(value, '$[1]') AS start_at,
    json_extract(value, '$[2]') AS end_at FROM json_each(?)),
newest AS MATERIALIZED (SELECT start_s, (SELECT taken_at FROM balance_record
    WHERE account_id = 1 AND taken_at >= start_at AND taken_at < end_at ORDER BY taken_at DESC LIMIT 1) AS taken_at
    FROM asked)
SELECT start_s, newest.taken_at, {AMOUNTS} FROM newest LEFT JOIN balance_record AS b
ON b.account_id = 1 AND b.asset = ? AND b.taken_at = newest.taken_at
"""


def fill(path: Path, source: Path) -> None:
    """Make the table with the rows of a file of ours, in the order in which they came."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-262144"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ? AS ours", (str(source),))
        connection.execute(FILL)


@contextmanager
def opened(path: Path) -> Iterator[PlainTable]:
    """To be asked."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        yield PlainTable(connection)


class PlainTable:
    """Asked by the bare driver, and by questions as good as its indexes allow."""

    name = "plain table"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def latest(self) -> list[Any]:
        """All rows of the newest instant."""
        return self._connection.execute(LATEST).fetchall()

    def as_of(self, instant_s: int) -> list[Any]:
        """All rows of the newest instant that is not newer."""
        return self._connection.execute(AS_OF, (_written(instant_s),)).fetchall()

    def history(self, asset: str, from_s: int, to_s: int) -> list[Any]:
        """By the index that begins with the asset."""
        return self._connection.execute(RANGE, (asset, _written(from_s), _written(to_s))).fetchall()

    def closes(self, asset: str, periods: Sequence[Period]) -> list[Any]:
        """All periods by one statement."""
        asked = [(period.start_s, _written(period.start_s), _written(period.end_s)) for period in periods]
        return self._connection.execute(CLOSES, (json.dumps(asked), asset)).fetchall()

    def said(self, kind: str, answer: Any) -> Whole | list[Point] | None:
        """Instants were text."""
        if kind == "history":
            return [(_read(taken_at), _read(taken_at), tuple(amounts)) for taken_at, *amounts in answer]
        if kind != "closes":
            return (_read(answer[0][0]), [tuple(row[1:]) for row in answer]) if answer else None
        return [
            (start_s, _read(taken_at), None if amounts[0] is None else tuple(amounts))
            for start_s, taken_at, *amounts in answer
            if taken_at is not None
        ]


def _written(instant_s: int) -> str:
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%d %H:%M:%S.000000")


def _read(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
