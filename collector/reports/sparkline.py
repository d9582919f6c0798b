"""Numbers as a line of small bars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

BARS = "▁▂▃▄▅▆▇█"


def sparkline(numbers: Sequence[Decimal | None]) -> str:
    """A bar for each number between the smallest and the largest; a blank where nothing is known."""
    known = [number for number in numbers if number is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    return "".join(" " if number is None else BARS[_level(number, low, high)] for number in numbers)


def _level(number: Decimal, low: Decimal, high: Decimal) -> int:
    if low == high:
        return len(BARS) // 2
    return min(int((number - low) / (high - low) * len(BARS)), len(BARS) - 1)
