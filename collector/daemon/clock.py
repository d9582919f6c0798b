"""Reading the clocks, and telling why time was lost between two readings."""

from __future__ import annotations

import time
from dataclasses import dataclass

from collector.domain.ticks import MissReason

NOTICEABLE_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Three clocks at one moment, in milliseconds.

    `wall_ms` is the local clock (epoch, UTC), which can be set; `awake_ms` counts while the machine is awake, `all_ms`
    also while it is suspended, both from some start.
    """

    wall_ms: int
    awake_ms: int
    all_ms: int


def read_clocks() -> Reading:
    """The clocks of this machine now."""
    awake = time.monotonic_ns() // 1_000_000
    # Only Linux counts suspended time apart; elsewhere it shows as a step of the clock.
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    total = awake if boottime is None else time.clock_gettime_ns(boottime) // 1_000_000
    return Reading(wall_ms=time.time_ns() // 1_000_000, awake_ms=awake, all_ms=total)


def later(reading: Reading, by_ms: int) -> Reading:
    """What the clocks will show in a moment, unless somebody sets them."""
    return Reading(wall_ms=reading.wall_ms + by_ms, awake_ms=reading.awake_ms + by_ms, all_ms=reading.all_ms + by_ms)


def step_ms(before: Reading, after: Reading) -> int:
    """How far the wall clock was set forward (or back, negative) between two readings."""
    return (after.wall_ms - before.wall_ms) - (after.all_ms - before.all_ms)


def suspended_ms(before: Reading, after: Reading) -> int:
    """How long the machine was suspended between two readings."""
    return (after.all_ms - before.all_ms) - (after.awake_ms - before.awake_ms)


def why_lost(before: Reading, after: Reading) -> MissReason:
    """Why due instants between two readings were passed over; overrun when the clocks are not to blame."""
    if suspended_ms(before, after) >= NOTICEABLE_MS:
        return MissReason.SUSPENDED
    if step_ms(before, after) >= NOTICEABLE_MS:
        return MissReason.CLOCK_STEP
    return MissReason.OVERRUN
