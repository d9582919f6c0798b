"""What two readings of three clocks tell: a step, a suspend, or neither."""

import time

import pytest

from collector.daemon.clock import Reading, read_clocks, step_ms, suspended_ms, why_lost
from collector.domain.ticks import MissReason

BEFORE = Reading(wall_ms=1_700_000_000_000, awake_ms=50_000, all_ms=80_000)


def after(*, wall: int, awake: int, asleep: int = 0) -> Reading:
    """The clocks after the wall clock moved by this, while the machine was awake and asleep for so long."""
    return Reading(
        wall_ms=BEFORE.wall_ms + wall, awake_ms=BEFORE.awake_ms + awake, all_ms=BEFORE.all_ms + awake + asleep
    )


@pytest.mark.parametrize(
    ("now", "step", "suspended", "reason"),
    [
        (after(wall=1_000, awake=1_000), 0, 0, MissReason.OVERRUN),
        (after(wall=31_000, awake=1_000), 30_000, 0, MissReason.CLOCK_STEP),
        (after(wall=-7_000, awake=1_000), -8_000, 0, MissReason.OVERRUN),
        (after(wall=61_000, awake=1_000, asleep=60_000), 0, 60_000, MissReason.SUSPENDED),
        # Asleep for a minute, and woken up with a clock that is set forward: the sleep is the longer story.
        (after(wall=91_000, awake=1_000, asleep=60_000), 30_000, 60_000, MissReason.SUSPENDED),
        (after(wall=1_499, awake=1_000), 499, 0, MissReason.OVERRUN),
        (after(wall=1_500, awake=1_000), 500, 0, MissReason.CLOCK_STEP),
        (after(wall=1_499, awake=1_000, asleep=499), 0, 499, MissReason.OVERRUN),
        (after(wall=1_500, awake=1_000, asleep=500), 0, 500, MissReason.SUSPENDED),
        (after(wall=600_000, awake=600_000), 0, 0, MissReason.OVERRUN),
    ],
)
def test_clocks_tell_why_time_was_lost(now: Reading, step: int, suspended: int, reason: MissReason) -> None:
    """A lost tick gets the reason that is true; a machine that slept did not overrun."""
    assert (step_ms(BEFORE, now), suspended_ms(BEFORE, now)) == (step, suspended)
    assert why_lost(BEFORE, now) == reason


def test_the_clocks_of_this_machine_run_alike() -> None:
    """Milliseconds of the epoch, and two clocks that nobody sets."""
    first = read_clocks()
    time.sleep(0.05)
    second = read_clocks()
    assert abs(first.wall_ms - time.time() * 1000) < 60_000
    assert second.awake_ms - first.awake_ms >= 49
    assert abs(step_ms(first, second)) < 500
    assert abs(suspended_ms(first, second)) <= 2


def test_a_machine_that_does_not_count_its_sleep_shows_it_as_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux has such a clock; elsewhere the reason is clock_step."""
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    now = read_clocks()
    assert now.all_ms == now.awake_ms
