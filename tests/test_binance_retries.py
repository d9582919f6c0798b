"""Pauses between attempts."""

import pytest

from collector.binance.faults import Fault
from collector.binance.retries import next_pause_s
from collector.domain.ticks import FailReason

PASSING = Fault(meaning="m", reason=FailReason.SERVER_ERROR, retry=True)
FINAL = Fault(meaning="m", reason=FailReason.KEY_REJECTED)
CLOCK = Fault(meaning="m", reason=FailReason.CLOCK, retry=True, resync=True)


@pytest.mark.parametrize(
    ("attempts", "chance", "pause_s"),
    [(1, 0.0, 0.25), (1, 1.0, 0.5), (2, 1.0, 1.0), (3, 1.0, 2.0), (4, 0.5, 3.0), (5, 1.0, 8.0), (9, 1.0, 8.0)],
)
def test_pauses_double_and_are_spread(attempts: int, chance: float, pause_s: float) -> None:
    """Accounts that failed together must not come back together."""
    assert next_pause_s(PASSING, attempts=attempts, max_attempts=99, resyncs=0, left_s=60, chance=chance) == pause_s


@pytest.mark.parametrize(
    ("fault", "attempts", "left_s"), [(FINAL, 1, 60.0), (PASSING, 6, 60.0), (PASSING, 1, 0.25), (PASSING, 1, -1.0)]
)
def test_some_failures_stand(fault: Fault, attempts: int, left_s: float) -> None:
    """A rejected key is never hammered, and nothing is begun that would end after the deadline."""
    assert next_pause_s(fault, attempts=attempts, max_attempts=6, resyncs=0, left_s=left_s, chance=0) is None


@pytest.mark.parametrize(("resyncs", "left_s", "pause_s"), [(0, 1.0, 0.0), (1, 1.0, None), (0, 0.0, None)])
def test_a_wrong_clock_gets_one_more_attempt_at_once(resyncs: int, left_s: float, pause_s: float | None) -> None:
    """A measured clock either helps at once or not at all."""
    assert next_pause_s(CLOCK, attempts=1, max_attempts=6, resyncs=resyncs, left_s=left_s, chance=0) == pause_s
