"""What the database knows of an account: scope, schedule, the end of its ledger, stops, waits and runs."""

import pytest

from collector.domain.records import Account, Run, Wait
from collector.domain.ticks import FailReason, MissReason, ScheduleEntry, TickRange
from collector.errors import ConfigError
from collector.storage import accounts, registry
from collector.storage.reader import Reader
from collector.storage.record import Recorder
from collector.storage.schema import thinned
from tests.ledgers import T0, failed, record, recorder, register, stored


def opened(writer: Recorder, account: Account, interval_s: int | None, now_s: int) -> list[TickRange]:
    """Open the ledger as a daemon does when it starts; what was lost."""
    with writer.transaction() as connection:
        return registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)


def schedule(writer: Recorder, account: Account) -> list[tuple[int, int | None]]:
    """The schedule, its instants as seconds after T0."""
    with writer.transaction() as connection:
        entries = accounts.schedule_of(Reader.over(connection), account.id)
    return [(entry.from_at - T0, entry.interval_s) for entry in entries]


def after_t0(*ticks: TickRange) -> list[tuple[int, int, int]]:
    """First and last instant as seconds after T0, and the interval."""
    return [(t.start_at - T0, t.last_due_at - T0, t.interval_s) for t in ticks]


def test_an_account_is_registered_once(database_url: str) -> None:
    """A restart finds the history that it left."""
    with recorder(database_url) as writer:
        first = register(writer, "币安 \"main\" 'x'", now_s=T0)
        assert first == Account(
            id=first.id,
            name="币安 \"main\" 'x'",
            created_at_ms=T0 * 1000,
            asset_scope=None,
            key_fingerprint=None,
            stopped_at_ms=None,
            stop_reason=None,
            probe_at_ms=None,
        )
        assert register(writer, first.name, now_s=T0 + 999) == first
        other = register(writer, "MAIN", asset_scope="BTC")
        with writer.transaction() as connection:
            assert accounts.every_account(Reader.over(connection)) == [first, other]
            assert accounts.find(Reader.over(connection), "MAIN") == other
            assert accounts.find(Reader.over(connection), "main") is None


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (None, "BTC", "account 'main' has been collected for all assets, the configuration now says BTC: "),
        ("BTC", None, "account 'main' has been collected for BTC, the configuration now says all assets: "),
        ("BTC", "ETH", "account 'main' has been collected for BTC, the configuration now says ETH: "),
    ],
)
def test_a_scope_is_fixed_by_the_first_tick(database_url: str, was: str | None, becomes: str | None, said: str) -> None:
    """A portfolio that shrinks to one asset looks like everything was sold."""
    with recorder(database_url) as writer:
        account = register(writer, asset_scope=was)
        record(writer, failed(account, T0))
        with pytest.raises(ConfigError) as caught:
            register(writer, asset_scope=becomes)
        assert str(caught.value).startswith(said)
        assert register(writer, asset_scope=was) == account


def test_a_scope_may_change_before_the_first_tick(database_url: str) -> None:
    """Who corrects the configuration at once need not invent another name."""
    with recorder(database_url) as writer:
        register(writer, asset_scope="BTC")
        assert register(writer, asset_scope="ETH").asset_scope == "ETH"
        assert register(writer, asset_scope=None).asset_scope is None


def test_at_first_sight_nothing_is_lost(database_url: str) -> None:
    """An account is due from the moment on in which it is first seen."""
    with recorder(database_url) as writer:
        account = register(writer)
        assert opened(writer, account, 300, T0 + 60) == []
        assert schedule(writer, account) == [(60, 300)]
        with writer.transaction() as connection:
            assert accounts.newest_answer(Reader.over(connection), account.id) is None


def test_a_restart_before_the_first_tick_loses_what_was_due_meanwhile(database_url: str) -> None:
    """Nothing was ever recorded, and yet something was due."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 300, T0 + 60)
        lost = opened(writer, account, 300, T0 + 901)
        assert after_t0(*lost) == [(300, 900, 300)]
        assert schedule(writer, account) == [(60, 300)]


def test_an_instant_is_not_lost_in_its_own_second(database_url: str) -> None:
    """Who starts at 12:05:00 can still try the tick of 12:05."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 300, T0 + 60)
        assert after_t0(*opened(writer, account, 300, T0 + 600)) == [(300, 300, 300)]


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (300, 60, [(600, 900, 300)]),
        (60, 300, [(360, 960, 60)]),
        (60, 7, [(360, 960, 60)]),
        (60, None, [(360, 960, 60)]),
    ],
)
def test_what_was_due_follows_the_interval_of_its_time(
    database_url: str, before: int, after: int | None, lost: list[tuple[int, int, int]]
) -> None:
    """Without the schedule a tick lost at a change of the interval can't be seen, or one is invented."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, before, T0)
        record(writer, stored(account, T0 + 300, interval_s=before))
        assert after_t0(*opened(writer, account, after, T0 + 1000)) == lost
        assert schedule(writer, account) == [(0, before), (1000, after)]
        assert opened(writer, account, after, T0 + 1000) == []


def test_an_account_that_was_taken_out_is_not_due_until_it_returns(database_url: str) -> None:
    """Removed is not the same as down."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0)
        assert after_t0(*opened(writer, account, None, T0 + 61)) == [(0, 60, 60)]
        assert opened(writer, account, None, T0 + 500) == []
        assert opened(writer, account, 60, T0 + 1000) == []
        assert after_t0(*opened(writer, account, 60, T0 + 1100)) == [(1020, 1080, 60)]
        assert schedule(writer, account) == [(0, 60), (61, None), (1000, 60)]


def test_a_paused_account_stays_due(database_url: str) -> None:
    """Its ticks are missed for a reason of their own, and a restart goes on after them."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0)
        paused = TickRange(start_at=T0, last_due_at=T0 + 240, interval_s=60)
        writer.record_missed(account.id, paused, MissReason.PAUSED)
        assert after_t0(*opened(writer, account, 60, T0 + 400)) == [(300, 360, 60)]


def test_the_last_start_in_a_second_decides(database_url: str) -> None:
    """Two starts in one second leave one row, and the key of the schedule is not violated."""
    with recorder(database_url) as writer:
        account = register(writer)
        for interval_s in (60, 300, None, 7):
            opened(writer, account, interval_s, T0 + 1)
        assert schedule(writer, account) == [(1, 7)]
        opened(writer, account, None, T0 + 1)
        assert schedule(writer, account) == []


def test_a_change_in_the_second_of_a_tick_comes_after_it(database_url: str) -> None:
    """The tick was due by the interval of then; the books would not balance if it no longer were."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0)
        record(writer, stored(account, T0))
        opened(writer, account, None, T0)
        assert schedule(writer, account) == [(0, 60), (1, None)]


def test_a_clock_that_was_set_back_changes_nothing_that_is_answered(database_url: str) -> None:
    """A first start under a clock one hour ahead must not turn what was answered then into what never was due."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0 + 3600)
        record(writer, stored(account, T0 + 3600))
        assert opened(writer, account, 300, T0) == []
        assert schedule(writer, account) == [(3600, 60), (3601, 300)]


def test_a_clock_that_was_set_back_before_any_tick_is_forgotten(database_url: str) -> None:
    """Nothing was answered under the wrong clock, so the right one holds at once."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0 + 86_400)
        opened(writer, account, 60, T0)
        assert schedule(writer, account) == [(0, 60)]


def test_the_newest_answer_is_the_newest_of_all_kinds(database_url: str) -> None:
    """A manual snapshot answers for no tick; a range answers for its last one."""
    with recorder(database_url) as writer:
        account = register(writer)

        def newest() -> int | None:
            with writer.transaction() as connection:
                return accounts.newest_answer(Reader.over(connection), account.id)

        record(writer, failed(account, T0 + 60))
        record(writer, stored(account, T0 + 70, interval_s=None))
        assert newest() == T0 + 60
        writer.record_missed(
            account.id, TickRange(start_at=T0 + 120, last_due_at=T0 + 300, interval_s=60), MissReason.PAUSED
        )
        record(writer, stored(account, T0 + 60))
        assert newest() == T0 + 300
        with writer.transaction() as connection:
            pruned = {"start_at": T0 + 360, "last_due_at": T0 + 420, "interval_s": 60, "ticks": 2}
            connection.execute(thinned.insert().values(account_id=account.id, **pruned))
        assert newest() == T0 + 420


def test_ledgers_are_apart(database_url: str) -> None:
    """What one account lost is not another's."""
    with recorder(database_url) as writer:
        mine, other = register(writer, "mine"), register(writer, "other")
        opened(writer, mine, 60, T0)
        opened(writer, other, 300, T0)
        record(writer, stored(mine, T0 + 600))
        assert after_t0(*opened(writer, other, 300, T0 + 700)) == [(0, 600, 300)]
        assert after_t0(*opened(writer, mine, 60, T0 + 700)) == [(660, 660, 60)]


def test_a_failing_start_leaves_the_ledger_as_it_was(database_url: str) -> None:
    """The missed range and the new interval come together or not at all."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0)

        def crash() -> None:
            with writer.transaction() as connection:
                registry.open_ledger(connection, account.id, interval_s=300, now_s=T0 + 1000)
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            crash()
        assert schedule(writer, account) == [(0, 60)]
        assert after_t0(*opened(writer, account, 300, T0 + 1000)) == [(0, 960, 60)]


def test_a_stop_survives_a_restart_and_ends(database_url: str) -> None:
    """A wrong key must not be tried again at full speed after each restart."""
    with recorder(database_url) as writer:
        account = register(writer)
        with writer.transaction() as connection:
            registry.note_key(connection, account.id, "a1b2")
            registry.note_stop(
                connection, account.id, stopped_at_ms=T0 * 1000 + 1, reason="bad_signature", probe_at_ms=T0 * 1000 + 2
            )
        stopped = register(writer)
        seen = (stopped.key_fingerprint, stopped.stopped_at_ms, stopped.stop_reason, stopped.probe_at_ms)
        assert seen == ("a1b2", T0 * 1000 + 1, "bad_signature", T0 * 1000 + 2)
        with writer.transaction() as connection:
            registry.note_stop(connection, account.id, stopped_at_ms=None, reason=None, probe_at_ms=None)
        going = register(writer)
        assert (going.key_fingerprint, going.stopped_at_ms, going.stop_reason, going.probe_at_ms) == (
            "a1b2",
            None,
            None,
            None,
        )


def test_a_wait_holds_until_its_last_millisecond(database_url: str) -> None:
    """A ban survives a restart; the newer one of a scope replaces the older."""
    until = T0 * 1000 + 123
    ban = Wait(scope="ip", until_ms=until, reason=FailReason.BANNED)
    busy = Wait(scope="account:main", until_ms=until + 1, reason=FailReason.BUSY)
    with recorder(database_url) as writer, writer.transaction() as connection:
        registry.note_wait(connection, Wait(scope="ip", until_ms=until + 99, reason=FailReason.FIREWALL))
        registry.note_wait(connection, ban)
        registry.note_wait(connection, busy)
        assert sorted(accounts.waits(Reader.over(connection), now_ms=until - 1), key=lambda w: w.scope) == [busy, ban]
        assert accounts.waits(Reader.over(connection), now_ms=until) == [busy]
        assert accounts.waits(Reader.over(connection), now_ms=until + 1) == []


def test_a_run_that_was_killed_never_ended(database_url: str) -> None:
    """Only a daemon that ends by its own will says so; the newest start is the last run."""
    with recorder(database_url) as writer, writer.transaction() as connection:
        assert accounts.last_run(Reader.over(connection)) is None
        registry.note_run(connection, host="a", pid=1, started_at_ms=T0 * 1000, version="0.1")
        registry.note_run(connection, host="b", pid=2, started_at_ms=T0 * 1000 + 1, version="0.2")
        registry.note_run_end(connection, host="a", started_at_ms=T0 * 1000, ended_at_ms=T0 * 1000 + 9)
        killed = Run(host="b", pid=2, started_at_ms=T0 * 1000 + 1, ended_at_ms=None, clean=False, version="0.2")
        assert accounts.last_run(Reader.over(connection)) == killed
        registry.note_run_end(connection, host="b", started_at_ms=T0 * 1000 + 1, ended_at_ms=T0 * 1000 + 10)
        ended = Run(host="b", pid=2, started_at_ms=T0 * 1000 + 1, ended_at_ms=T0 * 1000 + 10, clean=True, version="0.2")
        assert accounts.last_run(Reader.over(connection)) == ended


def test_a_schedule_comes_back_as_it_was_said(database_url: str) -> None:
    """The pure decider gets the values that it is tested with."""
    with recorder(database_url) as writer:
        account = register(writer)
        opened(writer, account, 60, T0)
        opened(writer, account, None, T0 + 1)
        with writer.transaction() as connection:
            entries = accounts.schedule_of(Reader.over(connection), account.id)
    assert entries == [ScheduleEntry(from_at=T0, interval_s=60), ScheduleEntry(from_at=T0 + 1, interval_s=None)]
