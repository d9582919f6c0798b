"""What comes after a failed attempt: another one after a pause, or none.

A plain loop asks this, not stamina: the time that is left belongs to the tick and may be shorter than the next pause,
SIGTERM has to wake a sleeper up, and a wrong clock is measured before the next attempt.
"""

from __future__ import annotations

from collector.binance.faults import Fault

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0


def next_pause_s(
    fault: Fault, *, attempts: int, max_attempts: int, resyncs: int, left_s: float, chance: float
) -> float | None:
    """Seconds to pause before the next attempt, None when this failure stands.

    `attempts` and `resyncs` count those made, `left_s` is the time to the deadline. `chance`, in [0, 1), spreads those
    who failed together over half of the pause.
    """
    if fault.resync:
        return 0.0 if not resyncs and left_s > 0 else None
    pause = min(FIRST_PAUSE_S * 2 ** (attempts - 1), LONGEST_PAUSE_S) * (1 + chance) / 2
    return pause if fault.retry and attempts < max_attempts and pause < left_s else None
