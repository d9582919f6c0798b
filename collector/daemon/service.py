"""The daemon: starts collecting, watches over it, and ends it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from collector.bootstrap import Services
from collector.collect import Target
from collector.daemon.clock import Reading, read_clocks, step_ms, suspended_ms
from collector.daemon.keeper import Keeper
from collector.daemon.metronome import Beat, Metronome
from collector.daemon.notify import notify
from collector.daemon.offsets import ClockKeeper
from collector.daemon.pool import DelayedPool
from collector.daemon.present import Present
from collector.daemon.prices import PriceKeeper
from collector.daemon.runner import AccountRunner, Shared
from collector.daemon.ticklog import TickLog
from collector.daemon.waits import Waits
from collector.domain.ticks import TickRange, due_at_or_after
from collector.errors import DatabaseError, LockedError
from collector.storage.accounts import every_account, newest_answer
from collector.storage.lock import DatabaseLock
from collector.storage.reader import Reader
from collector.storage.registry import note_run, note_run_end, open_ledger
from collector.storage.spool import Spool

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_S = 3.0
AFTER_ABORT_S = 0.5
KEEP_END_S = 0.2
NOTE_END_S = 0.5
CUT_OFF_AFTER_S = 10.0
"""How long a transaction may take before its connection is cut: far beyond every time-out that a server obeys."""
WATCH_EVERY_S = 1.0
CHECK_LOCK_EVERY_S = 15.0
NOTICEABLE_STEP_MS = 500
AHEAD_MS = 100
"""How much before they are due ticks are lined up: on a busy machine each hand-over to a thread takes milliseconds."""


@dataclass(slots=True, kw_only=True)
class Daemon:
    """Collects every account at every tick until SIGTERM or SIGINT."""

    services: Services
    targets: Sequence[Target]
    spool: Spool
    lock: DatabaseLock
    version: str
    notify_socket: str | None = None
    clocks: Callable[[], Reading] = read_clocks
    _stopping: threading.Event = field(default_factory=threading.Event)
    _received: SimpleQueue[int] = field(default_factory=SimpleQueue)
    _lock_lost: LockedError | None = None

    def run(self) -> None:
        """Collect until a signal comes.

        Raises DatabaseError while it starts, DamagedError when a file turns out to be broken, LockedError when the lock
        is lost.
        """
        for number in SIGNALS:
            # It only leaves a note, whatever thread or moment the signal meets: a second one must not cut off the end.
            signal.signal(number, lambda number, _: self._received.put(number))
        keeper = Keeper(self.services.recorder, self.spool, now_ms=lambda: self.clocks().wall_ms)
        self._store_what_was_left(keeper)
        started_ms = self.clocks().wall_ms
        first_due_at = self._open_ledgers(started_ms)
        pool, waits = DelayedPool(self.services.settings.workers), self._waits()
        runners = self._runners(pool, keeper, waits)
        prices = self._prices(waits)
        metronome = Metronome(
            interval_s=self.services.settings.interval_s,
            first_due_at=first_due_at,
            on_beat=lambda beat: self._beat(beat, pool, runners, prices),
            clocks=self.clocks,
            ahead_ms=AHEAD_MS,
        )
        present = self._present(metronome, runners)
        offsets = ClockKeeper(self.services.client, on_measured=present.measured, clocks=self.clocks)
        present.find(self.services.client.known_offset_ms, measure_now=offsets.measure_now)
        first_due_at = metronome.last_due_at + self.services.settings.interval_s
        pool.start()
        keeper.start()
        metronome.start()
        offsets.start()
        prices.start()
        self._announce(first_due_at)
        threading.Thread(target=self._watch_lock, name="lock", daemon=True).start()
        try:
            self._supervise(metronome, offsets, keeper, waits)
        finally:
            notify(self.notify_socket, "STOPPING=1")
            metronome.stop()
            offsets.stop()
            prices.stop()
            self._end(pool, keeper, started_ms)

    def _store_what_was_left(self, keeper: Keeper) -> None:
        """Before downtime is written: what an earlier run received has its answer, and was not missed."""
        stored = keeper.drain(go_on=self._received.empty)
        if stored:
            log.warning("%d answers that an earlier run had to keep in the spool are stored now", stored)

    def _open_ledgers(self, started_ms: int) -> int:
        """Answer for every tick that was due while nothing ran; returns the first instant that has no answer."""
        interval_s = self.services.settings.interval_s
        now_s = started_ms // 1000 + 1
        mine, newest = {target.account.id for target in self.targets}, 0
        with self.services.recorder.transaction() as connection:
            note_run(
                connection, host=socket.gethostname(), pid=os.getpid(), started_at_ms=started_ms, version=self.version
            )
            reader = Reader.over(connection)
            for account in every_account(reader):
                lost = open_ledger(
                    connection, account.id, interval_s=interval_s if account.id in mine else None, now_s=now_s
                )
                _report_downtime(account.name, lost)
                if account.id in mine:
                    newest = max(newest, newest_answer(reader, account.id) or 0)
        return due_at_or_after(max(now_s, newest + 1), interval_s)

    def _present(self, metronome: Metronome, runners: Sequence[AccountRunner]) -> Present:
        return Present(
            self.services.recorder,
            metronome,
            {runner.target.account.id: runner for runner in runners},
            interval_s=self.services.settings.interval_s,
            clocks=metronome.clocks,
        )

    def _waits(self) -> Waits:
        waits = Waits(self.services.recorder)
        waits.load(self.clocks().wall_ms)
        return waits

    def _prices(self, waits: Waits) -> PriceKeeper:
        return PriceKeeper(
            self.services.client,
            self.services.recorder,
            self.services.settings.prices,
            waits=waits,
            now_ms=lambda: self.clocks().wall_ms,
        )

    def _runners(self, pool: DelayedPool, keeper: Keeper, waits: Waits) -> list[AccountRunner]:
        ticklog = TickLog(len(self.targets))
        shared = Shared(
            client=self.services.client,
            recorder=self.services.recorder,
            keeper=keeper,
            pool=pool,
            waits=waits,
            clocks=self.clocks,
            observe=ticklog,
        )
        return [AccountRunner(target, shared) for target in self.targets]

    def _beat(self, beat: Beat, pool: DelayedPool, runners: Sequence[AccountRunner], prices: PriceKeeper) -> None:
        """Line up the tick of every account; runs in the scheduler's thread and must be quick."""
        interval_s = self.services.settings.interval_s
        if beat.skipped is not None:
            log.warning("passed over %d ticks (%s)", beat.skipped.ticks, beat.skipped_reason)
        jobs = []
        for runner in runners:
            if beat.skipped is not None:
                jobs.append(runner.passed_over(beat.skipped, beat.skipped_reason))
            jobs.append(runner.due(beat.due_at, interval_s, beat.since))
        if self.services.settings.prices:
            left_s = max(0, beat.due_at * 1000 - self.clocks().wall_ms) / 1000
            jobs.append((time.monotonic() + left_s, lambda: prices.due(beat.due_at, interval_s)))
        pool.submit(job for job in jobs if job is not None)

    def _announce(self, first_due_at: int) -> None:
        now = self.clocks().wall_ms
        instant = datetime.fromtimestamp(first_due_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        log.info("first tick at %s, in %s", instant, _duration(max(0, first_due_at - now // 1000)))
        notify(self.notify_socket, "READY=1")

    def _supervise(self, metronome: Metronome, offsets: ClockKeeper, keeper: Keeper, waits: Waits) -> None:
        before = self.clocks()
        while (received := self._signal_within(WATCH_EVERY_S)) is None:
            for error in (self._lock_lost, keeper.damage):
                if error is not None:
                    raise error
            if self.services.recorder.cut_off(CUT_OFF_AFTER_S):
                log.error("the database has not answered for %.0f s: its connection is cut", CUT_OFF_AFTER_S)
            now = self.clocks()
            if _clock_moved(before, now):
                _keep_waits(keeper, waits, step_ms(before, now))
                metronome.clock_was_set()
                offsets.measure_now()
            before = now
        log.info("%s received, ending", signal.Signals(received).name)

    def _signal_within(self, timeout_s: float) -> int | None:
        try:
            return self._received.get(timeout=timeout_s)
        except Empty:
            return None

    def _watch_lock(self) -> None:
        """Look after the lock now and then, in a thread: a database that hangs must keep neither signal nor tick."""
        while not self._stopping.wait(CHECK_LOCK_EVERY_S):
            try:
                self.lock.check()
            except LockedError as error:
                self._lock_lost = error
                return
            except DatabaseError as error:
                log.warning("can't make sure that no other process collects: %s", error)

    def _end(self, pool: DelayedPool, keeper: Keeper, started_ms: int) -> None:
        """Let requests in flight finish for a moment, cut them off then, and leave what came of them in the ledger."""
        self._stopping.set()
        pool.stop()
        if not pool.wait(GRACE_S):
            self.services.client.abort()
            pool.wait(AFTER_ABORT_S)
        keeper.stop(KEEP_END_S)
        noting = threading.Thread(target=self._note_end, args=(started_ms,), daemon=True)
        noting.start()
        noting.join(NOTE_END_S)
        if noting.is_alive():
            log.error("the end of this run can't be recorded: the database does not answer")

    def _note_end(self, started_ms: int) -> None:
        try:
            with self.services.recorder.transaction() as connection:
                note_run_end(
                    connection, host=socket.gethostname(), started_at_ms=started_ms, ended_at_ms=self.clocks().wall_ms
                )
        except DatabaseError as error:
            log.error("the end of this run can't be recorded: %s", error)


def _report_downtime(name: str, lost: Sequence[TickRange]) -> None:
    ticks = sum(r.ticks for r in lost)
    if ticks:
        log.warning(
            "account %s: %d ticks were due while nothing was running; recorded as missed (not_running)", name, ticks
        )


def _clock_moved(before: Reading, now: Reading) -> bool:
    """Say so in the log when the local clock was set, or the machine suspended."""
    step, suspended = step_ms(before, now), suspended_ms(before, now)
    if abs(step) >= NOTICEABLE_STEP_MS:
        log.warning("the local clock was set by %+.1f s", step / 1000)
    if suspended >= NOTICEABLE_STEP_MS:
        log.warning("the machine was suspended for %.1f s", suspended / 1000)
    return abs(step) >= NOTICEABLE_STEP_MS or suspended >= NOTICEABLE_STEP_MS


def _keep_waits(keeper: Keeper, waits: Waits, step: int) -> None:
    for scope in waits.clock_was_set(step):
        keeper.note(f"wait of {scope}", lambda scope=scope: waits.keep(scope))  # type: ignore[misc]  # bound now


def _duration(seconds: int) -> str:
    """Seconds as people say them: 3 min 12 s."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (left, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
