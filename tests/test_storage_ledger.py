"""The ledger over random lives: each due instant has exactly one answer, and the views count as a child would."""

import itertools
import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from collector.domain.records import Coverage, Gap
from collector.domain.ticks import FailReason, MissReason
from collector.storage import ledger, registry
from collector.storage.engine import inspecting
from collector.storage.reader import Reader
from tests.ledgers import recorder, register, rows
from tests.lives import Event, Life, answers_in, events, intervals

Answer = TypeVar("Answer")
numbers = itertools.count()
lives = settings(max_examples=40)


LONGEST_S = 25_000


@st.composite
def whole_lives(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """A life long past, and how it ended: a last start some seconds ago and a few ticks, or nothing."""
    last_start = st.tuples(st.just("restart"), st.integers(min_value=0, max_value=400), intervals)
    last_ticks = st.tuples(st.just("stored"), st.just(1)) | st.tuples(st.just("failed"), st.just(FailReason.TLS))
    ending = draw(st.none() | last_start)
    return draw(events), [ending, *draw(st.lists(last_ticks, max_size=3))] if ending else []


def lived(url: str, life: list[Event], ending: list[Event]) -> Life:
    """An account of its own that went through all this."""
    with recorder(url) as writer:
        now = int(time.time())
        model = Life(writer=writer, account=register(writer, f"life {next(numbers)}"), clock=now - LONGEST_S)
        model.live(life)
        if ending:
            (_, seconds_ago, interval_s), *ticks = ending
            model.restart(now - seconds_ago - model.clock, interval_s)
            model.go_through(ticks)
        return model


def at_one_moment(connection: Connection, question: Callable[[], Answer]) -> tuple[int, Answer]:
    """An answer and the second of the database's clock in which it was given."""
    postgresql = connection.dialect.name == "postgresql"
    clock = (
        "CAST(floor(extract(epoch FROM now())) AS bigint)" if postgresql else "CAST(strftime('%s', 'now') AS INTEGER)"
    )
    for _ in range(20):
        [(before,)] = rows(connection, f"SELECT {clock}")
        answer = question()
        if rows(connection, f"SELECT {clock}") == [(before,)]:
            return int(before), answer
    raise AssertionError("the clock ran on in each of twenty tries")


@lives
@given(whole_lives())
def test_each_due_instant_has_exactly_one_answer(database_url: str, life: tuple[list[Event], list[Event]]) -> None:
    """The third promise: whatever happened, SQL says of each due instant what became of it, once."""
    model = lived(database_url, *life)
    expected = sorted((t, *answer) for t, answer in model.answers.items())
    with inspecting(database_url) as connection:
        assert answers_in(connection, model.account.id) == expected


@lives
@given(whole_lives())
def test_gaps_and_coverage_are_what_counting_by_hand_gives(
    database_url: str, life: tuple[list[Event], list[Event]]
) -> None:
    """The views find by key seeks and arithmetic what the model finds by walking over every second."""
    model = lived(database_url, *life)
    with inspecting(database_url) as connection:
        now, seen = at_one_moment(
            connection,
            lambda: (
                ledger.gaps(Reader.over(connection), model.account),
                ledger.coverage(Reader.over(connection), model.account),
            ),
        )
    outcomes = [outcome for _, outcome, _ in model.ledger(now)]
    stored, thinned, failed, missed = (outcomes.count(o) for o in ("stored", "thinned", "failed", "missed"))
    covered = Coverage(
        account=model.account.name, due=len(outcomes), stored=stored, thinned=thinned, failed=failed, missed=missed
    )
    assert seen == (model.gaps(now), [covered])


def test_pruned_snapshots_still_part_the_losses_beside_them(database_url: str) -> None:
    """Thinning a history must not turn two short gaps into a long one."""
    life = [("stored", 1), ("failed", FailReason.TLS), ("stored", 2), ("missed", MissReason.PAUSED, 2), ("stored", 1)]
    model = lived(database_url, [*life, ("thin", 1000), ("stored", 1)], [])
    with inspecting(database_url) as connection:
        found = ledger.gaps(Reader.over(connection), model.account)
    assert [(gap.ticks, gap.reasons, gap.open) for gap in found[:2]] == [(1, ("tls",), False), (2, ("paused",), False)]


def test_a_tick_is_lost_two_minutes_after_it_was_due(database_url: str) -> None:
    """Until then it may still be under way; a dead daemon is seen soon after, without the daemon."""
    start = int(time.time())
    with recorder(database_url) as writer:
        due = {}
        for at in range(start - 130, start - 110):
            interval_s = next((i for i in range(131, 86_401) if at % i == 0), None)
            if interval_s is not None:
                account = register(writer, f"due at {at}")
                due[account.id] = at
                with writer.transaction() as connection:
                    registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=at - 1)
    with inspecting(database_url) as connection:
        now, covered = at_one_moment(
            connection, lambda: rows(connection, "SELECT account_id, due, missed FROM coverage")
        )
    expected = {(account_id, int(at <= now - 120)) for account_id, at in due.items()}
    assert {(account_id, seen) for account_id, seen, _ in covered} == expected
    assert {(account_id, missed) for account_id, _, missed in covered} == expected


def test_a_tick_of_a_short_interval_is_lost_after_two_of_them(database_url: str) -> None:
    """With an interval of one second nobody wants to wait two minutes for bad news."""
    start = int(time.time()) - 5
    with recorder(database_url) as writer:
        account = register(writer)
        with writer.transaction() as connection:
            registry.open_ledger(connection, account.id, interval_s=1, now_s=start)
    with inspecting(database_url) as connection:
        now, found = at_one_moment(connection, lambda: ledger.open_gap(Reader.over(connection), account))
    assert found == Gap(
        account="main",
        start_at=start,
        last_due_at=now - 2,
        ticks=now - start - 1,
        failed=0,
        missed=now - start - 1,
        reasons=("not_running",),
        open=True,
    )
