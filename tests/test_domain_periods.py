"""Calendar periods in every kind of time zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.periods import Every, first_moment, local, periods, slices

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/Sao_Paulo", "America/St_Johns", "Africa/Cairo", "Pacific/Apia", "Asia/Beirut", "Antarctica/Troll",
)  # fmt: skip
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.integers(min_value=1_000_000_000, max_value=1_900_000_000)


def instant(text: str) -> int:
    """Epoch seconds."""
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_days_of_23_and_25_hours_are_right(day: str, hours: int) -> None:
    """In Berlin clocks go forward on 29 March and back on 25 October 2026."""
    zone, one = ZoneInfo("Europe/Berlin"), date.fromisoformat(day)
    start, end = (first_moment(d, zone) for d in (one, one + timedelta(days=1)))
    assert end - start == hours * 3600


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("Europe/Berlin", "2026-03-31", "2026-03-30T22:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),  # 00:00 did not exist; it was 01:00
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00Z"),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),  # a day that was left out: as long as nothing
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),  # from 23:30 to 00:30
    ],
)
def test_a_day_begins_when_clocks_first_show_it(zone: str, day: str, first: str) -> None:
    """Also where they skip midnight."""
    assert first_moment(date.fromisoformat(day), ZoneInfo(zone)) == instant(first)


@given(zones, instants, st.integers(min_value=0, max_value=90 * 86_400), st.sampled_from(list(Every)))
def test_periods_fill_a_range_without_hole_or_overlap(zone: ZoneInfo, start: int, length: int, every: Every) -> None:
    """Every instant of the range lies in exactly one."""
    if every is Every.HOUR:
        length //= 24
    found = list(periods(every, start, start + length, zone))
    if not length:
        assert found == []
        return
    assert (found[0].start_s, found[-1].end_s) == (start, start + length)
    assert all(one.end_s == two.start_s for one, two in pairwise(found))
    assert all(one.start_s < one.end_s for one in found)


@given(zones, instants, st.sampled_from([Every.DAY, Every.WEEK, Every.MONTH]))
def test_a_period_has_the_name_of_the_days_in_it(zone: ZoneInfo, start: int, every: Every) -> None:
    """As ISO 8601 writes days, weeks and months."""
    for period in list(periods(every, start, start + 70 * 86_400, zone))[1:]:
        day = local(period.start_s, zone).date()
        year, week, _ = day.isocalendar()
        names = {"1d": day.isoformat(), "1w": f"{year}-W{week:02}", "1mo": day.isoformat()[:7]}
        assert period.name == names[every]


def test_hours_are_those_of_local_clocks() -> None:
    """In Nepal whole hours lie at a quarter past of UTC, and each says its offset."""
    found = list(
        periods(
            Every.HOUR, instant("2026-03-31T00:00:00Z"), instant("2026-03-31T02:00:00Z"), ZoneInfo("Asia/Kathmandu")
        )
    )
    assert [p.name for p in found] == ["2026-03-31T05:00+05:45", "2026-03-31T06:00+05:45", "2026-03-31T07:00+05:45"]
    assert [p.start_s % 3600 for p in found] == [0, 900, 900]


def test_the_hour_that_comes_twice_is_two_periods() -> None:
    """Their offsets tell them apart."""
    zone = ZoneInfo("Europe/Berlin")
    found = list(periods(Every.HOUR, instant("2026-10-25T00:00:00Z"), instant("2026-10-25T02:00:00Z"), zone))
    assert [p.name for p in found] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


def test_months_and_weeks_cross_years() -> None:
    """December is followed by January, and a week belongs to the year of its Thursday."""
    start, end = instant("2024-12-30T00:00:00Z"), instant("2025-01-07T00:00:00Z")
    assert [p.name for p in periods(Every.MONTH, start, end, UTC)] == ["2024-12", "2025-01"]
    assert [p.name for p in periods(Every.WEEK, start, end, UTC)] == ["2025-W01", "2025-W02"]


@pytest.mark.parametrize(
    ("count", "least_s", "starts"),
    [(3, 1, [0, 34, 68]), (100, 30, [0, 30, 60, 90]), (2, 30, [0, 50]), (1000, 1, [*range(100)]), (5, 500, [0])],
)
def test_slices_are_no_shorter_than_asked_for(count: int, least_s: int, starts: list[int]) -> None:
    """A picture may have more columns than there are snapshots: columns without one would look like gaps."""
    cells = slices(0, 100, count, least_s=least_s)
    assert [cell.start_s for cell in cells] == starts
    assert [cell.end_s for cell in cells] == [*starts[1:], 100]
