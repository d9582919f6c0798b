"""Instants and durations as reports write them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

EPOCH = date(1970, 1, 1)

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def rfc3339(instant_s: int) -> str:
    """Epoch seconds as RFC 3339 in UTC, like 2026-03-31T12:05:00Z."""
    return f"{_hour(instant_s // 3_600)}:{_clock(instant_s % 3_600)}Z"


def rfc3339_ms(instant_ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC, like 2026-03-31T12:05:00.123Z."""
    hours, second = instant_ms // 3_600_000, instant_ms // 1000 % 3_600
    return f"{_hour(hours)}:{_clock(second)}.{_fraction(instant_ms % 1000)}Z"


@lru_cache(maxsize=1024)
def _hour(hours: int) -> str:
    """The date and the hour, so many hours after the epoch; a history has many instants in each."""
    days, hour = divmod(hours, 24)
    return f"{EPOCH + timedelta(days=days)}T{hour:02}"


@lru_cache(maxsize=3_600)
def _clock(second: int) -> str:
    """The minutes and seconds that a clock shows so many seconds after the full hour."""
    return f"{second // 60:02}:{second % 60:02}"


@lru_cache(maxsize=1_000)
def _fraction(millis: int) -> str:
    return f"{millis:03}"


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
