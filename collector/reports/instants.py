"""Instants and durations as reports write them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

EPOCH = date(1970, 1, 1)

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def rfc3339(instant_s: int) -> str:
    """Epoch seconds as RFC 3339 in UTC, like 2026-03-31T12:05:00Z."""
    return f"{_to_the_second(instant_s)}Z"


def _to_the_second(instant_s: int) -> str:
    days, second = divmod(instant_s, 86_400)
    return f"{_day(days)}T{_minute(second // 60)}:{second % 60:02}"


@lru_cache(maxsize=1440)
def _minute(minute: int) -> str:
    """What a clock shows so many minutes after midnight."""
    return f"{minute // 60:02}:{minute % 60:02}"


@lru_cache(maxsize=1024)
def _day(days: int) -> str:
    """The date so many days after the epoch; a history has thousands of instants a day."""
    return (EPOCH + timedelta(days=days)).isoformat()


def rfc3339_ms(instant_ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC, like 2026-03-31T12:05:00.123Z."""
    second, milli = divmod(instant_ms, 1000)
    return f"{_to_the_second(second)}.{milli:03}Z"


def duration(seconds: int) -> str:
    """Its two largest units, like 3 min 12 s; the rest is dropped."""
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds)
    first = next((n for n, (size, _) in enumerate(_UNITS) if rest >= size), len(_UNITS) - 1)
    parts: list[str] = []
    for size, unit in _UNITS[first : first + 2]:
        count, rest = divmod(rest, size)
        parts += [f"{count} {unit}"] if count or not parts else []
    return sign + " ".join(parts)


def ago(seconds: int) -> str:
    """An age in words; a negative one lies ahead."""
    return f"{duration(seconds)} ago" if seconds >= 0 else f"{duration(-seconds)} ahead of this machine's clock"
