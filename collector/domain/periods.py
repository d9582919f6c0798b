"""Periods of the calendar in a time zone, as half-open ranges of instants."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

HOUR_S = 3_600


class Every(StrEnum):
    """How long a period is."""

    HOUR = "1h"
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1mo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """start_s <= t < end_s, in epoch seconds, under the name by which people know it."""

    name: str
    start_s: int
    end_s: int


def first_moment(day: date, zone: tzinfo) -> int:
    """The first second of a calendar day, in epoch seconds; where clocks skip midnight, the first one after it."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    instant = int(midnight.timestamp())
    if local(instant, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    skipped = range(int(midnight.replace(fold=1).timestamp()), instant + 1)
    return skipped[bisect_left(skipped, day, key=lambda second: local(second, zone).date())]


def local(instant_s: int, zone: tzinfo) -> datetime:
    """What clocks in the zone show."""
    return datetime.fromtimestamp(instant_s, UTC).astimezone(zone)


def periods(every: Every, from_s: int, to_s: int, zone: tzinfo) -> Iterator[Period]:
    """The periods that touch from_s <= t < to_s, in order; the first and the last one are cut to it."""
    found = _hours(from_s, to_s, zone) if every is Every.HOUR else _days(every, local(from_s, zone).date(), to_s, zone)
    for period in found:
        start_s, end_s = max(period.start_s, from_s), min(period.end_s, to_s)
        if (start_s, end_s) == (period.start_s, period.end_s):
            yield period
        elif start_s < end_s:
            yield Period(name=period.name, start_s=start_s, end_s=end_s)


def slices(from_s: int, to_s: int, count: int, *, least_s: int = 1) -> list[Period]:
    """from_s <= t < to_s in at most so many parts of equal length, of `least_s` at least, for a picture."""
    length = max(least_s, -(-(to_s - from_s) // count))
    return [Period(name="", start_s=at, end_s=min(at + length, to_s)) for at in range(from_s, to_s, length)]


def _hours(from_s: int, to_s: int, zone: tzinfo) -> Iterator[Period]:
    # Hours begin where clocks in the zone show whole hours, which is not at whole hours of UTC everywhere.
    start_s = _whole_hour(from_s, zone)
    while start_s < to_s:
        end_s = _whole_hour(start_s + HOUR_S, zone)
        name = local(start_s, zone).isoformat(timespec="minutes").replace("+00:00", "Z")
        yield Period(name=name, start_s=start_s, end_s=end_s)
        start_s = end_s


def _whole_hour(instant_s: int, zone: tzinfo) -> int:
    clock = local(instant_s, zone)
    return instant_s - clock.minute * 60 - clock.second


def _days(every: Every, day: date, to_s: int, zone: tzinfo) -> Iterator[Period]:
    first = first_day(every, day)
    start_s = first_moment(first, zone)
    while start_s < to_s:
        following = next_first_day(every, first)
        end_s = first_moment(following, zone)
        yield Period(name=name_of(every, first), start_s=start_s, end_s=end_s)
        first, start_s = following, end_s


def first_day(every: Every, day: date) -> date:
    """The first day of the week or month that a day lies in; a week begins on Monday."""
    if every is Every.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if every is Every.MONTH else day


def next_first_day(every: Every, first: date) -> date:
    """The first day of the period after the one that begins on this day."""
    if every is Every.MONTH:
        return months_later(first, 1)
    return first + timedelta(days=7 if every is Every.WEEK else 1)


def months_later(first: date, months: int) -> date:
    """The first day of a month so many months later."""
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def name_of(every: Every, first: date) -> str:
    """How ISO 8601 writes a period: 2026-03-31, 2026-W14 or 2026-03."""
    if every is Every.WEEK:
        year, week, _ = first.isocalendar()
        return f"{year:04}-W{week:02}"
    return first.isoformat() if every is Every.DAY else f"{first.year:04}-{first.month:02}"
