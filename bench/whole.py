"""Reports as whole processes, on a file of any size: what a user waits for, from the command to the last row."""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.built import Built

DAY_S = 86_400
MINUTES = 30 * DAY_S
POINTS = 2_000
ANY = -1  # rows: also none
COMMAND = (sys.executable, "-m", "collector")

STORED = "SELECT count(*) FROM tick WHERE outcome = 'stored' AND due_at >= {start} AND due_at < {end}"
HELD = "SELECT count(*) FROM balance WHERE due_at >= {start} AND due_at < {end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A command, and how many rows it has to give: a number, ANY, a query that counts them, or None for one or more."""

    name: str
    arguments: Sequence[str]
    rows: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a process."""

    seconds: float
    code: int
    rows: int
    said: str


def bounded(built: Built) -> list[Report]:
    """What answers with at most 2,000 points, a month of one asset's minutes, or all assets of a day."""
    first, end = built.first_due_at, built.last_due_at + built.interval_s
    middle = first + (end - first) // 2 // DAY_S * DAY_S
    month = max(end - 2 * MINUTES, first), min(max(end - 2 * MINUTES, first) + MINUTES, end)
    day = middle, min(middle + DAY_S, end)
    points = middle, min(middle + POINTS * built.interval_s, end)
    days = -(-(end - first) // DAY_S)
    often, rarely, vanishing = built.often, built.rarely, built.vanishing
    held, to_end = len(built.assets), ["--to", _at(end)]
    return [
        Report(name="latest", arguments=["latest"], rows=held),
        Report(name="latest --as-of", arguments=["latest", "--as-of", _at(points[1])]),
        Report(
            name="history, 2,000 minutes",
            arguments=["history", often, *_range(points)],
            rows=STORED.format(start=points[0], end=points[1]),
        ),
        Report(
            name="history, a month of minutes",
            arguments=["history", often, *_range(month)],
            rows=STORED.format(start=month[0], end=month[1]),
        ),
        Report(name="history --every 1d", arguments=["history", often, "--every", "1d", *to_end], rows=days),
        Report(
            name="history --every 1d, vanished", arguments=["history", vanishing, "--every", "1d", *to_end], rows=days
        ),
        Report(
            name="export, all assets of a day",
            arguments=["export", "--format", "csv", *_range(day)],
            rows=HELD.format(start=day[0], end=day[1]),
        ),
        Report(name="changes --all, a day", arguments=["changes", "--all", *_range(day)]),
        Report(name="changes, a month", arguments=["changes", often, *_range(month)]),
        Report(name="changes, rare ones of a month", arguments=["changes", rarely, *_range(month)], rows=ANY),
        Report(name="diff", arguments=["diff", _at(month[0]), _at(month[1])], rows=ANY),
        Report(name="total --every 1d", arguments=["total", "--every", "1d", *to_end], rows=days),
        Report(name="allocation", arguments=["allocation"]),
        Report(name="withdrawing", arguments=["withdrawing"], rows=ANY),
        Report(name="statement, a month", arguments=["statement", "--month", _at(month[0])[:7]]),
        Report(name="gaps, a month", arguments=["gaps", *_range(month)], rows=ANY),
        Report(name="coverage", arguments=["coverage"], rows=1),
        Report(name="coverage --by day", arguments=["coverage", "--by", "day", *to_end], rows=days),
        Report(name="status", arguments=["status"], rows=ANY),
    ]


def unbounded(built: Built) -> list[Report]:
    """What grows with the history: how fast it goes through it is what counts."""
    return [
        Report(name="history", arguments=["history", built.often], rows=built.stored),
        Report(name="changes", arguments=["changes", built.often]),
        Report(name="total", arguments=["total", "--from", _at(built.first_due_at)], rows=built.stored),
        Report(name="gaps", arguments=["gaps"]),
    ]


def run_bounded(built: Built, *, rounds: int) -> dict[str, Any]:
    """The milliseconds of each report (median and slowest), in turns; and what was wrong with their answers."""
    reports = bounded(built)
    expected = _expected(built, reports)
    took: dict[str, list[float]] = {report.name: [] for report in reports}
    wrong: set[str] = set()
    for _ in range(rounds):
        for report in reports:
            done = run(built, report.arguments)
            took[report.name].append(done.seconds * 1000)
            wrong |= set(_wrong(report, done, expected.get(report.name)))
    return {"ms": {name: _summary(times) for name, times in took.items()}, "wrong": sorted(wrong)}


def run_unbounded(built: Built) -> dict[str, Any]:
    """Once each: rows and seconds, and snapshots read a second."""
    reports = unbounded(built)
    expected = _expected(built, reports)
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for report in reports:
        done = run(built, report.arguments)
        wrong += _wrong(report, done, expected.get(report.name))
        rate = round(built.stored / done.seconds)
        found[report.name] = {"rows": done.rows, "s": round(done.seconds, 2), "snapshots_a_second": rate}
    return {"rates": found, "wrong": wrong}


def run_export(built: Built, *, most_rows: int) -> dict[str, Any]:
    """So many rows of it as CSV, by one process."""
    snapshots = min(built.stored, most_rows // len(built.assets))
    end = built.first_due_at + snapshots * built.interval_s
    span = built.first_due_at, end
    report = Report(
        name="export", arguments=["export", "--format", "csv", *_range(span)], rows=HELD.format(start=span[0], end=end)
    )
    done = run(built, report.arguments)
    wrong = list(_wrong(report, done, _expected(built, [report])["export"]))
    return {
        "rows": done.rows,
        "s": round(done.seconds, 2),
        "rows_a_second": round(done.rows / done.seconds),
        "wrong": wrong,
    }


def run_start(built: Built, *, rounds: int) -> dict[str, Any]:
    """The milliseconds from the command to its end, in turns, beside a Python that imports SQLAlchemy, or nothing."""
    commands = {
        "latest as TSV": [*COMMAND, "latest", "--database", built.url, "--format", "tsv"],
        "latest as a table": [*COMMAND, "latest", "--database", built.url, "--format", "table"],
        "--help": [*COMMAND, "--help"],
        "import sqlalchemy": [sys.executable, "-c", "import os, sqlalchemy; os._exit(0)"],
        "Python itself": [sys.executable, "-c", "pass"],
    }
    for command in commands.values():  # a first time, to make the bytecode
        subprocess.run(command, capture_output=True, check=True, env=environment())
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=environment())
            took[name].append((time.perf_counter() - began) * 1000)
    return {name: _summary(times) for name, times in took.items()}


def run(built: Built, arguments: Sequence[str]) -> Done:
    """One command on the file; rows are counted as they come."""
    output = ["--format", "tsv"] if "--format" not in arguments else []
    account = ["--account", built.account] if arguments[0] != "status" else []
    command = [*COMMAND, *arguments, *output, *account, "--database", built.url]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = 0
        while part := process.stdout.read(1 << 20):
            lines += part.count(b"\n")
        said = process.stderr.read().decode()
        code = process.wait()
    return Done(seconds=time.perf_counter() - began, code=code, rows=lines - 1, said=said)


def _expected(built: Built, reports: Sequence[Report]) -> dict[str, int]:
    found = {report.name: report.rows for report in reports if isinstance(report.rows, int)}
    with closing(sqlite3.connect(f"file:{built.path}?mode=ro", uri=True)) as connection:
        for report in reports:
            if isinstance(report.rows, str):
                found[report.name] = int(connection.execute(report.rows).fetchone()[0])
    return found


def _wrong(report: Report, done: Done, expected: int | None) -> Iterator[str]:
    if done.code not in ({0, 1} if report.name == "status" else {0}):
        yield f"{report.name} ended with {done.code}: {done.said.strip()}"
    elif (expected is None and done.rows < 1) or (expected is not None and expected not in {ANY, done.rows}):
        yield f"{report.name}: {done.rows} rows instead of {'one or more' if expected is None else expected}"


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(times), 1), "slowest": round(max(times), 1)}


def _range(span: tuple[int, int]) -> list[str]:
    return ["--from", _at(span[0]), "--to", _at(span[1])]


def _at(instant_s: int) -> str:
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment() -> dict[str, str]:
    """Nobody's configuration, and bytecode that is kept, as an installed program has it."""
    others = ("COLLECTOR_", "BINANCE_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return kept | {"XDG_CONFIG_HOME": "/nonexistent"}
