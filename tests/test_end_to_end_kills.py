"""The ledger under kill -9 and SIGTERM: whatever moment they strike, each due instant has its one true answer.

COLLECTOR_TEST_KILLS sets how often a daemon is killed on each engine, COLLECTOR_TEST_SEED what is drawn by lot.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from collector.sandbox.faults import Fault
from tests.daemons import Crew, asked, crew, end_at_rest, now_s, until
from tests.ledger_check import (
    Exchange,
    Ledger,
    asking,
    complaints,
    expected_gaps,
    expected_history,
    read_ledger,
    rfc3339,
    text,
)
from tests.ledgers import ask
from tests.phased_daemon import ANYWHERE, POINTS
from tests.sandbox_client import USER_ASSET

KILLS = int(os.environ.get("COLLECTOR_TEST_KILLS", "13"))
SEED = int(os.environ.get("COLLECTOR_TEST_SEED", "20260401"))

# Every answer takes a while, so that a kill meets the request in flight; then what Binance does on a bad day.
ALWAYS = Fault(kind="latency", seconds=0.06, path=USER_ASSET)
NOW_AND_THEN = [
    Fault(kind="status", status=503, probability=0.08),
    Fault(kind="error", code=-1001, probability=0.04),
    Fault(kind="error_in_200", code=-1000, probability=0.03),
    Fault(kind="html", probability=0.03),
    Fault(kind="reset", probability=0.04),
    Fault(kind="reset_midway", probability=0.03),
    Fault(kind="half_body", probability=0.03),
    Fault(kind="truncated", probability=0.03),
    Fault(kind="skew", skew_ms=-8000, probability=0.03),
    Fault(kind="hang", seconds=5.0, probability=0.04),
]
OUTAGE = Fault(kind="status", status=502, path=USER_ASSET, last=5)


def faults() -> list[Fault]:
    """The sandbox's bad day, reproducible as far as the order of requests is."""
    return [ALWAYS, *(replace(fault, path=USER_ASSET, seed=SEED + n) for n, fault in enumerate(NOW_AND_THEN))]


def plan(lots: random.Random) -> list[str]:
    """Where to kill: every point as often as any other, in any order, but a daemon that has begun comes first."""
    points = [*POINTS, ANYWHERE]
    drawn = [points[n % len(points)] for n in range(max(KILLS, len(points)))]
    lots.shuffle(drawn)
    begun = next(n for n, point in enumerate(drawn) if point not in {"start", ANYWHERE})
    return [drawn.pop(begun), *drawn]


def killed(together: Crew, point: str, lots: random.Random) -> None:
    """A daemon that lives until it is killed at this point."""
    delay_s = {"request": lots.uniform(0, 0.04), "idle": lots.uniform(0.02, 0.6), ANYWHERE: lots.uniform(0.3, 4)}
    skip = 0 if point in {"start", ANYWHERE} else lots.randrange(4)
    words = (point, str(skip), str(delay_s.get(point, lots.uniform(0, 0.05))), str(together.folder / "kills"), "run")
    daemon = together.start(*words, command=(sys.executable, "-m", "tests.phased_daemon"))
    assert daemon.ended() == -9, f"at {point}:\n{daemon.said()}"


def asked_to_end(together: Crew, lots: random.Random) -> None:
    """A daemon that is ended by SIGTERM at any moment of its work."""
    daemon = together.start()
    daemon.first_due_at()
    time.sleep(lots.uniform(0, 2))
    code, took_s = daemon.stop()
    assert code == 0, daemon.said()
    assert took_s < 5


def kills(together: Crew) -> list[tuple[str, int]]:
    """Each kill so far: where, and when in epoch milliseconds."""
    lines = (together.folder / "kills").read_text().splitlines()
    return [(point, int(at_ms)) for point, at_ms in (line.split() for line in lines)]


def first_due_at(together: Crew, started_s: int) -> int:
    """The first due instant, by the first daemon's own words, which have to be likely."""
    said = together.daemons[0].first_due_at()
    assert started_s < said <= now_s()
    return said


def test_each_due_instant_has_one_true_answer_through_kills_and_failures(
    tmp_path: Path, database_url: str, record_property: Any
) -> None:
    """The promises exact, whole and honest at once, under what a year of operation can do to them."""
    lots = random.Random(SEED)  # noqa: S311 - lots, to be drawn again
    with crew(tmp_path, database_url, seed=SEED, trade_every_ms=200) as together:
        together.exchange.script(*faults())
        started_s = now_s()
        points = plan(lots)
        for number, point in enumerate(points):
            if number == len(points) // 2:
                while_down_the_gap_is_open(together)
            if number % 5 == 2:
                together.exchange.script(OUTAGE)
            killed(together, point, lots)
            if number % 6 == 4:
                asked_to_end(together, lots)
            time.sleep(lots.choice((0, 0, 0.5, 1.2)))
        last = live_well_and_stop(together)
        tally = Counter(point for point, _ in kills(together))
        record_property("kills", json.dumps(tally))
        sys.stdout.write(f"kills: {', '.join(f'{n} at {point}' for point, n in sorted(tally.items()))}\n")
        assert set(tally) >= set(POINTS), f"no kill at {set(POINTS) - set(tally)}"

        due = range(first_due_at(together, started_s), last + 1)
        exchange = Exchange(
            requests=asked(together.exchange),
            truth=lambda at_ms: together.exchange.truth("main", at_ms),
            kills_ms=[at_ms for _, at_ms in kills(together)],
        )
        with asking(together.url) as sql:
            ledger = read_ledger(sql)
        assert complaints(ledger, due, exchange) == []
        outcomes = Counter(outcome for given in ledger.answers().values() for outcome, _ in given)
        sys.stdout.write(f"{len(due)} instants: {dict(outcomes)}, {len(exchange.requests)} requests\n")
        assert min(outcomes[word] for word in ("stored", "failed", "missed")) >= 2
        views_say_the_same(together, ledger, due)
        zero_is_zero_and_a_gap_is_unknown(together, ledger)


def while_down_the_gap_is_open(together: Crew) -> None:
    """A dead daemon is visible without the daemon."""

    def open_gap() -> dict[str, Any] | None:
        done = together.call("gaps", "--json")
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["rows"]
        return next((dict(row) for row in rows if row["open"]), None)

    gap = until("open gap", open_gap, patience_s=10)
    assert "not_running" in gap["reasons"]
    assert gap["last_due_at"] >= rfc3339(now_s() - 5)


def live_well_and_stop(together: Crew) -> int:
    """A daemon in good weather for a few ticks, and its clean end; returns the last instant that was due."""
    together.exchange.clear_faults()
    daemon = together.start()
    daemon.first_due_at()
    until("a few snapshots", lambda: daemon.said().count(" stored: ") >= 3)
    return end_at_rest(daemon, lambda instant: [f"main {instant} stored"])


def views_say_the_same(together: Crew, ledger: Ledger, due: range) -> None:
    """The public views tell what the tables hold, and the open end by the present instant."""

    def in_one_second() -> tuple[int, list[Any], list[Any]] | None:
        before = now_s()
        gap = ask(
            together.url,
            "SELECT start_epoch, last_due_epoch, failed, missed, reasons, open FROM gap ORDER BY start_epoch",
        )
        covered = ask(together.url, "SELECT due, stored, thinned, failed, missed FROM coverage")
        return (before, gap, covered) if now_s() == before else None

    now, gap, covered = until("both views in one second", in_one_second)
    gaps = expected_gaps(ledger, due, now, 1)
    assert [(*row[:5], bool(row[5])) for row in gap] == gaps
    failed, missed = (sum(row[place] for row in gaps) for place in (2, 3))
    stored = len(ledger.stored())
    assert covered == [(stored + failed + missed, stored, 0, failed, missed)]


def zero_is_zero_and_a_gap_is_unknown(together: Crew, ledger: Ledger) -> None:
    """What has vanished reads as zero at each snapshot since, and instants without a snapshot have no row at all."""
    expected = expected_history(ledger)
    columns = "free, locked, frozen, withdrawing, ipoable, btc_valuation"
    found = ask(together.url, f"SELECT due_epoch, asset, {columns}, total_num FROM asset_history")
    assert sorted((t, asset, tuple(map(text, row[:-1]))) for t, asset, *row in found) == expected
    gone = {(t, asset) for t, asset, amounts in expected if set(amounts) == {"0"}}
    assert gone
    assert {row[-1] for row in found if (row[0], row[1]) in gone} == {0.0}

    asset = min(asset for _, asset in gone)
    report = json.loads(together.call("history", asset, "--json").stdout)
    names = ("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation")
    rows = [(row["due_at"], tuple(row[name] for name in names)) for row in report["rows"]]
    assert rows == [(rfc3339(t), amounts) for t, name, amounts in expected if name == asset]
    assert ("0",) * 6 in [amounts for _, amounts in rows]
