"""The command `sql`: any query, read-only."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from collector.cli.context import App, database_option, pass_app
from collector.cli.output import chosen_format, emit, format_options
from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.reports.values import Cell, Column, Report

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
IN_LINES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _span(ctx: click.Context, option: click.Parameter, value: str) -> float:
    match = re.fullmatch(r"([1-9][0-9]{0,6})(ms|s|m|h)", value, re.ASCII)
    if match is None:
        raise click.BadParameter(f"{value!r} is no time: write it like 30s, 5m or 1h", ctx, option)
    return int(match[1]) * UNITS[match[2]]


@click.command()
@click.argument("query")
@click.option("--timeout", default="30s", callback=_span, metavar="SPAN", help="The longest that it may take.  [30s]")
@click.option(
    "--limit", type=click.IntRange(1, 10_000_000), default=10_000, metavar="N", help="The most rows.  [10000]"
)
@database_option
@format_options
@pass_app
def sql(app: App, query: str, timeout: float, limit: int) -> None:
    """Run one query, which can't change anything; - reads it from stdin.

    The views are documented in docs/sql.md. On SQLite there are decimal_sum(free), which is exact, and ORDER BY free
    COLLATE decimal.
    """
    from collector.reports.query import query_report
    from collector.storage.query import ask

    settings = app.settings(accounts=False)
    answer = ask(settings.database, _text(query), timeout_s=timeout, limit=limit)
    report = query_report(answer.columns, answer.rows, cut=answer.cut, limit=limit)
    chosen = chosen_format()
    if chosen in {"json", "ndjson"}:
        _refuse_twins(answer.columns)
    emit(_in_lines(report) if chosen == "tsv" else report)


def _text(query: str) -> str:
    """The query, from stdin if need be. Raises UsageError for what no database takes as text."""
    try:
        text = sys.stdin.read() if query == "-" else query
        text.encode()
    except UnicodeError:
        raise UsageError("the query is not UTF-8 text") from None
    if "\0" in text:  # where PostgreSQL's library would stop reading
        raise UsageError("the query holds a NUL character")
    return text


def _refuse_twins(columns: tuple[str, ...]) -> None:
    twins = sorted({name for name in columns if columns.count(name) > 1})
    if twins:
        raise UsageError(f"two columns are called {twins[0]!r}, of which JSON could hold one: name them with AS")


def _in_lines(report: Report[Any]) -> Report[Any]:
    r"""The report with the tabs and line ends inside of texts written as \t, \n and \r."""

    def flat(column: Column[Any]) -> Column[Any]:
        return replace(column, cell=lambda row: _flat(column.cell(row)))

    return replace(report, columns=tuple(map(flat, report.columns)))


def _flat(cell: Cell) -> Cell:
    return cell.translate(IN_LINES) if isinstance(cell, str) else cell
