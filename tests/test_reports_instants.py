"""Instants as they are read and written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.reports.instants import ago, duration, parse_instant, rfc3339, rfc3339_ms


@pytest.mark.parametrize(
    ("written", "epoch"),
    [
        ("2026-03-31", 1_774_915_200),
        ("2026-03-31T00:00:00Z", 1_774_915_200),
        ("2026-03-31T02:00:00+02:00", 1_774_915_200),
        ("2026-03-30 19:30:00-04:30", 1_774_915_200),
        ("2026-03-31t00:00:00z", 1_774_915_200),
        ("2026-03-31T00:00:00.000000Z", 1_774_915_200),
        ("2026-03-31T00:00:00.000001Z", 1_774_915_201),
        ("1970-01-01", 0),
    ],
)
def test_instants_are_read_as_rfc_3339_and_dates_in_utc(written: str, epoch: int) -> None:
    """A date is its first moment in UTC; a fraction rounds up, so that no end of a range moves over a due instant."""
    assert parse_instant(written) == epoch


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("1774915200", "1774915200 could be seconds or milliseconds: write it as 2026-03-31T12:00:00Z"),
        ("-5", "-5 could be seconds or milliseconds: write it as 2026-03-31T12:00:00Z"),
        (
            "2026-03-31T00:00:00",
            "'2026-03-31T00:00:00' says nothing of its time zone: add Z for UTC, or an offset like +02:00",
        ),
        (
            "2026-03-31 00:00",
            "'2026-03-31 00:00' says nothing of its time zone: add Z for UTC, or an offset like +02:00",
        ),
        ("31.3.2026", "'31.3.2026' is neither a date like 2026-03-31 nor an instant like 2026-03-31T12:00:00Z"),
        ("2026-W14-2", "'2026-W14-2' is neither a date like 2026-03-31 nor an instant like 2026-03-31T12:00:00Z"),
        ("٢٠٢٦-03-31", "'٢٠٢٦-03-31' is neither a date like 2026-03-31 nor an instant like 2026-03-31T12:00:00Z"),
        ("", "'' is neither a date like 2026-03-31 nor an instant like 2026-03-31T12:00:00Z"),
        ("2026-02-29", "'2026-02-29' is not in the calendar"),
        ("2026-01-01T00:00:60Z", "'2026-01-01T00:00:60Z' is not in the calendar"),
        ("2026-01-01T00:00:00+99:00", "'2026-01-01T00:00:00+99:00' is not in the calendar"),
        ("1969-12-31T23:59:59Z", "'1969-12-31T23:59:59Z' is not between 1970 and 9998"),
        ("9999-12-31T23:59:59-23:59", "'9999-12-31T23:59:59-23:59' is not between 1970 and 9998"),
    ],
)
def test_what_could_mean_two_things_is_refused(written: str, sentence: str) -> None:
    """A report of the wrong hours looks like one of the right ones."""
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse_instant(written)
    assert str(refused.value) == sentence


@given(st.integers(min_value=0, max_value=253_370_764_799))
def test_what_is_written_is_read_back(epoch: int) -> None:
    """An instant copied from one report is right as an option of the next."""
    assert parse_instant(rfc3339(epoch)) == epoch
    assert datetime.fromisoformat(rfc3339(epoch)) == datetime.fromtimestamp(epoch, UTC)


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
