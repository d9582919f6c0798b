"""The gate that every request for balances passes, from whatever thread it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from collector.binance.budget import Budget, Moment

LONGEST_PAUSE_S = 1.0
"""Others may give up their place, and Binance may say that there is more room than it seemed."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """Leave to send one request: its number, and when it was given."""

    number: int
    at: Moment


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    retry: bool


class Gate:
    """Lets requests out as the budget allows: first attempts in their order, and retries behind them."""

    def __init__(self, budget: Budget, *, moment: Callable[[], Moment], pause: Callable[[float], None]) -> None:
        self._budget = budget
        self._moment = moment
        self._pause = pause
        self._lock = threading.Lock()
        self._queue: list[_Ticket] = []

    def enter(self, left_s: Callable[[], float], *, retry: bool = False) -> Pass | None:
        """Wait for the turn of a request that is to leave before `left_s` comes to 0; None when it can't."""
        ticket = _Ticket(retry)
        with self._lock:
            self._queue.append(ticket)
        try:
            while True:
                with self._lock:
                    wait_s, passed = self._ask(ticket)
                if passed is not None or wait_s >= left_s():
                    return passed
                self._pause(min(wait_s, LONGEST_PAUSE_S))
        finally:
            with self._lock:
                self._queue.remove(ticket)

    def told(self, passed: Pass, used_weight: int) -> None:
        """Take in how much weight Binance counts for this address, as the answer to a request said."""
        with self._lock:
            self._budget.told(passed.number, passed.at, used_weight, self._moment())

    def close_for(self, seconds: float) -> None:
        """Let nothing out for so long."""
        with self._lock:
            self._budget.close(self._moment().steady_ms + seconds * 1000)

    def _ask(self, ticket: _Ticket) -> tuple[float, Pass | None]:
        """Seconds to wait before asking again, or the pass."""
        now = self._moment()
        earlier = self._queue[: self._queue.index(ticket)]
        retries = sum(other.retry for other in earlier)
        firsts = sum(not other.retry for other in (self._queue if ticket.retry else earlier))
        ahead = firsts + retries if ticket.retry else firsts
        wait_ms = self._budget.wait_ms(now, ahead=ahead, retry=ticket.retry, retries_ahead=retries)
        if wait_ms > 0:
            return wait_ms / 1000, None
        return 0.0, Pass(number=self._budget.leave(now, retry=ticket.retry), at=now)
