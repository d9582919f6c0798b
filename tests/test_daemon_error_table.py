"""Every failure of Binance over real sockets: what happens now, at the next tick, over restarts, and afterwards."""

import shutil
from pathlib import Path

import pytest

from tests.error_table import TABLE, Row, check, check_aborted, check_again, check_late, check_recovery

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


def test_a_request_that_is_cut_off_has_no_consequences(url: str) -> None:
    """It was our own doing."""
    check_aborted(url)
