"""How fast the store is, and how small: `python -m bench.store [--rows N] [--quick] [--json] [--part NAME]`.

Durable snapshots a second against bare drivers, bytes a row against a plain table and Parquet, and three questions at
up to a hundred million rows, against a plain table and DuckDB on Parquet at ten million. All sides take turns in one
run. Ends with 1 when any two answers differ; times and sizes are compared with their targets, and told.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.durable import run_durable
from bench.measures import machine
from bench.questions import KINDS, LEAST_ROWS, run_questions
from bench.rivals import cache
from bench.sizes import run_sizes
from tests.postgres import Databases, PostgresServer

PARTS = ("writes", "bytes", "questions")
ROWS, QUICK_ROWS = 100_000_000, 100_000
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
RATIOS = {"sqlite": 0.6, "postgresql": 0.7}
BYTES = {"sqlite": 64, "postgresql": 125}
MILLISECONDS = {"latest": 1, "as_of": 1, "history": 25}
GROWTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much of each part is done."""

    write_rounds: int
    block: int
    byte_rows: int
    question_rounds: int


FULL = Effort(write_rounds=20, block=150, byte_rows=1_000_000, question_rounds=15)
QUICK = Effort(write_rounds=5, block=30, byte_rows=40_000, question_rounds=3)


def main(
    arguments: list[str] | None = None,
    *,
    folder: Path | None = None,
    effort: Effort | None = None,
    server: Databases | None = None,
) -> int:
    """Run the parts that are wanted, print what came of them; the exit code.

    Tests give a folder for all files, less to do and a server.
    """
    options = _options(arguments)
    started = time.time()
    results: dict[str, Any] = {}
    effort = effort or (QUICK if options.quick else FULL)
    with ExitStack() as stack:
        server = server or stack.enter_context(PostgresServer(settings=DURABLE))
        for part in options.part or PARTS:
            results |= _run(part, options.rows, effort, folder, server)
    report = {
        "command": " ".join(["python -m bench.store", *(sys.argv[1:] if arguments is None else arguments)]),
        "machine": machine(),
        "seconds": round(time.time() - started),
        **results,
        "wrong": list(wrong(results)),
        "missed_targets": [] if options.quick else list(missed_targets(results)),
    }
    print(json.dumps(report, indent=2) if options.json else _text(report))
    return 1 if report["wrong"] else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, help=f"of the largest file that is asked; {ROWS} without it")
    parser.add_argument("--quick", action="store_true", help=f"everything shortened to some 20 s, {QUICK_ROWS} rows")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    options = parser.parse_args(arguments)
    options.rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    if options.rows < LEAST_ROWS:
        parser.error(f"--rows is {options.rows}: at least {LEAST_ROWS}")
    return options


def _run(part: str, rows: int, effort: Effort, folder: Path | None, server: Databases) -> dict[str, Any]:
    if part == "questions":
        return {part: run_questions(rows, rounds=effort.question_rounds, folder=folder)}
    with ExitStack() as stack:
        # Beside the large files, since /tmp may lie in memory, where nothing is durable.
        home = folder or cache()
        home.mkdir(parents=True, exist_ok=True)
        files = Path(stack.enter_context(TemporaryDirectory(prefix=f"{part}-", dir=home)))
        ours, bare = (stack.enter_context(_database(server)) for _ in range(2))
        if part == "bytes":
            return run_sizes(effort.byte_rows, folder=files, postgresql=ours)
        pairs = {"sqlite": (f"sqlite:///{files}/ours.db", f"sqlite:///{files}/bare.db"), "postgresql": (ours, bare)}
        versions = {"sqlite": sqlite3.sqlite_version, "postgresql": server.version}
        found = {
            engine: run_durable(*pair, rounds=effort.write_rounds, block=effort.block) for engine, pair in pairs.items()
        }
        return {part: {engine: {"version": versions[engine], **found[engine]} for engine in pairs}}


@contextmanager
def _database(server: Databases) -> Iterator[str]:
    name = server.create_database()
    try:
        yield server.url(name)
    finally:
        server.drop_database(name)


# -- claims


def wrong(results: dict[str, Any]) -> Iterator[str]:
    """What must never be, however slow the machine."""
    for engine, found in results.get("writes", {}).items():
        if not found["same"]:
            yield f"{engine}: ours and the bare driver stored different rows"
    yield from results.get("questions", {}).get("differing", ())


def missed_targets(results: dict[str, Any]) -> Iterator[str]:
    """What the machine at hand did not reach."""
    for engine, found in results.get("writes", {}).items():
        if found["ratio"] < RATIOS[engine]:
            yield f"{engine}: {found['ratio']} of the bare driver's snapshots a second, not {RATIOS[engine]}"
    for engine, most in BYTES.items():
        if engine in results and results[engine]["bytes_per_row"] > most:
            yield f"{engine}: {results[engine]['bytes_per_row']} bytes a row, not {most}"
    if "questions" in results:
        yield from _slow(results["questions"])


def _slow(questions: dict[str, Any]) -> Iterator[str]:
    largest = questions["ours"][-1]
    for kind, most in MILLISECONDS.items():
        name = kind.replace("_", "-")
        if largest[kind]["again_ms"] > most:
            yield f"{name}: {largest[kind]['again_ms']} ms at {largest['rows']:,} rows, not {most}"
    for kind in KINDS:
        name = kind.replace("_", "-")
        if questions["growth"][kind] > GROWTH:
            yield f"{name}: {questions['growth'][kind]} times as long at {largest['rows']:,} rows, not {GROWTH}"


# -- text

HEAD = """\
{command}
Python {machine[python]}, {machine[system]}, {machine[cores]} cores, load {machine[load][0]} at the end, {seconds} s
"""
WRITES = """\
  {engine} {version}: {snapshots_a_second}, the bare driver {bare_a_second}; ratio {ratio} \
({ratios[least]} to {ratios[most]} in {rounds} rounds, {snapshots} snapshots each)
"""
ASKED = """\
  {name}, {rows:,} rows: latest {latest[again_ms]} ({latest[first_ms]}), as-of {as_of[again_ms]} \
({as_of[first_ms]}), history {history[again_ms]} ({history[first_ms]}), closes {closes[again_ms]} ({closes[first_ms]})
"""
GROWN = """\
  the largest file takes as long as the smallest one times: latest {latest}, as-of {as_of}, history {history}, \
closes {closes}
"""
SIZES = ("sqlite", "postgresql", "plain_table", "parquet")


def _text(report: dict[str, Any]) -> str:
    parts = [HEAD.format(**report)]
    if "writes" in report:
        parts.append("\ndurable snapshots a second, 40 rows and one commit each:\n")
        parts += [WRITES.format(engine=engine, **found) for engine, found in report["writes"].items()]
    if "parquet" in report:
        parts.append(f"\nbytes a row, of {report['sqlite']['rows']:,} rows, with all that belongs to them:\n")
        parts += [f"  {name.replace('_', ' ')}: {report[name]['bytes_per_row']}\n" for name in SIZES]
    if "questions" in report:
        found = report["questions"]
        parts.append(f"\nin ms, asked again (the first time), {found['points']:,} points:\n")
        parts += [ASKED.format(**side) for side in (*found["ours"], *found["rivals"])]
        parts.append(GROWN.format(**found["growth"]))
    parts += [f"\nWRONG: {words}" for words in report["wrong"]]
    parts += [f"\ntarget missed: {words}" for words in report["missed_targets"]]
    return "".join(parts).rstrip()


if __name__ == "__main__":
    sys.exit(main())
