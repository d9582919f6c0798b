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
from typing import Any

from bench.asked import ANY, HELD, Report, bounded, range_of, unbounded
from bench.built import Built

COMMAND = (sys.executable, "-m", "collector")
NEXT_TO_NOTHING = ("gaps", "--from", "2017-01-01", "--to", "2017-01-02")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a process."""

    seconds: float
    code: int
    rows: int
    said: str


def run_bounded(built: Built, *, rounds: int) -> dict[str, Any]:
    """The milliseconds of each report, in turns: median, slowest, and median without the start; and wrong answers.

    The start is that of a process which asks for next to nothing.
    """
    reports = bounded(built)
    expected = _expected(built, reports)
    took: dict[str, list[float]] = {report.name: [] for report in reports}
    starts: list[float] = []
    wrong: set[str] = set()
    for _ in range(rounds):
        starts.append(run(built, NEXT_TO_NOTHING).seconds * 1000)
        for report in reports:
            done = run(built, report.arguments)
            took[report.name].append(done.seconds * 1000)
            wrong |= set(_wrong(report, done, expected.get(report.name)))
    start = _summary(starts)
    times = {name: _summary(times) for name, times in took.items()}
    after = {name: time | {"after_start": round(time["median"] - start["median"], 1)} for name, time in times.items()}
    return {"start": start, "ms": after, "wrong": sorted(wrong)}


def run_unbounded(built: Built) -> dict[str, Any]:
    """Once each: rows and seconds, and snapshots read a second."""
    reports = unbounded(built)
    expected = _expected(built, reports)
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for report in reports:
        done = run(built, report.arguments)
        wrong += _wrong(report, done, expected.get(report.name))
        through = built.stored if report.through is None else _counted(built, report.through)
        rate = round(through / done.seconds)
        found[report.name] = {"rows": done.rows, "s": round(done.seconds, 2), "snapshots_a_second": rate}
    return {"rates": found, "wrong": wrong}


def run_export(built: Built, *, most_rows: int) -> dict[str, Any]:
    """So many rows of it as CSV, by one process."""
    snapshots = min(built.stored, most_rows // len(built.assets))
    end = built.first_due_at + snapshots * built.interval_s
    span = built.first_due_at, end
    report = Report(
        name="export",
        arguments=["export", "--format", "csv", *range_of(span)],
        rows=HELD.format(start=span[0], end=end),
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
    return {
        report.name: _counted(built, report.rows) if isinstance(report.rows, str) else report.rows
        for report in reports
        if report.rows is not None
    }


def _counted(built: Built, query: str) -> int:
    with closing(sqlite3.connect(f"file:{built.path}?mode=ro", uri=True)) as connection:
        return int(connection.execute(query).fetchone()[0])


def _wrong(report: Report, done: Done, expected: int | None) -> Iterator[str]:
    if done.code not in ({0, 1} if report.name == "status" else {0}):
        yield f"{report.name} ended with {done.code}: {done.said.strip()}"
    elif (expected is None and done.rows < 1) or (expected is not None and expected not in {ANY, done.rows}):
        yield f"{report.name}: {done.rows} rows instead of {'one or more' if expected is None else expected}"


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(times), 1), "slowest": round(max(times), 1)}


def environment() -> dict[str, str]:
    """Nobody's configuration, and bytecode that is kept, as an installed program has it."""
    others = ("COLLECTOR_", "BINANCE_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return kept | {"XDG_CONFIG_HOME": "/nonexistent"}
