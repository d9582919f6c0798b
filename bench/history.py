"""How fast questions are answered: `python -m bench.history [--rows N] [--quick] [--json] [--part NAME]`.

Whole processes, from the command to the last row: the start, reports that answer with at most 2,000 points, a month of
minutes or a day of all assets, and those that go through everything; the same questions to pandas and to DuckDB on ten
million rows. Ends with 1 when an answer is wrong; times are compared with their targets, and told.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.frames import run_frames
from bench.measures import machine
from bench.rows import cached
from bench.whole import run_bounded, run_export, run_start, run_unbounded

PARTS = ("start", "bounded", "unbounded", "export", "frames")
ROWS, QUICK_ROWS, LEAST_ROWS, MOST_FRAME_ROWS = 100_000_000, 100_000, 4_000, 10_000_000
START_MS = {"latest as TSV": 250, "latest as a table": 300, "--help": 100}
BOUNDED_MS = 500
EXPORTED_ROWS_A_SECOND = 250_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often each part is done, and how many rows are exported."""

    starts: int
    rounds: int
    frame_rounds: int
    exported_rows: int


FULL = Effort(starts=21, rounds=5, frame_rounds=2, exported_rows=10_000_000)
QUICK = Effort(starts=2, rounds=1, frame_rounds=1, exported_rows=QUICK_ROWS)


def main(arguments: list[str] | None = None, *, folder: Path | None = None, effort: Effort | None = None) -> int:
    """Run the parts that are wanted, print what came of them; the exit code. Tests give a folder and less to do."""
    options = _options(arguments)
    effort = effort or (QUICK if options.quick else FULL)
    started = time.time()
    results = {part: _run(part, options.rows, effort, folder) for part in options.part or PARTS}
    report = {
        "command": " ".join(["python -m bench.history", *(sys.argv[1:] if arguments is None else arguments)]),
        "machine": machine(),
        "seconds": round(time.time() - started),
        "rows": options.rows,
        **results,
        "wrong": list(wrong(results)),
        "missed_targets": [] if options.quick else list(missed_targets(results)),
    }
    print(json.dumps(report, indent=2) if options.json else _text(report))
    return 1 if report["wrong"] else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, help=f"in the file that is asked; {ROWS} without it")
    parser.add_argument("--quick", action="store_true", help=f"everything shortened to some 20 s, {QUICK_ROWS} rows")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    options = parser.parse_args(arguments)
    options.rows = options.rows or (QUICK_ROWS if options.quick else ROWS)
    if options.rows < LEAST_ROWS:
        parser.error(f"--rows is {options.rows}: at least {LEAST_ROWS}")
    return options


def _run(part: str, rows: int, effort: Effort, folder: Path | None) -> dict[str, Any]:
    if part == "frames":
        return run_frames(cached(min(rows, MOST_FRAME_ROWS), folder=folder), rounds=effort.frame_rounds, folder=folder)
    built = cached(rows, folder=folder)
    if part == "start":
        return run_start(built, rounds=effort.starts)
    if part == "bounded":
        return run_bounded(built, rounds=effort.rounds)
    if part == "unbounded":
        return run_unbounded(built)
    return run_export(built, most_rows=effort.exported_rows)


# -- claims


def wrong(results: dict[str, Any]) -> Iterator[str]:
    """What must never be, however slow the machine."""
    for found in results.values():
        yield from found.get("wrong", ())


def missed_targets(results: dict[str, Any]) -> Iterator[str]:
    """What the machine at hand did not reach."""
    for name, most in START_MS.items():
        if "start" in results and results["start"][name]["median"] > most:
            yield f"{name}: {results['start'][name]['median']} ms, not {most}"
    for name, times in results.get("bounded", {"ms": {}})["ms"].items():
        if times["after_start"] > BOUNDED_MS:
            yield f"{name}: {times['after_start']} ms after the start, not {BOUNDED_MS}"
    if "export" in results and results["export"]["rows_a_second"] < EXPORTED_ROWS_A_SECOND:
        yield f"export: {results['export']['rows_a_second']:,} rows a second, not {EXPORTED_ROWS_A_SECOND:,}"


# -- text

HEAD = """\
{command}
Python {machine[python]}, {machine[system]}, {machine[cores]} cores, load {machine[load][0]} at the end, {seconds} s
"""
TIMES = "  {name}: {median} ({slowest})\n"
BOUNDED = "  {name}: {median} ({slowest}), {after_start}\n"
RATE = "  {name}: {rows:,} rows in {s} s; {snapshots_a_second:,} snapshots a second\n"


def _text(report: dict[str, Any]) -> str:
    parts = [HEAD.format(**report)]
    if "start" in report:
        parts.append("\na whole process, ms (the slowest):\n")
        parts += [TIMES.format(name=name, **times) for name, times in report["start"].items()]
    if "bounded" in report:
        start = report["bounded"]["start"]
        parts.append(f"\na whole report on {report['rows']:,} rows, ms (the slowest), and without the start:\n")
        parts.append(TIMES.format(name="the start", **start))
        parts += [BOUNDED.format(name=name, **times) for name, times in report["bounded"]["ms"].items()]
    if "unbounded" in report:
        parts.append(f"\nall of {report['rows']:,} rows:\n")
        parts += [RATE.format(name=name, **rates) for name, rates in report["unbounded"]["rates"].items()]
    if "export" in report:
        found = report["export"]
        parts.append(f"\nexport: {found['rows']:,} CSV rows in {found['s']} s, {found['rows_a_second']:,} a second\n")
    if "frames" in report:
        parts.append(f"\nthe same questions on {report['frames']['rows']:,} rows, ms:\n")
        for kind, times in report["frames"]["ms"].items():
            parts.append(f"  {kind}: {', '.join(f'{name} {ms}' for name, ms in times.items())}\n")
    parts += [f"\nWRONG: {words}" for words in report["wrong"]]
    parts += [f"\ntarget missed: {words}" for words in report["missed_targets"]]
    return "".join(parts).rstrip()


if __name__ == "__main__":
    sys.exit(main())
