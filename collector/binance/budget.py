"""How many requests for balances may leave, and when, so that Binance's weight limit is never exceeded.

The limit counts per IP address, endpoint and minute. Whether that minute is aligned to the clock or rolling is not
documented; what never exceeds it in any 60 seconds is right for both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile

from collector.errors import ConfigError

MINUTE_MS = 60_000
WEIGHT = 5
"""Of one request for balances. https://developers.binance.com/docs/wallet/asset/user-assets"""

LATENESS_MS = 250
"""How much later than others a request may reach Binance: for so long it may still count there."""

KEPT_MS = MINUTE_MS + 5_000 + LATENESS_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Requests a minute: what Binance allows, and how much of it is used for what.

    Accounts are placed as if only `placed` were allowed. In any 60 seconds no more than `ceiling` leave: what it has
    above `placed` is for retries, and to catch up. When Binance says that all who share the address came to `brink`, no
    more leave until the next minute; the rest covers delays on the way.
    """

    limit: int
    placed: int
    ceiling: int
    brink: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now, in milliseconds, on a clock that nobody sets, and on Binance's own."""

    steady_ms: float
    server_ms: float


def quota_of(weight_per_minute: int, headroom: float, *, weight: int = WEIGHT) -> Quota:
    """The requests that a weight limit allows; `headroom` is the share of it that no account is placed on.

    Raises ConfigError when that leaves none.
    """
    usable = weight_per_minute * (1 - Fraction(str(headroom))) if 0 <= headroom < 1 else Fraction(0)
    placed = int(usable // weight) if weight > 0 else 0
    if placed < 1:
        raise ConfigError(
            f"a weight limit of {weight_per_minute} a minute, {headroom * 100:g} % of it kept free,"
            f" leaves no request of weight {weight}: raise the limit or lower the head-room"
        )
    limit = weight_per_minute // weight
    free = limit - placed
    return Quota(limit=limit, placed=placed, ceiling=placed + free // 2, brink=limit - free // 4)


def offsets_ms(
    n_accounts: int, *, interval_s: int, weight_per_minute: int = 12_000, weight: int = WEIGHT, headroom: float = 0.05
) -> tuple[int, ...]:
    """Milliseconds after the due instant at which each account's turn comes: the first at 0, the others evenly spread.

    A position keeps its offset when accounts are added behind it. Raises ConfigError with the numbers when that can't
    fit: the last of one tick keeps its distance from the first of the next, too.
    """
    step = Fraction(MINUTE_MS, quota_of(weight_per_minute, headroom, weight=weight).placed)
    most = interval_s * 1000 // step
    if n_accounts > most:
        who = "1 account doesn't" if n_accounts == 1 else f"{n_accounts} accounts don't"
        raise ConfigError(
            f"{who} fit into an interval of {interval_s} s: with weight {weight} each and"
            f" {weight_per_minute} a minute, {headroom * 100:g} % of it kept free, {most} do; lengthen the interval"
            " or take accounts away"
        )
    return tuple(int(position * step) for position in range(n_accounts))


class Budget:
    """Counts the requests of the last minute, and says when there is room for one more; for one thread at a time.

    `planned` is how many first attempts a minute needs: retries leave room for so many.
    """

    def __init__(self, quota: Quota, *, planned: int = 0) -> None:
        self._quota = quota
        self._planned = planned
        self._left: deque[float] = deque()
        self._retries: deque[float] = deque()
        self._number = 0
        self._told = _Told(number=0, used=0, minute=-1)
        self._foreign: deque[tuple[float, int]] = deque()
        self._closed_until_ms = 0.0

    def wait_ms(self, now: Moment, *, ahead: int = 0, retry: bool = False, retries_ahead: int = 0) -> float:
        """How long to wait before asking again; 0 when a request may leave now.

        `ahead` others wait for their turn before this one, and `retries_ahead` of these are retries.
        """
        self._forget(now)
        room = max(1, self._quota.ceiling - self.foreign)
        until = max(self._closed_until_ms, _free_at(self._left, room - ahead, now.steady_ms))
        if retry:
            until = max(until, _free_at(self._retries, room - self._planned - retries_ahead, now.steady_ms))
        return max(until - now.steady_ms, self._to_next_minute_ms(now))

    def leave(self, now: Moment, *, retry: bool = False) -> int:
        """Count a request that leaves now; returns its number."""
        self._left.append(now.steady_ms)
        if retry:
            self._retries.append(now.steady_ms)
        self._number += 1
        return self._number

    def told(self, number: int, left: Moment, used_weight: int, now: Moment) -> None:
        """Take in what Binance said with the answer to a request that had this number and left at that moment."""
        used = -(-used_weight // WEIGHT)
        if number > self._told.number:
            self._told = _Told(number=number, used=used, minute=left.server_ms // MINUTE_MS)
        if now.steady_ms - left.steady_ms <= KEPT_MS - MINUTE_MS - LATENESS_MS:
            since_ms = left.steady_ms - MINUTE_MS - LATENESS_MS
            older = sum(1 for _ in takewhile(lambda left_ms: left_ms <= since_ms, self._left))
            self._note_foreign(now.steady_ms, used - len(self._left) + older)

    def close(self, until_ms: float) -> None:
        """Let nothing leave before this instant of the clock that nobody sets."""
        self._closed_until_ms = max(self._closed_until_ms, until_ms)

    @property
    def foreign(self) -> int:
        """How many requests others behind the same address had in a minute, the most of what was seen lately."""
        return self._foreign[0][1] if self._foreign else 0

    def _note_foreign(self, now_ms: float, others: int) -> None:
        """Keep only what a later, larger number does not outlast: the first one is then the largest."""
        if others > 0:
            while self._foreign and self._foreign[-1][1] <= others:
                self._foreign.pop()
            self._foreign.append((now_ms, others))

    def _forget(self, now: Moment) -> None:
        for left in (self._left, self._retries):
            while left and left[0] <= now.steady_ms - KEPT_MS:
                left.popleft()
        while self._foreign and self._foreign[0][0] <= now.steady_ms - MINUTE_MS:
            self._foreign.popleft()

    def _to_next_minute_ms(self, now: Moment) -> float:
        """Until Binance counts from 0 again, when its own count, with what left since, has come to the brink."""
        told = self._told
        reached = told.used + self._number - told.number >= self._quota.brink
        if not reached or told.minute != now.server_ms // MINUTE_MS:
            return 0
        return MINUTE_MS - now.server_ms % MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What Binance counted, in requests, with the one of this number, in this minute of its clock."""

    number: int
    used: int
    minute: float


def _free_at(left: deque[float], room: int, now_ms: float) -> float:
    """The first instant at which fewer than `room` of those that left are younger than a minute."""
    if room <= 0:
        return (left[-1] if left else now_ms) + MINUTE_MS
    return left[-room] + MINUTE_MS if len(left) >= room else now_ms
