"""Counts request weight per IP and endpoint in a minute, and bans an IP that hammers on."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

from collector.sandbox.answers import Answer, error

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an IP may use: `weight` per endpoint and minute, aligned to the clock or rolling.

    `ban_after` answers of 429 in a row are followed by 418 for `ban_s` seconds; None never bans.
    """

    weight: int = 12_000
    rolling: bool = False
    ban_after: int | None = None
    ban_s: int = 120


class WeightMeter:
    """The weight that each IP has used; instants are the exchange's epoch milliseconds."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._used: defaultdict[tuple[str, str], _Window] = defaultdict(_Window)
        self._refused: dict[str, int] = {}
        self._banned_until_ms: dict[str, int] = {}

    def count(self, ip: str, path: str, weight: int, now_ms: int) -> tuple[int, Answer | None]:
        """The weight that `ip` has used on `path`, this request included, or else the refusal.

        A refused request weighs nothing, so that Retry-After is enough.
        """
        window = self._used[ip, path]
        window.forget_before(now_ms - MINUTE_MS if self.limits.rolling else now_ms - now_ms % MINUTE_MS - 1)
        if self._banned_until_ms.get(ip, 0) > now_ms:
            return window.used, self._banned(ip, now_ms)
        if window.used + weight > self.limits.weight:
            return window.used, self._refuse(ip, window, now_ms)
        window.add(now_ms, weight)
        self._refused.pop(ip, None)
        return window.used, None

    def _refuse(self, ip: str, window: _Window, now_ms: int) -> Answer:
        self._refused[ip] = self._refused.get(ip, 0) + 1
        if self.limits.ban_after is not None and self._refused[ip] > self.limits.ban_after:
            self._banned_until_ms[ip] = now_ms + self.limits.ban_s * 1_000
            self._refused[ip] = 0
            return self._banned(ip, now_ms)
        begin_ms = window.oldest_ms(now_ms) if self.limits.rolling else now_ms - now_ms % MINUTE_MS
        message = f"Too much request weight used; current limit is {self.limits.weight} request weight per 1 MINUTE."
        return error(-1003, message, headers=(("Retry-After", _seconds(begin_ms + MINUTE_MS - now_ms)),))

    def _banned(self, ip: str, now_ms: int) -> Answer:
        until_ms = self._banned_until_ms[ip]
        message = f"Way too much request weight used; IP banned until {until_ms}. Please use fewer requests."
        return error(-1003, message, status=418, headers=(("Retry-After", _seconds(until_ms - now_ms)),))


class _Window:
    """The requests of one IP on one endpoint that still count."""

    def __init__(self) -> None:
        self.used = 0
        self._requests: deque[tuple[int, int]] = deque()

    def oldest_ms(self, now_ms: int) -> int:
        return self._requests[0][0] if self._requests else now_ms

    def add(self, at_ms: int, weight: int) -> None:
        self._requests.append((at_ms, weight))
        self.used += weight

    def forget_before(self, at_ms: int) -> None:
        """Drops what came at `at_ms` or earlier."""
        while self._requests and self._requests[0][0] <= at_ms:
            self.used -= self._requests.popleft()[1]


def _seconds(span_ms: int) -> str:
    return str(max(1, -(-span_ms // 1_000)))
