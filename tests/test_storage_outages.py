"""Databases that crash, fail over, hang or fill up while four accounts are collected: nothing is lost or doubled."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import pytest
from sqlalchemy import event, text

from collector.domain.records import Account
from collector.storage.record import Recorder
from collector.storage.upkeep import upgrade
from tests import postgres
from tests.daemons import until
from tests.disks import can_mount, read_only, small_disk
from tests.ledgers import T0, ask, record, recorder, register, stored
from tests.postgres import PostgresServer, ServerUser
from tests.test_daemon_keeper import Kept, body, came, keeping

DURABLE = {"fsync": "on", "full_page_writes": "on"}


class Load:
    """Four accounts that are answered again and again, until it is over; each answer holds its own amount."""

    def __init__(self, kept: Kept, pause_s: float = 0.05) -> None:
        self.kept = kept
        self.accounts = [register(kept.recorder, f"account {n}") for n in range(4)]
        self.ticks: list[int] = []
        self.spooled = 0
        self._pause_s = pause_s
        self._over = threading.Event()

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """In threads of their own; at the end everything is in the database."""
        with ThreadPoolExecutor(4) as pool:
            lives = [pool.submit(self._live, account) for account in self.accounts]
            try:
                yield
            finally:
                self._over.set()
                self.ticks = [life.result() for life in lives]
        self.kept.is_back()

    def _live(self, account: Account) -> int:
        minute = 0
        while not self._over.is_set():
            self.spooled += self.kept.aside(*came(account, minute, body(f"{minute + 1}.{account.id}")))
            minute += 1
            time.sleep(self._pause_s)
        return minute

    def is_whole(self, url: str) -> None:
        """Each answer is there once, with its own amount, and the ledger's identity holds."""
        for account, ticks in zip(self.accounts, self.ticks, strict=True):
            own = f"WHERE account_id = {account.id} ORDER BY due_at"
            assert ask(url, f"SELECT outcome, asset_count FROM tick {own}") == [("stored", 1)] * ticks
            held = ask(url, f"SELECT CAST(free AS TEXT) FROM balance {own}")
            assert held == [(f"{minute + 1}.{account.id}",) for minute in range(ticks)]
        assert ask(url, "SELECT count(*) FROM missed") == [(0,)]


def test_a_server_that_crashes_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """Stopped under load with -m immediate, several times: what was acknowledged is there, what was not is spooled."""
    with PostgresServer(settings=DURABLE) as server:
        upgrade(server.url())
        with keeping(server.url(), tmp_path) as kept:
            load = Load(kept)
            with load.going_on():
                for away_for_long in (False, True, False):
                    time.sleep(0.2)
                    server.stop("immediate")
                    if away_for_long:
                        until("replies in the spool", lambda: kept.keeper._aside)
                    server.start()
                    until("direct writes again", lambda: not kept.keeper._aside)
        assert load.spooled > 0
        load.is_whole(server.url())


class Standby(PostgresServer):
    """A second server that follows the first one, until it is promoted."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__(settings=DURABLE)
        self._primary = primary

    def _initdb(self) -> None:
        url = self._primary.url().replace("+psycopg", "")
        self._call("pg_basebackup", "-d", url, "-D", self._data, "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def promote(self) -> None:
        """Let it take over."""
        self._call("pg_ctl", "-D", self._data, "-w", "promote")


def test_a_failover_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """One URL names both servers: what writes finds the one that can be written, before and after it has changed."""
    with PostgresServer(settings=DURABLE) as primary, Standby(primary) as standby:
        both = f"postgresql://postgres@/postgres?host=127.0.0.1:{standby._port}&host=127.0.0.1:{primary._port}"
        upgrade(both)
        # An acknowledged commit is on both: without it an asynchronous standby may lack the last moments.
        ask(primary.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'")
        ask(primary.url(), "SELECT pg_reload_conf()")
        with keeping(both, tmp_path) as kept:
            load = Load(kept)
            with load.going_on():
                time.sleep(0.3)
                assert server_of(kept.recorder) == primary._port
                primary.stop("immediate")
                until("replies in the spool", lambda: kept.keeper._aside)
                standby.promote()
                until("direct writes again", lambda: not kept.keeper._aside)
                time.sleep(0.2)
            assert server_of(kept.recorder) == standby._port
        assert load.spooled > 0
        load.is_whole(standby.url())


def server_of(writer: Recorder) -> int:
    """The port of the server that is written to."""
    with writer.transaction() as connection:
        return int(connection.execute(text("SELECT inet_server_port()")).scalar_one())


def test_a_server_that_stops_in_the_middle_is_cut_off() -> None:
    """No time-out of its own helps then; the next attempt has a new connection, and nobody waited for ever."""
    with PostgresServer() as server:
        upgrade(server.url())
        with recorder(server.url()) as writer:
            account = register(writer)
            assert not writer.cut_off(0.0)
            with writer.transaction() as connection:
                pid = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
            os.kill(pid, signal.SIGSTOP)
            thread = threading.Thread(target=lambda: until("cut", lambda: writer.cut_off(0.3)))
            thread.start()
            try:
                assert record(writer, stored(account, T0))
            finally:
                thread.join()
                os.kill(pid, signal.SIGCONT)
        assert ask(server.url(), "SELECT outcome FROM tick") == [("stored",)]


def test_a_file_has_no_line_that_could_be_cut(sqlite_template: Path, tmp_path: Path) -> None:
    """SQLite's own time-out is enough."""
    file = copied(sqlite_template, tmp_path)
    with recorder(f"sqlite:///{file}") as writer, writer.transaction():
        assert not writer.cut_off(0.0)


def copied(template: Path, folder: Path) -> Path:
    """A database file in this folder."""
    file = folder / "collector.db"
    file.write_bytes(template.read_bytes())
    return file


@pytest.mark.parametrize("where", ["database", "database and spool"])
def test_a_full_disk_loses_nothing(
    sqlite_template: Path, tmp_path: Path, where: str, record_property: Callable[[str, Any], None]
) -> None:
    """What was received waits in the spool, or in memory when that is full as well; each reply is stored in the end."""
    with ExhaustedDisk(sqlite_template, tmp_path) as disk:
        record_property("disk full", disk.how)
        (tmp_path / "elsewhere").mkdir()
        with keeping(disk.url, disk.place if where != "database" else tmp_path / "elsewhere") as kept:
            account = register(kept.recorder)
            disk.fill(kept)
            minute = 0
            while kept.keeper.has_room() and minute < 100:
                kept.aside(*came(account, minute, body(str(minute + 1)) + b" " * 30_000))
                minute += 1
            assert kept.keeper._aside
            assert (minute < 100) == (where != "database" and disk.how == "tmpfs")
            disk.make_room(kept)
            kept.is_back()
            assert not kept.aside(*came(account, minute, body(str(minute + 1))))
        assert ask(disk.url, "SELECT CAST(free AS TEXT) FROM balance ORDER BY due_at") == [
            (str(n + 1),) for n in range(minute + 1)
        ]
        assert ask(disk.url, "PRAGMA integrity_check") == [("ok",)]


def fill(disk: Path) -> None:
    """Leave no space, but in the file `other`."""
    with (disk / "other").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


class ExhaustedDisk:
    """An SQLite file with no space to grow: a small tmpfs where that may be mounted, else SQLite's own limit."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.how = "tmpfs" if can_mount() else "max_page_count"
        self._template = template
        self._disk = small_disk(folder, megabytes=2) if self.how == "tmpfs" else None
        self.place = folder

    def __enter__(self) -> Self:
        if self._disk is not None:
            self.place = self._disk.__enter__()
        self.url = f"sqlite:///{copied(self._template, self.place)}"
        return self

    def __exit__(self, *_: object) -> None:
        if self._disk is not None:
            self._disk.__exit__(None, None, None)

    def fill(self, kept: Kept) -> None:
        """Leave no space."""
        if self._disk is not None:
            fill(self.place)
        else:
            self._limit(kept, 1)

    def make_room(self, kept: Kept) -> None:
        """Give space again."""
        if self._disk is not None:
            (self.place / "other").unlink()
        else:
            self._limit(kept, 1_000_000)

    @staticmethod
    def _limit(kept: Kept, pages: int) -> None:
        @event.listens_for(kept.recorder._engine, "connect")
        def limit(connection: sqlite3.Connection, _: Any) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        kept.recorder.close()


def test_a_server_whose_disk_is_full_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, Any], None]
) -> None:
    """It refuses or even falls over; what arrives waits until somebody has made room."""
    record_property("disk full", "tmpfs" if can_mount() else "SQLSTATE 53100")
    with full_server(monkeypatch) as (server, disk):
        with keeping(server.url(), tmp_path) as kept:
            account = register(kept.recorder)
            assert not kept.aside(*came(account, 0, body("1")))
            with disk_full(server, disk):
                minute = 1
                while not kept.keeper._aside and minute < 2000:
                    kept.aside(*came(account, minute, body(str(minute + 1), f"X{'y' * 150}{minute}")))
                    minute += 1
                assert kept.aside(*came(account, minute, body("7")))
            kept.is_back()
        assert ask(server.url(), "SELECT outcome, asset_count FROM tick") == [("stored", 1)] * (minute + 1)
        assert ask(server.url(), "SELECT count(*) FROM balance") == [(minute + 1,)]


@contextmanager
def full_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PostgresServer, Path | None]]:
    """A server, on a disk of its own where one may be mounted."""
    with ExitStack() as stack:
        disk = None
        if can_mount():
            # In /tmp itself, where the server's user can enter.
            folder = Path(stack.enter_context(TemporaryDirectory(dir="/tmp")))
            folder.chmod(0o755)
            disk = stack.enter_context(small_disk(folder, megabytes=160))
            disk.chmod(0o777)
            monkeypatch.setattr(postgres, "_root_folder", lambda user: _owned(disk / "server", user))
        settings = {**DURABLE, "min_wal_size": "32MB", "max_wal_size": "32MB"}
        server = stack.enter_context(PostgresServer(settings=settings))
        upgrade(server.url())
        yield server, disk


def _owned(folder: Path, user: ServerUser) -> Path:
    folder.mkdir()
    os.chown(folder, user.uid or 0, user.gid or 0)
    return folder


@contextmanager
def disk_full(server: PostgresServer, disk: Path | None) -> Iterator[None]:
    """No space is left; where no disk can be mounted, the server only says so."""
    if disk is None:
        refusal = "BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END"
        ask(server.url(), f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ {refusal} $$")
        ask(server.url(), "CREATE TRIGGER full_disk BEFORE INSERT ON tick EXECUTE FUNCTION full_disk()")
        yield
        ask(server.url(), "DROP TRIGGER full_disk ON tick")
        return
    fill(disk)
    yield
    (disk / "other").unlink()
    with suppress(postgres.NoPostgresError):  # it is stopped only if it fell over
        server.start()


def test_a_file_that_became_read_only_is_waited_for(sqlite_template: Path, tmp_path: Path) -> None:
    """As when the kernel remounts a disk with errors: the spool lies elsewhere, and takes what arrives."""
    place = tmp_path / "place"
    place.mkdir()
    url = f"sqlite:///{copied(sqlite_template, place)}"
    with keeping(url, tmp_path) as kept:
        account = register(kept.recorder)
        assert not kept.aside(*came(account, 0, body("3")))
        kept.recorder.close()
        with read_only(place):
            assert kept.aside(*came(account, 1, body("1")))
            assert kept.aside(*came(account, 2, body("2")))
        kept.is_back()
    assert ask(url, "SELECT CAST(free AS TEXT) FROM balance ORDER BY due_at") == [("3",), ("1",), ("2",)]


def test_a_reader_that_takes_long_costs_only_disk(sqlite_template: Path, tmp_path: Path) -> None:
    """The log grows behind it, and shrinks into the file when it is gone; no write waits and none is spooled."""
    url = f"sqlite:///{copied(sqlite_template, tmp_path)}"
    wal = tmp_path / "collector.db-wal"
    with keeping(url, tmp_path) as kept:
        account = register(kept.recorder)
        kept.keeper.tick(*came(account, 0, body("3")))
        with closing(sqlite3.connect(tmp_path / "collector.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            seen = reader.execute("SELECT count(*) FROM tick").fetchone()
            for minute in range(1, 300):
                assert not kept.aside(*came(account, minute, body(str(minute + 1))))
            grown = wal.stat().st_size
            assert reader.execute("SELECT count(*) FROM tick").fetchone() == seen == (1,)
            reader.execute("COMMIT")
            assert reader.execute("SELECT count(*) FROM tick").fetchone() == (300,)
            busy, pages, moved = reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert busy == 0
            assert pages == moved
        assert grown > 1000 * 4096 / 2
        assert wal.stat().st_size < grown
