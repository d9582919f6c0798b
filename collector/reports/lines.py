"""Reports as text that programs read: TSV, CSV, JSON and NDJSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from json.encoder import encode_basestring
from typing import Any

from collector.reports.bases import basis_object
from collector.reports.gapwords import gap_object
from collector.reports.values import Cell, Column, Kind, Report, text

# A spreadsheet takes a cell that begins like this for a formula, in full width too. With the apostrophe among them,
# dropping one in front always gives the text back.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")

Cells = Callable[[Sequence[Any]], Iterable[Cell]]
"""What a column says of some rows."""

AT_ONCE = 100
"""How many rows are written at once: about as many as fill the buffer of stdout."""


def tsv_lines(report: Report[Any]) -> Iterator[str]:
    """A header and one line for each row, nothing quoted: no name holds a tab or a line end."""
    yield "\t".join(c.name for c in report.standalone) + "\n"
    for rows in _written(report.rows, [c.of for c in report.standalone], _texts):
        yield "".join([f"{line}\n" for line in map("\t".join, rows)])


def csv_lines(report: Report[Any]) -> Iterator[str]:
    """RFC 4180, line ends included; text that a spreadsheet would run gets an apostrophe in front."""
    yield _csv([[c.name for c in report.standalone]])
    cells = [_guarded(c.of) if c.kind is Kind.TEXT else c.of for c in report.standalone]
    yield from map(_csv, _written(report.rows, cells, _texts))


def _csv(rows: Iterable[Sequence[str]]) -> str:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue()


def _written(
    rows: Iterable[object],
    cells: Sequence[Cells],
    write: Callable[[Iterable[Cell]], list[str]],
) -> Iterator[list[tuple[str, ...]]]:
    """The cells of some rows at a time, column by column: a row by itself takes twice as long."""
    coming = iter(rows)
    while some := list(islice(coming, AT_ONCE)):
        stacks = [write(of(some)) for of in cells]
        yield list(zip(*stacks, strict=True)) or [()] * len(some)  # in PostgreSQL a row may have no columns


def _texts(cells: Iterable[Cell]) -> list[str]:
    # Nearly all of them are text already.
    return [said if isinstance(said, str) else text(said) for said in cells]


def _guarded(cells: Cells) -> Cells:
    def guarded(rows: Sequence[Any]) -> list[Cell]:
        return [f"'{said}" if said.startswith(FORMULA) else said for said in _texts(cells(rows))]

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


def _objects(columns: Sequence[Column[Any]], rows: Iterable[object]) -> Iterator[str]:
    """Each row as JSON; nearly all cells are text, and an encoder of whole objects takes several times as long."""
    fields = [f"{_json(c.name)}: ".replace("%", "%%") + "%s" for c in columns]
    form = f"{{{', '.join(fields)}}}"
    for some in _written(rows, [c.of for c in columns], _jsons):
        yield from map(form.__mod__, some)


def _jsons(cells: Iterable[Cell]) -> list[str]:
    return [encode_basestring(said) if isinstance(said, str) else _json(said) for said in cells]


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _json(value: object) -> str:
    return _ENCODER.encode(value)


READERS: Mapping[str, Callable[[Report[Any]], Iterator[str]]] = {
    "tsv": tsv_lines,
    "csv": csv_lines,
    "json": json_lines,
    "ndjson": ndjson_lines,
}
