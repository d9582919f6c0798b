"""Keeps the price of BTC at each tick, once for all accounts, in a thread of its own: no snapshot waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from collector.binance.client import BinanceClient
from collector.binance.faults import fault_of
from collector.binance.standing import Standing, after_failure, wait_after, why_not_now
from collector.daemon.waits import Waits
from collector.domain.records import Wait
from collector.errors import DatabaseError, ExchangeError, NotSentError
from collector.storage.record import Recorder
from collector.storage.registry import note_prices

log = logging.getLogger(__name__)

WITHIN_S = 10
"""A price that comes later is not the one of its tick any more, and is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    due_at: int
    deadline_ms: int


@dataclass(slots=True)
class _Currency:
    """How asking for one currency went so far; what was said of it is not said again."""

    quote: str
    standing: Standing = field(default_factory=Standing)
    waits: tuple[Wait, ...] = ()
    said: str = ""


class PriceKeeper:
    """Asks for BTC's price in each currency when a tick is due. What fails is missing, and fails nothing else.

    Waits for the address hold here too, while a limit that a price meets holds for that price only.
    """

    def __init__(
        self,
        client: BinanceClient,
        recorder: Recorder,
        quotes: Sequence[str],
        *,
        waits: Waits,
        now_ms: Callable[[], int],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._currencies = [_Currency(quote) for quote in quotes]
        self._waits = waits
        self._now_ms = now_ms
        self._changed = threading.Condition()
        self._due: _Due | None = None
        self._stopped = False
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="prices", daemon=True)

    def start(self) -> None:
        """Begin; does nothing when no currency is asked for."""
        if self._currencies:
            self._thread.start()

    def due(self, due_at: int, interval_s: int) -> None:
        """A tick is due: ask now, unless the prices of another tick are being asked for, which is over soon."""
        deadline_ms = (due_at + min(interval_s, WITHIN_S)) * 1000
        with self._changed:
            self._due = _Due(due_at=due_at, deadline_ms=deadline_ms)
            self._changed.notify()

    def stop(self) -> None:
        """Ask no more; a request under way ends with the client."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            try:
                self._keep(due)
            except Exception:  # a bug: prices may fail, the thread may not
                log.exception("prices failed: this is a bug, please report it")

    def _next(self) -> _Due | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._due is not None)
            due, self._due = self._due, None
            return None if self._stopped else due

    def _keep(self, due: _Due) -> None:
        found: dict[str, Decimal] = {}
        for number, currency in enumerate(self._currencies):
            now = self._now_ms()
            # One that hangs leaves the others their share of the time.
            share_ms = (due.deadline_ms - now) // (len(self._currencies) - number)
            price = self._ask(currency, now, now + share_ms) if share_ms > 0 else None
            if price is not None:
                found[currency.quote] = price
        if found:
            self._store(due.due_at, found)

    def _ask(self, currency: _Currency, now: int, deadline_ms: int) -> Decimal | None:
        waits = (*self._waits.of(""), *currency.waits)
        if why_not_now(currency.standing, waits, now) is not None:
            return None
        try:
            price = self._client.btc_price(currency.quote, deadline_ms=deadline_ms)
        except NotSentError:
            return None
        except ExchangeError as error:
            self._failed(currency, error)
            return None
        if currency.said:
            log.info("the price of BTC in %s is there again", currency.quote)
        currency.standing, currency.waits, currency.said = Standing(), (), ""
        return price

    def _failed(self, currency: _Currency, error: ExchangeError) -> None:
        fault, now = fault_of(error), self._now_ms()
        currency.standing = after_failure(currency.standing, fault, now)
        wait = wait_after("", currency.standing, fault, error, now)
        currency.waits = () if wait is None else (wait,)
        if currency.said != error.reason and not self._stopped:
            currency.said = error.reason
            log.warning("there is no price of BTC in %s: %s", currency.quote, error)

    def _store(self, due_at: int, found: dict[str, Decimal]) -> None:
        try:
            with self._recorder.transaction() as connection:
                note_prices(connection, due_at, found)
        except DatabaseError as error:
            if not self._said:
                log.warning("prices can't be kept: %s", error)
            self._said = str(error)
        else:
            self._said = ""
