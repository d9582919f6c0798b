"""The beat: calls back for every due instant, and says which ones were passed over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from collector.daemon.clock import Reading, later, why_lost
from collector.domain.ticks import MissReason, TickRange, due_after, due_at_or_before, range_between


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The newest due instant, and those passed over since the last beat with the reason.

    `since` are the clocks at the last beat: what happened to them from then on may make this tick late.
    """

    due_at: int
    skipped: TickRange | None
    skipped_reason: MissReason
    since: Reading


def beat_at(now: Reading, before: Reading, last_due_at: int, interval_s: int) -> Beat | None:
    """What is due now; None when nothing new is, as after the clock was set back: those instants have their answers."""
    newest = due_at_or_before(now.wall_ms // 1000, interval_s)
    if newest <= last_due_at:
        return None
    return Beat(
        due_at=newest,
        skipped=range_between(last_due_at + 1, newest, interval_s),
        skipped_reason=why_lost(before, now),
        since=before,
    )


class _Grid(BaseTrigger):  # type: ignore[misc]  # APScheduler has no annotations
    """Fires a moment ahead of due instants, those of the epoch's grid whenever the program starts.

    An IntervalTrigger would list each instant since the last one first: millions after a month of sleep or a wrong
    clock at boot.
    """

    def __init__(self, interval_s: int, ahead: timedelta = timedelta(0)) -> None:
        self._interval_s = interval_s
        self._ahead = ahead

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return self.fires_for(due_after(int((now + self._ahead).timestamp()), self._interval_s))

    def fires_for(self, due_at: int) -> datetime:
        return datetime.fromtimestamp(due_at, UTC) - self._ahead


class Metronome:
    """APScheduler gives the beat; which instant it stands for is our own arithmetic, for it does not tell.

    It beats `ahead_ms` before the instant: what has to be done at it can then be lined up, instead of being handed from
    thread to thread when it is due already. All that it tells is as its own clocks show it, which are as much ahead.
    """

    def __init__(
        self,
        *,
        interval_s: int,
        first_due_at: int,
        on_beat: Callable[[Beat], None],
        clocks: Callable[[], Reading],
        ahead_ms: int = 0,
    ) -> None:
        self._interval_s = interval_s
        self._last_due_at = first_due_at - interval_s
        self._on_beat = on_beat
        self._clocks = clocks
        self._ahead_ms = ahead_ms
        self._before = self.clocks()
        self._was_set = False
        self._lock = threading.Lock()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._grid = _Grid(interval_s, timedelta(milliseconds=ahead_ms))
        first = self._grid.fires_for(first_due_at)
        self._job = self._scheduler.add_job(self.beat, self._grid, next_run_time=first)

    def clocks(self) -> Reading:
        """The clocks by which it beats."""
        return later(self._clocks(), self._ahead_ms)

    def start(self) -> None:
        """Begin to beat."""
        self._scheduler.start()

    def stop(self) -> None:
        """Beat no more."""
        self._scheduler.shutdown(wait=False)

    @property
    def last_due_at(self) -> int:
        """The newest instant that needs no beat any more."""
        with self._lock:
            return self._last_due_at

    def clock_was_set(self) -> None:
        """Look at the clock again: the scheduler sleeps by the old one."""
        self._was_set = True
        self._scheduler.wakeup()

    def come_back(self, first_due_at: int) -> None:
        """Beat from this instant on, though the clock had already come further."""
        with self._lock:
            self._before, self._last_due_at = self.clocks(), first_due_at - self._interval_s
        self._job.modify(next_run_time=self._grid.fires_for(first_due_at))

    def beat(self) -> None:
        """Call back when a new instant is due; the only caller is the scheduler's one thread."""
        found = self._found()
        if found is not None:
            self._on_beat(found)

    def _found(self) -> Beat | None:
        with self._lock:
            now = self.clocks()
            found = beat_at(now, self._before, self._last_due_at, self._interval_s)
            if found is None:
                return None
            was_set, self._was_set = self._was_set, False
            self._before, self._last_due_at = now, found.due_at
        # Set back and right again leaves no trace in the clocks.
        back_again = was_set and found.skipped_reason is MissReason.OVERRUN
        return replace(found, skipped_reason=MissReason.CLOCK_STEP) if back_again else found
