"""The beat: each due instant is beaten once or named as passed over, whatever the clocks do."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.daemon.clock import Reading, read_clocks
from collector.daemon.metronome import Beat, Metronome, _Grid, beat_at
from collector.domain.ticks import MissReason, TickRange

PATIENCE_S = 20.0
T0 = 1_699_999_800


def reading(wall_s: float, *, awake_s: float | None = None, asleep_s: float = 0) -> Reading:
    """The clocks at an instant; awake since the epoch but for what is said."""
    awake = wall_s - asleep_s if awake_s is None else awake_s
    return Reading(wall_ms=int(wall_s * 1000), awake_ms=int(awake * 1000), all_ms=int((awake + asleep_s) * 1000))


def ticks(first: int, last: int, interval_s: int) -> TickRange:
    """Instants of the grid, both inclusive."""
    return TickRange(start_at=first, last_due_at=last, interval_s=interval_s)


@pytest.mark.parametrize(
    ("now_s", "awake_s", "asleep_s", "last", "interval_s", "expected"),
    [
        # on time, late within the interval, one interval late, many
        (T0 + 60.0, 60.0, 0, T0, 60, (T0 + 60, None, "overrun")),
        (T0 + 119.9, 119.9, 0, T0, 60, (T0 + 60, None, "overrun")),
        (T0 + 120.0, 120.0, 0, T0, 60, (T0 + 120, ticks(T0 + 60, T0 + 60, 60), "overrun")),
        (T0 + 605.0, 605.0, 0, T0, 60, (T0 + 600, ticks(T0 + 60, T0 + 540, 60), "overrun")),
        # the clock was set forward; the machine slept
        (T0 + 605.0, 60.0, 0, T0, 60, (T0 + 600, ticks(T0 + 60, T0 + 540, 60), "clock_step")),
        (T0 + 605.0, 5.0, 600, T0, 60, (T0 + 600, ticks(T0 + 60, T0 + 540, 60), "suspended")),
        # nothing new: too early, or set back
        (T0 + 59.999, 59.999, 0, T0, 60, None),
        (T0 + 0.0, 0.0, 0, T0, 60, None),
        (T0 - 3600.0, 60.0, 0, T0, 60, None),
        # fine and coarse grids
        (T0 + 3.2, 3.2, 0, T0, 1, (T0 + 3, ticks(T0 + 1, T0 + 2, 1), "overrun")),
        (
            T0 - T0 % 86_400 + 86_400.0,
            60.0,
            0,
            T0 - T0 % 86_400,
            86_400,
            (T0 - T0 % 86_400 + 86_400, None, "clock_step"),
        ),
    ],
)
def test_a_beat_is_the_newest_instant_and_what_lies_before(
    now_s: float,
    awake_s: float,
    asleep_s: float,
    last: int,
    interval_s: int,
    expected: tuple[int, TickRange | None, str] | None,
) -> None:
    """One tick is asked, the others are named with the reason; a clock set back repeats nothing."""
    before = Reading(wall_ms=T0 * 1000, awake_ms=0, all_ms=0)
    beat = beat_at(reading(now_s, awake_s=awake_s, asleep_s=asleep_s), before, last, interval_s)
    found = None if beat is None else (beat.due_at, beat.skipped, str(beat.skipped_reason))
    assert found == expected
    assert beat is None or beat.since == before


moves = st.lists(
    st.one_of(
        st.tuples(st.just("runs"), st.integers(min_value=0, max_value=30_000)),
        st.tuples(st.just("sleeps"), st.integers(min_value=0, max_value=10**7)),
        st.tuples(st.just("is set"), st.integers(min_value=-(10**7), max_value=10**7)),
    ),
    max_size=40,
)


@given(moves=moves, interval_s=st.sampled_from([1, 7, 60, 300]), begins_ms=st.integers(min_value=0, max_value=300_000))
def test_each_instant_is_beaten_once_or_passed_over_once(
    moves: list[tuple[str, int]], interval_s: int, begins_ms: int
) -> None:
    """The ledger has one answer for each due instant because the beat names each exactly once, in order."""
    wall, awake, total = T0 * 1000 + begins_ms, 0, 0
    first = -(-wall // (interval_s * 1000)) * interval_s
    last = first - interval_s
    before = Reading(wall_ms=wall, awake_ms=awake, all_ms=total)
    named: list[int] = []
    latest = wall - 1
    for how, ms in moves:
        wall, total = wall + ms, total + (ms if how != "is set" else 0)
        awake += ms if how == "runs" else 0
        latest = max(latest, wall)
        now = Reading(wall_ms=wall, awake_ms=awake, all_ms=total)
        beat = beat_at(now, before, last, interval_s)
        if beat is not None:
            skipped = beat.skipped
            named += range(skipped.start_at, skipped.last_due_at + 1, interval_s) if skipped else []
            named.append(beat.due_at)
            last, before = beat.due_at, now
    assert named == list(range(first, latest // 1000 + 1, interval_s))


def until(seen: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_it_beats_at_each_due_instant() -> None:
    """APScheduler's event becomes the instant that it stands for, never before that instant has come."""
    heard: list[tuple[Beat, int]] = []
    first = read_clocks().wall_ms // 1000 + 1
    metronome = Metronome(
        interval_s=1,
        first_due_at=first,
        on_beat=lambda beat: heard.append((beat, read_clocks().wall_ms)),
        clocks=read_clocks,
    )
    metronome.start()
    until(lambda: len(heard) >= 3)
    metronome.stop()
    told = [instant for beat, _ in heard for instant in (*_instants(beat.skipped), beat.due_at)]
    assert told[:3] == [first, first + 1, first + 2]
    assert told == list(range(first, first + len(told)))
    assert all(at >= beat.due_at * 1000 for beat, at in heard)
    assert threading.active_count() < 50


def test_it_may_beat_a_moment_ahead() -> None:
    """What is due can then be lined up before: handed from thread to thread when it is due, it would be late."""
    heard: list[Beat] = []
    now = [reading(T0 + 59.899)]
    metronome = Metronome(
        interval_s=60, first_due_at=T0 + 60, on_beat=heard.append, clocks=lambda: now[0], ahead_ms=100
    )
    metronome.beat()
    assert heard == []
    now = [reading(T0 + 59.9)]
    metronome.beat()
    assert [beat.due_at for beat in heard] == [T0 + 60]
    assert metronome.clocks() == reading(T0 + 60.0)


def test_the_scheduler_fires_as_much_ahead() -> None:
    """Each instant once, whatever side of it the scheduler asks on."""
    grid = _Grid(60, timedelta(milliseconds=100))
    fires = datetime(2026, 1, 1, 0, 0, 59, 900_000, tzinfo=UTC)
    for now in (datetime(2026, 1, 1, tzinfo=UTC), fires - timedelta(microseconds=1)):
        assert grid.get_next_fire_time(None, now) == fires
    for now in (fires, fires + timedelta(milliseconds=100)):
        assert grid.get_next_fire_time(None, now) == fires + timedelta(seconds=60)


def _instants(skipped: TickRange | None) -> list[int]:
    return [] if skipped is None else list(range(skipped.start_at, skipped.last_due_at + 1, skipped.interval_s))


def test_an_instant_is_beaten_once_however_often_it_is_looked_at() -> None:
    """A clock that is set back by a moment, or a scheduler that is woken up, repeats no tick."""
    heard: list[Beat] = []
    metronome = Metronome(interval_s=60, first_due_at=T0, on_beat=heard.append, clocks=lambda: reading(T0 + 5.0))
    for _ in range(3):
        metronome.beat()
    assert len(heard) == 1


def test_a_beat_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    """APScheduler swallows exceptions; one bug must not end all collecting."""
    heard: list[int] = []

    def on_beat(beat: Beat) -> None:
        heard.append(beat.due_at)
        raise ValueError("a bug")

    metronome = Metronome(interval_s=1, first_due_at=read_clocks().wall_ms // 1000, on_beat=on_beat, clocks=read_clocks)
    metronome.start()
    until(lambda: len(heard) >= 2)
    metronome.stop()
    assert "a bug" in caplog.text


def test_set_back_and_right_again_is_the_reason_of_what_was_lost_meanwhile() -> None:
    """The clocks alone show nothing any more: without the note it would look like an overrun."""
    heard: list[Beat] = []
    first = (read_clocks().wall_ms // 60_000 + 500_000) * 60  # so far ahead that the scheduler itself does not beat
    now = [first + 5.0]
    metronome = Metronome(interval_s=60, first_due_at=first, on_beat=heard.append, clocks=lambda: reading(now[0]))
    metronome.start()
    metronome.beat()
    now[0] += 120
    metronome.clock_was_set()
    for _ in range(2):
        metronome.beat()
        now[0] += 120
    metronome.stop()
    assert [(b.skipped, str(b.skipped_reason)) for b in heard[1:]] == [
        (ticks(first + 60, first + 60, 60), "clock_step"),
        (ticks(first + 180, first + 180, 60), "overrun"),
    ]


def test_it_comes_back_to_an_instant_long_before_the_last_beat() -> None:
    """Instants of next year were beaten under a wrong clock; the scheduler sleeps until then, and must not."""
    heard: list[int] = []
    ahead_s = 365 * 86_400
    metronome = Metronome(
        interval_s=1,
        first_due_at=read_clocks().wall_ms // 1000 + ahead_s,
        on_beat=lambda beat: heard.append(beat.due_at),
        clocks=read_clocks,
    )
    metronome.start()
    first = read_clocks().wall_ms // 1000 + 1
    metronome.come_back(first)
    assert metronome.last_due_at in {first - 1, first}
    until(lambda: len(heard) >= 2)
    metronome.stop()
    assert heard[0] - first < 30


class _Shifted:
    """The wall clock of another time: what APScheduler and the metronome see can be set."""

    def __init__(self) -> None:
        self.by_s = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.by_s, UTC)

    def read(self) -> Reading:
        now = read_clocks()
        return Reading(wall_ms=now.wall_ms + int(self.by_s * 1000), awake_ms=now.awake_ms, all_ms=now.all_ms)


def test_a_clock_set_forward_is_looked_at_again_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler sleeps by the old clock: without the hint the beat would come hours late."""
    shifted, heard = _Shifted(), list[Beat]()

    class Datetime(datetime):
        @classmethod
        def now(cls, _: object = None) -> datetime:  # type: ignore[override]
            return shifted.now()

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Datetime)
    first = (read_clocks().wall_ms // 1000 // 3600 + 2) * 3600
    metronome = Metronome(interval_s=3600, first_due_at=first, on_beat=heard.append, clocks=shifted.read)
    metronome.start()
    time.sleep(0.1)
    assert heard == []
    shifted.by_s = first - time.time() + 2 * 3600 + 5
    time.sleep(0.1)
    assert heard == []  # it still sleeps, for it was not told
    metronome.clock_was_set()
    until(lambda: len(heard) == 1)
    metronome.stop()
    assert heard[0].due_at == first + 2 * 3600
    assert heard[0].skipped == ticks(first, first + 3600, 3600)
    assert heard[0].skipped_reason is MissReason.CLOCK_STEP


def test_half_a_century_is_one_step_of_the_grid() -> None:
    """A machine without a battery boots in 1970: listing each second up to now would take all of its memory."""
    grid, now = _Grid(1), datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert grid.get_next_fire_time(datetime(1970, 1, 1, tzinfo=UTC), now) == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert _Grid(300).get_next_fire_time(None, now) == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    on_the_grid = datetime(2026, 1, 1, tzinfo=UTC)
    assert _Grid(300).get_next_fire_time(None, on_the_grid) == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
