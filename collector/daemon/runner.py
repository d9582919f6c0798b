"""One account's ticks, in their order and one at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from collector.binance.client import BinanceClient
from collector.binance.faults import fault_of
from collector.binance.standing import Standing, account_scope, after_failure, standing_of, wait_after, why_not_now
from collector.collect import Fetched, Target, Tick, fetch, record
from collector.daemon.pool import DelayedPool
from collector.daemon.waits import Waits
from collector.domain.ticks import (
    MissReason,
    Outcome,
    TickOutcome,
    TickRange,
    deadline_ms,
)
from collector.errors import DatabaseError
from collector.storage.accounts import note_stop
from collector.storage.record import Recorder

log = logging.getLogger(__name__)

FIRST_PATIENCE_S = 0.2
LONGEST_PATIENCE_S = 15.0
"""How long to wait between attempts to write to a database that can't be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all accounts of a daemon use together."""

    client: BinanceClient
    recorder: Recorder
    pool: DelayedPool
    waits: Waits
    stopping: threading.Event
    now_ms: Callable[[], int]
    observe: Callable[[TickOutcome], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    start_s: float
    run: Callable[[], None]
    asks: bool


class AccountRunner:
    """Runs what is due for one account. What can't be asked in time becomes missed, so a slow tick delays nobody."""

    def __init__(self, target: Target, shared: Shared) -> None:
        self.target = target
        self._shared = shared
        self._standing = standing_of(target.account)
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._asking = False

    def due(self, due_at: int, interval_s: int, late_reason: MissReason) -> tuple[float, Callable[[], None]] | None:
        """Line up a tick; returns what the pool has to start for it, None when that is under way already."""
        start_ms = due_at * 1000 + self.target.offset_ms
        tick = Tick(
            due_at=due_at, interval_s=interval_s, deadline_ms=deadline_ms(due_at, interval_s, self.target.offset_ms)
        )
        start_s = time.monotonic() + max(0, start_ms - self._shared.now_ms()) / 1000
        with self._lock:
            if self._asking:
                overrun = TickRange(start_at=due_at, last_due_at=due_at, interval_s=interval_s)
                return self._append(
                    _Job(start_s=start_s, run=lambda: self._miss(overrun, MissReason.OVERRUN), asks=False)
                )
            self._asking = True
            return self._append(_Job(start_s=start_s, run=lambda: self._tick(tick, late_reason), asks=True))

    def passed_over(self, ticks: TickRange, reason: MissReason) -> tuple[float, Callable[[], None]] | None:
        """Line up a range of ticks that were never begun."""
        with self._lock:
            return self._append(_Job(start_s=time.monotonic(), run=lambda: self._miss(ticks, reason), asks=False))

    def _append(self, job: _Job) -> tuple[float, Callable[[], None]] | None:
        self._jobs.append(job)
        return (job.start_s, self._next) if len(self._jobs) == 1 else None

    def _next(self) -> None:
        job = self._jobs[0]
        try:
            job.run()
        finally:
            with self._lock:
                self._asking = self._asking and not job.asks
                self._jobs.popleft()
                following = self._jobs[0] if self._jobs else None
            if following is not None:
                self._shared.pool.submit([(following.start_s, self._next)])

    # -- one tick

    def _tick(self, tick: Tick, late_reason: MissReason) -> None:
        reason = self._why_not(tick, late_reason)
        if reason is not None:
            assert tick.interval_s is not None  # noqa: S101 - ticks of the grid have one
            self._miss(TickRange(start_at=tick.due_at, last_due_at=tick.due_at, interval_s=tick.interval_s), reason)
            return
        fetched = fetch(self._shared.client, self.target, tick)
        if self._keep(fetched.outcome):
            self._react(fetched)

    def _why_not(self, tick: Tick, late_reason: MissReason) -> MissReason | None:
        now = self._shared.now_ms()
        if self.target.paused:
            return MissReason.PAUSED
        if now >= tick.deadline_ms:
            return late_reason
        return why_not_now(self._standing, self._shared.waits.of(account_scope(self.target.account.name)), now)

    def _miss(self, ticks: TickRange, reason: MissReason) -> None:
        recorder, account = self._shared.recorder, self.target.account
        if self._persist(lambda: recorder.record_missed(account.id, ticks, reason)):
            newest = TickOutcome(
                account_id=account.id,
                account=account.name,
                due_at=ticks.last_due_at,
                interval_s=ticks.interval_s,
                outcome=Outcome.MISSED,
                reason=reason,
                detail=None if ticks.ticks == 1 else f"{ticks.ticks} ticks",
            )
            self._shared.observe(newest)

    def _keep(self, outcome: TickOutcome) -> bool:
        kept = self._persist(lambda: record(self._shared.recorder, outcome, self._shared.now_ms()))
        if kept:
            self._shared.observe(outcome)
        return kept

    def _persist(self, write: Callable[[], object]) -> bool:
        """Write, as often as it takes; False only when the daemon ends before the database is back."""
        patience = FIRST_PATIENCE_S
        while True:
            try:
                write()
            except DatabaseError as error:
                log.error("%s can't be written, trying again in %.1f s: %s", self.target.account.name, patience, error)
                if self._shared.stopping.wait(patience):
                    return False
                patience = min(2 * patience, LONGEST_PATIENCE_S)
            else:
                return True

    # -- what it means for the next one

    def _react(self, fetched: Fetched) -> None:
        before, now = self._standing, self._shared.now_ms()
        if fetched.outcome.outcome is Outcome.STORED:
            self._change(before, Standing())
        elif fetched.error is not None and fetched.outcome.outcome is Outcome.FAILED:
            fault = fault_of(fetched.error)
            self._change(before, after_failure(before, fault, now))
            wait = wait_after(self.target.account.name, self._standing, fault, fetched.error, now)
            if wait is not None and self._shared.waits.hold(wait):
                self._persist(lambda: self._shared.waits.keep(wait))

    def _change(self, before: Standing, after: Standing) -> None:
        self._standing = after
        if before.stopped != after.stopped or before.probe_at_ms != after.probe_at_ms:
            self._persist(lambda: self._note(after))
        name = self.target.account.name
        if after.stopped and not before.stopped:
            log.error(
                "account %s is stopped (%s) until its owner mends it; it is probed once an hour", name, after.reason
            )
        elif before.stopped and not after.stopped:
            log.warning("account %s goes on: its key works again", name)

    def _note(self, standing: Standing) -> None:
        with self._shared.recorder.transaction() as connection:
            note_stop(
                connection,
                self.target.account.id,
                stopped_at_ms=standing.stopped_at_ms,
                reason=str(standing.reason) if standing.stopped else None,
                probe_at_ms=standing.probe_at_ms,
            )
