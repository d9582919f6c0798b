"""Reports as text that programs read: TSV, CSV, JSON and NDJSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from json.encoder import encode_basestring
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
        yield "\t".join(_texts(cells, row)) + "\n"


def csv_lines(report: Report[Any]) -> Iterator[str]:
    """RFC 4180, line ends included; text that a spreadsheet would run gets an apostrophe in front."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow([c.name for c in report.standalone])
    yield line.written
    cells = [_guarded(c.cell) if c.kind is Kind.TEXT else c.cell for c in report.standalone]
    for row in report.rows:
        writer.writerow(_texts(cells, row))
        yield line.written


def _texts(cells: Iterable[Callable[[Any], Cell]], row: object) -> list[str]:
    # Nearly all of them are text already.
    return [said if isinstance(said := cell(row), str) else text(said) for cell in cells]


class _Line:
    """A file for csv.writer that keeps the line it wrote last."""

    written = ""

    def write(self, line: str) -> None:
        self.written = line


def _guarded(cell: Callable[[Any], Cell]) -> Callable[[Any], Cell]:
    def guarded(row: object) -> Cell:
        said = text(cell(row))
        return f"'{said}" if said.startswith(FORMULA) else said

    return guarded


def ndjson_lines(report: Report[Any]) -> Iterator[str]:
    """One JSON object for each row, with the labels of the report."""
    for each in _objects(report.standalone, report.rows):
        yield f"{each}\n"


def json_lines(report: Report[Any]) -> Iterator[str]:
    """One JSON object for the whole report, row by row, so that its length does not matter."""
    yield "{\n"
    for name, value in _head(report).items():
        yield f"  {_json(name)}: {_json(value)},\n"
    yield '  "gaps": ' + "".join(_array(_json(gap_object(gap)) for gap in report.gaps)) + ",\n"
    yield '  "rows": '
    yield from _array(_objects(report.columns, report.rows))
    yield "\n}\n"


def _head(report: Report[Any]) -> dict[str, object]:
    said = basis_object(report.basis)
    several = {"accounts": [basis_object(basis) for basis in report.bases]} if report.bases else {}
    return {"account": said.pop("account"), "wallet": report.basis.wallet, **said, **several, **report.facts}


def _array(objects: Iterable[str]) -> Iterator[str]:
    before = "[\n"
    for each in objects:
        yield f"{before}    {each}"
        before = ",\n"
    yield "[]" if before == "[\n" else "\n  ]"


def _objects(columns: Iterable[Column[Any]], rows: Iterable[object]) -> Iterator[str]:
    """Each row as JSON; nearly all cells are text, and an encoder of whole objects takes three times as long."""
    cells = [(f"{_json(c.name)}: ", c.cell) for c in columns]
    for row in rows:
        said = [(name, cell(row)) for name, cell in cells]
        parts = [name + (encode_basestring(it) if isinstance(it, str) else _json(it)) for name, it in said]
        yield f"{{{', '.join(parts)}}}"


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _json(value: object) -> str:
    return _ENCODER.encode(value)


READERS: Mapping[str, Callable[[Report[Any]], Iterator[str]]] = {
    "tsv": tsv_lines,
    "csv": csv_lines,
    "json": json_lines,
    "ndjson": ndjson_lines,
}
