"""How far the local clock is off, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from collector.errors import CollectorError

TOLERANCE_MS = 1_000
"""Of the server's clock minus the local one. More makes labels wrong, and unaided signing impossible."""

FUTURE_AFTER_MS = 120_000
EARLIEST_MS = 1_735_689_600_000
"""2025-01-01: this program is younger, so no clock that is right shows less."""


def impossible(now_ms: int) -> str | None:
    """A sentence when the local clock can't be right; None when it may be."""
    if now_ms >= EARLIEST_MS:
        return None
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)
    return f"the local clock says {now:%Y-%m-%d %H:%M:%S} UTC, which can't be"


def refuse_impossible(now_ms: int) -> None:
    """Raise CollectorError when the local clock can't be right: labels of then would stay for ever."""
    sentence = impossible(now_ms)
    if sentence is not None:
        raise CollectorError(f"{sentence}: set it first")


def is_future(instant_s: int | None, now_ms: int) -> bool:
    """Whether an instant of the ledger is so far ahead that clocks which differ a little don't explain it."""
    return instant_s is not None and instant_s * 1000 > now_ms + FUTURE_AFTER_MS


def clock_warnings(offset_ms: int | None) -> tuple[str, ...]:
    """A sentence when the collecting machine's clock is off by more than a second; None stands for not measured."""
    if offset_ms is None or abs(offset_ms) <= TOLERANCE_MS:
        return ()
    side = "behind" if offset_ms > 0 else "ahead of"
    return (f"the clock of the collecting machine is {abs(offset_ms) / 1000:.1f} s {side} Binance's: set it right",)
