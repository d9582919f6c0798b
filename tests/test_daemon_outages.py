"""The daemon in this process when its database is damaged, hangs, or was away for an earlier run."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from collector.daemon import service
from collector.daemon.drain import Drain
from collector.errors import ConfigError, DamagedError, DatabaseError, LockedError
from collector.sandbox.server import Sandbox
from collector.storage.lock import held_file
from collector.storage.record import Recorder
from collector.storage.spool import Entry, Spool
from collector.storage.spool_view import spooled
from tests.collecting import Manager, until, untouched_process
from tests.ledgers import T0, ask, recorder, register
from tests.test_daemon_service import Bench, said


@pytest.fixture
def daemon(sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Bench]:
    """A daemon of one account that is not running yet, and its logs from info on."""
    caplog.set_level(logging.INFO, logger="collector")
    with untouched_process(), Sandbox(2) as exchange:
        made = Bench(sqlite_url, exchange, Manager(tmp_path / "notify"))
        made.names, made.interval_s = ["acct-0001"], 1
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks after itself every few milliseconds."""
    monkeypatch.setattr(service, "WATCH_EVERY_S", 0.02)


def left(folder: Path, database: str = "database plain.db") -> None:
    """An answer that an earlier run had to keep aside."""
    spool = Spool(folder / "spool", database=database, max_bytes=10**8, min_free_bytes=0)
    lost = Entry(
        account="acct-0001",
        outcome="missed",
        reason="spool_full",
        due_at=T0,
        last_due_at=T0 + 9,
        interval_s=1,
        spooled_at_ms=0,
    )
    spool.append(lost)
    spool.close()


def test_what_an_earlier_run_left_is_stored_before_anything_else(
    daemon: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once, and the first tick comes after it."""
    left(tmp_path)
    daemon.run()
    assert ask(daemon.url, "SELECT ticks, reason FROM missed") == [(10, "spool_full")]
    lines = said(caplog)
    told = "1 answers that an earlier run had to keep in the spool are stored now"
    assert lines.index(told) < next(n for n, line in enumerate(lines) if line.startswith("first tick at "))


def test_it_does_not_start_before_what_was_left_is_stored(
    daemon: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downtime would be written over it: a supervisor tries again."""
    left(tmp_path)

    def away(*_: object, **__: object) -> NoReturn:
        raise DatabaseError("the server is away")

    monkeypatch.setattr(Drain, "store", away)
    with pytest.raises(DatabaseError, match="the server is away"):
        daemon.run()
    assert ask(daemon.url, "SELECT count(*) FROM daemon_run") == [(0,)]
    assert spooled(tmp_path / "spool").lots[0].entries == 1


def test_a_damaged_file_ends_it(daemon: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrived last is in the spool; nothing is written to the file any more."""

    def damaged(*_: object, **__: object) -> NoReturn:
        raise DamagedError("database x: database disk image is malformed")

    monkeypatch.setattr(Recorder, "record_tick", damaged)
    monkeypatch.setattr(Recorder, "record_all", damaged)
    with pytest.raises(DamagedError, match="malformed"):
        daemon.run(lambda: until(lambda: daemon.count("daemon_run WHERE clean = 1")))
    waits = spooled(tmp_path / "spool").lots[0]
    assert (waits.account, waits.entries >= 1) == ("acct-0001", True)


def test_a_connection_that_is_cut_off_is_told(
    daemon: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever wonders why an answer took ten seconds finds it in the log."""
    monkeypatch.setattr(Recorder, "cut_off", lambda *_: True)
    sentence = "the database has not answered for 10 s: its connection is cut"
    daemon.run(lambda: until(lambda: sentence in said(caplog)))


def test_one_spool_serves_one_process(daemon: Bench, tmp_path: Path) -> None:
    """Two would take each other's entries for their own."""
    with held_file(daemon.url, tmp_path / "spool.lock"), pytest.raises(LockedError, match="another process"):
        daemon.run()


def test_the_database_can_not_be_its_own_spool(daemon: Bench, tmp_path: Path) -> None:
    """It is what the replies can't be written to."""
    daemon.spool = tmp_path / "plain.db"
    with pytest.raises(ConfigError, match="the spool can't be the database itself: choose another file with the key"):
        daemon.run()


def test_beside_its_own_file_the_spool_needs_no_lock_of_its_own(daemon: Bench, tmp_path: Path) -> None:
    """The database's lock covers it."""
    with recorder(daemon.url) as writer:
        register(writer, "acct-0001")
    daemon.spool = tmp_path / "plain.db.spool"
    daemon.run()
    assert not (tmp_path / "plain.db.spool.lock").exists()
    assert daemon.spool.exists()
