"""Instants and durations as people and programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def rfc3339(instant_s: int) -> str:
    """Epoch seconds as RFC 3339 in UTC, like 2026-03-31T12:05:00Z."""
    return (EPOCH + timedelta(seconds=instant_s)).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def rfc3339_ms(instant_ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC, like 2026-03-31T12:05:00.123Z."""
    return f"{rfc3339(instant_ms // 1000)[:-1]}.{instant_ms % 1000:03}Z"


def parse_instant(written: str) -> int:
    """Epoch seconds of an RFC 3339 instant, or of a date's first moment in UTC.

    A fraction of a second is rounded up, so that `due_at >= T` and `due_at < T` keep their meaning for whole seconds.
    ValueError holds a sentence.
    """
    if _NUMBER.fullmatch(written):
        raise ValueError(f"{written} could be seconds or milliseconds: write it as {rfc3339(1_774_958_400)}")
    if _LOCAL.fullmatch(written):
        raise ValueError(f"{written!r} says nothing of its time zone: add Z for UTC, or an offset like +02:00")
    if not (_DATE.fullmatch(written) or _RFC_3339.fullmatch(written)):
        raise ValueError(f"{written!r} is neither a date like 2026-03-31 nor an instant like {rfc3339(1_774_958_400)}")
    return _seconds(written)


def _seconds(written: str) -> int:
    try:
        parsed = datetime.fromisoformat(written.upper())
    except ValueError:
        raise ValueError(f"{written!r} is not in the calendar") from None
    instant = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if not EPOCH <= instant < LATEST:
        raise ValueError(f"{written!r} is not between 1970 and 9998")
    return -((EPOCH - instant) // timedelta(seconds=1))


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
