"""Instants as they are written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.reports.instants import ago, duration, rfc3339, rfc3339_ms


@given(st.integers(min_value=0, max_value=253_370_764_799))
def test_instants_are_written_in_utc(epoch: int) -> None:
    """As every other program reads them."""
    assert datetime.fromisoformat(rfc3339(epoch)) == datetime.fromtimestamp(epoch, UTC)
    assert len(rfc3339(epoch)) == 20


def test_milliseconds_have_three_digits() -> None:
    """.7 and .007 are not the same moment."""
    assert rfc3339_ms(1_774_915_200_007) == "2026-03-31T00:00:00.007Z"
    assert rfc3339_ms(-1) == "1969-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (192, "3 min 12 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (86_399, "23 h 59 min"),
        (90_000, "1 d 1 h"),
        (-5, "-5 s"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: int, words: str) -> None:
    """Ages are glanced at."""
    assert duration(seconds) == words


def test_the_future_is_named() -> None:
    """A snapshot from the future is the sign of a wrong clock."""
    assert ago(5) == "5 s ago"
    assert ago(-5) == "5 s ahead of this machine's clock"
