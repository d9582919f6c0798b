"""The pool starts each job at its moment, loses none, and ends when told."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from collector.daemon.pool import DelayedPool

PATIENCE_S = 20.0


@contextmanager
def running(workers: int) -> Iterator[DelayedPool]:
    """A pool that is stopped at the end."""
    pool = DelayedPool(workers)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()
        assert pool.wait(PATIENCE_S)


class Done:
    """Collects what jobs report, and waits for it."""

    def __init__(self) -> None:
        self.names: list[object] = []
        self._changed = threading.Condition()

    def job(self, name: object) -> Callable[[], None]:
        """A job that reports its name."""

        def report() -> None:
            with self._changed:
                self.names.append(name)
                self._changed.notify_all()

        return report

    def count(self, number: int) -> list[object]:
        """The names, as soon as there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.names) >= number, PATIENCE_S), self.names
        return self.names


def test_jobs_start_in_the_order_of_their_moments() -> None:
    """Accounts are spread over the window: the later ones wait, whatever order they are handed over in."""
    done, now = Done(), time.monotonic()
    with running(1) as pool:
        pool.submit([(now + 0.06, done.job("third")), (now + 0.04, done.job("second")), (now - 5, done.job("first"))])
        pool.submit([(now + 0.06, done.job("fourth"))])  # the same moment: as handed over
        assert done.count(4) == ["first", "second", "third", "fourth"]


def test_no_job_starts_before_its_moment() -> None:
    """Too early a request would be for the tick before."""
    begun: list[float] = []
    done, moment = Done(), time.monotonic() + 0.05
    report = done.job("it")

    def begin() -> None:
        begun.append(time.monotonic())
        report()

    with running(4) as pool:
        pool.submit([(moment, begin)])
        done.count(1)
    assert begun[0] >= moment


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_an_earlier_job_wakes_whoever_sleeps_towards_a_later_one(workers: int) -> None:
    """The thread that was told about the later job first must not sleep through the earlier one."""
    done = Done()
    with running(workers) as pool:
        pool.submit([(time.monotonic() + 3600, done.job("in an hour"))])
        time.sleep(0.05)
        for number in range(5):
            pool.submit([(time.monotonic() + 0.02, done.job(number))])
            time.sleep(0.01)
        assert sorted(map(str, done.count(5))) == ["0", "1", "2", "3", "4"]


def test_somebody_who_waits_for_the_end_takes_no_wake_up_from_a_worker() -> None:
    """A job handed over while others wait for idleness would otherwise start an hour late."""
    done, hold = Done(), threading.Event()
    with running(2) as pool:
        pool.submit(
            [(0.0, lambda: (hold.wait(PATIENCE_S), None)[1]), (time.monotonic() + 3600, done.job("in an hour"))]
        )
        waiting = [threading.Thread(target=pool.wait, args=(PATIENCE_S,)) for _ in range(10)]
        for thread in waiting:
            thread.start()
        time.sleep(0.05)
        for number in range(5):
            pool.submit([(0.0, done.job(number))])
            done.count(number + 1)
        hold.set()
        for thread in waiting:
            thread.join(PATIENCE_S)
    assert sorted(map(str, done.names)) == ["0", "1", "2", "3", "4"]


def test_no_job_is_lost_and_none_runs_twice() -> None:
    """Two thousand jobs from four threads at once, at moments in any order."""
    done, dice = Done(), random.Random(1)  # noqa: S311 - the same moments each time
    with running(8) as pool:

        def hand_over(sender: int) -> None:
            for number in range(500):
                pool.submit([(time.monotonic() + dice.random() / 20, done.job((sender, number)))])

        senders = [threading.Thread(target=hand_over, args=(sender,)) for sender in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(PATIENCE_S)
        names = done.count(2000)
    assert len(names) == len(set(names)) == 2000


def test_a_job_that_fails_takes_no_thread_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """One bug must not silence every account, and must be seen."""

    def fail() -> None:
        raise ValueError("a bug")

    done = Done()
    with running(1) as pool:
        pool.submit([(0.0, fail), (0.0, fail), (0.0, done.job("after"))])
        done.count(1)
        assert pool.wait(PATIENCE_S)
    assert caplog.text.count("ValueError: a bug") == 2
    assert "please report it" in caplog.text


def test_a_stopped_pool_drops_what_waits_and_what_comes() -> None:
    """After SIGTERM no further request leaves; what was not begun is answered for at the next start."""
    done, hold, begun = Done(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        hold.wait(PATIENCE_S)

    with running(1) as pool:
        pool.submit([(0.0, hang)])
        assert begun.wait(PATIENCE_S)
        pool.submit([(0.0, done.job("waits")), (time.monotonic() + 0.05, done.job("later"))])
        pool.stop()
        pool.submit([(0.0, done.job("comes"))])
        assert not pool.wait(0.05)  # honest: one still runs
        hold.set()
        assert pool.wait(PATIENCE_S)
        time.sleep(0.1)
    assert done.names == []


def test_idle_threads_end_when_the_pool_is_stopped() -> None:
    """Whether they wait for a job or for its moment."""
    before = threading.active_count()
    with running(3) as pool:
        pool.submit([(time.monotonic() + 3600, lambda: None)])
        threads = pool._threads
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [thread.is_alive() for thread in threads] == [False, False, False]
    assert threading.active_count() <= before + 1
