"""How fast and how punctual the daemon is against the sandbox: `python -m bench.exchange [--quick] [--json]`.

The daemon is the real one (`collector run`, a process of its own, SQLite included), and so is the exchange: each
account has 40 assets, and each answer takes 200 ms. Journal and database decide. Ends with 1 when a claim about
correctness does not hold; times are compared with their targets, and told.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.fleet import Fleet, run_fleet
from bench.measures import machine
from bench.punctual import run_punctual
from bench.rivals import CLIENTS, run_rivals

PARTS = ("hanging", "full", "rivals", "punctual")
FULL = {
    "hanging": Fleet(name="1 % of the requests hang", accounts=2280, interval_s=60, ticks=3, headroom=0.05, hang_s=10),
    "full": Fleet(name="1 % head-room", accounts=2376, interval_s=60, ticks=3, headroom=0.01),
}
QUICK = {
    "hanging": Fleet(name="1 % of the requests hang", accounts=76, interval_s=2, ticks=2, headroom=0.05, hang_s=0.5),
    "full": Fleet(name="1 % head-room", accounts=79, interval_s=2, ticks=2, headroom=0.01),
}
RATE = 2376 / 60


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are wanted, print what came of them; the exit code."""
    options = _options(arguments)
    started, results = time.time(), {}
    for part in options.part or PARTS:
        results[part] = _run(part, options)
    report = {
        "command": " ".join(["python -m bench.exchange", *(sys.argv[1:] if arguments is None else arguments)]),
        "machine": machine(),
        "seconds": round(time.time() - started),
        "results": results,
        "wrong": list(wrong(results)),
        "missed_targets": [] if options.quick else list(missed_targets(results)),
    }
    print(json.dumps(report, indent=2) if options.json else _text(report))
    return 1 if report["wrong"] else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.exchange", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="everything shortened to some 40 s, other clients left out"
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    return parser.parse_args(arguments)


def _run(part: str, options: argparse.Namespace) -> Any:
    if part == "rivals":
        seconds, clients = (2, ()) if options.quick else (30, CLIENTS)
        return run_rivals(rate=RATE, seconds=seconds, clients=clients)
    if part == "punctual":
        return run_punctual(idle_s=4, busy_s=4) if options.quick else run_punctual(idle_s=600, busy_s=300)
    return run_fleet((QUICK if options.quick else FULL)[part])


# -- claims


def wrong(results: dict[str, Any]) -> Iterator[str]:
    """What must never be, however slow the machine."""
    for found in _fleets(results):
        for name, words in (
            ("refused_429", "requests were answered 429"),
            ("missed", "ticks were missed"),
            ("unanswered", "ticks have no answer"),
            ("failed_without_own_reason", "ticks failed although their account's requests were answered"),
        ):
            if found[name]:
                yield f"{found['name']}: {found[name]} {words}"
    punctual = results.get("punctual", {})
    for phase in ("idle", "busy"):
        if phase in punctual and punctual[phase]["seconds_without_one"]:
            yield f"punctuality, {phase}: {punctual[phase]['seconds_without_one']} seconds without a request"


def missed_targets(results: dict[str, Any]) -> Iterator[str]:
    """What the machine at hand did not reach."""
    for found in _fleets(results):
        if found["late_because_of_another"]:
            yield f"{found['name']}: {found['late_because_of_another']} first requests were a second late"
    if "full" in results:
        full = results["full"]
        if full["stored_a_minute"] < 2376:
            yield f"{full['stored_a_minute']} snapshots a minute, not 2,376"
        if full["cpu_ms_per_snapshot"] > 4:
            yield f"{full['cpu_ms_per_snapshot']} ms of CPU a snapshot, not 4"
    for phase, name, most in (("idle", "p50", 3), ("idle", "p99", 10), ("busy", "p99", 25)):
        if "punctual" in results and results["punctual"][phase][name] > most:
            yield f"punctuality, {phase}: {name} {results['punctual'][phase][name]} ms, not {most}"


def _fleets(results: dict[str, Any]) -> list[dict[str, Any]]:
    return [results[part] for part in ("hanging", "full") if part in results]


# -- text

HEAD = """\
{command}
Python {machine[python]}, {machine[system]}, {machine[cores]} cores, load {machine[load][0]} at the end, {seconds} s
"""
FLEET = """
{name}: {accounts} accounts every {interval_s} s, {ticks} ticks, head-room {headroom:.0%}
  {due} due: {outcomes_text}; {missed} missed, {unanswered} without an answer, {hanging_requests} requests hung
  {refused_429} answers 429; at most {most_in_a_rolling_minute} requests in a rolling minute, \
{most_in_an_aligned_minute} in an aligned one
  first requests after their turn: p50 {lateness_ms[p50]}, p99 {lateness_ms[p99]}, max {lateness_ms[max]} ms; \
{late_because_of_another} more than a second
  {stored_a_minute} snapshots a minute, {cpu_ms_per_snapshot} ms of CPU each, \
memory {rss_mb[early]} MB early, {rss_mb[late]} late, {rss_mb[peak]} at most
"""
PHASE = """\
  {phase}: p50 {p50}, p99 {p99}, max {max} of {requests}; {seconds_without_one} seconds without one; drift {drift_ms}
"""


def _text(report: dict[str, Any]) -> str:
    results = report["results"]
    parts = [HEAD.format(**report)]
    for found in _fleets(results):
        outcomes = ", ".join(f"{number} {name}" for name, number in found["outcomes"].items())
        parts.append(FLEET.format(outcomes_text=outcomes, **found))
    if "rivals" in results:
        parts.append("\nthe same requests by others, paced alike, nothing stored:\n")
        parts += [f"  {_rival_line(found)}\n" for found in results["rivals"]]
    if "punctual" in results:
        parts += _punctual_lines(results["punctual"])
    parts += [f"\nWRONG: {words}" for words in report["wrong"]]
    parts += [f"\ntarget missed: {words}" for words in report["missed_targets"]]
    return "".join(parts).rstrip()


def _rival_line(found: dict[str, Any]) -> str:
    if found["failed"]:
        return f"{found['name']}: {found['failed']}"
    told = f"{found['cpu_ms_per_call']} ms of CPU a call ({found['answered']} answered, {found['a_minute']} a minute)"
    return f"{found['name']} {found['version']}: {told}"


def _punctual_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"\none account at 1 s, {found['idle_s']} s idle and {found['busy_s']} s while reports are read, in ms:\n"]
    for phase in ("idle", "idle_sleep_loop", "busy", "busy_sleep_loop"):
        name = phase.replace("_sleep_loop", ", a plain sleep loop")
        lines.append(PHASE.format(phase=name, **found[phase]))
    return lines


if __name__ == "__main__":
    sys.exit(main())
