"""Every failure of Binance over real sockets: what happens now, at the next tick, over restarts, and afterwards."""

import shutil
from pathlib import Path

import pytest

from collector.sandbox.answers import Answer
from collector.sandbox.exchange import Request
from collector.sandbox.faults import Fault
from tests.collecting import world
from tests.error_table import TABLE, USER_ASSET, Row, check, check_aborted, check_again, check_late, check_recovery
from tests.ledgers import T0, ask

KINDS = ("timeout", "clock", "rate_limited", "banned", "firewall", "maintenance", "bad_signature", "unknown_code")
ONE_OF_EACH = [next(row for row in TABLE if row.reason == reason) for reason in KINDS]
QUIET = [row for row in TABLE if row.quiet is not None]
MINUTES = [row for row in TABLE if row.next_minute is not None]
RETRIED = [row for row in TABLE if row.attempts > 1 and row.faults and row.name != "system status 1"]


def named(row: Row) -> str:
    """The name of its test."""
    return row.name


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated database that holds nothing."""
    shutil.copy(sqlite_template, tmp_path / "collector.db")
    return f"sqlite:///{tmp_path}/collector.db"


@pytest.mark.parametrize("row", TABLE, ids=named)
def test_each_failure_has_its_consequences_and_no_others(row: Row, url: str) -> None:
    """The ledger says what was asked, what was not and why; nobody is asked too early, nobody suffers for another."""
    check(row, url)


@pytest.mark.parametrize("row", ONE_OF_EACH, ids=named)
def test_the_consequences_are_the_same_on_both_engines(row: Row, database_url: str) -> None:
    """One row of each kind."""
    check(row, database_url)


@pytest.mark.parametrize("row", QUIET, ids=named)
def test_a_wait_that_follows_on_a_wait_is_as_long_as_binance_says_or_doubles(row: Row, url: str) -> None:
    """Who hammers is banned for longer each time."""
    check_again(row, url)


@pytest.mark.parametrize("row", MINUTES, ids=named)
def test_a_limit_ends_with_the_minute_and_a_pause_after_one(row: Row, url: str) -> None:
    """Binance counts by its own minute; an exchange that is closed has no such clock."""
    check_late(row, url)


@pytest.mark.parametrize("row", RETRIED, ids=named)
def test_what_passes_within_the_tick_costs_no_snapshot(row: Row, url: str) -> None:
    """Retries are what a minute's tick has time for."""
    check_recovery(row, url)


@pytest.mark.parametrize(("interval_s", "attempts"), [(1, 3), (2, 4), (10, 6), (60, 19), (3600, 19)])
def test_retries_go_on_until_the_deadline_and_never_beyond_it(url: str, interval_s: int, attempts: int) -> None:
    """A tick is tried for its interval, a minute at most: the next one must find the account free."""
    with world(url, max_attempts=100) as on:
        on.exchange.script(Fault(kind="status", status=503, path=USER_ASSET))
        on.add()
        on.start(on.runners[0].due(T0, interval_s, on.clocks()))
        on.finish()
        arrived = [entry.arrived_ms - T0 * 1000 for entry in on.exchange.requests(path=USER_ASSET)]
        # Pauses of 0.25, 0.5, 1, 2 and then 4 seconds: the shortest that chance allows.
        assert arrived == [0, 250, 750, 1750, *range(3750, 60_000, 4000)][:attempts]
        assert arrived[-1] < min(interval_s, 60) * 1000
        assert on.ledger() == [("main", "+0", "failed", "server_error")]


def test_an_answer_after_the_deadline_is_discarded(url: str) -> None:
    """Stale data is never stamped as fresh: the tick failed, and the next one asks anew."""
    with world(url) as on:
        answer = on.exchange._exchange.answer

        def late(request: Request) -> Answer:
            on.clocks.run(61 if request.now_ms < (T0 + 60) * 1000 else 0)
            return answer(request)

        on.exchange._exchange.answer = late  # type: ignore[method-assign]
        on.add()
        assert on.tick(due_at=T0) == ["main failed (timeout)"]
        assert on.tick(due_at=T0 + 60) == ["main stored"]
        assert ask(url, "SELECT detail FROM tick WHERE outcome = 'failed'") == [
            ("the reply was complete only after the deadline",)
        ]


def test_a_request_that_is_cut_off_has_no_consequences(url: str) -> None:
    """It was our own doing."""
    check_aborted(url)
