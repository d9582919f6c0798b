"""`db prune` on real databases of both engines."""

import json
from pathlib import Path

import pytest

from collector.storage import registry
from collector.storage.lock import held
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, ask, record, recorder, register, stored

KEEP_HOURS = ("--keep-hourly", "forever")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line on the database of the test."""
    return command_line(monkeypatch, capsysbinary, database_url)


@pytest.fixture
def url(database_url: str) -> str:
    """`main` and `other` with a snapshot each ten minutes of three hours."""
    with recorder(database_url) as writer:
        for name in ("main", "other"):
            account = register(writer, name)
            with writer.transaction() as connection:
                registry.open_ledger(connection, account.id, interval_s=600, now_s=T0)
            for n in range(18):
                record(writer, stored(account, T0 + 600 * n, interval_s=600))
    return database_url


def snapshots(url: str) -> list[int]:
    """How many snapshots each account has."""
    return [n for (n,) in ask(url, "SELECT count(*) FROM tick GROUP BY account_id ORDER BY account_id")]


def test_a_dry_run_shows_what_would_go(url: str, cli: CommandLine) -> None:
    """And what it frees; nothing is touched."""
    done = cli("db", "prune", *KEEP_HOURS, "--dry-run", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["dry_run"], report["keep"]) == (True, {"hourly": "forever"})
    row = {"account": "main", "snapshots": 18, "kept": 7, "thinned": 11, "balances": 11}
    assert {name: report["rows"][0][name] for name in row} == row
    assert report["rows"][0]["first_thinned"] == "2023-11-14T22:20:00Z"
    assert report["rows"][0]["last_thinned"] == "2023-11-15T00:40:00Z"
    assert report["rows"][0]["bytes"] == {True: 704, False: 1375}[url.startswith("sqlite")]
    assert snapshots(url) == [18, 18]


def test_what_was_shown_goes(url: str, engine_name: str, cli: CommandLine) -> None:
    """Of one account or of all; the ledger is right afterwards; the file's size is explained."""
    assert cli("db", "prune", *KEEP_HOURS, "--account", "other").code == 0
    assert snapshots(url) == [18, 7]
    done = cli("db", "prune", *KEEP_HOURS, "--format", "table")
    assert snapshots(url) == [7, 7]
    assert "11 snapshots went, and " in done.out
    assert done.err == (
        "collector: the file keeps its size, what comes uses the space again: --vacuum makes it smaller\n"
        if engine_name == "sqlite"
        else ""
    )
    assert cli("db", "verify").code == 0
    assert cli("db", "prune", *KEEP_HOURS).err == ""


def test_a_rule_that_ends_is_named(url: str, cli: CommandLine) -> None:
    """Whoever forgets the last rule loses the old past: the dry run says so."""
    done = cli("db", "prune", "--keep-all", "1h", "--keep-daily", "2h", "--dry-run", "--format", "table")
    assert "nothing that is older than 2 h before the newest stays\n" in done.out
    assert "would go" in done.out


def test_without_a_rule_nothing_goes(url: str, cli: CommandLine) -> None:
    """The default is to keep."""
    done = cli("db", "prune")
    assert (done.code, done.out) == (2, "")
    assert "nothing says what is to stay: give --keep-all" in done.err
    assert snapshots(url) == [18, 18]


@pytest.mark.parametrize("span", ["30", "5m", "0d", "always"])
def test_a_span_that_is_none_is_refused(url: str, cli: CommandLine, span: str) -> None:
    """With what a span looks like."""
    done = cli("db", "prune", "--keep-daily", span)
    assert (done.code, done.out) == (2, "")
    assert f"{span!r} is no span of time: write it like 12h, 30d, 6w, 1y or forever" in done.err


def test_the_file_becomes_smaller_on_request(url: str, engine_name: str, cli: CommandLine) -> None:
    """Not beside a daemon, which could not write meanwhile; on PostgreSQL there is nothing to do."""
    arguments = ("db", "prune", "--keep-all", "1h", "--vacuum")
    if engine_name == "postgresql":
        done = cli(*arguments)
        assert (done.code, snapshots(url)) == (2, [18, 18])
        assert "PostgreSQL uses the space again by itself" in done.err
        return
    with held(url):
        assert cli(*arguments).code == 75
    assert snapshots(url) == [18, 18]
    done = cli(*arguments)
    assert (done.code, done.err) == (0, "")
    assert ask(url, "PRAGMA freelist_count") == [(0,)]
    assert Path(url.removeprefix("sqlite:///")).stat().st_mode & 0o777 == 0o600


def test_rules_are_environment_variables_too(url: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a timer that runs in a container."""
    monkeypatch.setenv("COLLECTOR_DB_PRUNE_KEEP_HOURLY", "forever")
    monkeypatch.setenv("COLLECTOR_DB_PRUNE_DRY_RUN", "1")
    assert json.loads(cli("db", "prune", "--json").out)["keep"] == {"hourly": "forever"}
