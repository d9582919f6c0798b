"""`once`: a snapshot now, off the grid, or the sentence and exit code that say why not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import collect
from collector.cli import once
from collector.cli.output import now_ms
from collector.sandbox.accounts import hmac_account
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.collecting import write_config
from tests.command_line import CommandLine, Done, command_line
from tests.ledgers import ask

USER_ASSET = "/sapi/v3/asset/getUserAsset"
STORED = r"collector: {}: stored \d+ assets as of \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n"


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """Two accounts, `acct-0001` and `acct-0002`."""
    with Sandbox(2) as made:
        yield made


@pytest.fixture
def cli(
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    exchange: Sandbox,
    tmp_path: Path,
) -> CommandLine:
    """The command line on a migrated SQLite file, with both accounts configured; tries end after 1.5 s."""
    monkeypatch.setattr(collect, "TRY_FOR_S", 1.5)
    config = write_config(tmp_path / "c.toml", exchange)
    run = command_line(monkeypatch, capsysbinary, sqlite_url)
    monkeypatch.setenv("COLLECTOR_CONFIG", str(config))
    return run


def stored(url: str) -> list[tuple[object, ...]]:
    """Name, outcome and interval of each tick."""
    sql = "SELECT name, outcome, interval_s FROM tick JOIN account ON account.id = account_id ORDER BY name"
    return ask(url, sql)


def test_each_account_gets_a_snapshot_now(cli: CommandLine, database_url: str) -> None:
    """What was stored is said on stderr: stdout is for data."""
    done = cli("once", "--database", database_url)
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(STORED.format("acct-0001") + STORED.format("acct-0002"), done.err)
    assert stored(database_url) == [("acct-0001", "stored", None), ("acct-0002", "stored", None)]
    assert ask(database_url, "SELECT count(*) FROM schedule") == [(0,)]  # nothing is due because of it


def test_one_account_may_be_chosen(cli: CommandLine, sqlite_url: str, exchange: Sandbox) -> None:
    """The others are not asked."""
    assert cli("once", "--account", "acct-0002").code == 0
    assert stored(sqlite_url) == [("acct-0002", "stored", None)]
    assert exchange.requests(account="acct-0001") == []


def test_an_account_with_one_asset_is_one_asset(cli: CommandLine, exchange: Sandbox) -> None:
    """Words agree with numbers."""
    exchange.set_reply("acct-0001", _reply("BTC"))
    exchange.set_reply("acct-0002", b"[]")
    done = cli("once")
    assert "acct-0001: stored 1 asset as of " in done.err
    assert "acct-0002: stored 0 assets as of " in done.err


def _reply(asset: str) -> bytes:
    row = '{"asset":"%s","free":"1","locked":"0","freeze":"0","withdrawing":"0","ipoable":"0","btcValuation":"0"}'
    return f"[{row % asset}]".encode()


def test_a_dry_run_asks_and_stores_nothing(
    cli: CommandLine, sqlite_url: str, tmp_path: Path, exchange: Sandbox
) -> None:
    """To try a key before there is a database."""
    done = cli("once", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(
        (STORED.format("acct-0001") + STORED.format("acct-0002")).replace("stored", "fetched"), done.err
    )
    assert stored(sqlite_url) == []
    nowhere = tmp_path / "nowhere" / "c.db"
    assert cli("once", "--dry-run", "--account", "acct-0001", "--database", str(nowhere)).code == 0
    assert not nowhere.parent.exists()
    assert len(exchange.requests(path=USER_ASSET)) == 3


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(kind="error", path=USER_ASSET, code=-2015), 5, "Binance refuses API key, IP address or permission"),
        (Fault(kind="error", path=USER_ASSET, code=-1022), 5, "Binance finds the signature wrong"),
        (Fault(kind="error", path=USER_ASSET, status=429, code=-1003), 75, "too many requests"),
        (Fault(kind="body", path=USER_ASSET, body="{}"), 75, "the reply is not data"),
    ],
)
def test_a_failure_leaves_nothing_and_says_why(
    cli: CommandLine, sqlite_url: str, exchange: Sandbox, dry: list[str], fault: Fault, code: int, words: str
) -> None:
    """Scripts tell what can be tried again from what can't."""
    exchange.script(fault)
    done = cli("once", "--account", "acct-0001", *dry)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("collector: acct-0001: ")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert stored(sqlite_url) == []
    assert exchange.accounts[0].api_key not in done.err


def test_one_that_fails_keeps_no_other_from_its_snapshot(cli: CommandLine, sqlite_url: str, exchange: Sandbox) -> None:
    """The exit code is that of the first failure."""
    exchange.script(Fault(kind="error", path=USER_ASSET, code=-2015, account="acct-0001"))
    done = cli("once")
    assert done.code == 5
    assert stored(sqlite_url) == [("acct-0002", "stored", None)]
    exchange.clear_faults()
    exchange.script(
        Fault(kind="body", path=USER_ASSET, body="{}", account="acct-0001"),
        Fault(kind="error", path=USER_ASSET, code=-2015, account="acct-0002"),
    )
    assert cli("once").code == 75


def test_an_unknown_account_is_a_usage_error_with_the_names(cli: CommandLine) -> None:
    """A misspelt name must not look like success."""
    done = cli("once", "--account", "acct-0003")
    assert done.code == 2
    assert done.err == "collector: no account 'acct-0003' is configured: there are acct-0001, acct-0002\n"


def test_the_very_same_second_adds_nothing(
    cli: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one snapshot for an account and a second, and that is no failure."""
    now = now_ms()
    monkeypatch.setattr(once, "now_ms", lambda: now)
    monkeypatch.setattr(collect, "TRY_FOR_S", 60)
    assert cli("once", "--account", "acct-0001", "--database", database_url).code == 0
    again = cli("once", "--account", "acct-0001", "--database", database_url)
    assert again.code == 0
    assert again.err == "collector: acct-0001: a snapshot of this very second is there already; nothing was added\n"
    assert len(stored(database_url)) == 1


def test_another_key_under_an_old_name_is_warned_of(cli: CommandLine, exchange: Sandbox, tmp_path: Path) -> None:
    """Once, for the database knows the new key then."""
    cli("once")
    exchange.change_key(hmac_account("acct-0001", generation=1))
    write_config(tmp_path / "c.toml", exchange)
    done: Done = cli("once")
    assert done.code == 0
    assert done.err.startswith("collector: warning: account acct-0001: the API key is not the one that")
    assert "warning" not in cli("once").err


def test_without_tables_it_ends_with_6_and_the_command(
    cli: CommandLine, empty_database_url: str, exchange: Sandbox
) -> None:
    """Before anything is asked; a file is not made by the way."""
    done = cli("once", "--database", empty_database_url)
    assert done.code == 6
    assert "'collector db upgrade'" in done.err
    assert exchange.requests() == []


def test_accounts_are_needed(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Nothing to do is no success."""
    done = command_line(monkeypatch, capsysbinary, sqlite_url)("once")
    assert done.code == 4
    assert "no account is configured" in done.err
