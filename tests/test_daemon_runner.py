"""One account's ticks: each gets one answer with the right reason, in order, whatever fails."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from collector.daemon import keeper
from collector.daemon import runner as module
from collector.daemon.runner import AccountRunner
from collector.domain.records import Wait
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.sandbox.faults import Fault
from collector.storage.upkeep import upgrade
from tests.collecting import PATIENCE_S, World, until, waits, words, world
from tests.ledgers import T0, ask
from tests.postgres import PostgresServer

USER_ASSET = "/sapi/v3/asset/getUserAsset"
HOUR_S = 3600
YEAR_MS = 365 * 86_400_000


@pytest.fixture
def one(sqlite_url: str) -> Iterator[World]:
    """An exchange with one account, and an SQLite file."""
    with world(sqlite_url) as made:
        yield made


@pytest.fixture
def two(sqlite_url: str) -> Iterator[World]:
    """An exchange with two accounts, `acct-0001` and `acct-0002`, and an SQLite file."""
    with world(sqlite_url, accounts=2) as made:
        yield made


@pytest.fixture
def each(database_url: str) -> Iterator[World]:
    """An exchange with one account, and a database of each engine."""
    with world(database_url) as made:
        yield made


@pytest.fixture
def pair(database_url: str) -> Iterator[World]:
    """An exchange with two accounts, and a database of each engine."""
    with world(database_url, accounts=2) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts to write follow each other at once."""
    monkeypatch.setattr(keeper, "FIRST_PATIENCE_S", 0.01)
    monkeypatch.setattr(keeper, "LONGEST_PATIENCE_S", 0.02)


def error(code: int, **told: object) -> Fault:
    """The exchange answers with this code."""
    return Fault(kind="error", path=USER_ASSET, code=code, **told)  # type: ignore[arg-type]  # whatever the fault takes


# -- stored, failed, missed


def test_a_tick_is_stored_with_what_the_exchange_held(each: World) -> None:
    """The whole way: asked, read exactly, recorded, told to observers."""
    each.add()
    assert each.tick() == ["main stored"]
    assert each.ledger() == [("main", "+0", "stored")]
    held = {row["asset"]: row["free"] for row in each.exchange.truth("main", T0 * 1000)}
    rows = ask(each.url, "SELECT asset, CAST(free AS TEXT) FROM balance")
    assert dict(rows) == {
        asset: free.replace("0E-8", "0.00000000") for asset, free in held.items() if asset in dict(rows)
    }
    assert len(rows) > 5


def test_a_tick_without_data_is_failed_with_its_reason(each: World) -> None:
    """What was asked in vain is told apart from what was never asked."""
    each.add()
    each.exchange.script(Fault(kind="status", status=503, path=USER_ASSET, last=2))
    assert each.tick() == ["main failed (server_error)"]
    each.clocks.run(60)
    assert each.tick() == ["main stored"]
    assert each.ledger() == [("main", "+0", "failed", "server_error"), ("main", "+60", "stored")]


def test_a_paused_account_is_missed_and_never_asked(each: World) -> None:
    """Its owner said so; the ledger says so too."""
    each.add(paused=True)
    assert each.tick() == ["main missed (paused)"]
    each.clocks.run(60)
    assert each.tick() == ["main missed (paused)"]
    assert each.ledger() == [("main", "+0..60", "missed", "paused")]
    assert each.asked() == 0


@pytest.mark.parametrize(
    ("how", "reason"), [("run", "overrun"), ("set", "clock_step"), ("sleep", "suspended")], ids=["run", "set", "sleep"]
)
def test_a_tick_beyond_its_deadline_is_missed_for_the_reason_of_its_delay(one: World, how: str, reason: str) -> None:
    """Nothing is stored late, and a machine that slept did not overrun."""
    one.add()
    before = one.clocks()
    getattr(one.clocks, how)(60)
    assert one.tick(due_at=T0, since=before) == [f"main missed ({reason})"]
    assert one.ledger() == [("main", "+0..0", "missed", reason)]
    assert one.asked() == 0


def test_a_tick_that_a_clock_set_back_has_put_into_the_future_is_not_asked(one: World) -> None:
    """What is held now must not stand under next year's label."""
    runner = one.add()
    for due_at, back_s in ((T0, 60), (T0 + 60, 121)):
        lined_up = runner.due(due_at, 60, one.clocks())
        one.clocks.set(-back_s)
        one.start(lined_up)
        one.finish()
        one.clocks.set(back_s + 60)
    assert [words(outcome) for outcome in one.seen] == ["main stored", "main missed (clock_step)"]
    assert one.asked() == 1


def test_after_a_return_to_the_present_what_is_answered_is_left_out(one: World) -> None:
    """Its snapshot stays, so asking again would only cost weight."""
    runner = one.add()
    runner.come_back([TickRange(start_at=T0 + 60, last_due_at=T0 + 180, interval_s=60)])
    told = []
    for minute in range(5):
        told.append(one.tick(due_at=T0 + 60 * minute))
        one.clocks.run(60)
    assert told == [["main stored"], [], [], [], ["main stored"]]


def test_a_wait_lasts_as_long_as_before_when_the_clock_is_set(one: World) -> None:
    """A ban of ten minutes, met under a clock a year ahead, would hold for a year and ten minutes."""
    one.shared.waits.hold(wait := Wait(scope="ip", until_ms=(T0 + 600) * 1000, reason=FailReason.BANNED))
    one.shared.waits.keep("ip")
    for by_ms in (-YEAR_MS, 2 * YEAR_MS):
        assert one.shared.waits.clock_was_set(by_ms) == ["ip"]
    assert one.shared.waits.of("account:main") == (replace(wait, until_ms=wait.until_ms + YEAR_MS),)
    one.shared.waits.keep("ip")
    left = waits(one.shared.recorder, one.clocks)
    assert left.of("account:main") == ()  # no ban lasts for a year
    one.clocks.set(YEAR_MS // 1000)
    left = waits(one.shared.recorder, one.clocks)
    assert left.clock_was_set(1000) == []  # it was written by the right clock, and the wrong one is mended now
    assert left.clock_was_set(-1000) == ["ip"]


def test_a_late_tick_is_asked_until_its_deadline(one: World) -> None:
    """A snapshot 59 s after its instant is worth having: captured_at tells."""
    one.add()
    one.clocks.run(59.5)
    assert one.tick(due_at=T0) == ["main stored"]


def test_a_machine_that_sleeps_while_a_tick_waits_for_its_place_is_the_reason(one: World) -> None:
    """The beat was on time, the account's turn was not."""
    hold = threading.Event()
    one.add()
    for _ in range(4):  # every thread is busy
        one.start((0.0, lambda: (hold.wait(PATIENCE_S), None)[1]))
    one.start(one.runners[0].due(T0, 60, one.clocks()))
    one.clocks.sleep(300)
    hold.set()
    one.finish()
    assert one.ledger() == [("main", "+0..0", "missed", "suspended")]


def test_an_account_asks_at_its_place_in_the_window(one: World) -> None:
    """Its deadline moves along: a minute after its own start."""
    late = one.add(offset_ms=50)
    assert one.tick(late) == ["main stored"]
    one.runners[0] = replace_offset(late, 30_000)
    one.clocks.run(60 + 30 + 59.9)
    assert one.tick(due_at=T0 + 60) == ["main stored"]
    one.clocks.run(60.2)
    assert one.tick(due_at=T0 + 120) == ["main missed (overrun)"]


def replace_offset(runner: AccountRunner, offset_ms: int) -> AccountRunner:
    """The same account at another place in the window."""
    return AccountRunner(replace(runner.target, offset_ms=offset_ms), runner._shared)


def test_a_tick_that_comes_due_while_its_predecessor_runs_is_asked_all_the_same(one: World) -> None:
    """An account late in the window has its deadline after the next beat: that is no reason to lose the next tick."""
    runner = one.add()
    one.exchange.script(Fault(kind="latency", seconds=0.3, path=USER_ASSET, last=1))
    one.start(runner.due(T0, 60, one.clocks()))
    until(one.asked)
    one.clocks.run(59)
    assert runner.due(T0 + 60, 60, one.clocks()) is None  # it follows by itself
    one.clocks.run(1)
    one.finish()
    assert one.ledger()[1] == ("main", "+60", "stored")
    assert [outcome.due_at - T0 for outcome in one.seen] == [0, 60]


def test_ranges_and_ticks_of_an_account_are_recorded_in_their_order(each: World) -> None:
    """The newest answer is where a restart goes on: nothing before it may still be missing after a crash."""
    runner = each.add()
    beats = [runner.due(T0, 60, each.clocks())]
    skipped = TickRange(start_at=T0 + 60, last_due_at=T0 + 180, interval_s=60)
    beats.append(runner.passed_over(skipped, MissReason.SUSPENDED))
    each.clocks.run(241)
    beats.append(runner.due(T0 + 240, 60, each.clocks()))
    assert [beat is not None for beat in beats] == [True, False, False]
    each.start(*beats)
    each.finish()
    told = [(outcome.due_at - T0, words(outcome), outcome.detail) for outcome in each.seen]
    assert told == [
        (0, "main missed (overrun)", None),
        (180, "main missed (suspended)", "3 ticks"),
        (240, "main stored", None),
    ]


# -- an account that hangs, a database that is away


def test_an_account_that_hangs_delays_no_other(two: World) -> None:
    """Each tick is stored or failed for its own reason."""
    slow, quick = two.add(0), two.add(1)
    two.exchange.script(Fault(kind="hang", seconds=60, account="acct-0001", path=USER_ASSET, last=1))
    two.start(slow.due(T0, 60, two.clocks()))
    until(two.asked)
    two.start(quick.due(T0, 60, two.clocks()))
    until(lambda: two.seen)
    assert [words(outcome) for outcome in two.seen] == ["acct-0002 stored"]
    two.shared.client.abort()
    two.finish()
    assert [words(outcome) for outcome in two.seen][1:] == ["acct-0001 failed (aborted)"]


def test_a_database_that_is_away_costs_no_tick(caplog: pytest.LogCaptureFixture) -> None:
    """Asking goes on; what was received waits in the spool, and is in the ledger when the database is back."""
    with PostgresServer() as server:
        url = server.url(server.create_database())
        upgrade(url)
        with world(url, accounts=2) as both:
            both.add(0)
            both.add(1)
            assert sorted(both.tick()) == ["acct-0001 stored", "acct-0002 stored"]
            server.stop("immediate")
            for _ in range(2):
                both.clocks.run(60)
                assert sorted(both.tick()) == ["acct-0001 stored", "acct-0002 stored"]
            assert [outcome.spooled for outcome in both.seen] == [False] * 2 + [True] * 4
            assert caplog.text.count("what arrives is kept in the spool") == 1
            server.start()
            both.caught_up()
            until(lambda: "the database can be written again: 4 answers came from the spool" in caplog.text)
            both.clocks.run(60)
            both.tick()
            assert [outcome.spooled for outcome in both.seen[6:]] == [False] * 2
            assert both.ledger() == [
                (name, f"+{at}", "stored") for name in ("acct-0001", "acct-0002") for at in (0, 60, 120, 180)
            ]
    assert "postgres@" not in caplog.text


def test_a_full_spool_is_the_reason_when_nothing_is_asked(one: World) -> None:
    """What could be kept nowhere is not asked for, and the ledger says so later."""
    one.add()
    one.shared.keeper._spool._max_bytes = 1
    ask(one.url, "ALTER TABLE tick RENAME TO gone")
    assert one.tick() == ["main stored"]
    for _ in range(3):
        one.clocks.run(60)
        assert one.tick() == ["main missed (spool_full)"]
    ask(one.url, "ALTER TABLE gone RENAME TO tick")
    one.caught_up()
    one.clocks.run(60)
    assert one.tick() == ["main stored"]
    assert one.ledger() == [
        ("main", "+0", "stored"),
        ("main", "+60..180", "missed", "spool_full"),
        ("main", "+240", "stored"),
    ]
    assert one.asked() == 2


def test_a_reply_that_the_database_refuses_for_good_is_failed_and_told(
    each: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours must neither block the account for ever nor leave a hole in the ledger."""
    each.add()
    table = "CREATE TRIGGER bug BEFORE INSERT ON balance BEGIN SELECT RAISE(ABORT, 'a CHECK that fails'); END"
    if each.url.startswith("postgresql"):
        table = "ALTER TABLE balance ADD CONSTRAINT bug CHECK (asset = 'NONE')"
    ask(each.url, table)
    assert each.tick() == ["main failed (bad_reply)"]
    assert str(each.seen[0].detail).startswith("the reply could not be stored and is in quarantine: database ")
    assert "account main: this is a bug, please report it" in caplog.text
    amounts = [row["free"] for row in each.exchange.truth("main", T0 * 1000) if len(row["free"]) > 5]
    assert amounts
    assert not [amount for amount in amounts if amount in caplog.text]
    ask(each.url, "DROP TRIGGER bug" if "CREATE" in table else "ALTER TABLE balance DROP CONSTRAINT bug")
    each.clocks.run(60)
    assert each.tick() == ["main stored"]
    assert each.ledger() == [("main", "+0", "failed", "bad_reply"), ("main", "+60", "stored")]


def test_a_range_that_the_database_refuses_for_good_blocks_nothing(
    each: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told as the bug that it is, and the next tick comes."""
    runner = each.add()
    refuse = "CREATE TRIGGER bug BEFORE INSERT ON missed BEGIN SELECT RAISE(ABORT, 'a CHECK that fails'); END"
    if each.url.startswith("postgresql"):
        refuse = "ALTER TABLE missed ADD CONSTRAINT bug CHECK (ticks = 0)"
    ask(each.url, refuse)
    ticks = TickRange(start_at=T0 - 120, last_due_at=T0 - 60, interval_s=60)
    each.start(runner.passed_over(ticks, MissReason.OVERRUN), runner.due(T0, 60, each.clocks()))
    each.finish()
    assert each.ledger() == [("main", "+0", "stored")]
    assert "account main: this is a bug, please report it" in caplog.text


def test_a_bug_while_a_reply_is_handled_costs_one_tick(
    one: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick has its answer all the same, and the log has what is needed to mend it."""
    one.add()
    with monkeypatch.context() as patched:
        patched.setattr(module, "fetch", lambda *_: 1 / 0)
        assert one.tick() == ["main failed (bad_reply)"]
    assert one.seen[0].detail == "the reply could not be stored: this is a bug, and the log says more"
    assert "ZeroDivisionError" in caplog.text
    one.clocks.run(60)
    assert one.tick() == ["main stored"]


# -- what failures mean for the next tick


def test_a_wrong_signature_stops_the_account_at_once_until_its_owner_mends_it(
    pair: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once, probed once an hour, and resumed by itself when the key works again; others go on."""
    caplog.set_level(logging.WARNING)
    bad, _ = pair.add(0), pair.add(1)
    pair.exchange.script(replace(error(-1022), account="acct-0001", last=2))
    assert sorted(pair.tick()) == ["acct-0001 failed (bad_signature)", "acct-0002 stored"]
    known = pair.account(bad)
    assert (known.stopped_at_ms, known.stop_reason) == (T0 * 1000, "bad_signature")
    assert known.probe_at_ms == (T0 + HOUR_S) * 1000

    pair.clocks.run(60)
    assert sorted(pair.tick()) == ["acct-0001 missed (account_stopped)", "acct-0002 stored"]
    pair.clocks.run(HOUR_S - 60)
    assert pair.tick(bad) == ["acct-0001 failed (bad_signature)"]  # the probe
    known = pair.account(bad)
    assert (known.stopped_at_ms, known.probe_at_ms) == (T0 * 1000, (T0 + 2 * HOUR_S) * 1000)
    pair.clocks.run(60)
    assert pair.tick(bad) == ["acct-0001 missed (account_stopped)"]
    pair.clocks.run(HOUR_S - 60)
    assert pair.tick(bad) == ["acct-0001 stored"]
    known = pair.account(bad)
    assert (known.stopped_at_ms, known.stop_reason, known.probe_at_ms) == (None, None, None)
    pair.clocks.run(60)
    assert pair.tick(bad) == ["acct-0001 stored"]
    said = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert said == [
        "account acct-0001 is stopped (bad_signature) until its owner mends it; it is probed once an hour",
        "account acct-0001 goes on: its key works again",
    ]


def test_a_refused_key_stops_the_account_after_three_ticks_in_a_row(one: World) -> None:
    """-2015 is seen in passing after bans: one is no reason to stop."""
    one.add()
    one.exchange.script(error(-2015, last=2), error(-2015, first=4, last=6))
    told = []
    for _ in range(7):
        told += one.tick()
        one.clocks.run(60)
    refused = "main failed (key_rejected)"
    assert told == [refused, refused, "main stored", refused, refused, refused, "main missed (account_stopped)"]


def test_a_stop_survives_a_restart(one: World) -> None:
    """A dead key is not hammered on by a supervisor that starts the daemon again and again."""
    runner = one.add()
    one.exchange.script(error(-1022, last=1))
    one.tick()
    one.runners = [AccountRunner(replace(runner.target, account=one.account(runner)), one.shared)]
    one.clocks.run(60)
    assert one.tick() == ["main missed (account_stopped)"]
    one.clocks.run(HOUR_S)
    assert one.tick() == ["main stored"]
    assert one.account(runner).stopped_at_ms is None


def test_a_limit_keeps_everyone_behind_the_address_quiet_until_the_next_minute(
    two: World, caplog: pytest.LogCaptureFixture
) -> None:
    """One more request would turn the limit into a ban."""
    first, second = two.add(0), two.add(1)
    two.clocks.run(20)
    two.exchange.script(Fault(kind="error", path=USER_ASSET, status=429, code=-1003, last=1))
    assert two.tick(first) == ["acct-0001 failed (rate_limited)"]
    assert two.tick(second) == ["acct-0002 missed (waiting)"]
    assert "ip: no requests until 2023-11-14T22:11:00Z (rate_limited)" in caplog.text
    assert two.asked() == 1
    two.clocks.run(39.999)
    assert two.tick(second, due_at=T0) == ["acct-0002 missed (waiting)"]
    two.clocks.run(0.001)
    assert two.tick(first) == ["acct-0001 stored"]


def test_a_ban_is_kept_across_a_restart_and_never_made_shorter(each: World) -> None:
    """Retry-After counts; a shorter wait that comes in later does not end it."""
    runner = each.add()
    each.exchange.script(
        Fault(kind="error", path=USER_ASSET, status=418, code=-1003, retry_after="600", last=1),
    )
    assert each.tick() == ["main failed (banned)"]
    assert ask(each.url, "SELECT scope, reason FROM wait") == [("ip", "banned")]
    shared = replace(each.shared, waits=waits(each.shared.recorder, each.clocks))
    each.runners = [AccountRunner(runner.target, shared)]
    each.clocks.run(540)
    assert each.tick() == ["main missed (waiting)"]
    each.clocks.run(60)
    assert each.tick() == ["main stored"]


def test_a_wait_of_one_account_leaves_the_others_alone(two: World) -> None:
    """Kept under the account's own name, also in the database."""
    two.add(0)
    two.add(1)
    wait = Wait(scope="account:acct-0001", until_ms=(T0 + 60) * 1000, reason=FailReason.BUSY)
    assert two.shared.waits.hold(wait)
    assert not two.shared.waits.hold(replace(wait, until_ms=wait.until_ms - 1))
    two.shared.waits.keep(wait.scope)
    assert sorted(two.tick()) == ["acct-0001 missed (waiting)", "acct-0002 stored"]
    assert ask(two.url, "SELECT scope, reason FROM wait") == [("account:acct-0001", "busy")]


def test_the_longer_of_two_waits_is_what_the_database_keeps(one: World) -> None:
    """Two threads may learn of two waits at once, and write them in the other order."""
    short = Wait(scope="ip", until_ms=(T0 + 60) * 1000, reason=FailReason.RATE_LIMITED)
    long = replace(short, until_ms=(T0 + 600) * 1000, reason=FailReason.BANNED)
    assert one.shared.waits.hold(short)
    assert one.shared.waits.hold(long)
    one.shared.waits.keep("ip")  # by the one that learned of the longer
    one.shared.waits.keep("ip")  # and by the one that learned of the shorter
    assert ask(one.url, "SELECT reason FROM wait") == [("banned",)]


def test_a_ban_holds_at_once_while_the_database_is_away(two: World) -> None:
    """The next request may not wait for the record of the last one; the record comes when the database does."""
    banned, other = two.add(0), two.add(1)
    two.exchange.script(Fault(kind="error", path=USER_ASSET, status=418, code=-1003, retry_after="600", last=1))
    ask(two.url, "ALTER TABLE tick RENAME TO gone")
    assert two.tick(banned) == ["acct-0001 failed (banned)"]
    assert two.tick(other) == ["acct-0002 missed (waiting)"]
    assert ask(two.url, "SELECT scope FROM wait") == []
    ask(two.url, "ALTER TABLE gone RENAME TO tick")
    two.caught_up()
    assert two.ledger() == [
        ("acct-0001", "+0", "failed", "banned"),
        ("acct-0002", "+0..0", "missed", "waiting"),
    ]
    assert ask(two.url, "SELECT scope FROM wait") == [("ip",)]
    assert two.asked() == 1


def test_nothing_is_read_into_a_request_that_was_cut_off(one: World) -> None:
    """The end of the program says nothing about the key."""
    runner = one.add()
    one.exchange.script(Fault(kind="hang", seconds=60, path=USER_ASSET))
    one.start(runner.due(T0, 60, one.clocks()))
    until(one.asked)
    one.shared.client.abort()
    one.finish()
    assert one.ledger() == [("main", "+0", "failed", "aborted")]
    assert one.account(runner).stopped_at_ms is None
    one.clocks.run(60)
    assert one.tick() == ["main missed (not_running)"]  # no request leaves any more


def test_the_database_keeps_the_reaction_only_after_the_tick(one: World) -> None:
    """Rows of one tick come in one order: the tick, then what it means."""
    one.add()
    one.exchange.script(error(-1022, last=1))
    one.tick()
    with one.shared.recorder.transaction() as connection:
        recorded = connection.execute(text("SELECT count(*) FROM tick")).scalar_one()
        stopped = connection.execute(text("SELECT count(*) FROM account WHERE stopped_at IS NOT NULL")).scalar_one()
    assert (recorded, stopped) == (1, 1)
