"""Reports as text that programs read: TSV, CSV, JSON and NDJSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from collector.reports.bases import basis_object
from collector.reports.gapwords import gap_object
from collector.reports.values import Cell, Column, Kind, Report, text

# A spreadsheet takes a cell that begins like this for a formula, in full width too. With the apostrophe among them,
# dropping one in front always gives the text back.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")


def tsv_lines(report: Report[Any]) -> Iterator[str]:
    """A header and one line for each row, nothing quoted: no name holds a tab or a line end."""
    yield "\t".join(c.name for c in report.standalone) + "\n"
    cells = [c.cell for c in report.standalone]
    for row in report.rows:
        yield "\t".join([text(cell(row)) for cell in cells]) + "\n"


def csv_lines(report: Report[Any]) -> Iterator[str]:
    """RFC 4180, line ends included; text that a spreadsheet would run gets an apostrophe in front."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow([c.name for c in report.standalone])
    yield line.written
    for row in report.rows:
        writer.writerow([_guarded(c, row) for c in report.standalone])
        yield line.written


class _Line:
    """A file for csv.writer that keeps the line it wrote last."""

    written = ""

    def write(self, line: str) -> None:
        self.written = line


def _guarded(column: Column[Any], row: object) -> str:
    cell = text(column.cell(row))
    return f"'{cell}" if column.kind is Kind.TEXT and cell.startswith(FORMULA) else cell


def ndjson_lines(report: Report[Any]) -> Iterator[str]:
    """One JSON object for each row, with the labels of the report."""
    for row in report.rows:
        yield _json(_object(report.standalone, row)) + "\n"


def json_lines(report: Report[Any]) -> Iterator[str]:
    """One JSON object for the whole report, row by row, so that its length does not matter."""
    yield "{\n"
    for name, value in _head(report).items():
        yield f"  {_json(name)}: {_json(value)},\n"
    yield '  "gaps": ' + "".join(_array(gap_object(gap) for gap in report.gaps)) + ",\n"
    yield '  "rows": '
    yield from _array(_object(report.columns, row) for row in report.rows)
    yield "\n}\n"


def _head(report: Report[Any]) -> dict[str, object]:
    said = basis_object(report.basis)
    several = {"accounts": [basis_object(basis) for basis in report.bases]} if report.bases else {}
    return {"account": said.pop("account"), "wallet": report.basis.wallet, **said, **several, **report.facts}


def _array(objects: Iterable[dict[str, Cell]]) -> Iterator[str]:
    before = "[\n"
    for each in objects:
        yield f"{before}    {_json(each)}"
        before = ",\n"
    yield "[]" if before == "[\n" else "\n  ]"


def _object(columns: Sequence[Column[Any]], row: object) -> dict[str, Cell]:
    return {c.name: c.cell(row) for c in columns}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


READERS: Mapping[str, Callable[[Report[Any]], Iterator[str]]] = {
    "tsv": tsv_lines,
    "csv": csv_lines,
    "json": json_lines,
    "ndjson": ndjson_lines,
}
