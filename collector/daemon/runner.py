"""One account's ticks, in their order and one at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from collector.binance.client import BinanceClient
from collector.binance.faults import fault_of
from collector.binance.standing import Standing, account_scope, after_failure, standing_of, wait_after, why_not_now
from collector.collect import Fetched, Target, Tick, fetch, unusable
from collector.daemon.clock import Reading, why_lost
from collector.daemon.keeper import Keeper, Write
from collector.daemon.pool import DelayedPool, Start
from collector.daemon.waits import Waits
from collector.domain.ticks import MissReason, Outcome, TickOutcome, TickRange, deadline_ms
from collector.storage.record import Recorder
from collector.storage.registry import note_stop

log = logging.getLogger(__name__)

Note = tuple[str, Write]
"""What has to be written beside an answer; of those with the same name only the last one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all accounts of a daemon use together."""

    client: BinanceClient
    recorder: Recorder
    keeper: Keeper
    pool: DelayedPool
    waits: Waits
    clocks: Callable[[], Reading]
    observe: Callable[[TickOutcome], None]


class AccountRunner:
    """Runs what is due for one account. What can't be asked in time becomes missed, so a slow tick delays nobody."""

    def __init__(self, target: Target, shared: Shared) -> None:
        self.target = target
        self._shared = shared
        self._standing = standing_of(target.account)
        self._lock = threading.Lock()
        self._jobs: deque[Start] = deque()
        self._answered: Sequence[TickRange] = ()

    def due(self, due_at: int, interval_s: int, since: Reading) -> Start | None:
        """Line up a tick; returns what the pool has to start for it, None when that is under way or answered already.

        `since` are the clocks at the beat before: whatever happened to them from then on may make the tick late.
        """
        if any(ticks.holds(due_at) for ticks in self._answered):
            return None
        start_ms, offset_ms = due_at * 1000 + self.target.offset_ms, self.target.offset_ms
        tick = Tick(due_at=due_at, interval_s=interval_s, deadline_ms=deadline_ms(due_at, interval_s, offset_ms))
        start_s = time.monotonic() + max(0, start_ms - self._now_ms()) / 1000
        ticks = TickRange(start_at=due_at, last_due_at=due_at, interval_s=interval_s)
        return self._line_up(start_s, lambda: self._tick(tick, ticks, since))

    def passed_over(self, ticks: TickRange, reason: MissReason) -> Start | None:
        """Line up a range of ticks that were never begun."""
        return self._line_up(time.monotonic(), lambda: self._miss(ticks, reason))

    def come_back(self, answered: Sequence[TickRange]) -> None:
        """The clock ran ahead and was set back: these instants are to come, and need no tick."""
        self._answered = answered

    def _line_up(self, start_s: float, job: Callable[[], None]) -> Start | None:
        with self._lock:
            self._jobs.append((start_s, job))
            return (start_s, self._next) if len(self._jobs) == 1 else None

    def _next(self) -> None:
        _, job = self._jobs[0]
        try:
            job()
        finally:
            with self._lock:
                self._jobs.popleft()
                following = self._jobs[0] if self._jobs else None
            if following is not None:
                self._shared.pool.submit([(following[0], self._next)])

    def _now_ms(self) -> int:
        return self._shared.clocks().wall_ms

    # -- one tick

    def _tick(self, tick: Tick, ticks: TickRange, since: Reading) -> None:
        reason = self._why_not(tick, since)
        if reason is not None:
            self._miss(ticks, reason)
            return
        try:
            self._ask(tick)
        except Exception:  # a bug: the tick has to have its answer all the same
            log.exception("account %s: this is a bug, please report it", self.target.account.name)
            self._keep(unusable(self.target, tick))

    def _why_not(self, tick: Tick, since: Reading) -> MissReason | None:
        now = self._shared.clocks()
        if self.target.paused:
            return MissReason.PAUSED
        if now.wall_ms < (tick.due_at - (tick.interval_s or 0)) * 1000:
            return MissReason.CLOCK_STEP
        if now.wall_ms >= tick.deadline_ms:
            return why_lost(since, now)
        waits = self._shared.waits.of(account_scope(self.target.account.name))
        reason = why_not_now(self._standing, waits, now.wall_ms)
        return MissReason.SPOOL_FULL if reason is None and not self._shared.keeper.has_room() else reason

    def _ask(self, tick: Tick) -> None:
        fetched = fetch(self._shared.client, self.target, tick)
        # At once: others must not go on asking while the database keeps this account waiting.
        notes = list(self._react(fetched))
        self._keep(fetched.outcome, fetched.body)
        for name, write in notes:
            self._shared.keeper.note(name, write)

    def _miss(self, ticks: TickRange, reason: MissReason) -> None:
        newest = TickOutcome(
            account_id=self.target.account.id,
            account=self.target.account.name,
            due_at=ticks.last_due_at,
            interval_s=ticks.interval_s,
            outcome=Outcome.MISSED,
            reason=reason,
            detail=None if ticks.ticks == 1 else f"{ticks.ticks} ticks",
        )
        self._shared.observe(self._shared.keeper.missed(newest, ticks, reason))

    def _keep(self, outcome: TickOutcome, body: bytes | None = None) -> None:
        self._shared.observe(self._shared.keeper.tick(outcome, body))

    # -- what it means for the next one

    def _react(self, fetched: Fetched) -> Iterator[Note]:
        """Change how the account stands; gives what has to be written about it."""
        before, now = self._standing, self._now_ms()
        if fetched.outcome.outcome is Outcome.STORED:
            yield from self._change(before, Standing())
        elif fetched.error is not None and fetched.outcome.outcome is Outcome.FAILED:
            fault = fault_of(fetched.error)
            yield from self._change(before, after_failure(before, fault, now))
            wait = wait_after(self.target.account.name, self._standing, fault, fetched.error, now)
            if wait is not None and self._shared.waits.hold(wait):
                yield f"wait of {wait.scope}", lambda: self._shared.waits.keep(wait.scope)

    def _change(self, before: Standing, after: Standing) -> Iterator[Note]:
        self._standing = after
        name = self.target.account.name
        if after.stopped and not before.stopped:
            log.error(
                "account %s is stopped (%s) until its owner mends it; it is probed once an hour",
                name,
                after.stop_reason,
            )
        elif before.stopped and not after.stopped:
            log.warning("account %s goes on: its key works again", name)
        if before.stopped != after.stopped or before.probe_at_ms != after.probe_at_ms:
            yield f"standing of {name}", lambda: self._note(after)

    def _note(self, standing: Standing) -> None:
        with self._shared.recorder.transaction() as connection:
            note_stop(
                connection,
                self.target.account.id,
                stopped_at_ms=standing.stopped_at_ms,
                reason=standing.stop_reason,
                probe_at_ms=standing.probe_at_ms,
            )
