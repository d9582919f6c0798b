"""`run` in this process: what it checks and says before the first tick, and every way to an early end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.binance import client as client_module
from collector.daemon import service
from collector.sandbox.accounts import hmac_account
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from collector.storage.lock import held
from tests.collecting import Manager, until, untouched_process, write_config
from tests.command_line import CommandLine, Done, command_line
from tests.ledgers import ask
from tests.postgres import free_port

RESTRICTIONS = "/sapi/v1/account/apiRestrictions"
SERVER_TIME = "/api/v3/time"


class Program:
    """`collector run` on one SQLite file, for an exchange of its own; `interval` is long, so that no tick comes."""

    def __init__(self, cli: CommandLine, exchange: Sandbox, folder: Path) -> None:
        self.exchange, self.manager = exchange, Manager(folder / "notify")
        self.database = folder / "data" / "c.db"
        self._cli = cli
        self._config = folder / "c.toml"

    @property
    def url(self) -> str:
        """The database's URL."""
        return f"sqlite:///{self.database}"

    def configure(self, *names: str, interval: str = "1d", more: str = "") -> None:
        """Write the configuration for these accounts, or all."""
        write_config(self._config, self.exchange, *names, interval=interval)
        self._config.write_text(self._config.read_text() + more)

    def run(
        self,
        *arguments: str,
        then: Callable[[], object] = lambda: None,
        at: Callable[[], object] | None = None,
        database: str | None = None,
    ) -> Done:
        """Run until SIGTERM, which comes when it is ready (or at this moment) and `then` is done."""
        words = ("--config", str(self._config), *arguments, "run", "--database", database or str(self.database))
        return self.manager.during(lambda: self._cli(*words), then=then, at=at)


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """Two accounts, `acct-0001` and `acct-0002`."""
    with Sandbox(2) as made:
        yield made


@pytest.fixture
def program(
    exchange: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Program]:
    """The command, with both accounts configured."""
    monkeypatch.setattr(service, "WATCH_EVERY_S", 0.05)
    cli = command_line(monkeypatch, capsysbinary, "")
    made = Program(cli, exchange, tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", made.manager.address)
    made.configure()
    with untouched_process():
        yield made


def messages(done: Done) -> list[str]:
    """Level and message of each line of the log."""
    return [line[25:] for line in done.err.splitlines()]


def test_the_start_says_everything_in_the_order_of_the_work(program: Program) -> None:
    """Database, clock, keys and the first tick: a wrong key shows in the first second, not at the first tick."""
    done = program.run()
    assert (done.code, done.out) == (0, "")
    told = messages(done)
    assert told[0] == f"INFO    made the database {program.database}"
    assert told[1].startswith("INFO    clock: Binance's clock is ")
    assert told[2] == "INFO    account acct-0001: the key may read, and nothing else, from any IP address"
    assert told[3] == "INFO    account acct-0002: the key may read, and nothing else, from any IP address"
    assert told[4].startswith("INFO    first tick at ")
    assert told[4].endswith(" s") or told[4].endswith(" min") or told[4].endswith(" h")
    assert told[-1] == "INFO    SIGTERM received, ending"
    assert program.manager.heard == ["READY=1", "STOPPING=1"]
    assert program.database.stat().st_mode & 0o777 == 0o600


def test_ticks_are_logged_and_stored(program: Program) -> None:
    """A line for each account at each second."""
    program.configure(interval="1s")
    done = program.run(
        then=lambda: until(lambda: ask(program.url, "SELECT count(*) FROM tick WHERE outcome = 'stored'")[0][0] >= 2)
    )
    lines = [line for line in messages(done) if " stored: " in line]
    assert len(lines) >= 2
    assert lines[0].startswith("INFO    acct-000")
    assert " assets in " in lines[0]


def test_only_warnings_are_logged_when_only_these_are_wanted(program: Program) -> None:
    """A quiet journal; what the daemon did stands in the ledger."""
    done = program.run("--log-level", "warning")
    assert (done.code, done.err) == (0, "")


def test_a_debug_log_holds_no_request_of_any_library(program: Program) -> None:
    """Their logs show whole URLs, signatures included."""
    done = program.run("--log-level", "debug")
    for word in ("signature", "GET /", "urllib3", "apscheduler", program.exchange.accounts[0].api_key):
        assert word not in done.err


def test_a_refused_key_of_the_only_account_is_the_end(program: Program) -> None:
    """Nothing could be collected until its owner mends it: code 5, which a supervisor need not retry."""
    program.configure("acct-0001")
    program.exchange.set_key_state("acct-0001", "invalid")
    done = program.run()
    assert done.code == 5
    assert done.err.splitlines()[-1].startswith("collector: Binance refuses API key")
    assert program.manager.heard == []
    assert ask(program.url, "SELECT count(*) FROM daemon_run") == [(0,)]


def test_a_refused_key_of_one_of_two_accounts_is_not(program: Program) -> None:
    """The other account's history must not suffer."""
    program.exchange.set_key_state("acct-0001", "invalid")
    done = program.run()
    assert done.code == 0
    assert any(line.startswith("ERROR   account acct-0001: Binance refuses API key") for line in messages(done))
    assert any(line.startswith("INFO    first tick at ") for line in messages(done))


def test_paused_accounts_are_not_checked(program: Program) -> None:
    """With nothing to ask there is nothing that could be refused."""
    program.configure("acct-0001", more="paused = true\n")
    program.exchange.set_key_state("acct-0001", "invalid")
    assert program.run().code == 0
    assert program.exchange.requests(path=RESTRICTIONS) == []


def test_an_exchange_that_does_not_answer_does_not_keep_it_from_starting(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may boot before its network; each tick will say how it came out."""
    monkeypatch.setattr(client_module, "DEFAULT_TIMEOUT_MS", 3_000)  # for so long it tries again
    program.exchange.script(Fault(kind="status", status=503, path=SERVER_TIME))
    done = program.run()
    assert done.code == 0
    assert any(line.startswith("ERROR   clock: Binance failed on its side") for line in messages(done))
    assert program.exchange.requests(path=RESTRICTIONS) == []


def test_many_accounts_are_checked_by_their_first_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A check of each of two thousand would take minutes."""
    with untouched_process(), Sandbox(11) as exchange:
        program = Program(command_line(monkeypatch, capsysbinary, ""), exchange, tmp_path)
        monkeypatch.setenv("NOTIFY_SOCKET", program.manager.address)
        program.configure()
        done = program.run()
        assert done.code == 0
        assert exchange.requests(path=RESTRICTIONS) == []
        assert any("clock: Binance's clock is " in line for line in messages(done))


def test_a_changed_key_is_warned_of_once(program: Program) -> None:
    """It may join two wallets into one history."""
    program.run()
    program.exchange.change_key(hmac_account("acct-0002", generation=1))
    program.configure()
    expected = "WARNING account acct-0002: the API key is not the one that this account was read with before"
    warnings = [line for line in messages(program.run()) if line.startswith("WARNING")]
    assert [line.startswith(expected) for line in warnings] == [True]
    assert [line for line in messages(program.run()) if line.startswith("WARNING")] == []


def test_a_database_that_is_taken_ends_with_75(program: Program) -> None:
    """The sentence says by whom; nothing is asked of Binance."""
    program.run()
    before = len(program.exchange.requests())
    with held(program.url):
        done = program.run()
    assert done.code == 75
    assert done.err.startswith(f"collector: another process (pid {os.getpid()} on ")
    assert len(program.exchange.requests()) == before


def test_a_server_without_tables_ends_with_6_and_the_command(program: Program, empty_database_url: str) -> None:
    """PostgreSQL is migrated by its owner only; an SQLite file is made."""
    done = program.run(database=empty_database_url)
    if empty_database_url.startswith("sqlite"):
        assert done.code == 0
    else:
        assert done.code == 6
        assert "'collector db upgrade'" in done.err
        assert program.exchange.requests() == []


def test_a_database_that_is_away_at_the_start_ends_it_with_6(program: Program) -> None:
    """It can't know what it answers for; nobody is asked, and the supervisor tries again."""
    done = program.run(database=f"postgresql://nobody:secret@127.0.0.1:{free_port()}/history")
    assert done.code == 6
    assert done.err.splitlines()[-1].startswith("collector: database history at 127.0.0.1:")
    assert "secret" not in done.err
    assert program.exchange.requests() == []


def test_without_an_account_it_ends_with_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing is made for somebody who has not said what to collect."""
    done = command_line(monkeypatch, capsysbinary, f"sqlite:///{tmp_path}/c.db")("run")
    assert done.code == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_ends_it_at_once(program: Program, number: signal.Signals) -> None:
    """Also while a question hangs, and when a second one follows; the next start finds the database free."""
    program.exchange.script(Fault(kind="hang", seconds=60, path=SERVER_TIME))
    done = program.run(
        at=lambda: program.exchange.requests(path=SERVER_TIME), then=lambda: os.kill(os.getpid(), number)
    )
    assert done.code == 0
    assert messages(done)[-1] == "INFO    stopped before the first tick"
    assert program.manager.heard == []
    program.exchange.clear_faults()
    assert program.run().code == 0
    assert threading.active_count() < 100


def test_a_signal_that_another_thread_meets_ends_the_start_too(program: Program) -> None:
    """The system may give it to any; Python handles it in the main one, which waits for an answer."""

    def send() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        program.manager.over.wait(15)

    program.exchange.script(Fault(kind="hang", seconds=60, path=SERVER_TIME))
    began = time.monotonic()
    done = program.run(at=lambda: program.exchange.requests(path=SERVER_TIME), then=send)
    assert time.monotonic() - began < 10  # alone the question takes 20 s
    assert (done.code, messages(done)[-1]) == (0, "INFO    stopped before the first tick")
