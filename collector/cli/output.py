"""How a report leaves: the options that choose a format, and stdout."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from collector.cli.context import complain
from collector.errors import UsageError

if TYPE_CHECKING:
    from collector.reports.values import Report

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "tsv", "csv", "json", "ndjson")
ROWS_ONLY = {"tsv", "csv", "ndjson"}
CHOSEN = "collector.cli.output.chosen"


def now_ms() -> int:
    """The clock of this machine, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def format_options(command: F) -> F:
    """--format, and --json and --csv for short; `emit` knows what was chosen."""
    chosen = click.option(
        "--format",
        type=click.Choice(FORMATS),
        expose_value=False,
        callback=_note,
        help="How the report is written; a table on a terminal, else TSV.",
    )
    as_json = click.option("--json", is_flag=True, expose_value=False, callback=_note, help="Short for --format json.")
    as_csv = click.option("--csv", is_flag=True, expose_value=False, callback=_note, help="Short for --format csv.")
    return chosen(as_json(as_csv(command)))


def _note(ctx: click.Context, option: click.Parameter, value: str | bool | None) -> None:  # noqa: FBT001 - click's signature
    if value and option.name:
        wanted = option.name if value is True else str(value)
        ctx.meta.setdefault(CHOSEN, {}).setdefault(ctx.get_parameter_source(option.name), set()).add(wanted)


def chosen_format() -> str:
    """The format for this run; what the command line says is stronger than the environment."""
    said = click.get_current_context().meta.get(CHOSEN, {})
    wanted = said.get(ParameterSource.COMMANDLINE) or said.get(ParameterSource.ENVIRONMENT)
    if not wanted:
        return "table" if sys.stdout.isatty() else "tsv"
    if len(wanted) > 1:
        raise UsageError(f"a report has one format: choose {' or '.join(sorted(wanted))}")
    return str(next(iter(wanted)))


def is_shown() -> bool:
    """True when a person looks at a table on a terminal."""
    return chosen_format() == "table" and sys.stdout.isatty()


def wants_colour() -> bool:
    """Unless NO_COLOR says otherwise (https://no-color.org), or a terminal that knows none."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def emit(report: Report[Any]) -> None:
    """Write a report to stdout. Where the format has no place for them, its warnings go to stderr."""
    chosen = chosen_format()
    if chosen == "table":
        encoding, errors = sys.stdout.encoding or "utf-8", "backslashreplace"
    else:
        encoding, errors = "utf-8", "strict"
    out = sys.stdout.buffer
    for line in _lines(report, chosen):
        out.write(line.encode(encoding, errors))
    out.flush()
    for warning in report.warnings if chosen in ROWS_ONLY else ():
        complain(warning)


def say_picture(text: str) -> None:
    """Write a picture of characters to stdout. Raises UsageError where a format for programs was chosen."""
    if click.get_current_context().meta.get(CHOSEN) and chosen_format() != "table":
        raise UsageError(f"a chart is a picture and can't be {chosen_format()}: leave out --chart or the format")
    sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def _lines(report: Report[Any], chosen: str) -> Iterator[str]:
    if chosen == "table":
        from collector.reports.table import table_text

        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else None
        return iter([table_text(report, width=width, colour=terminal and wants_colour())])
    from collector.reports.lines import READERS

    return READERS[chosen](report)
