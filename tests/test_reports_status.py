"""The report on how the collection stands, and the verdict on it."""

import json

import pytest

from collector.domain.offsets import clock_warnings
from collector.domain.records import AccountStatus, Run, Wait
from collector.domain.ticks import FailReason
from collector.reports.status import status_report
from collector.reports.values import Report
from collector.reports.verdict import behind, newest_offset_ms, nothing_collected, percent, state
from tests.ledgers import held, snapshot
from tests.pinned import assert_pinned
from tests.report_values import DUE, NOW_MS, account, as_text, coverage, failure, gap, status, stored_snapshot

RUN = Run(host="box", pid=4711, started_at_ms=DUE * 1000 - 90_000, ended_at_ms=None, clean=False, version="0.1.0")
ENDED = Run(host="box", pid=4711, started_at_ms=0, ended_at_ms=NOW_MS - 5_000, clean=True, version="0.1.0")
WAIT = Wait(scope="ip", until_ms=DUE * 1000 + 600_000, reason=FailReason.RATE_LIMITED)


def newest(*, age_s: int = 60, offset_ms: int | None = 0) -> AccountStatus:
    """An account whose newest snapshot is so old."""
    stored = stored_snapshot(snapshot(held("BTC")), received_at_ms=NOW_MS - age_s * 1000, clock_offset_ms=offset_ms)
    return status(stored)


def everything() -> Report[AccountStatus]:
    """Three accounts of which one is well."""
    well = newest()
    failing = status(
        stored_snapshot(snapshot(), due_at=DUE - 3000, received_at_ms=DUE * 1000 - 2_999_000),
        account("second"),
        newest_failure=failure(http_status=429, code=-1003, reason=FailReason.RATE_LIMITED),
        open_gap=gap(DUE - 2700, ticks=9, is_open=True, failed=9, missed=0, reasons=("rate_limited",), name="second"),
        coverage=coverage(due=20_000, failed=9, missed=1),
    )
    never = status(
        None,
        account("third", stopped_at_ms=DUE * 1000, stop_reason="key_rejected"),
        newest_failure=failure(reason=FailReason.KEY_REJECTED),
        coverage=coverage(due=1, failed=1),
    )
    return status_report([well, failing, never], database="/x/c.db", run=RUN, waits=[WAIT], now_ms=NOW_MS)


@pytest.mark.parametrize("chosen", ["table", "tsv", "csv", "json", "ndjson"])
def test_status_looks_like_this(chosen: str) -> None:
    """One row an account, the daemon and the waits above."""
    assert_pinned(f"status_{chosen}", as_text(everything(), chosen))


def test_on_a_narrow_terminal_each_account_is_a_block() -> None:
    """The width that most terminals have."""
    assert_pinned("status_table_80", as_text(everything(), "table", width=80))


def test_a_ledger_that_reaches_into_the_future_is_named() -> None:
    """Nothing else shows it: the daemon collects, or waits for the clock."""
    late = [status(None, account(name), newest_answer_at=NOW_MS // 1000 + at) for name, at in (("a", 120), ("b", 121))]
    report = status_report(late, database="/x/c.db", run=None, waits=[], now_ms=NOW_MS)
    until = "the ledger of b has answers of the future, until 2026-03-31T12:05:13Z"
    assert report.warnings == (f"{until}: the local clock is behind, or ran ahead",)


def test_with_one_account_the_report_rests_on_its_snapshot() -> None:
    """A script for one account needs no rows."""
    report = status_report([newest()], database="/x/c.db", run=ENDED, waits=[], now_ms=NOW_MS)
    head = json.loads(as_text(report, "json"))
    assert (head["account"], head["due_at"], head["age"]) == ("main", "2026-03-31T12:00:00Z", 60)
    assert "pid 4711 on box" in report.notes[1]
    assert report.notes[1].endswith("ended 5 s ago")
    nobody = status_report([status(None)], database="/x/c.db", run=None, waits=[], now_ms=NOW_MS)
    assert (nobody.basis.account, nobody.basis.due_at) == ("main", None)
    assert nobody.notes[1] == "no daemon has run on this database yet"


def test_an_account_that_is_not_due_is_told_without_an_interval() -> None:
    """Removed accounts stay in the list, and nothing is expected of them."""
    removed = status(None, interval_s=None, coverage=coverage(due=0))
    shown = as_text(status_report([removed], database="/x/c.db", run=None, waits=[], now_ms=NOW_MS), "table", width=40)
    assert "state            unscheduled\n" in shown
    assert "coverage         no tick was due yet\n" in shown


def test_states_tell_who_stopped_what() -> None:
    """Paused by its owner, stopped by an error, removed from the configuration: three different things to do."""
    paused = gap(reasons=("paused",), is_open=True)
    assert state(newest()) == "collected"
    assert state(status(None, open_gap=paused)) == "paused"
    assert state(status(None, open_gap=gap(reasons=("not_running", "paused"), is_open=True))) == "collected"
    assert state(status(None, account(stopped_at_ms=1), open_gap=paused)) == "stopped"
    assert state(status(None, interval_s=None)) == "removed"
    assert state(status(None, interval_s=None, coverage=coverage(due=0))) == "unscheduled"


@pytest.mark.parametrize(
    ("due", "lost", "text"),
    [
        (0, 0, None),
        (3, 0, "100"),
        (10_000_000, 1, "99.99"),
        (10_000, 1, "99.99"),
        (3, 1, "66.66"),
        (3, 3, "0.00"),
        (1000, 925, "7.50"),
    ],
)
def test_coverage_is_never_rounded_up(due: int, lost: int, text: str | None) -> None:
    """One lost tick in ten million is a lost tick."""
    assert percent(coverage(due=due, missed=lost)) == text


def test_an_account_is_behind_after_two_intervals() -> None:
    """One lost tick is a gap, two are a reason to look."""
    assert behind([newest(age_s=600)], now_ms=NOW_MS) is None
    assert behind([newest(age_s=601)], now_ms=NOW_MS) == (
        "account 'main' has no newer snapshot than that of 10 min 1 s ago: a snapshot is due every 5 min"
    )
    assert behind([newest(age_s=-7200)], now_ms=NOW_MS) is None


def test_an_account_without_a_snapshot_is_behind_once_one_was_due() -> None:
    """Before the first tick there is nothing to miss."""
    assert behind([status(None, coverage=coverage(due=0))], now_ms=NOW_MS) is None
    assert behind([status(None)], now_ms=NOW_MS) == (
        "account 'main' has no snapshot yet: a snapshot is due every 5 min"
    )


def test_nobody_waits_for_an_account_that_is_paused_or_removed() -> None:
    """What its owner halted is no alarm."""
    assert behind([status(None, interval_s=None)], now_ms=NOW_MS) is None
    assert behind([status(None, open_gap=gap(reasons=("paused",), is_open=True))], now_ms=NOW_MS) is None


def test_several_that_are_behind_are_named_together() -> None:
    """One sentence, however many accounts."""
    late = [newest(), status(None, account("a")), status(None, account("b"))]
    assert behind(late, now_ms=NOW_MS) == "2 of 3 accounts have no snapshot of the last 2 intervals: a, b"


@pytest.mark.parametrize(
    ("offset_ms", "warnings"),
    [
        (None, ()),
        (1000, ()),
        (-1000, ()),
        (1001, ("the clock of the collecting machine is 1.0 s behind Binance's: set it right",)),
        (-61_250, ("the clock of the collecting machine is 61.2 s ahead of Binance's: set it right",)),
    ],
)
def test_a_wrong_clock_is_named(offset_ms: int | None, warnings: tuple[str, ...]) -> None:
    """due_at comes from this clock: all times of the history are as wrong as it is."""
    assert clock_warnings(newest_offset_ms([newest(offset_ms=offset_ms), status(None)])) == warnings
    assert newest_offset_ms([status(None)]) is None


def test_only_a_database_without_any_tick_is_empty() -> None:
    """Where every tick failed there is something to tell."""
    assert nothing_collected([])
    assert nothing_collected([status(None, coverage=coverage(due=0))])
    assert not nothing_collected([status(None)])
    assert not nothing_collected([status(stored_snapshot(snapshot()), coverage=coverage(due=0))])
