"""A bounded pool of threads whose jobs start at given moments."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

Job = Callable[[], None]
Start = tuple[float, Job]
"""A job with the moment (seconds of time.monotonic) at which it is to start."""


class DelayedPool:
    """Runs each job at its moment, or as soon after it as one of the threads is free.

    One idle thread at a time waits for the moment of the first job, and the others until that one has left to do it: if
    all waited for it, each job would wake up all of them.
    The threads are daemons: a job that never returns can't hold up the end of the process.
    """

    def __init__(self, workers: int) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        # Three, so that no wake-up reaches anybody but whom it is meant for.
        self._watcher = threading.Condition(self._lock)
        self._others = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._watched = False
        self._running = 0
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"collect-{n}", daemon=True) for n in range(workers)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, jobs: Iterable[Start]) -> None:
        """Hand over jobs; after `stop` they are dropped."""
        with self._lock:
            if not self._stopping:
                for start, job in jobs:
                    heapq.heappush(self._heap, (start, next(self._order), job))
                self._watcher.notify()

    def stop(self) -> None:
        """Start no further job."""
        with self._lock:
            self._stopping = True
            self._heap.clear()
            self._watcher.notify()
            self._others.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until no job runs; False when that takes longer."""
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, timeout_s)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:  # a bug in one job must not take a thread from all accounts
                log.exception("a job failed: this is a bug, please report it")
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _next(self) -> Job | None:
        with self._lock:
            while not self._stopping:
                delay = self._heap[0][0] - time.monotonic() if self._heap else None
                if delay is not None and delay <= 0:
                    self._running += 1
                    if not self._watched:
                        self._others.notify()
                    return heapq.heappop(self._heap)[2]
                if self._watched:
                    self._others.wait()
                else:
                    self._watched = True
                    self._watcher.wait(delay)
                    self._watched = False
        return None
