"""The grid, against an enumeration so naive that it can't share a mistake with the arithmetic."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.ticks import (
    FailReason,
    MissReason,
    Outcome,
    ScheduleEntry,
    TickRange,
    count_due,
    deadline_ms,
    due_after,
    due_at_or_after,
    due_at_or_before,
    instants,
    range_between,
    unexplained,
    without,
)

END = 400
moments = st.integers(min_value=0, max_value=END)
intervals = st.integers(min_value=1, max_value=60)
real_moments = st.integers(min_value=1_483_228_800, max_value=4_102_444_800)
real_intervals = st.integers(min_value=1, max_value=86_400)


def naive_due(from_s: int, to_s: int, interval_s: int) -> list[int]:
    """Every instant of the grid in from_s <= t < to_s, tried one by one."""
    return [t for t in range(from_s, to_s) if t % interval_s == 0]


@st.composite
def schedules(draw: st.DrawFn) -> list[ScheduleEntry]:
    """Coarser, finer, removed, returned: any schedule, in order of time."""
    changes = sorted(draw(st.sets(moments, max_size=6)))
    return [ScheduleEntry(from_at=at, interval_s=draw(st.none() | intervals)) for at in changes]


def naive_schedule(schedule: list[ScheduleEntry], end: int) -> list[int]:
    """Every due instant before `end`: for each second, what the schedule said then."""
    due = []
    for t in range(end):
        said = [entry.interval_s for entry in schedule if entry.from_at <= t]
        if said and said[-1] is not None and t % said[-1] == 0:
            due.append(t)
    return due


@given(real_moments, real_intervals)
def test_the_neighbours_of_an_instant_are_multiples_that_enclose_it(moment: int, interval_s: int) -> None:
    """A tick that is off the grid would be a second answer for none of its instants."""
    before, after, at_or_after = (f(moment, interval_s) for f in (due_at_or_before, due_after, due_at_or_after))
    assert {before % interval_s, after % interval_s, at_or_after % interval_s} == {0}
    assert before <= moment < after
    assert moment <= at_or_after < moment + interval_s
    assert after - before == interval_s
    assert (at_or_after == before) == (moment % interval_s == 0)


@pytest.mark.parametrize(
    ("moment", "interval_s", "before", "at_or_after", "after"),
    [
        (0, 300, 0, 0, 300),
        (1, 300, 0, 300, 300),
        (299, 300, 0, 300, 300),
        (300, 300, 300, 300, 600),
        (1_700_000_000, 86_400, 1_699_920_000, 1_700_006_400, 1_700_006_400),
        (1_700_000_000, 1, 1_700_000_000, 1_700_000_000, 1_700_000_001),
        (1_700_000_000, 7, 1_699_999_994, 1_700_000_001, 1_700_000_001),
    ],
)
def test_neighbours_are_those_of_a_calendar(
    moment: int, interval_s: int, before: int, at_or_after: int, after: int
) -> None:
    """Written out, so that the grid is seen to begin at the epoch."""
    assert due_at_or_before(moment, interval_s) == before
    assert due_at_or_after(moment, interval_s) == at_or_after
    assert due_after(moment, interval_s) == after


@given(moments, moments, intervals)
def test_counting_is_enumerating(from_s: int, to_s: int, interval_s: int) -> None:
    """The ledger counts what was due by arithmetic: it has to be what one would count by hand."""
    due = naive_due(from_s, to_s, interval_s)
    assert count_due(from_s, to_s, interval_s) == len(due)
    ticks = range_between(from_s, to_s, interval_s)
    if not due:
        assert ticks is None
        return
    assert ticks == TickRange(start_at=due[0], last_due_at=due[-1], interval_s=interval_s)
    assert ticks.ticks == len(due)
    assert list(instants([ticks])) == due


@given(
    st.integers(min_value=0, max_value=20),
    st.integers(min_value=1, max_value=15),
    intervals,
    st.lists(st.tuples(moments, st.integers(min_value=0, max_value=80)), max_size=5),
)
def test_what_is_left_of_a_range_is_what_no_span_covers(
    first: int, count: int, interval_s: int, spans: list[tuple[int, int]]
) -> None:
    """An instant with an answer must not get a second one, and none may be lost beside it; spans may overlap."""
    start, last = first * interval_s, (first + count - 1) * interval_s
    answered = [(begin, begin + length) for begin, length in spans]
    left = without(TickRange(start_at=start, last_due_at=last, interval_s=interval_s), answered)
    expected = [t for t in range(start, last + 1, interval_s) if not any(a <= t <= b for a, b in answered)]
    assert list(instants(left)) == expected


@given(schedules(), st.none() | st.integers(min_value=-5, max_value=END), st.integers(min_value=-5, max_value=END + 50))
def test_unexplained_finds_every_lost_tick_once_and_no_other(
    schedule: list[ScheduleEntry], after: int | None, before: int
) -> None:
    """What this overlooks is a hole that nobody ever sees; what it invents is a second answer."""
    floor = -1 if after is None else after
    expected = [t for t in naive_schedule(schedule, max(before, 0)) if floor < t < before]
    found = unexplained(schedule, after=after, before=before)
    assert list(instants(found)) == expected


@given(schedules(), moments)
def test_no_range_crosses_a_change_of_the_schedule(schedule: list[ScheduleEntry], before: int) -> None:
    """A range names one interval; over a border its count would be wrong."""
    for ticks in unexplained(schedule, after=None, before=before):
        in_force = [e for e in schedule if e.from_at <= ticks.start_at][-1]
        assert in_force.interval_s == ticks.interval_s
        assert not [e for e in schedule if ticks.start_at < e.from_at <= ticks.last_due_at]


def test_ranges_come_oldest_first() -> None:
    """They are written in this order, and each may extend the one before."""
    schedule = [
        ScheduleEntry(from_at=0, interval_s=60),
        ScheduleEntry(from_at=130, interval_s=None),
        ScheduleEntry(from_at=200, interval_s=7),
        ScheduleEntry(from_at=230, interval_s=300),
    ]
    found = unexplained(schedule, after=0, before=700)
    assert found == [
        TickRange(start_at=60, last_due_at=120, interval_s=60),
        TickRange(start_at=203, last_due_at=224, interval_s=7),
        TickRange(start_at=300, last_due_at=600, interval_s=300),
    ]
    assert all(a.last_due_at < b.start_at for a, b in pairwise(found))


def test_an_account_without_a_schedule_owes_nothing() -> None:
    """Before its first sight nothing was due."""
    assert unexplained([], after=None, before=1_700_000_000) == []


def test_a_month_of_downtime_at_one_second_is_one_range() -> None:
    """2.6 million instants are a range, never a list."""
    start = 1_700_000_000
    schedule = [ScheduleEntry(from_at=start, interval_s=1)]
    found = unexplained(schedule, after=start, before=start + 2_592_000)
    assert found == [TickRange(start_at=start + 1, last_due_at=start + 2_591_999, interval_s=1)]
    assert found[0].ticks == 2_591_999


@pytest.mark.parametrize(
    ("due_at", "interval_s", "offset_ms", "deadline"),
    [
        (1_700_000_100, 300, 0, 1_700_000_160_000),
        (1_700_000_100, 300, 1_500, 1_700_000_161_500),
        (1_700_000_100, 300, 250_000, 1_700_000_410_000),
        (1_700_000_040, 60, 0, 1_700_000_100_000),
        (1_700_000_040, 60, 10_000, 1_700_000_110_000),
        (1_700_000_000, 1, 0, 1_700_000_001_000),
        (1_700_000_000, 1, 999, 1_700_000_001_999),
    ],
)
def test_the_deadline_is_a_minute_or_an_interval_after_the_start(
    due_at: int, interval_s: int, offset_ms: int, deadline: int
) -> None:
    """A reply after it is discarded; an account's tick must never reach into its own next one."""
    assert deadline_ms(due_at, interval_s, offset_ms) == deadline


@given(real_moments, real_intervals, st.integers(min_value=0, max_value=86_399_999))
def test_the_deadline_lies_before_the_next_start_and_within_the_minute(
    moment: int, interval_s: int, offset_ms: int
) -> None:
    """Wherever its place in the window is, an account has the same time to try, and none of its next tick's."""
    due_at, offset = due_at_or_before(moment, interval_s), offset_ms % (interval_s * 1000)
    deadline = deadline_ms(due_at, interval_s, offset)
    started = due_at * 1000 + offset
    assert deadline == min(started + 60_000, (due_at + interval_s) * 1000 + offset)


def test_outcomes_and_reasons_are_the_closed_lists_of_the_ledger() -> None:
    """The same words stand in SQL, on the command line, in metrics and in the docs."""
    assert [str(o) for o in Outcome] == ["stored", "failed", "missed"]
    assert " ".join(FailReason) == (
        "timeout connection tls server_error bad_reply clock rate_limited banned firewall busy maintenance "
        "bad_signature key_rejected bad_parameter unknown_code aborted"
    )
    assert " ".join(MissReason) == (
        "not_running suspended overrun clock_step paused account_stopped waiting spool_full"
    )
