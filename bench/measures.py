"""Numbers of many measurements, and of the machine that they were made on."""

from __future__ import annotations

import os
import platform
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

MINUTE_MS = 60_000


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies (nearest rank); 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and largest value, rounded to 0.01."""
    found = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values, default=0.0)}
    return {name: round(value, 2) for name, value in found.items()}


def most_in_a_minute(instants_ms: Sequence[float]) -> int:
    """The largest number of instants in any 60 seconds."""
    ordered = sorted(instants_ms)
    return max((bisect_left(ordered, start + MINUTE_MS) - n for n, start in enumerate(ordered)), default=0)


def most_in_an_aligned_minute(instants_ms: Sequence[float]) -> int:
    """The largest number of instants in a minute of the clock."""
    minutes = [int(instant // MINUTE_MS) for instant in instants_ms]
    return max(map(minutes.count, set(minutes)), default=0)


def machine() -> dict[str, Any]:
    """Where it was measured, and how busy it is now."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }
