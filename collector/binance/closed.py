"""Whether Binance is closed for maintenance: asked when its answers fail, at most once a minute.

Facts: https://developers.binance.com/docs/wallet/others/system-status
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from collector.binance.faults import BAD_REPLY, MAINTENANCE, SERVER_ERROR, fault_of
from collector.binance.replies import SystemStatus
from collector.errors import ExchangeError, NotSentError

ASK_EVERY_S = 60.0


class ClosedSign:
    """Reads the system status for whoever meets a failure that maintenance would explain, from any thread."""

    def __init__(self, ask: Callable[[int], SystemStatus], *, monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._closed = False

    def explains(self, error: ExchangeError, deadline_ms: int) -> bool:
        """Whether Binance says that it is closed; who meets the failure while another one asks goes without."""
        if isinstance(error, NotSentError) or fault_of(error) not in {SERVER_ERROR, BAD_REPLY}:
            return False
        if not self._lock.acquire(blocking=False):
            return False
        try:
            now = self._monotonic()
            if self._asked_at is None or now - self._asked_at >= ASK_EVERY_S:
                self._asked_at, self._closed = now, self._is_closed(deadline_ms)
            return self._closed
        finally:
            self._lock.release()

    def _is_closed(self, deadline_ms: int) -> bool:
        try:
            return self._ask(deadline_ms).maintenance
        except ExchangeError:
            return False


def closed_error(error: ExchangeError) -> ExchangeError:
    """The error in the place of one that maintenance explains; it tells of the same attempts."""
    status = "" if error.http_status is None else f", http status {error.http_status}"
    return ExchangeError(
        f"{MAINTENANCE.meaning} (its system status says so{status})",
        reason=MAINTENANCE.reason,
        retry_after_s=error.retry_after_s,
        attempts=error.attempts,
        requested_at_ms=error.requested_at_ms,
        received_at_ms=error.received_at_ms,
        clock_offset_ms=error.clock_offset_ms,
        weight_used=error.weight_used,
    )
