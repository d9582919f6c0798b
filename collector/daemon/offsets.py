"""Keeps the difference between Binance's clock and the local one measured, beside the ticks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from collector.binance.client import BinanceClient
from collector.daemon.clock import NOTICEABLE_MS, Reading, read_clocks, step_ms
from collector.domain.offsets import clock_warnings
from collector.errors import ExchangeError

log = logging.getLogger(__name__)

EVERY_S = 600.0
AFTER_FAILURE_S = 60.0


class ClockKeeper:
    """Measures now and then, and when told to, in a thread of its own; says so when something has changed.

    `on_measured` receives each measurement during which nobody set the clock; False asks for another one soon.
    """

    def __init__(
        self,
        client: BinanceClient,
        *,
        every_s: float = EVERY_S,
        on_measured: Callable[[int], bool] = lambda _: True,
        clocks: Callable[[], Reading] = read_clocks,
    ) -> None:
        self._client = client
        self._on_measured = on_measured
        self._clocks = clocks
        self._every_s = every_s
        self._asked = threading.Event()
        self._stopped = False
        self._finding = ""
        self._thread = threading.Thread(target=self._run, name="clock-keeper", daemon=True)

    def start(self) -> None:
        """Begin; the first measurement is due after the usual time."""
        self._thread.start()

    def measure_now(self) -> None:
        """Measure at once: a clock was set, or the machine was suspended."""
        self._asked.set()

    def stop(self) -> None:
        """Measure no more; a measurement under way ends with the client."""
        self._stopped = True
        self._asked.set()

    def _run(self) -> None:
        pause_s = self._every_s
        while True:
            self._asked.wait(pause_s)
            self._asked.clear()
            if self._stopped:
                return
            pause_s = self._every_s if self._measure() else min(self._every_s, AFTER_FAILURE_S)

    def _measure(self) -> bool:
        before = self._clocks()
        try:
            offset_ms = self._client.server_offset_ms()
        except ExchangeError as error:
            if not self._stopped:
                self._find("unknown", logging.WARNING, f"Binance's clock can't be asked for: {error}")
            return False
        if abs(step_ms(before, self._clocks())) >= NOTICEABLE_MS:
            return False
        sentence = next(iter(clock_warnings(offset_ms)), None)
        if sentence is None:
            self._find("right", logging.INFO, f"the local clock and Binance's differ by {abs(offset_ms)} ms")
        else:
            self._find("off", logging.WARNING, sentence)
        return self._on_measured(offset_ms)

    def _find(self, finding: str, level: int, told: str) -> None:
        if finding != self._finding:
            self._finding = finding
            log.log(level, "%s", told)
