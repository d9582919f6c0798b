"""Coverage by day and over all, of random lives, against counting second by second."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.domain.coverage import LostTicks, PeriodCoverage, due_between, lost_runs
from collector.domain.periods import Every, Period, periods
from collector.domain.records import Coverage
from collector.domain.ticks import MissReason, ScheduleEntry, TickRange
from collector.storage.coverage import database_now, due_span, period_coverage
from collector.storage.reader import reading
from tests.ledgers import recorder, register
from tests.lives import Event, Life, events

numbers = itertools.count()
quickly = settings(max_examples=12)
lengths = st.sampled_from([61, 600, 3600, 100_000])


def lived(url: str, life: list[Event]) -> Life:
    """An account of its own that went through all this, long ago, and was then removed."""
    with recorder(url) as writer:
        model = Life(writer=writer, account=register(writer, f"life {next(numbers)}"), clock=int(time.time()) - 90_000)
        model.live(life)
        model.restart(0, None)
        return model


def counted(model: Life, period: Period) -> PeriodCoverage:
    """What counting by hand gives."""
    ledger = [entry for entry in model.ledger(model.clock) if period.start_s <= entry[0] < period.end_s]
    outcomes = Counter(outcome for _, outcome, _ in ledger)
    runs = [
        list(run) for lost, run in itertools.groupby(ledger, key=lambda entry: entry[1] in {"failed", "missed"}) if lost
    ]
    longest = max(runs, key=len, default=None)
    return PeriodCoverage(
        period=period,
        counts=Coverage(
            account=model.account.name,
            due=len(ledger),
            stored=outcomes["stored"],
            thinned=outcomes["thinned"],
            failed=outcomes["failed"],
            missed=outcomes["missed"],
        ),
        failed_by=Counter(str(reason) for _, outcome, reason in ledger if outcome == "failed"),
        missed_by=Counter(str(reason) for _, outcome, reason in ledger if outcome == "missed"),
        longest_gap=LostTicks(start_at=longest[0][0], last_due_at=longest[-1][0], ticks=len(longest))
        if longest
        else None,
    )


BETWEEN_TICKS: list[Event] = [("restart", 0, 150), ("missed", MissReason.SUSPENDED, 3)]


@quickly
@example(BETWEEN_TICKS, 61, 0)
@given(events, lengths, st.integers(min_value=-100, max_value=100))
def test_each_period_is_what_counting_by_hand_gives(
    database_url: str, life: list[Event], length: int, shift: int
) -> None:
    """Ranges, failures, thinned snapshots and gaps are cut where the period ends, and nothing is counted twice."""
    model = lived(database_url, life)
    start = min(model.said) + shift
    spans = [Period(name="", start_s=at, end_s=at + length) for at in range(start, model.clock + 100, length)]
    with reading(database_url) as connection:
        found = period_coverage(connection, model.account, spans, now_s=database_now(connection))
        span = due_span(connection, model.account, now_s=model.clock + 100)
    said = [(0, None), *sorted(model.said.items())]
    # An account that is said to be removed a second time was removed the first time.
    changed = [at for (_, before), (at, after) in itertools.pairwise(said) if before != after]
    assert span == ((changed[0], changed[-1]) if changed else None)
    assert found == [counted(model, span) for span in spans]


def test_the_open_end_counts_until_now(database_url: str) -> None:
    """A daemon that died is seen in the coverage, not only in the age of the last row."""
    now = int(time.time()) // 60 * 60
    with recorder(database_url) as writer:
        model = Life(writer=writer, account=register(writer), clock=now - 3600)
        model.restart(0, 60)
        model.stored(10)
    whole = Period(name="all", start_s=now - 3600, end_s=now + 1)
    with reading(database_url) as connection:
        [row] = period_coverage(connection, model.account, [whole], now_s=now)
        assert period_coverage(connection, model.account, [], now_s=now) == []
    assert (row.counts.due, row.counts.stored, row.counts.missed) == (59, 10, 49)
    assert row.missed_by == {"not_running": 49}
    assert row.longest_gap == LostTicks(start_at=now - 3000, last_due_at=now - 120, ticks=49)


@pytest.mark.parametrize(
    ("failed", "percent", "below"),
    [(0, "100", False), (1, "99.9", False), (2, "99.9", True), (1, "99.91", True), (1000, "0", False)],
)
def test_a_percentage_is_never_rounded_up(failed: int, percent: str, below: bool) -> None:  # noqa: FBT001
    """999 of 1000 are 99.9 % and not 99.91 %."""
    counts = Coverage(account="main", due=1000, stored=1000 - failed, thinned=0, failed=failed, missed=0)
    period = Period(name="all", start_s=0, end_s=1)
    row = PeriodCoverage(period=period, counts=counts, failed_by={}, missed_by={}, longest_gap=None)
    assert row.below(Decimal(percent)) is below


def runs_by_hand(due: Sequence[int], kept: set[int]) -> list[tuple[int, int, int]]:
    """First, last and number of each run of instants that are not kept."""
    grouped = itertools.groupby(due, key=lambda t: t in kept)
    runs = [list(run) for is_kept, run in grouped if not is_kept]
    return [(run[0], run[-1], len(run)) for run in runs]


@given(st.sets(st.integers(min_value=0, max_value=60)), st.integers(min_value=0, max_value=40), st.integers(0, 60))
def test_lost_runs_are_what_no_answer_keeps(kept: set[int], change_at: int, end: int) -> None:
    """Also where the interval changes, and where something off the grid lies between."""
    schedule = [ScheduleEntry(from_at=0, interval_s=3), ScheduleEntry(from_at=change_at, interval_s=2)]
    due = [t for t in range(end) if t % (3 if t < change_at else 2) == 0]
    ranges = [TickRange(start_at=t, last_due_at=t, interval_s=1) for t in sorted(kept)]
    found = lost_runs(schedule, ranges, 0, end)
    # An answer between two lost ticks parts them even when it is off the grid; the naive runs know only the grid.
    assert sum(run.ticks for run in found) == len([t for t in due if t not in kept])
    of_grid = [TickRange(start_at=t, last_due_at=t, interval_s=1) for t in due if t in kept]
    exact = lost_runs(schedule, of_grid, 0, end)
    assert [(run.start_at, run.last_due_at, run.ticks) for run in exact] == runs_by_hand(due, kept)
    assert due_between(schedule, 0, end) == len(due)


def test_days_are_cut_at_their_own_midnight(database_url: str) -> None:
    """A gap over midnight belongs to both days, each to its part."""
    midnight = int(time.time()) // 86_400 * 86_400 - 86_400
    with recorder(database_url) as writer:
        model = Life(writer=writer, account=register(writer), clock=midnight - 600)
        model.restart(0, 60)
        model.stored(8)
        model.restart(420, 60)
        model.stored(1)
        model.restart(0, None)
    days = list(periods(Every.DAY, midnight - 600, midnight + 600, UTC))
    with reading(database_url) as connection:
        before, after = period_coverage(connection, model.account, days, now_s=midnight + 86_400)
    assert (before.counts.due, before.counts.stored, before.counts.missed) == (10, 8, 2)
    assert before.longest_gap == LostTicks(start_at=midnight - 120, last_due_at=midnight - 60, ticks=2)
    assert after.longest_gap == LostTicks(start_at=midnight, last_due_at=midnight + 240, ticks=5)
    assert after.counts.missed == 5
