"""Kills daemons at random moments of their work, and looks for a lie in their ledgers: `python -m bench.chaos`.

Real daemons with an interval of one second collect from the sandbox, which now and then fails, into SQLite and
PostgreSQL. Each is ended by kill -9 at a moment drawn by lot: while a request is in flight, a reply is read, a tick is
written, the spool is filled (the database is locked or read-only then) or emptied, or nothing happens. At the end each
due instant must have its one true answer, and nothing that was told as stored may be missing. Ends with 1 when
something is wrong or some moment was never met.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.lane import GROUPS, Found, Lane
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.postgres import PostgresServer
from tests.sandbox_client import USER_ASSET

ROUNDS, QUICK_ROUNDS = 1000, 39
LANES, QUICK_LANES = 4, 3
WANTED = ("request", "parse", "write", "spool", "idle")
POWER_LOSS = (
    "power loss and a crash of the kernel: kill -9 leaves what the kernel has not written to the disk yet, these "
    "don't; SQLite's synchronous=FULL and PostgreSQL's fsync are on, but that they reach the disk was not tried"
)
NOT_SIMULATED = (POWER_LOSS, "a disk that lies about fsync, and one that returns other bytes than were written")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "latency", "seconds": 0.03},
    {"kind": "status", "status": 503, "probability": 0.04},
    {"kind": "reset_midway", "probability": 0.03},
    {"kind": "truncated", "probability": 0.03},
    {"kind": "error", "code": -1001, "probability": 0.03},
    {"kind": "hang", "seconds": 3.0, "probability": 0.04},
)


def main(arguments: list[str] | None = None) -> int:
    """Run all rounds, print what came of them; the exit code."""
    options = _options(arguments)
    started = time.monotonic()
    found = _run(options)
    report = _report(options, found, round(time.monotonic() - started))
    print(json.dumps(report, indent=2) if options.json else _text(report))
    return 1 if report["wrong"] else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, below a minute")
    parser.add_argument("--rounds", type=int, help=f"how many daemons to kill; {ROUNDS} without it")
    parser.add_argument(
        "--lanes", type=int, help="how many accounts at once, 2 at least; the last one is on PostgreSQL"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31), help="what is drawn by lot")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.lanes = options.lanes or (QUICK_LANES if options.quick else LANES)
    return options


def _run(options: argparse.Namespace) -> list[Found]:
    names = [f"lane{n}" for n in range(options.lanes)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        size = 40 * options.rounds + 10_000
        exchange = stack.enter_context(Sandbox(names, seed=options.seed, trade_every_ms=200, journal_size=size))
        exchange.script(*(Fault(path=USER_ASSET, seed=options.seed + n, **fault) for n, fault in enumerate(FAULTS)))
        server = stack.enter_context(PostgresServer(settings={"fsync": "on", "full_page_writes": "on"}))
        urls = [f"sqlite:///{folder}/{name}/collector.db" for name in names[:-1]] + [server.url()]
        lanes = []
        for number, (name, url) in enumerate(zip(names, urls, strict=True)):
            (folder / name).mkdir(mode=0o700)
            lanes.append(
                Lane(
                    folder=folder / name,
                    url=url,
                    exchange=exchange,
                    account=exchange.accounts[number],
                    rounds=-(-(options.rounds - number) // options.lanes),
                    seed=options.seed + number,
                )
            )
        with ThreadPoolExecutor(options.lanes) as pool:
            return list(pool.map(Lane.run, lanes))


def _report(options: argparse.Namespace, found: list[Found], seconds: int) -> dict[str, Any]:
    kills = sum((one.kills for one in found), Counter[str]())
    groups = Counter[str]()
    for point, number in kills.items():
        groups[GROUPS[point]] += number
    wrong = [sentence for one in found for sentence in one.wrong]
    wrong += [f"no kill fell into {group}" for group in WANTED if not groups[group]]
    return {
        "command": f"python -m bench.chaos --rounds {options.rounds} --lanes {options.lanes} --seed {options.seed}",
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "seconds": seconds,
        "rounds": kills.total(),
        "kills": {"by_moment": dict(sorted(kills.items())), "by_group": dict(sorted(groups.items()))},
        "rounds_by_engine": {
            engine: sum(one.kills.total() for one in found if one.engine == engine)
            for engine in sorted({one.engine for one in found})
        },
        "instants": dict(sum((one.outcomes for one in found), Counter[str]())),
        "requests": sum(one.requests for one in found),
        "wrong": wrong,
        "not_simulated": NOT_SIMULATED,
    }


def _text(report: dict[str, Any]) -> str:
    groups, moments = report["kills"]["by_group"], report["kills"]["by_moment"]
    right = "each due instant has its one true answer; nothing was lost or doubled"
    lines = [
        f"{report['rounds']} daemons killed in {report['seconds']} s: {_listed(report['rounds_by_engine'])}",
        f"where: {_listed(groups)}",
        f"more exactly: {_listed(moments)}",
        f"due instants: {_listed(report['instants'])}; {report['requests']} requests",
        *(f"not simulated: {sentence}" for sentence in report["not_simulated"]),
        *(f"WRONG: {sentence}" for sentence in report["wrong"]),
        "something is wrong" if report["wrong"] else right,
        report["command"],
    ]
    return "\n".join(lines)


def _listed(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


if __name__ == "__main__":
    sys.exit(main())
