"""Ranges of missed ticks never give a due instant a second answer."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.records import Account
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.storage.engine import inspecting
from collector.storage.record import Recorder
from tests.ledgers import T0, failed, record, recorder, register, stored
from tests.lives import answers_in

numbers = itertools.count()
PAUSED, OVERRUN, WAITING = MissReason.PAUSED, MissReason.OVERRUN, MissReason.WAITING


def minutes(first: int, last: int | None = None, interval_s: int = 60) -> TickRange:
    """A range of ticks that begins and ends these minutes after T0."""
    last_due_at = T0 + 60 * (first if last is None else last)
    return TickRange(start_at=T0 + 60 * first, last_due_at=last_due_at, interval_s=interval_s)


def ranges(url: str, account: Account) -> list[tuple[int, int, int, int, str]]:
    """First and last minute, interval, ticks and reason of each range."""
    epoch = "CAST(extract(epoch FROM {0}) AS bigint)" if url.startswith("postgresql") else "{0}"
    minute = [f"({epoch.format(name)} - {T0}) / 60" for name in ("start_at", "last_due_at")]
    with inspecting(url) as connection:
        found = connection.exec_driver_sql(
            f"SELECT {', '.join(minute)}, interval_s, ticks, reason FROM missed "
            f"WHERE account_id = {account.id} ORDER BY start_at"
        )
        return [(row[0], row[1], row[2], row[3], row[4]) for row in found]


def miss(writer: Recorder, account: Account, *losses: tuple[TickRange, MissReason]) -> None:
    """Record these ranges one after the other."""
    for ticks, reason in losses:
        writer.record_missed(account.id, ticks, reason)


def test_a_loss_that_goes_on_is_one_range(database_url: str) -> None:
    """A month of pause is one row, extended tick by tick."""
    with recorder(database_url) as writer:
        account = register(writer)
        miss(writer, account, (minutes(0), PAUSED), (minutes(1), PAUSED), (minutes(2, 5), PAUSED))
    assert ranges(database_url, account) == [(0, 5, 60, 6, "paused")]


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        ((minutes(2), OVERRUN), (2, 2, 60, 1, "overrun")),
        ((minutes(3), PAUSED), (3, 3, 60, 1, "paused")),
        ((minutes(5, 10, 300), PAUSED), (5, 10, 300, 2, "paused")),
    ],
    ids=["another reason", "not contiguous", "another interval"],
)
def test_another_loss_is_another_range(
    database_url: str, following: tuple[TickRange, MissReason], expected: tuple[int, int, int, int, str]
) -> None:
    """A range tells one reason, one interval, and leaves nothing out."""
    with recorder(database_url) as writer:
        account = register(writer)
        miss(writer, account, (minutes(0, 1), PAUSED), following)
    assert ranges(database_url, account) == [(0, 1, 60, 2, "paused"), expected]


def test_a_loss_extends_the_range_of_its_own_account_only(database_url: str) -> None:
    """Two accounts that are paused alike have a range each."""
    with recorder(database_url) as writer:
        mine, other = register(writer, "mine"), register(writer, "other")
        miss(writer, mine, (minutes(0), PAUSED))
        miss(writer, other, (minutes(1), PAUSED))
    assert ranges(database_url, mine) == [(0, 0, 60, 1, "paused")]
    assert ranges(database_url, other) == [(1, 1, 60, 1, "paused")]


def test_a_loss_recorded_twice_counts_once(database_url: str) -> None:
    """A write is tried again when its acknowledgement was lost, though it may have been committed."""
    with recorder(database_url) as writer:
        account = register(writer)
        for loss in ((minutes(0), PAUSED), (minutes(1, 3), PAUSED), (minutes(4), WAITING)):
            miss(writer, account, loss, loss)
    assert ranges(database_url, account) == [(0, 3, 60, 4, "paused"), (4, 4, 60, 1, "waiting")]


def test_what_is_known_already_is_not_lost_again(database_url: str) -> None:
    """Under a clock that was set back instants come by twice; the first answer stays."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0 + 120))
        record(writer, failed(account, T0 + 240))
        miss(writer, account, (minutes(5, 6), OVERRUN), (minutes(0, 8), PAUSED))
    assert ranges(database_url, account) == [
        (0, 1, 60, 2, "paused"),
        (3, 3, 60, 1, "paused"),
        (5, 6, 60, 2, "overrun"),
        (7, 8, 60, 2, "paused"),
    ]


def test_a_snapshot_by_hand_does_not_answer_for_a_tick(database_url: str) -> None:
    """The ledger ignores it: the tick was missed all the same."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0 + 60, interval_s=None))
        miss(writer, account, (minutes(0, 2), PAUSED))
    assert ranges(database_url, account) == [(0, 2, 60, 3, "paused")]


@pytest.mark.parametrize(
    ("late", "left"),
    [
        (0, [(1, 4, 60, 4, "paused")]),
        (2, [(0, 1, 60, 2, "paused"), (3, 4, 60, 2, "paused")]),
        (4, [(0, 3, 60, 4, "paused")]),
        (5, [(0, 4, 60, 5, "paused")]),
    ],
)
def test_a_late_tick_splits_the_range_that_it_lands_in(
    database_url: str, late: int, left: list[tuple[int, int, int, int, str]]
) -> None:
    """A request left for it after all; the others stay missed."""
    with recorder(database_url) as writer:
        account = register(writer)
        miss(writer, account, (minutes(0, 4), PAUSED))
        record(writer, stored(account, T0 + 60 * late))
    assert ranges(database_url, account) == left


def test_a_late_tick_replaces_a_range_of_its_own(database_url: str) -> None:
    """Nothing is left of a range of one tick."""
    with recorder(database_url) as writer:
        account = register(writer)
        miss(writer, account, (minutes(1), PAUSED))
        record(writer, failed(account, T0 + 60))
    assert ranges(database_url, account) == []


def test_a_tick_between_the_instants_of_a_range_leaves_it_alone(database_url: str) -> None:
    """12:01 lies within a range of 12:00 to 12:10 by five minutes, but not on it."""
    with recorder(database_url) as writer:
        account = register(writer)
        miss(writer, account, (minutes(0, 10, 300), PAUSED))
        record(writer, stored(account, T0 + 60))
    assert ranges(database_url, account) == [(0, 10, 300, 3, "paused")]


def test_a_snapshot_by_hand_leaves_the_ranges_alone_until_the_grid_adopts_it(database_url: str) -> None:
    """While an account is paused `once` may hit an instant of the grid; only a tick of the grid makes it an answer."""
    with recorder(database_url) as writer:
        account = register(writer)
        miss(writer, account, (minutes(0, 2), PAUSED))
        record(writer, stored(account, T0 + 60, interval_s=None))
        assert ranges(database_url, account) == [(0, 2, 60, 3, "paused")]
        record(writer, failed(account, T0 + 60))
    assert ranges(database_url, account) == [(0, 0, 60, 1, "paused"), (2, 2, 60, 1, "paused")]


moves = st.one_of(
    st.tuples(st.just("missed"), st.integers(0, 12), st.integers(1, 8), st.sampled_from([PAUSED, WAITING])),
    st.tuples(st.just("stored"), st.integers(0, 16)),
    st.tuples(st.just("failed"), st.integers(0, 16)),
    st.tuples(st.just("manual"), st.integers(0, 16)),
)


@settings(max_examples=40)
@given(st.lists(moves, max_size=12))
def test_in_any_order_each_instant_has_one_answer(database_url: str, order: list[tuple[Any, ...]]) -> None:
    """What was tried goes before what was not, a snapshot before a failure, and the first reason before a later one."""
    answers: dict[int, tuple[str, str | None]] = {}
    by_hand: set[int] = set()
    with recorder(database_url) as writer:
        account = register(writer, f"account {next(numbers)}")
        for what, first, *more in order:
            at = T0 + 60 * first
            if what == "missed":
                count, reason = more
                miss(writer, account, (minutes(first, first + count - 1), MissReason(reason)))
                for t in range(at, at + 60 * count, 60):
                    answers.setdefault(t, ("missed", str(reason)))
            elif what == "manual":
                record(writer, stored(account, at, interval_s=None))
                by_hand.add(at)
                if answers.get(at, ("missed",))[0] == "failed":
                    answers[at] = ("stored", None)
            else:
                record(writer, stored(account, at) if what == "stored" else failed(account, at, FailReason.BUSY))
                good = what == "stored" or at in by_hand or answers.get(at) == ("stored", None)
                answers[at] = ("stored", None) if good else ("failed", "busy")
    with inspecting(database_url) as connection:
        assert answers_in(connection, account.id) == sorted((t, *answer) for t, answer in answers.items())
