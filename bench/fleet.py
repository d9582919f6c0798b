"""Many accounts on one process, at the full speed that Binance allows."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measures import most_in_a_minute, most_in_an_aligned_minute, spread
from bench.processes import Exchange, Watched, daemon, exchange

Answer = tuple[str, int, str, str | None, int]
"""Account, due instant, outcome, reason and attempts of a tick."""

LATENCY_S = 0.2
LATE_MS = 1000
MARGIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What is run: so many accounts, asked every `interval_s` for `ticks` ticks; `hang_s` for 1 % of the requests."""

    name: str
    accounts: int
    interval_s: int
    ticks: int
    headroom: float
    hang_s: float = 0.0

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The sandbox's script."""
        asked = {"path": "/sapi/v3/asset/getUserAsset"}
        latency = {"kind": "latency", "seconds": LATENCY_S, **asked}
        hang = {"kind": "hang", "seconds": self.hang_s, "probability": 0.01, "seed": 7, **asked}
        return [latency, hang] if self.hang_s else [latency]

    def place_ms(self, position: int) -> float:
        """Milliseconds after the due instant at which the account of this position has its turn."""
        return position * 60_000 / (2400 * (1 - self.headroom) // 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run left: the requests that the exchange saw, the database's answers, and the process."""

    requests: Sequence[dict[str, Any]]
    answers: Sequence[Answer]
    missed: int
    samples: Watched
    first_due_at: int


def run_fleet(fleet: Fleet) -> dict[str, Any]:
    """Run it, and say what came of it."""
    with TemporaryDirectory(prefix="collector-bench-") as name:
        folder = Path(name)
        with exchange(folder, fleet.accounts, faults=tuple(fleet.faults)) as at:
            run = _run(fleet, folder, at)
    return judged(fleet, run)


def _run(fleet: Fleet, folder: Path, at: Exchange) -> Run:
    interval = f"{fleet.interval_s}s"
    with daemon(folder, at, fleet.accounts, interval=interval, headroom=fleet.headroom) as watched:
        first = watched.first_due_at()
        # After the last turn of the last tick, two hangs in a row still have to end.
        end = first + fleet.ticks * fleet.interval_s + max(MARGIN_S, min(fleet.interval_s, 2 * fleet.hang_s))
        while time.time() < end:
            if watched.process.poll() is not None:
                raise SystemExit(f"the daemon has ended:\n{watched.log.read_text()[-3000:]}")
            time.sleep(0.1)
    with closing(sqlite3.connect(folder / "collector.db")) as connection:
        last = first + (fleet.ticks - 1) * fleet.interval_s
        answers = connection.execute(
            "SELECT name, due_at, outcome, reason, attempts FROM tick JOIN account ON account.id = tick.account_id"
            " WHERE due_at BETWEEN ? AND ?",
            (first, last),
        ).fetchall()
        (missed,) = connection.execute(
            "SELECT coalesce(sum(ticks), 0) FROM missed WHERE start_at BETWEEN ? AND ?", (first, last)
        ).fetchone()
    return Run(requests=at.requests(), answers=answers, missed=missed, samples=watched, first_due_at=first)


def judged(fleet: Fleet, run: Run) -> dict[str, Any]:
    """What a run says of each claim, by exchange's journal and database."""
    arrivals = [entry["arrived_ms"] for entry in run.requests]
    outcomes = Counter(f"{outcome} ({reason})" if reason else outcome for _, _, outcome, reason, _ in run.answers)
    lateness = list(_lateness(fleet, run))
    due = fleet.accounts * fleet.ticks
    # The whole ticks, from their first due instant to the end of their last interval.
    start, end = float(run.first_due_at), float(run.first_due_at + fleet.ticks * fleet.interval_s)
    cpu_s = run.samples.cpu_s_between(start, end)
    stored = outcomes["stored"]
    return {
        "name": fleet.name,
        "accounts": fleet.accounts,
        "interval_s": fleet.interval_s,
        "ticks": fleet.ticks,
        "headroom": fleet.headroom,
        "hanging_requests": sum("hang" in entry["faults"] for entry in run.requests),
        "due": due,
        "outcomes": dict(outcomes),
        "missed": run.missed,
        "unanswered": due - len(run.answers) - run.missed,
        "failed_without_own_reason": _blameless(run),
        "refused_429": sum(entry["status"] == 429 for entry in run.requests),
        "most_in_a_rolling_minute": most_in_a_minute(arrivals),
        "most_in_an_aligned_minute": most_in_an_aligned_minute(arrivals),
        "lateness_ms": spread(lateness),
        "late_because_of_another": sum(late > LATE_MS for late in lateness),
        "stored_a_minute": round(stored * 60 / (fleet.ticks * fleet.interval_s), 1),
        "cpu_ms_per_snapshot": round(cpu_s * 1000 / stored, 2) if stored else None,
        "rss_mb": _memory(run, start, end),
    }


def _lateness(fleet: Fleet, run: Run) -> Iterator[float]:
    """For each account and tick: from its turn to the arrival of its first request, in milliseconds."""
    names = sorted({entry["account"] for entry in run.requests})
    for (name, tick), arrived in _first_arrivals(fleet, run).items():
        turn = (run.first_due_at + tick * fleet.interval_s) * 1000 + fleet.place_ms(names.index(name))
        yield arrived - turn


def _first_arrivals(fleet: Fleet, run: Run) -> dict[tuple[str, int], float]:
    """When the first request of each account for each tick arrived; a tick is tried for an interval at most."""
    names = {name: number for number, name in enumerate(sorted({entry["account"] for entry in run.requests}))}
    found: dict[tuple[str, int], float] = {}
    for entry in run.requests:
        since_ms = entry["arrived_ms"] - run.first_due_at * 1000 - int(fleet.place_ms(names[entry["account"]]))
        tick = int(since_ms // (fleet.interval_s * 1000))
        if 0 <= tick < fleet.ticks:
            found.setdefault((entry["account"], tick), entry["arrived_ms"])
    return found


def _blameless(run: Run) -> int:
    """Ticks that failed although each of the account's own requests was answered."""
    hung = {entry["account"] for entry in run.requests if "hang" in entry["faults"]}
    return sum(outcome == "failed" and name not in hung for name, _, outcome, _, _ in run.answers)


def _memory(run: Run, start: float, end: float) -> dict[str, float]:
    """Resident memory in the second and in the last fifth of the run, and its peak."""
    rss = [sample.rss_mb for sample in run.samples.during(start, end)]
    fifth = max(1, len(rss) // 5)
    early, late = rss[fifth : 2 * fifth] or rss, rss[-fifth:]
    return {
        "early": round(statistics.mean(early), 1) if early else 0.0,
        "late": round(statistics.mean(late), 1) if late else 0.0,
        "peak": round(max(rss, default=0.0), 1),
    }
