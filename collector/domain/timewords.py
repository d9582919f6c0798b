"""Times as people write them: dates, instants, `now`, `-7d`, `yesterday`, `2026-Q1`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo

from collector.domain.periods import Every, Period, first_moment, local, months_later, next_first_day

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
EXAMPLE = "2026-03-31T12:00:00Z"

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_BEFORE_NOW = re.compile(r"-(\d{1,9})([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse_instant(written: str, *, zone: tzinfo = UTC, now_s: int) -> int:
    """Epoch seconds of an instant, or of the first moment of a period in the zone.

    A fraction of a second is rounded up, so that `due_at >= T` and `due_at < T` keep their meaning for whole seconds.
    ValueError holds a sentence.
    """
    period = _period(written, zone, now_s)
    return _instant(written, now_s) if period is None else period.start_s


def parse_instant_ms(written: str, *, zone: tzinfo = UTC, now_ms: int) -> int:
    """The same in epoch milliseconds, for instants that are not those of the grid."""
    if _RFC_3339.fullmatch(written):
        return _read(written, timedelta(milliseconds=1))
    return now_ms if written == "now" else parse_instant(written, zone=zone, now_s=now_ms // 1000) * 1000


def parse_period(written: str, *, zone: tzinfo = UTC, now_s: int) -> Period:
    """A day, week, month, quarter or year of the calendar in the zone. ValueError holds a sentence."""
    period = _period(written, zone, now_s)
    if period is not None:
        return period
    _instant(written, now_s)
    raise ValueError(f"{written!r} is an instant, not a period like 2026-03-31, 2026-W14, 2026-03, 2026-Q1 or 2026")


def names_period(written: str) -> bool:
    """True for what stands for a range: `yesterday`, `2026-Q1`, a date; not for an instant or nonsense."""
    return written in _DAYS or any(pattern.fullmatch(written) for pattern, _ in _PERIODS)


def _period(written: str, zone: tzinfo, now_s: int) -> Period | None:
    try:
        found = _days_of(written, zone, now_s)
        if found is None:
            return None
        name, first, following = found
        period = Period(name=name, start_s=first_moment(first, zone), end_s=first_moment(following, zone))
    except (ValueError, OverflowError):
        raise ValueError(f"{written!r} is not in the calendar") from None
    if not (EPOCH.year <= first.year < LATEST.year and period.start_s >= 0):
        raise ValueError(f"{written!r} is not between 1970 and 9998")
    return period


def _days_of(written: str, zone: tzinfo, now_s: int) -> tuple[str, date, date] | None:
    """The name of a period, its first day and the first one after it."""
    if written in _DAYS:
        day = local(now_s, zone).date() + timedelta(days=_DAYS[written])
        return day.isoformat(), day, next_first_day(Every.DAY, day)
    for pattern, read in _PERIODS:
        match = pattern.fullmatch(written)
        if match:
            return (written, *read(*map(int, match.groups())))
    return None


def _day(year: int, month: int, day: int) -> tuple[date, date]:
    first = date(year, month, day)
    return first, next_first_day(Every.DAY, first)


def _week(year: int, week: int) -> tuple[date, date]:
    first = date.fromisocalendar(year, week, 1)
    return first, next_first_day(Every.WEEK, first)


def _months(count: int) -> Callable[[int, int], tuple[date, date]]:
    def read(year: int, number: int = 1) -> tuple[date, date]:
        first = date(year, (number - 1) * count + 1, 1)
        return first, months_later(first, count)

    return read


_DAYS = {"today": 0, "yesterday": -1}
_PERIODS: tuple[tuple[re.Pattern[str], Callable[..., tuple[date, date]]], ...] = (
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII), _day),
    (re.compile(r"(\d{4})-W(\d\d)", re.ASCII), _week),
    (re.compile(r"(\d{4})-(\d\d)", re.ASCII), _months(1)),
    (re.compile(r"(\d{4})-Q(\d)", re.ASCII), _months(3)),
    (re.compile(r"(\d{4})", re.ASCII), _months(12)),
)


def _instant(written: str, now_s: int) -> int:
    if written == "now":
        return now_s
    before = _BEFORE_NOW.fullmatch(written)
    if before:
        return _within(written, now_s - int(before[1]) * _UNITS[before[2]])
    if _NUMBER.fullmatch(written):
        raise ValueError(f"{written} could be seconds or milliseconds: write it as {EXAMPLE}")
    if _LOCAL.fullmatch(written):
        raise ValueError(f"{written!r} says nothing of its time zone: add Z for UTC, or an offset like +02:00")
    if not _RFC_3339.fullmatch(written):
        raise ValueError(f"{written!r} is neither a date like 2026-03-31 nor an instant like {EXAMPLE}, now or -7d")
    return _read(written, timedelta(seconds=1))


def _read(written: str, unit: timedelta) -> int:
    """How many units after the epoch, rounded up."""
    try:
        parsed = datetime.fromisoformat(written.upper())
    except ValueError:
        raise ValueError(f"{written!r} is not in the calendar") from None
    _within(written, (parsed - EPOCH) // timedelta(seconds=1))
    return -((EPOCH - parsed) // unit)


def _within(written: str, instant_s: int) -> int:
    if not 0 <= instant_s < (LATEST - EPOCH) // timedelta(seconds=1):
        raise ValueError(f"{written!r} is not between 1970 and 9998")
    return instant_s
