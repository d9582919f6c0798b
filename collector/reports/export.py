"""Rows of an export as CSV, NDJSON and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from collector.reports.frames import DECIMAL128, library
from collector.reports.lines import FORMULA

COLUMNS = (
    *("account", "due_at", "captured_at", "asset"),
    *("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation"),
)
LINE_END = "\r\n"
TEXTS, INSTANTS = {"account", "asset"}, {"due_at", "captured_at"}
GROUP = 65_536
"""How many rows a group of a Parquet file has, and how many are in memory."""

ExportRow = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSnapshot:
    """A snapshot with its instants as text; `balances` are asset, amounts and valuation as text."""

    account: str
    due_at: str
    captured_at: str
    balances: Sequence[tuple[str | None, ...]]


def rows_of(snapshots: Iterable[ExportSnapshot]) -> Iterator[ExportRow]:
    """A row for each balance, with the cells of COLUMNS."""
    for one in snapshots:
        of_snapshot = (one.account, one.due_at, one.captured_at)
        for balance in one.balances:
            yield of_snapshot + balance


def write_csv(out: TextIO, snapshots: Iterable[ExportSnapshot]) -> None:
    """RFC 4180; names that a spreadsheet would run get an apostrophe in front."""
    out.write(",".join(COLUMNS) + LINE_END)
    out.writelines(map(_csv_lines, snapshots))


def _csv_lines(snapshot: ExportSnapshot) -> str:
    # Neither instants nor amounts are ever quoted, and csv.writer looks at each of their characters.
    head = f"{_csv_name(snapshot.account)},{snapshot.due_at},{snapshot.captured_at},"
    return "".join(
        [
            f"{head}{_csv_name(asset)},{free},{locked},{frozen},{withdrawing},{ipoable},{value or ''}{LINE_END}"
            for asset, free, locked, frozen, withdrawing, ipoable, value in snapshot.balances
        ]
    )


@lru_cache(maxsize=4_096)
def _csv_name(name: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator=LINE_END).writerow([f"'{name}" if name.startswith(FORMULA) else name])
    return line.getvalue().removesuffix(LINE_END)


def write_ndjson(out: TextIO, snapshots: Iterable[ExportSnapshot]) -> None:
    """One JSON object for each row."""
    rows = rows_of(snapshots)
    out.writelines(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)


WRITERS: Mapping[str, Callable[[TextIO, Iterable[ExportSnapshot]], None]] = {"csv": write_csv, "ndjson": write_ndjson}


def write_parquet(folder: Path, rows: Iterable[ExportRow], *, as_text: Sequence[str]) -> None:
    """One file for each account and month of UTC, in folders that readers know as Hive partitions.

    Amounts are decimal128(38, 18), those of the columns `as_text` are text. `rows` come account by account, the oldest
    first.
    """
    arrow, parquet = library("pyarrow"), library("pyarrow.parquet")
    columns = COLUMNS[1:]
    schema = arrow.schema([(name, _type(arrow, name, as_text)) for name in columns])
    for (account, month), some in groupby(rows, key=lambda row: (row[0], (row[1] or "")[:7])):
        path = folder / f"account={quote(account or '', safe='')}" / f"month={month}"
        path.mkdir(parents=True, mode=0o700)
        with parquet.ParquetWriter(path / "part-0.parquet", schema, compression="zstd") as writer:
            for group in _groups(some):
                stacks = list(zip(*group, strict=True))[1:]
                arrays = [_array(arrow, field, stack) for field, stack in zip(schema, stacks, strict=True)]
                writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _groups(rows: Iterator[ExportRow]) -> Iterator[list[ExportRow]]:
    while group := list(islice(rows, GROUP)):
        yield group


def _type(arrow: Any, name: str, as_text: Sequence[str]) -> Any:
    if name in INSTANTS:
        return arrow.timestamp("ms", "UTC")
    return arrow.string() if name in TEXTS or name in as_text else arrow.decimal128(*DECIMAL128)


def _array(arrow: Any, field: Any, cells: Sequence[str | None]) -> Any:
    if field.name in INSTANTS:
        return arrow.array([datetime.fromisoformat(cell or "") for cell in cells], field.type)
    # The cast refuses what does not fit; it never rounds.
    return arrow.array(cells, arrow.string()).cast(field.type)
