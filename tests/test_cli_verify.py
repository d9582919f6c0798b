"""`db verify` and `db stats` on real databases of both engines."""

import json
import os
import pty
import subprocess

import pytest

from collector.cli.progress import progress
from collector.domain.audit import Flaw, Problem
from collector.reports.flaws import flaws_report
from collector.reports.usage import size
from collector.storage import registry
from tests.command_line import CommandLine, command_line
from tests.damage import plant
from tests.ledgers import T0, instant, record, recorder, register, stored
from tests.processes import COMMAND, clean_environment
from tests.report_values import as_text


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line on the database of the test."""
    return command_line(monkeypatch, capsysbinary, database_url)


@pytest.fixture
def url(database_url: str) -> str:
    """`main` and `other` with two snapshots each, removed after them."""
    with recorder(database_url) as writer:
        for name in ("main", "other"):
            account = register(writer, name)
            for interval_s, now_s in ((60, T0), (None, T0 + 120)):
                with writer.transaction() as connection:
                    registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)
                if interval_s:
                    for n in (0, 1):
                        record(writer, stored(account, T0 + 60 * n))
    return database_url


def damage(url: str) -> None:
    """One digit of one balance of `main` is another."""
    plant(url, f"UPDATE balance SET free = '2' WHERE account_id = 1 AND due_at = {instant(url, T0)}")


def test_one_line_says_that_all_is_right(url: str, cli: CommandLine) -> None:
    """For a cron job that mails what is printed; as JSON it is a report without rows."""
    done = cli("db", "verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(" is right: 2 accounts, 4 ticks, 0 ranges, 4 balances\n")
    assert cli("db", "verify", "--account", "other").out.endswith(
        " is right: 1 account, 2 ticks, 0 ranges, 2 balances\n"
    )
    report = json.loads(cli("db", "verify", "--json").out)
    assert report["rows"] == []
    assert report["database"]


def test_what_is_wrong_is_named_and_counted(url: str, cli: CommandLine) -> None:
    """Data on stdout, the number on stderr, exit code 1; an account that is right can be told apart."""
    damage(url)
    done = cli("db", "verify", "--format", "tsv")
    assert done.code == 1
    assert done.out == (
        "flaw\taccount\tstart_at\tlast_due_at\tdetail\n"
        "digest\tmain\t2023-11-14T22:10:00Z\t2023-11-14T22:10:00Z\tthe digest is not that of the balances\n"
    )
    assert done.err.startswith("collector: 1 problem in database ")
    plant(url, "DELETE FROM schedule WHERE account_id = 1")
    assert cli("db", "verify", "--csv").err.startswith("collector: 4 problems in database ")
    assert cli("db", "verify", "--account", "other").code == 0


def test_an_unknown_account_is_an_error(url: str, cli: CommandLine) -> None:
    """Nothing to verify is not the same as nothing wrong."""
    assert cli("db", "verify", "--account", "man").code == 3
    assert cli("db", "stats", "--account", "man").code == 3


def test_an_empty_database_is_right_and_has_no_statistics(cli: CommandLine) -> None:
    """Before the first tick there is nothing that could be wrong."""
    assert cli("db", "verify").out.endswith(" is right: 0 accounts, 0 ticks, 0 ranges, 0 balances\n")
    assert cli("db", "stats").code == 3


def test_instants_out_of_this_world_are_shown_as_numbers() -> None:
    """A damaged file may hold any."""
    problem = Problem(flaw=Flaw.HOLE, account="main", start_at=-5, last_due_at=10**15, detail="")
    assert as_text(flaws_report([problem], database="d"), "tsv").splitlines()[1] == "hole\tmain\t-5\t1000000000000000\t"


def test_a_bar_is_shown_on_a_terminal_only(url: str) -> None:
    """A hundred million rows take minutes; a pipe gets no bar."""
    controller, terminal = pty.openpty()
    command = [*COMMAND, "db", "verify", "--database", url]
    environment = clean_environment(TERM="xterm", COLUMNS="100")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        out, _ = process.communicate(timeout=60)
    shown = os.read(controller, 65_536)
    os.close(controller)
    assert out.endswith(b"balances\n")
    assert b"100%" in shown or b"0%" in shown
    with progress() as show:
        show("nothing to see", 0.5)


def test_statistics_have_a_row_for_each_account(url: str, cli: CommandLine) -> None:
    """And the sums beside them."""
    damage(url)
    out = cli("db", "stats").out.splitlines()
    assert out[1].split("\t")[:8] == ["main", "", "2", "0", "2", "0", "0", "0"]
    assert out[1].split("\t")[8:] == ["2023-11-14T22:10:00Z", "2023-11-14T22:11:00Z", "0", "0"]
    report = json.loads(cli("db", "stats", "--json").out)
    assert (report["balances"], report["measured"], report["bytes_a_year"]) == (4, False, 0)
    assert report["bytes"] > 10_000
    table = cli("db", "stats", "--format", "table").out
    assert "too few rows to measure one: typically one takes" in table
    assert "at the present pace it grows by 0 bytes a year" in table


@pytest.mark.parametrize(
    ("number", "words"),
    [(999, "999 bytes"), (1000, "1.0 kB"), (1_550_000, "1.6 MB"), (64 * 10**9, "64.0 GB"), (10**16, "10000.0 TB")],
)
def test_sizes_are_said_in_fitting_units(number: int, words: str) -> None:
    """Nobody counts the digits of bytes."""
    assert size(number) == words
