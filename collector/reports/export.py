"""Rows of an export as CSV, NDJSON and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
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
TEXTS, INSTANTS = {"account", "asset"}, {"due_at", "captured_at"}
GROUP = 65_536
"""How many rows a group of a Parquet file has, and how many are in memory."""

ExportRow = tuple[str | None, ...]


def write_csv(out: TextIO, rows: Iterable[ExportRow]) -> None:
    """RFC 4180; names that a spreadsheet would run get an apostrophe in front."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(_guarded, rows))


def _guarded(row: ExportRow) -> ExportRow:
    if row[0] is None or row[3] is None or not (row[0].startswith(FORMULA) or row[3].startswith(FORMULA)):
        return row
    account, due_at, captured_at, asset, *amounts = row
    return _harmless(account), due_at, captured_at, _harmless(asset), *amounts


def _harmless(name: str | None) -> str | None:
    return f"'{name}" if name is not None and name.startswith(FORMULA) else name


def write_ndjson(out: TextIO, rows: Iterable[ExportRow]) -> None:
    """One JSON object for each row."""
    out.writelines(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)


WRITERS: Mapping[str, Callable[[TextIO, Iterable[ExportRow]], None]] = {"csv": write_csv, "ndjson": write_ndjson}


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
