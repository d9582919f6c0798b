"""Times as people write them."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.timewords import names_period, parse_instant, parse_period
from collector.reports.instants import rfc3339

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_774_958_400
"""2026-03-31T12:00:00Z."""


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
        ("now", NOW),
        ("-90s", NOW - 90),
        ("-5m", NOW - 300),
        ("-12h", NOW - 43_200),
        ("-7d", NOW - 604_800),
        ("-2w", NOW - 1_209_600),
        ("today", 1_774_915_200),
        ("yesterday", 1_774_915_200 - 86_400),
        ("2026-03", 1_774_915_200 - 30 * 86_400),
        ("2026-Q1", 1_767_225_600),
        ("2026", 1_767_225_600),
    ],
)
def test_instants_are_read_as_people_write_them(written: str, epoch: int) -> None:
    """A period stands for its first moment; a fraction rounds up, so that no end of a range skips a due instant."""
    assert parse_instant(written, now_s=NOW) == epoch


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("today", "2026-03-30T22:00:00Z", "2026-03-31T22:00:00Z"),
        ("yesterday", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"),
        ("2026-W14", "2026-03-29T22:00:00Z", "2026-04-05T22:00:00Z"),
        ("2026-03", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-Q1", "2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-Q4", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
    ],
)
def test_a_period_is_its_range_in_the_zone(written: str, start: str, end: str) -> None:
    """From the first moment of its first day in Berlin to that of the day after."""
    period = parse_period(written, zone=BERLIN, now_s=NOW)
    assert (rfc3339(period.start_s), rfc3339(period.end_s)) == (start, end)
    assert parse_instant(written, zone=BERLIN, now_s=NOW) == period.start_s
    assert names_period(written)


@pytest.mark.parametrize(("now", "day"), [(1_774_994_399, "2026-03-31"), (1_774_994_400, "2026-04-01")])
def test_today_is_the_day_in_the_zone(now: int, day: str) -> None:
    """In Berlin April begins two hours before it does in UTC."""
    assert parse_period("today", zone=BERLIN, now_s=now).name == day


ZONELESS = "says nothing of its time zone: add Z for UTC, or an offset like +02:00"
NEITHER = "is neither a date like 2026-03-31 nor an instant like 2026-03-31T12:00:00Z, now or -7d"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("1774915200", "1774915200 could be seconds or milliseconds: write it as 2026-03-31T12:00:00Z"),
        ("-5", "-5 could be seconds or milliseconds: write it as 2026-03-31T12:00:00Z"),
        ("202603", "202603 could be seconds or milliseconds: write it as 2026-03-31T12:00:00Z"),
        ("2026-03-31T00:00:00", f"'2026-03-31T00:00:00' {ZONELESS}"),
        ("2026-03-31 00:00", f"'2026-03-31 00:00' {ZONELESS}"),
        ("31.3.2026", f"'31.3.2026' {NEITHER}"),
        ("2026-W14-2", f"'2026-W14-2' {NEITHER}"),
        ("٢٠٢٦-03-31", f"'٢٠٢٦-03-31' {NEITHER}"),
        ("Yesterday", f"'Yesterday' {NEITHER}"),
        ("+7d", f"'+7d' {NEITHER}"),
        ("-7y", f"'-7y' {NEITHER}"),
        ("", f"'' {NEITHER}"),
        ("2026-02-29", "'2026-02-29' is not in the calendar"),
        ("2026-13", "'2026-13' is not in the calendar"),
        ("2026-W54", "'2026-W54' is not in the calendar"),
        ("2026-Q5", "'2026-Q5' is not in the calendar"),
        ("0000", "'0000' is not in the calendar"),
        ("9999", "'9999' is not in the calendar"),
        ("2026-01-01T00:00:60Z", "'2026-01-01T00:00:60Z' is not in the calendar"),
        ("2026-01-01T00:00:00+99:00", "'2026-01-01T00:00:00+99:00' is not in the calendar"),
        ("1969-12-31T23:59:59Z", "'1969-12-31T23:59:59Z' is not between 1970 and 9998"),
        ("1969", "'1969' is not between 1970 and 9998"),
        ("9999-03", "'9999-03' is not between 1970 and 9998"),
        ("-999999999d", "'-999999999d' is not between 1970 and 9998"),
        ("9999-12-31T23:59:59-23:59", "'9999-12-31T23:59:59-23:59' is not between 1970 and 9998"),
    ],
)
def test_what_could_mean_two_things_or_nothing_is_refused(written: str, sentence: str) -> None:
    """A report of the wrong hours looks like one of the right ones."""
    for parse in (parse_instant, parse_period):
        with pytest.raises(ValueError, match=r"\w") as refused:
            parse(written, now_s=NOW)
        assert str(refused.value) == sentence


@pytest.mark.parametrize("written", ["now", "-7d", "2026-03-31T00:00:00Z"])
def test_an_instant_is_no_period(written: str) -> None:
    """Where a range is asked for, one instant says too little."""
    with pytest.raises(ValueError, match=r"is an instant, not a period like 2026-03-31, 2026-W14, 2026-03, 2026-Q1 or"):
        parse_period(written, now_s=NOW)
    assert not names_period(written)


def test_1970_begins_later_west_of_greenwich() -> None:
    """And before the epoch east of it, where it is refused."""
    assert parse_instant("1970-01-01", zone=ZoneInfo("America/New_York"), now_s=NOW) == 18_000
    with pytest.raises(ValueError, match="is not between 1970 and 9998"):
        parse_instant("1970-01-01", zone=BERLIN, now_s=NOW)


@given(st.integers(min_value=0, max_value=253_370_764_799))
def test_what_is_written_is_read_back(epoch: int) -> None:
    """An instant copied from one report is right as an option of the next."""
    assert parse_instant(rfc3339(epoch), zone=UTC, now_s=NOW) == epoch
