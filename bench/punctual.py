"""How punctual one account at one second is, idle and while reports are read, beside a plain sleep loop."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measures import percentile, spread
from bench.processes import ROOT, Exchange, collector, daemon, environment, exchange

DAEMON, SLEEPER = "acct-0001", "acct-0002"
SLEEPERS_PLACE_S = 0.5
READERS = (("latest",), ("history", "BTC", "--format", "csv"), ("status", "--json"), ("gaps", "--format", "ndjson"))


def run_punctual(*, idle_s: int, busy_s: int) -> dict[str, Any]:
    """Run for so long, and say when requests came after the instants at which they were due, in milliseconds."""
    with TemporaryDirectory(prefix="collector-bench-") as name:
        folder = Path(name)
        with exchange(folder, 2) as at:
            first = _run(folder, at, idle_s, busy_s)
            requests = at.requests()
    # The first two requests open connections.
    idle, busy = (first + 2, first + idle_s), (first + idle_s + 1, first + idle_s + busy_s)
    return {
        "name": "punctuality",
        "idle_s": idle_s,
        "busy_s": busy_s,
        "idle": found(requests, DAEMON, 0.0, *idle),
        "idle_sleep_loop": found(requests, SLEEPER, SLEEPERS_PLACE_S, *idle),
        "busy": found(requests, DAEMON, 0.0, *busy),
        "busy_sleep_loop": found(requests, SLEEPER, SLEEPERS_PLACE_S, *busy),
    }


def _run(folder: Path, at: Exchange, idle_s: int, busy_s: int) -> int:
    with daemon(folder, at, 1, interval="1s") as watched, _sleeper(at):
        first = watched.first_due_at()
        time.sleep(max(0.0, first + idle_s - time.time()))
        with _readers(folder):
            time.sleep(max(0.0, first + idle_s + busy_s + 0.9 - time.time()))
    return first


def found(requests: Sequence[dict[str, Any]], account: str, place_s: float, first: int, end: int) -> dict[str, Any]:
    """How late one account's requests were between two seconds, and whether each second has exactly one."""
    arrivals = [entry["arrived_ms"] for entry in requests if entry["account"] == account]
    since = [(arrived, arrived / 1000 - place_s) for arrived in arrivals]
    lateness = [arrived - (int(second) + place_s) * 1000 for arrived, second in since if first <= second < end]
    seconds = {int(second) for _, second in since if first <= second < end}
    tenth = max(1, len(lateness) // 10)
    return {
        **spread(lateness),
        "requests": len(lateness),
        "seconds": end - first,
        "seconds_without_one": end - first - len(seconds),
        "drift_ms": round(percentile(lateness[-tenth:], 0.5) - percentile(lateness[:tenth], 0.5), 2),
    }


@contextmanager
def _sleeper(at: Exchange) -> Iterator[None]:
    account = next(one for one in at.accounts if one["name"] == SLEEPER)
    told = {"base_url": at.base_url, "place_s": SLEEPERS_PLACE_S, **account}
    process = subprocess.Popen([sys.executable, "-m", "bench.sleeper"], cwd=ROOT, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(told).encode())
    process.stdin.close()
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _readers(folder: Path) -> Iterator[None]:
    """Read reports and exports one after the other, in processes of their own, as people do."""
    ending = threading.Event()

    def read() -> None:
        while not ending.is_set():
            for arguments in READERS:
                command = collector(*arguments, *(() if arguments[0] == "status" else ("--account", DAEMON)))
                subprocess.run(command, cwd=ROOT, env=environment(folder), capture_output=True, timeout=60, check=False)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        ending.set()
        reader.join()
