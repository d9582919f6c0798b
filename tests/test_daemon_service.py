"""The daemon in this process: how it opens its ledgers, watches over itself, and ends."""

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from collector.bootstrap import open_services, open_spool, targets
from collector.daemon import service
from collector.daemon.clock import Reading, read_clocks
from collector.daemon.service import Daemon, _duration
from collector.errors import DatabaseError, LockedError
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from collector.storage import registry
from collector.storage.upkeep import upgrade
from tests.collecting import PATIENCE_S, Manager, configured, settings_of, until, untouched_process
from tests.ledgers import ask, record, recorder, register, stored
from tests.postgres import Databases

USER_ASSET = "/sapi/v3/asset/getUserAsset"
HOUR_S = 3600


class Lock:
    """The database's lock as the daemon sees it; a test says how looking at it ends."""

    def __init__(self) -> None:
        self.checks = 0
        self.check_ends: Callable[[], None] = lambda: None

    def acquire(self) -> None:
        """Nobody else is here."""

    def check(self) -> None:
        """As the test says."""
        self.checks += 1
        self.check_ends()

    def release(self) -> None:
        """Nobody else is here."""


class Bench:
    """A daemon on a database, for an exchange of two accounts."""

    def __init__(self, url: str, exchange: Sandbox, manager: Manager) -> None:
        self.url, self.exchange, self.manager = url, exchange, manager
        self.lock = Lock()
        self.interval_s = HOUR_S
        self.names = [account.name for account in exchange.accounts]
        self.spool = Path(manager.address).with_name("spool")
        self.clocks: Callable[[], Reading] = read_clocks

    def run(self, then: Callable[[], object] = lambda: None) -> None:
        """Run the daemon in this thread; when it is ready do something, and end it with SIGTERM."""
        chosen = [configured(account) for account in self.exchange.accounts if account.name in self.names]
        settings = settings_of(
            self.url,
            *chosen,
            base_url=self.exchange.base_url,
            interval_s=self.interval_s,
            spool=self.spool,
        )
        with open_services(settings) as services, open_spool(settings) as spool:
            daemon = Daemon(
                services=services,
                targets=targets(services, instant_ms=self.clocks().wall_ms),
                spool=spool,
                lock=self.lock,
                version="1.2.3",
                notify_socket=self.manager.address,
                clocks=self.clocks,
            )
            self.recorder = services.recorder
            self.manager.during(daemon.run, then=then)

    def count(self, rows: str) -> int:
        """How many rows there are."""
        return int(ask(self.url, f"SELECT count(*) FROM {rows}")[0][0])

    def asked(self) -> int:
        """How many requests for balances have arrived."""
        return len(self.exchange.requests(path=USER_ASSET))


@pytest.fixture
def bench(sqlite_template: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Bench]:
    """A daemon on SQLite that is not running yet, and its logs from info on."""
    caplog.set_level(logging.INFO, logger="collector")
    shutil.copy(sqlite_template, tmp_path / "bench.db")
    with untouched_process(), Sandbox(2) as exchange:
        yield Bench(f"sqlite:///{tmp_path}/bench.db", exchange, Manager(tmp_path / "notify"))


@pytest.fixture
def on_each(bench: Bench, database_url: str) -> Bench:
    """The same on each engine."""
    bench.url = database_url
    return bench


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks after itself every few milliseconds."""
    monkeypatch.setattr(service, "WATCH_EVERY_S", 0.02)
    monkeypatch.setattr(service, "CHECK_LOCK_EVERY_S", 0.02)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the daemon has logged."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("collector.")]


# -- beginning


def test_it_collects_from_the_announced_tick_on_until_it_is_told_to_end(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """READY after the ledgers are open, a snapshot of each account at each second, STOPPING and a clean end."""
    bench.interval_s = 1
    bench.run(lambda: until(lambda: bench.count("tick WHERE outcome = 'stored'") >= 4))
    assert bench.manager.heard[:2] == ["READY=1", "STOPPING=1"]
    lines = said(caplog)
    assert lines[0].startswith("first tick at 20")
    assert lines[0].endswith((" UTC, in 0 s", " UTC, in 1 s"))
    ending = lines.index("SIGTERM received, ending")
    assert len([line for line in lines[:ending] if " stored: " in line]) >= 3  # the last of four may be said later
    assert all(" stored: " in line for line in lines[ending + 1 :])
    assert ask(bench.url, "SELECT pid, version, clean FROM daemon_run") == [(os.getpid(), "1.2.3", 1)]
    assert bench.count("daemon_run WHERE ended_at >= started_at") == 1
    due, answers = ask(
        bench.url, "SELECT count(DISTINCT due_at), count(*) FROM tick WHERE outcome = 'stored' AND interval_s = 1"
    )[0]
    assert answers >= 4
    assert due in {answers // 2, answers // 2 + 1}


def test_what_was_due_while_nothing_ran_is_missed(on_each: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The gap is closed before anything new is recorded, and said once for each account."""
    on_each.names = ["acct-0001"]
    now_s = int(time.time())
    with recorder(on_each.url) as writer:
        account = register(writer, "acct-0001", now_s=now_s - 6 * HOUR_S)
        with writer.transaction() as connection:
            first = (now_s - 6 * HOUR_S) // HOUR_S * HOUR_S
            registry.open_ledger(connection, account.id, interval_s=HOUR_S, now_s=first)
        record(writer, stored(account, first, interval_s=HOUR_S))
    on_each.run()
    [(reason, ticks)] = ask(on_each.url, "SELECT reason, ticks FROM missed")
    assert (reason, ticks) == ("not_running", (now_s - first) // HOUR_S)
    words = f"account acct-0001: {ticks} ticks were due while nothing was running; recorded as missed (not_running)"
    assert words in said(caplog)
    caplog.clear()
    on_each.run()
    assert "not_running" not in caplog.text


def test_accounts_come_and_go_with_the_configuration(on_each: Bench) -> None:
    """A removed one is no longer due, one that returns is due again: without it a gap would go on for ever."""
    for names in (["acct-0001", "acct-0002"], ["acct-0001"], ["acct-0001", "acct-0002"]):
        on_each.names = names
        on_each.run()
        time.sleep(1.1 - time.time() % 1)  # the schedule has seconds
    rows = ask(
        on_each.url,
        "SELECT name, interval_s FROM schedule JOIN account ON account.id = account_id ORDER BY name, from_at",
    )
    assert rows == [
        ("acct-0001", HOUR_S),
        ("acct-0002", HOUR_S),
        ("acct-0002", None),
        ("acct-0002", HOUR_S),
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (60, "1 min"),
        (192, "3 min 12 s"),
        (3600, "1 h"),
        (3601, "1 h 1 s"),
        (86_399, "23 h 59 min 59 s"),
    ],
)
def test_durations_are_said_as_people_do(seconds: int, words: str) -> None:
    """Whoever starts it wants to know how long to wait for the first tick."""
    assert _duration(seconds) == words


# -- watching over itself


class Shifting:
    """The clocks of this machine, which a test sets or stops."""

    def __init__(self) -> None:
        self.wall_ms = self.asleep_ms = self.readings = 0

    def __call__(self) -> Reading:
        self.readings += 1
        now = read_clocks()
        return Reading(wall_ms=now.wall_ms + self.wall_ms, awake_ms=now.awake_ms, all_ms=now.all_ms + self.asleep_ms)


def test_a_clock_that_is_set_is_told_and_looked_at_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Every label hangs on that clock."""
    bench.clocks = shifting = Shifting()

    def act() -> None:
        readings = shifting.readings
        until(lambda: shifting.readings > readings + 5)  # it watches
        shifting.wall_ms = 90_000
        until(lambda: "the local clock was set by +90.0 s" in said(caplog))
        shifting.wall_ms = 81_700
        until(lambda: "the local clock was set by -8.3 s" in said(caplog))
        shifting.wall_ms += 300_000
        shifting.asleep_ms = 300_000
        until(lambda: "the machine was suspended for 300.0 s" in said(caplog))
        shifting.wall_ms += 450
        time.sleep(0.1)

    bench.run(act)
    told = [line for line in said(caplog) if "clock was set" in line or "suspended" in line]
    assert len(told) == 3


def test_ticks_that_a_clock_jumps_over_are_missed_for_that_reason(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """They never were: the ledger says so for each account, and goes on at the new time."""
    bench.interval_s, bench.clocks = 1, (shifting := Shifting())

    def act() -> None:
        until(lambda: bench.count("tick") >= 2)
        shifting.wall_ms = 30_000
        until(lambda: bench.count("missed WHERE reason = 'clock_step'") == 2)

    bench.run(act)
    ticks = [row[0] for row in ask(bench.url, "SELECT ticks FROM missed WHERE reason = 'clock_step'")]
    assert all(28 <= number <= 31 for number in ticks)
    assert any(line.startswith("passed over ") and line.endswith(" ticks (clock_step)") for line in said(caplog))


def test_a_lost_lock_ends_it_and_a_database_that_is_away_does_not(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Two daemons on one ledger are worse than none; a server that restarts is no reason to leave."""

    def away() -> None:
        raise DatabaseError("the server is away")

    def lost() -> None:
        raise LockedError("another process collects")

    def act() -> None:
        until(lambda: bench.lock.checks > 1)
        bench.lock.check_ends = away
        until(lambda: "can't make sure that no other process collects: the server is away" in said(caplog))
        checks = bench.lock.checks
        until(lambda: bench.lock.checks > checks + 1)
        bench.lock.check_ends = lost
        until(lambda: "STOPPING=1" in bench.manager.heard or bench.count("daemon_run WHERE clean = 1"))

    with pytest.raises(LockedError, match="another process collects"):
        bench.run(act)
    assert bench.lock.checks > 3


def test_a_lock_that_nobody_answers_for_keeps_no_signal_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs must not make the daemon deaf."""
    monkeypatch.setattr(service, "GRACE_S", 0.2)
    hang = threading.Event()
    bench.lock.check_ends = lambda: (hang.wait(PATIENCE_S), None)[1]
    try:
        bench.run(lambda: until(lambda: bench.lock.checks))
    finally:
        hang.set()
    assert bench.count("daemon_run WHERE clean = 1") == 1


# -- ending


def test_a_request_in_flight_may_finish(bench: Bench) -> None:
    """Its snapshot is there already, on its way."""
    bench.names, bench.interval_s = ["acct-0001"], 1
    bench.exchange.script(Fault(kind="latency", seconds=0.6, path=USER_ASSET))
    bench.run(lambda: until(bench.asked))
    assert ask(bench.url, "SELECT outcome FROM tick") == [("stored",)]


def test_a_request_that_hangs_is_cut_off_and_told(on_each: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the grace the tick has its answer all the same: failed, aborted."""
    monkeypatch.setattr(service, "GRACE_S", 0.2)
    on_each.names, on_each.interval_s = ["acct-0001"], 3
    on_each.exchange.script(Fault(kind="hang", seconds=60, path=USER_ASSET))
    on_each.run(lambda: until(on_each.asked))
    assert ask(on_each.url, "SELECT outcome, reason FROM tick") == [("failed", "aborted")]
    assert on_each.count("daemon_run WHERE clean = 1") == 1


def test_a_second_signal_does_not_cut_off_the_end(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Ctrl-C is often pressed twice; what is in flight still gets its grace and its record."""
    bench.names, bench.interval_s = ["acct-0001"], 1
    bench.exchange.script(Fault(kind="latency", seconds=0.6, path=USER_ASSET))

    def act() -> None:
        until(bench.asked)
        os.kill(os.getpid(), signal.SIGINT)
        until(lambda: "SIGINT received, ending" in said(caplog))
        os.kill(os.getpid(), signal.SIGINT)

    bench.run(act)
    assert ask(bench.url, "SELECT outcome FROM tick") == [("stored",)]
    assert bench.count("daemon_run WHERE clean = 1") == 1


def test_a_database_that_is_gone_at_the_end_is_told(on_each: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The next start sees a run without an end; this one leaves with a sentence and not with a traceback."""
    on_each.run(lambda: ask(on_each.url, "ALTER TABLE daemon_run RENAME TO gone"))
    assert any(line.startswith("the end of this run can't be recorded: database ") for line in said(caplog))


def test_a_database_that_hangs_does_not_hold_up_the_end(
    postgres_server: Databases, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five seconds after SIGTERM it is gone, whatever the server does: the test ends while the table is locked."""
    monkeypatch.setattr(service, "GRACE_S", 0.2)
    name = postgres_server.create_database()
    url = postgres_server.url(name)
    upgrade(url)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with untouched_process(), Sandbox(2) as exchange, psycopg.connect(plain) as other:
        bench = Bench(url, exchange, Manager(tmp_path / "notify"))
        release = threading.Timer(PATIENCE_S, other.rollback)
        release.start()
        bench.run(lambda: other.execute("LOCK TABLE daemon_run IN ACCESS EXCLUSIVE MODE"))
        assert release.is_alive(), "it waited until the table was free"
        release.cancel()
        assert "the end of this run can't be recorded: the database does not answer" in said(caplog)
        other.rollback()
        until(lambda: bench.count("daemon_run WHERE clean = 1"))
        bench.recorder.close()
    postgres_server.drop_database(name)
