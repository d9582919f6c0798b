"""How far the local clock is off, in words."""

from __future__ import annotations

TOLERANCE_MS = 1_000
"""Of the server's clock minus the local one. More makes labels wrong, and unaided signing impossible."""


def clock_warnings(offset_ms: int | None) -> tuple[str, ...]:
    """A sentence when the collecting machine's clock is off by more than a second; None stands for not measured."""
    if offset_ms is None or abs(offset_ms) <= TOLERANCE_MS:
        return ()
    side = "behind" if offset_ms > 0 else "ahead of"
    return (f"the clock of the collecting machine is {abs(offset_ms) / 1000:.1f} s {side} Binance's: set it right",)
