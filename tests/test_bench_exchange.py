"""What the benchmark of speed and punctuality concludes from a run is right."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import exchange
from bench.fleet import Answer, Fleet, Run, judged
from bench.measures import most_in_a_minute, most_in_an_aligned_minute, percentile, spread
from bench.processes import Usage, Watched
from bench.punctual import found
from bench.rivals import run_rivals

FIRST = 1_700_000_040
TWO = Fleet(name="two", accounts=2, interval_s=60, ticks=2, headroom=0.0)
ASKED = {"path": "/sapi/v3/asset/getUserAsset", "status": 200, "complete": True, "faults": []}


def request(account: str, second: float, **said: Any) -> dict[str, Any]:
    """A request that arrived so long after the first tick."""
    return {**ASKED, "account": account, "arrived_ms": (FIRST + second) * 1000, **said}


def a_run(requests: Sequence[dict[str, Any]], answers: Sequence[Answer], missed: int = 0) -> Run:
    """What a run left, of a process that took a second of CPU in each minute and grew."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    samples = [Usage(at=FIRST + 10 * n, cpu_s=n / 6, rss_mb=50 + n) for n in range(13)]
    watched = Watched(process=process, log=Path("/dev/null"), samples=samples)
    return Run(requests=requests, answers=answers, missed=missed, samples=watched, first_due_at=FIRST)


GOOD = [request("a", 0.001), request("b", 0.027), request("a", 60.003), request("b", 60.026)]
STORED: list[Answer] = [(name, FIRST + at, "stored", None, 1) for name in ("a", "b") for at in (0, 60)]
FAILED: Answer = ("a", FIRST, "failed", "timeout", 1)


def test_a_good_run_holds_every_claim() -> None:
    """Lateness counts from each account's own turn: the second one's comes 25 ms after the first one's."""
    seen = judged(TWO, a_run(GOOD, STORED))
    assert (seen["due"], seen["outcomes"], seen["unanswered"], seen["refused_429"]) == (4, {"stored": 4}, 0, 0)
    assert seen["lateness_ms"] == {"p50": 2.0, "p99": 3.0, "max": 3.0}
    assert (seen["stored_a_minute"], seen["cpu_ms_per_snapshot"]) == (2.0, 500.0)
    assert seen["rss_mb"] == {"early": 52.5, "late": 61.5, "peak": 62.0}
    assert list(exchange.wrong({"full": seen})) == []


@pytest.mark.parametrize(
    ("requests", "answers", "missed", "words"),
    [
        ([*GOOD, request("a", 70, status=429)], STORED, 0, "1 requests were answered 429"),
        (GOOD, STORED[1:], 0, "1 ticks have no answer"),
        (GOOD, STORED[1:], 1, "1 ticks were missed"),
        (GOOD, [*STORED[1:], FAILED], 0, "1 ticks failed although their account's requests were answered"),
    ],
)
def test_whatever_is_wrong_is_found(
    requests: Sequence[dict[str, Any]], answers: Sequence[Answer], missed: int, words: str
) -> None:
    """A benchmark that can't fail proves nothing."""
    run = a_run(requests, answers, missed)
    assert list(exchange.wrong({"hanging": judged(TWO, run)})) == [f"two: {words}"]


def test_a_tick_may_fail_when_its_own_account_met_a_hang() -> None:
    """It failed for its own reason."""
    hung = [request("a", 0.001, faults=["hang"], status=None), *GOOD[1:]]
    seen = judged(TWO, a_run(hung, [*STORED[1:], FAILED]))
    assert (seen["failed_without_own_reason"], seen["hanging_requests"]) == (0, 1)


def test_slow_machines_miss_targets_and_are_not_wrong() -> None:
    """Times are told, correctness decides."""
    late = [request("a", 1.5), *GOOD[1:]]
    seen = judged(TWO, a_run(late, STORED))
    assert seen["late_because_of_another"] == 1
    assert list(exchange.wrong({"full": seen})) == []
    assert list(exchange.missed_targets({"full": seen})) == [
        "two: 1 first requests were a second late",
        "2.0 snapshots a minute, not 2,376",
        "500.0 ms of CPU a snapshot, not 4",
    ]


def test_punctuality_finds_lost_seconds_and_drift() -> None:
    """Each second has one request, as late as the first one was."""
    seen = found([request("a", n + n / 1000) for n in range(10) if n != 5], "a", 0.0, FIRST, FIRST + 10)
    assert (seen["requests"], seen["seconds"], seen["seconds_without_one"], seen["drift_ms"]) == (9, 10, 1, 9.0)
    assert list(exchange.wrong({"punctual": {"idle": seen, "busy": seen}})) == [
        "punctuality, idle: 1 seconds without a request",
        "punctuality, busy: 1 seconds without a request",
    ]


def test_measures_are_what_they_are_called() -> None:
    """Windows are half open, as a rolling minute is."""
    assert most_in_a_minute([0, 1, 59_999, 60_000, 60_001]) == 3
    assert most_in_an_aligned_minute([0, 1, 59_999, 60_000, 60_001]) == 3
    assert (most_in_a_minute([]), most_in_an_aligned_minute([])) == (0, 0)
    assert (percentile([3, 1, 2], 0.5), percentile([], 0.5)) == (2, 0.0)
    assert spread([1.234, 2, 3]) == {"p50": 2, "p99": 3, "max": 3}


def test_a_bare_loop_is_measured() -> None:
    """In an interpreter of its own, at the pace that is asked for."""
    (bare,) = run_rivals(rate=20, seconds=0.5, clients=())
    assert (bare["name"], bare["answered"], bare["failed"]) == ("requests", 10, "")
    assert bare["cpu_ms_per_call"] > 0
