"""A ledger that was written under a clock that ran ahead, brought back to the present."""

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.audit import Problem
from collector.domain.records import Account
from collector.domain.ticks import MissReason, TickRange
from collector.storage import accounts, registry
from collector.storage.comeback import bring_back
from collector.storage.reader import Reader
from collector.storage.record import Recorder
from collector.storage.verify import problems_in
from tests.ledgers import T0, record, recorder, register, rows, stored
from tests.lives import INTERVALS, Event, Life, events

YEAR = 365 * 86_400
numbers = itertools.count()


def start(writer: Recorder, account: Account, interval_s: int | None, now_s: int) -> None:
    """A daemon starts, and opens the ledger."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)


def back(
    writer: Recorder, account: Account, interval_s: int | None, now_s: int, reached_s: int | None = None
) -> list[tuple[int, int, int]]:
    """What is answered of the future, as seconds after T0, once the ledger is back at `now_s`."""
    with writer.transaction() as connection:
        found = bring_back(connection, account.id, interval_s=interval_s, now_s=now_s, reached_s=reached_s)
    return [(ticks.start_at - T0, ticks.last_due_at - T0, ticks.interval_s) for ticks in found]


def missed(writer: Recorder) -> list[tuple[int, int, int, str]]:
    """Every range of missed ticks: first and last as seconds after T0, interval, reason."""
    with writer.transaction() as connection:
        found = rows(connection, "SELECT start_at, last_due_at, interval_s, reason FROM missed ORDER BY start_at")
    return [(_s(first) - T0, _s(last) - T0, interval_s, reason) for first, last, interval_s, reason in found]


def schedule(writer: Recorder, account: Account) -> list[tuple[int, int | None]]:
    """The schedule, its instants as seconds after T0."""
    with writer.transaction() as connection:
        return [
            (entry.from_at - T0, entry.interval_s)
            for entry in accounts.schedule_of(Reader.over(connection), account.id)
        ]


def problems(writer: Recorder, account: Account) -> list[Problem]:
    """Whatever `verify` finds."""
    with writer.transaction() as connection:
        return list(problems_in(connection, [account], whole=False, counts=Counter(), show=lambda _what, _share: None))


def _s(instant: object) -> int:
    return instant if isinstance(instant, int) else int(instant.timestamp())  # type: ignore[attr-defined]


def jumped(writer: Recorder, account: Account) -> None:
    """Collected at T0, then the clock was set forward by a year and one more tick was collected."""
    start(writer, account, 60, T0)
    record(writer, stored(account, T0))
    skipped = TickRange(start_at=T0 + 60, last_due_at=T0 + YEAR - 60, interval_s=60)
    writer.record_missed(account.id, skipped, MissReason.CLOCK_STEP)
    record(writer, stored(account, T0 + YEAR))


def test_a_year_that_never_was_is_collected_after_all(database_url: str) -> None:
    """Each tick takes its own instant out of the range; the snapshot of the wrong time stays where it is."""
    with recorder(database_url) as writer:
        jumped(writer, account := register(writer))
        assert back(writer, account, 60, T0 + 100) == [(YEAR, YEAR, 60)]
        assert missed(writer) == [(60, YEAR - 60, 60, "clock_step")]
        assert schedule(writer, account) == [(0, 60)]
        record(writer, stored(account, T0 + 120))
        assert missed(writer) == [(60, 60, 60, "clock_step"), (180, YEAR - 60, 60, "clock_step")]
        assert problems(writer, account) == []


def test_downtime_until_a_wrong_instant_needs_no_second_answer(database_url: str) -> None:
    """The instants up to it are missed already, so a daemon that was away closes no gap twice."""
    with recorder(database_url) as writer:
        jumped(writer, account := register(writer))
        back(writer, account, 60, T0 + 100)
        start(writer, account, 60, T0 + 7200)
        assert back(writer, account, 60, T0 + 7200) == [(YEAR, YEAR, 60)]
        assert missed(writer) == [(60, YEAR - 60, 60, "clock_step")]
        assert problems(writer, account) == []


def test_a_first_start_under_a_clock_that_ran_ahead_is_taken_back(database_url: str) -> None:
    """The account was never due before; from now on it is."""
    with recorder(database_url) as writer:
        start(writer, account := register(writer), 60, T0 + YEAR)
        record(writer, stored(account, T0 + YEAR))
        assert back(writer, account, 60, T0 + 1) == [(YEAR, YEAR, 60)]
        assert schedule(writer, account) == [(1, 60)]
        assert missed(writer) == [(60, YEAR - 60, 60, "clock_step")]
        assert problems(writer, account) == []


def test_what_was_only_missed_in_the_future_is_forgotten(database_url: str) -> None:
    """Nothing came of the wrong time; what was lost before the present keeps its reason."""
    with recorder(database_url) as writer:
        start(writer, account := register(writer), 60, T0)
        start(writer, account, 60, T0 + YEAR)
        assert back(writer, account, 60, T0 + 100) == []
        assert missed(writer) == [(0, 60, 60, "not_running")]
        assert problems(writer, account) == []


def test_a_tick_under_way_is_waited_for(database_url: str) -> None:
    """Its answer still comes, at an instant of the future; until then that instant is missed."""
    with recorder(database_url) as writer:
        start(writer, account := register(writer), 60, T0)
        assert back(writer, account, 60, T0 + 100, reached_s=T0 + 600) == []
        assert missed(writer) == [(120, 600, 60, "clock_step")]
        record(writer, stored(account, T0 + 600))
        assert missed(writer) == [(120, 540, 60, "clock_step")]


def test_another_interval_holds_from_now_to_what_is_answered(database_url: str) -> None:
    """The ticks of the wrong time were due by the interval of then, all others by the one of now."""
    with recorder(database_url) as writer:
        jumped(writer, account := register(writer))
        assert back(writer, account, 7, T0 + 100) == [(YEAR, YEAR, 60), (YEAR, YEAR, 1)]
        assert schedule(writer, account) == [(0, 60), (100, 7), (YEAR, 60), (YEAR + 1, 7)]
        (first, *_), (then, until, interval_s, _) = missed(writer)
        assert (first, interval_s) == (60, 7)
        assert (then >= 100, until < YEAR, until >= YEAR - 7) == (True, True, True)
        assert problems(writer, account) == []


def test_an_account_that_was_taken_out_is_due_no_more(database_url: str) -> None:
    """Neither now nor until the instant of the wrong time."""
    with recorder(database_url) as writer:
        jumped(writer, account := register(writer))
        back(writer, account, None, T0 + 100)
        assert schedule(writer, account) == [(0, 60), (100, None), (YEAR, 60), (YEAR + 1, None)]
        assert missed(writer) == [(60, 60, 60, "clock_step")]
        assert problems(writer, account) == []


def test_an_account_without_a_schedule_begins_now(database_url: str) -> None:
    """It had snapshots by hand only, and these are nobody's ticks."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0 + YEAR, interval_s=None))
        assert back(writer, account, 60, T0) == []
        assert (schedule(writer, account), missed(writer)) == ([(0, 60)], [])


@settings(max_examples=25)
@given(
    life=events,
    back_s=st.integers(min_value=1, max_value=1500),
    interval_s=st.none() | st.sampled_from(INTERVALS),
    again_s=st.integers(min_value=0, max_value=1500),
)
def test_whatever_happened_the_books_balance(
    database_url: str, life: list[Event], back_s: int, interval_s: int | None, again_s: int
) -> None:
    """No instant lacks its answer and none has two: after the return, the ticks that follow, and another start."""
    with recorder(database_url) as writer:
        model = Life(writer=writer, account=register(writer, f"life {next(numbers)}"), clock=T0)
        model.live(life)
        now_s = model.clock - back_s
        answered = back(writer, model.account, interval_s, now_s)
        assert problems(writer, model.account) == []
        taken = {at + T0 for first, last, step in answered for at in range(first, last + 1, step)}
        following = range(now_s + -now_s % interval_s, now_s + 4 * interval_s, interval_s) if interval_s else ()
        for due_at in set(following) - taken:
            record(writer, stored(model.account, due_at, interval_s=interval_s))
        assert problems(writer, model.account) == []
        now_s += (4 * interval_s if interval_s else 0) + again_s
        back(writer, model.account, 60, now_s)
        assert problems(writer, model.account) == []
