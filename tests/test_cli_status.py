"""`status` on real databases of both engines."""

import json
import time

import pytest

from collector.domain.records import Account, Wait
from collector.domain.ticks import FailReason
from collector.storage import registry
from collector.storage.record import Recorder
from tests.command_line import CommandLine, command_line
from tests.ledgers import failed, held, record, recorder, register, snapshot, stored

HOUR = 3600


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line on the database of the test."""
    return command_line(monkeypatch, capsysbinary, database_url)


def collected(writer: Recorder, name: str, *, since_hours: int) -> tuple[Account, int]:
    """An account that has been due hourly for so many hours, and the newest due instant."""
    newest = int(time.time()) // HOUR * HOUR
    account = register(writer, name)
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=HOUR, now_s=newest - since_hours * HOUR)
    return account, newest


def test_what_works_ends_with_0(database_url: str, cli: CommandLine) -> None:
    """The check that a cron job makes; one failure is told and is no alarm."""
    with recorder(database_url) as writer:
        account, newest = collected(writer, "main", since_hours=2)
        record(writer, stored(account, newest - 2 * HOUR, interval_s=HOUR))
        record(writer, failed(account, newest - HOUR, interval_s=HOUR))
        record(writer, stored(account, newest, snapshot(held("BTC")), interval_s=HOUR))
    done = cli("status", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    [row] = report["rows"]
    assert (row["state"], row["interval_s"], row["coverage"]) == ("collected", HOUR, "66.66")
    assert (row["failure_reason"], row["failure_http_status"], row["failure_code"]) == ("timeout", 502, -1001)
    assert (row["due"], row["stored"], row["failed"], row["missed"]) == (3, 2, 1, 0)
    assert (report["gaps"], row["gap_start_at"]) == ([], None)
    assert report["age"] == row["age"] >= 0


def test_a_snapshot_older_than_two_intervals_ends_with_1(database_url: str, cli: CommandLine) -> None:
    """The daemon is dead and can't say so itself; the report is there all the same."""
    with recorder(database_url) as writer:
        account, newest = collected(writer, "main", since_hours=4)
        record(writer, stored(account, newest - 4 * HOUR, interval_s=HOUR))
    done = cli("status", "--json")
    assert done.code == 1
    assert done.err.startswith("collector: account 'main' has no newer snapshot than that of 4 h")
    assert done.err.endswith(" ago: a snapshot is due every 1 h\n")
    [row] = json.loads(done.out)["rows"]
    assert row["gap_reasons"] == ["not_running"]
    assert row["gap_ticks"] >= 3


def test_an_account_whose_ticks_all_failed_ends_with_1(database_url: str, cli: CommandLine) -> None:
    """No snapshot although one was due."""
    with recorder(database_url) as writer:
        account, newest = collected(writer, "main", since_hours=0)
        record(writer, failed(account, newest, FailReason.KEY_REJECTED, interval_s=HOUR))
        with writer.transaction() as connection:
            registry.note_stop(
                connection, account.id, stopped_at_ms=newest * 1000, reason="key_rejected", probe_at_ms=None
            )
    done = cli("status", "--format", "table")
    assert done.code == 1
    assert done.err == "collector: account 'main' has no snapshot yet: a snapshot is due every 1 h\n"
    assert "stopped since " in done.out
    assert "0.00 % of 1 ticks (1 failed, 0 missed)" in done.out


def test_a_database_in_which_nothing_was_collected_ends_with_3(database_url: str, cli: CommandLine) -> None:
    """There is nothing to judge, with or without an account that waits for its first tick."""
    done = cli("status")
    assert (done.code, done.out, done.err) == (
        3,
        "",
        "collector: nothing has been collected yet: start `collector run`\n",
    )
    with recorder(database_url) as writer:
        register(writer)
    assert cli("status").code == 3


def test_daemon_waits_and_clock_are_told(database_url: str, cli: CommandLine) -> None:
    """What explains the rows; the password of the database is nowhere."""
    now_ms = time.time_ns() // 1_000_000
    with recorder(database_url) as writer:
        account, newest = collected(writer, "main", since_hours=0)
        record(writer, stored(account, newest, interval_s=HOUR))
        with writer.transaction() as connection:
            registry.note_run(connection, host="box", pid=4711, started_at_ms=now_ms - 60_000, version="9.8")
            reason = FailReason.BANNED
            registry.note_wait(connection, Wait(scope="account:main", until_ms=now_ms + 600_000, reason=reason))
            registry.note_wait(connection, Wait(scope="ip", until_ms=now_ms - 1, reason=reason))
    report = json.loads(cli("status", "--json").out)
    assert (report["daemon"]["host"], report["daemon"]["pid"], report["daemon"]["clean"]) == ("box", 4711, False)
    assert [(w["scope"], w["reason"]) for w in report["waits"]] == [("account:main", "banned")]
    assert "collector" in report["database"] or "at 127.0.0.1" in report["database"]
    assert cli("status").err.startswith("collector: waiting until ")

    with recorder(database_url) as writer, writer.transaction() as connection:
        registry.note_run_end(connection, host="box", started_at_ms=now_ms - 60_000, ended_at_ms=now_ms - 30_000)
    assert json.loads(cli("status", "--json").out)["daemon"]["clean"] is True
    assert "daemon 9.8, pid 4711 on box, started 1 min" in cli("status", "--format", "table").out
