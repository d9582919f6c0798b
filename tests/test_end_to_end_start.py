"""How a daemon begins and ends: what it says, to whom, and with which exit code."""

import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from collector.sandbox.accounts import Account
from collector.sandbox.faults import Fault
from tests.daemons import asked, crew, now_s, until
from tests.ledgers import ask
from tests.sandbox_client import USER_ASSET

EXIT_REFUSED = 5
EXIT_DATABASE = 6
SERVER_TIME = "/api/v3/time"
STRANGER = "x" * 64


@contextmanager
def notify_socket(path: Path) -> Iterator[socket.socket]:
    """What a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(30)
        yield listener


def sqlite(tmp_path: Path) -> str:
    """A database of the test's own, which the daemon makes."""
    return f"sqlite:///{tmp_path}/collector.db"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_when_it_begins_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """People see the first tick announced, systemd learns when it is ready, and both can end it."""
    with crew(tmp_path, sqlite(tmp_path), measured=True) as together, notify_socket(tmp_path / "notify") as manager:
        started = now_s()
        daemon = together.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert manager.recv(100) == b"READY=1"
        assert re.search(r"first tick at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in \d+ s\n", daemon.said())
        assert started < daemon.first_due_at() <= now_s() + 1
        until("a snapshot", lambda: " stored: " in daemon.said())
        code, took_s = daemon.stop(number)
        assert code == 0
        assert took_s < 5
        assert manager.recv(100) == b"STOPPING=1"
        assert ask(together.url, "SELECT clean, pid FROM daemon_run") == [(1, daemon.pid)]


def wrong_secret(account: Account) -> Account:
    """The right key with another secret."""
    return replace(account, api_secret=STRANGER)


def unknown_key(account: Account) -> Account:
    """A key that the exchange has never seen."""
    return replace(account, api_key=STRANGER)


def locked_key(account: Account) -> Account:
    """The right credentials, of a key that its IP list or its owner has locked."""
    return account


@pytest.mark.parametrize("wrong", [wrong_secret, unknown_key, locked_key])
def test_a_wrong_key_is_told_in_the_first_seconds(tmp_path: Path, wrong: Callable[[Account], Account]) -> None:
    """Whoever mistyped a key must not find out at the first tick, minutes later."""
    with crew(tmp_path, sqlite(tmp_path), measured=True) as together:
        account = together.exchange.accounts[0]
        together.configure([wrong(account)], interval="1h")
        if wrong is locked_key:
            together.exchange.set_key_state(account.name, "invalid")
        daemon = together.start()
        assert daemon.ended(patience_s=20) == EXIT_REFUSED
        complaint = [line for line in daemon.said().splitlines() if line.startswith("collector: ")]
        assert len(complaint) == 1
        assert complaint[0].startswith("collector: Binance ")
        assert "Traceback" not in daemon.said()
        assert "first tick at" not in daemon.said()
        assert asked(together.exchange) == []
        assert STRANGER not in daemon.said()


def test_one_wrong_key_of_two_does_not_stop_the_other_account(tmp_path: Path) -> None:
    """An owner's mistake with one account is no reason to lose the history of all others."""
    with crew(tmp_path, sqlite(tmp_path), 2, measured=True) as together:
        good, bad = together.exchange.accounts
        together.configure([good, wrong_secret(bad)])
        daemon = together.start()
        daemon.first_due_at()
        daemon.says("account acct-0002 is stopped (bad_signature)")
        until("a snapshot", lambda: f"{good.name} " in daemon.said() and " stored: " in daemon.said())
        assert daemon.stop()[0] == 0


def test_a_signal_while_it_starts_ends_it_cleanly(tmp_path: Path) -> None:
    """A supervisor that changes its mind must not have to wait for an exchange that does not answer."""
    with crew(tmp_path, sqlite(tmp_path), measured=True) as together:
        together.exchange.script(Fault(kind="hang", seconds=60, path=SERVER_TIME))
        daemon = together.start()
        until("the first question", lambda: together.exchange.requests(path=SERVER_TIME))
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 5
        assert "first tick at" not in daemon.said()
        assert "Traceback" not in daemon.said()
        again = together.start()
        together.exchange.clear_faults()
        again.first_due_at()
        assert again.stop()[0] == 0


def test_postgresql_without_tables_is_refused_with_the_command_that_makes_them(
    tmp_path: Path, empty_database_url: str
) -> None:
    """A server's owner decides when it is migrated; an SQLite file is the program's own, and is made."""
    with crew(tmp_path, empty_database_url, measured=True) as together:
        daemon = together.start()
        if empty_database_url.startswith("sqlite"):
            daemon.first_due_at()
            assert daemon.stop()[0] == 0
            assert (tmp_path / "collector.db").stat().st_mode & 0o777 == 0o600
            return
        assert daemon.ended() == EXIT_DATABASE
        sentence = daemon.said().splitlines()[-1]
        assert sentence.startswith("collector: ")
        assert "'collector db upgrade'" in sentence
        assert "Traceback" not in daemon.said()


def test_a_request_in_flight_is_cut_off_and_its_tick_has_failed(tmp_path: Path, empty_database_url: str) -> None:
    """A clean end within 5 s leaves no hole: a request did leave, and brought nothing."""
    with crew(tmp_path, empty_database_url, measured=True) as together:
        together.configure(together.exchange.accounts, interval="5s")
        together.migrate()
        together.exchange.script(Fault(kind="hang", seconds=60, path=USER_ASSET))
        daemon = together.start()
        due = daemon.first_due_at()
        until("a request", lambda: asked(together.exchange))
        code, took_s = daemon.stop()
        assert code == 0
        assert took_s < 5
        epoch = "due_at" if together.url.startswith("sqlite") else "CAST(extract(epoch FROM due_at) AS integer)"
        ticks = ask(together.url, f"SELECT {epoch}, outcome, reason, attempts FROM tick")
        assert ticks == [(due, "failed", "aborted", 1)]
        assert ask(together.url, "SELECT count(*) FROM missed") == [(0,)]
