"""The same rows as a Parquet file, asked by DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench.answers import Point, Whole
from collector.domain.periods import Period

AMOUNTS = "free, locked, frozen, withdrawing, ipoable, btc_valuation"
COLUMNS = ("account_id", "due_at", "asset", *AMOUNTS.split(", "))
SCHEMA = pa.schema([(name, pa.int64() if place < 2 else pa.string()) for place, name in enumerate(COLUMNS)])
GROUP_ROWS = 100_000

WHOLE = f"SELECT due_at, asset, {AMOUNTS} FROM rows WHERE due_at = ({{newest}}) ORDER BY asset"
LATEST = WHOLE.format(newest="SELECT max(due_at) FROM rows")
AS_OF = WHOLE.format(newest="SELECT max(due_at) FROM rows WHERE due_at <= ?")
RANGE = f"""
SELECT due_at, {AMOUNTS} FROM rows WHERE asset = $asset AND due_at >= $start AND due_at < $end ORDER BY due_at
"""
CLOSES = f"""
WITH newest AS (SELECT (due_at - $start) // $length AS place, max(due_at) AS due_at FROM rows
    WHERE due_at >= $start AND due_at < $end GROUP BY place)
SELECT $start + place * $length, newest.due_at, {AMOUNTS} FROM newest
LEFT JOIN (SELECT * FROM rows WHERE asset = $asset AND due_at >= $start AND due_at < $end) AS held USING (due_at)
ORDER BY place
"""


def fill(path: Path, source: Path) -> None:
    """Make the file with the rows of a file of ours, in their order, with amounts as text and zstd."""
    with closing(sqlite3.connect(source)) as connection, pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM balance ORDER BY account_id, due_at, asset")
        while batch := rows.fetchmany(GROUP_ROWS):
            columns = zip(*batch, strict=True)
            arrays = [pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))


@contextmanager
def opened(path: Path) -> Iterator[DuckOnParquet]:
    """To be asked; by all cores."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_parquet('{path}')")
        yield DuckOnParquet(connection)


class DuckOnParquet:
    """Asked by SQL of DuckDB's own kind."""

    name = "DuckDB on Parquet"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def latest(self) -> list[Any]:
        """All rows of the newest instant."""
        return self._all(LATEST, [])

    def as_of(self, instant_s: int) -> list[Any]:
        """All rows of the newest instant that is not newer."""
        return self._all(AS_OF, [instant_s])

    def history(self, asset: str, from_s: int, to_s: int) -> list[Any]:
        """Rows lie in the order of time."""
        return self._all(RANGE, {"asset": asset, "start": from_s, "end": to_s})

    def closes(self, asset: str, periods: Sequence[Period]) -> list[Any]:
        """All periods by one statement; they have one length, though the last one may be cut."""
        first = periods[0]
        length = first.end_s - first.start_s
        span = {"start": first.start_s, "end": periods[-1].end_s, "length": length, "asset": asset}
        return self._all(CLOSES, span)

    def said(self, kind: str, answer: Any) -> Whole | list[Point] | None:
        """Only the shape differs."""
        if kind == "history":
            return [(due_at, due_at, tuple(amounts)) for due_at, *amounts in answer]
        if kind != "closes":
            return (answer[0][0], [tuple(row[1:]) for row in answer]) if answer else None
        return [
            (start_s, due_at, None if amounts[0] is None else tuple(amounts)) for start_s, due_at, *amounts in answer
        ]

    def _all(self, query: str, values: Any) -> list[Any]:
        found: list[Any] = self._connection.execute(query, values).fetchall()
        return found
