"""When in the interval each account asks, so that all of them together stay within Binance's weight limit.

The limit counts per IP address and minute, and whether that minute is aligned or rolling is not documented: requests
that are never closer than a minute divided by the limit are right for both.
"""

from __future__ import annotations

from fractions import Fraction

from collector.errors import ConfigError

MINUTE_MS = 60_000
LONGEST_RESERVE_MS = 2_000


def offsets_ms(
    n_accounts: int, *, interval_s: int, weight_per_minute: int = 12_000, weight: int = 5, headroom: float = 0.01
) -> tuple[int, ...]:
    """Milliseconds after the due instant at which each account's turn comes: the first at 0, the others evenly spread.

    A position keeps its offset when accounts are added behind it. `headroom` is the share of the limit that is left
    to retries and to others behind the same address; at the end of the interval a quarter of it, at most two seconds,
    stays free for the last account's answer. Raises ConfigError with the numbers when that can't fit.
    """
    step = _step_ms(weight_per_minute, weight, headroom)
    interval_ms = interval_s * 1000
    window_ms = interval_ms - min(LONGEST_RESERVE_MS, interval_ms // 4)
    most = min(window_ms // step + 1, interval_ms // step)  # the next tick's first request keeps its distance too
    if n_accounts > most:
        raise ConfigError(
            f"{n_accounts} accounts don't fit into an interval of {interval_s} s: with weight {weight} each and"
            f" {weight_per_minute} a minute, {headroom * 100:g} % of it kept free, {most} do; lengthen the interval"
            " or take accounts away"
        )
    return tuple(int(position * step) for position in range(n_accounts))


def _step_ms(weight_per_minute: int, weight: int, headroom: float) -> Fraction:
    """Exact distance of two requests in milliseconds."""
    usable = weight_per_minute * (1 - Fraction(str(headroom))) if 0 <= headroom < 1 else Fraction(0)
    calls = usable // weight if weight > 0 else 0
    if calls < 1:
        raise ConfigError(
            f"a weight limit of {weight_per_minute} a minute, {headroom * 100:g} % of it kept free,"
            f" leaves no request of weight {weight}: raise the limit or lower the head-room"
        )
    return Fraction(MINUTE_MS, calls)
