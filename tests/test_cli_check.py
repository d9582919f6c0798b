"""`check`: each line, each exit code, and nothing secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from collector.binance import client as client_module
from collector.bootstrap import open_services, targets
from collector.sandbox.accounts import hmac_account
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.collecting import configured, settings_of, write_config
from tests.command_line import CommandLine, Done, command_line
from tests.ledgers import ask

RESTRICTIONS = "/sapi/v1/account/apiRestrictions"


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """One account, `main`."""
    with Sandbox(1) as made:
        yield made


@pytest.fixture
def cli(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> CommandLine:
    """The command line on a migrated SQLite file; three seconds for each question to Binance."""
    monkeypatch.setattr(client_module, "DEFAULT_TIMEOUT_MS", 3_000)
    return command_line(monkeypatch, capsysbinary, sqlite_url)


def check(cli: CommandLine, config: Path, *arguments: str) -> Done:
    """`collector check` with this configuration."""
    return cli("--config", str(config), "check", *arguments)


def lines(done: Done) -> list[tuple[str, str]]:
    """Grade and subject of each line."""
    return [(line.split()[0], line[9:].partition(":")[0]) for line in done.out.splitlines()]


def test_when_all_is_well_each_line_says_what_was_found(
    cli: CommandLine, exchange: Sandbox, tmp_path: Path, database_url: str
) -> None:
    """Configuration, database, clock, key: what somebody who starts wants to know, in the order of the work."""
    config = write_config(tmp_path / "c.toml", exchange)
    done = check(cli, config, "--database", database_url)
    assert (done.code, done.err) == (0, "")
    told = done.out.splitlines()
    assert told[0] == f"ok       configuration: 1 account every 1m, from {config}"
    assert told[1].startswith("ok       database: database ")
    assert told[1].endswith(" can be read")
    assert told[2].startswith("ok       clock: Binance's clock is ")
    assert told[3] == "ok       account main: the key may read, and nothing else, from any IP address"
    assert len(told) == 4
    account = exchange.accounts[0]
    signatures = [entry.signature for entry in exchange.requests() if entry.signature]
    password = make_url(database_url).password
    for secret in [account.api_key, account.api_secret, *signatures, *([password] if password else [])]:
        assert secret not in done.out
    assert ask(database_url, "SELECT count(*) FROM account") == [(0,)]  # nothing is written


def test_warnings_are_no_failure(cli: CommandLine, exchange: Sandbox, tmp_path: Path) -> None:
    """A right too many, a clock that is off, a file that others can read: collecting works all the same."""
    config = write_config(tmp_path / "c.toml", exchange)
    config.chmod(0o644)
    exchange.set_rights("main", {"enableWithdrawals": True})
    exchange.set_skew(90_000)
    done = check(cli, config)
    assert (done.code, done.err) == (0, "")
    assert lines(done) == [
        ("ok", "configuration"),
        ("warning", "configuration"),
        ("ok", "database"),
        ("warning", "clock"),
        ("warning", "account main"),
    ]
    assert "enableWithdrawals" in done.out
    assert "set the local clock" in done.out


def test_from_the_environment_alone(cli: CommandLine, exchange: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quickest start needs no file."""
    account = exchange.accounts[0]
    monkeypatch.setenv("BINANCE_API_KEY", account.api_key)
    monkeypatch.setenv("BINANCE_API_SECRET", account.api_secret)
    monkeypatch.setenv("COLLECTOR_BINANCE__BASE_URL", exchange.base_url)
    done = cli("check", "--interval", "30s")
    assert done.code == 0
    assert done.out.startswith("ok       configuration: 1 account every 30s, from the environment\n")


def test_a_changed_key_is_noticed_until_the_daemon_goes_on_with_it(
    cli: CommandLine, exchange: Sandbox, tmp_path: Path, database_url: str
) -> None:
    """It may be another wallet's: two histories would become one."""
    config = write_config(tmp_path / "c.toml", exchange)
    settings = settings_of(database_url, configured(exchange.accounts[0]))
    with open_services(settings) as services:
        targets(services, instant_ms=1)
    assert "before" not in check(cli, config, "--database", database_url).out
    exchange.change_key(hmac_account("main", generation=1))
    config = write_config(tmp_path / "c.toml", exchange)
    for _ in range(2):
        done = check(cli, config, "--database", database_url)
        assert done.code == 0
        assert ("warning", "account main") in lines(done)
        assert "the API key is not the one that this account was read with before" in done.out


def test_no_account_at_all_is_a_configuration_error(cli: CommandLine) -> None:
    """The first thing that a new user forgets."""
    done = cli("check")
    assert (done.code, done.out) == (4, "")
    assert "collector config init" in done.err


def test_accounts_that_do_not_fit_are_a_problem(cli: CommandLine, exchange: Sandbox, tmp_path: Path) -> None:
    """The daemon would refuse them; here the rest is checked all the same."""
    config = write_config(tmp_path / "c.toml", exchange, interval="1s")
    config.write_text(config.read_text().replace("[binance]", "[binance]\nweight_per_minute = 100"))
    done = check(cli, config)
    assert done.code == 4
    assert "problem  configuration: 1 account doesn't fit into an interval of 1 s" in done.out
    assert ("ok", "account main") in lines(done)


def test_a_key_that_cannot_be_used_is_a_problem_of_its_account(
    cli: CommandLine, exchange: Sandbox, tmp_path: Path
) -> None:
    """The others are checked too."""
    config = write_config(tmp_path / "c.toml", exchange)
    config.write_text(
        config.read_text()
        + '\n[accounts.other]\napi_key = "k"\n'
        + 'private_key = "-----BEGIN PRIVATE KEY-----\\nno PEM\\n-----END PRIVATE KEY-----"\n'
    )
    done = check(cli, config)
    assert done.code == 4
    assert lines(done)[2:] == [("problem", "account other"), ("ok", "clock"), ("ok", "account main")]
    assert done.out.splitlines()[2].startswith("problem  account other: the private key is not a PKCS#8 PEM")


def test_a_refused_key_ends_with_5(cli: CommandLine, exchange: Sandbox, tmp_path: Path) -> None:
    """Only its owner can mend it."""
    exchange.set_key_state("main", "invalid")
    done = check(cli, write_config(tmp_path / "c.toml", exchange))
    assert done.code == 5
    assert lines(done)[-1] == ("problem", "account main")


@pytest.mark.parametrize("path", ["/api/v3/time", RESTRICTIONS])
def test_an_exchange_that_does_not_answer_ends_with_75(
    cli: CommandLine, exchange: Sandbox, tmp_path: Path, path: str
) -> None:
    """Try again later."""
    exchange.script(Fault(kind="status", status=503, path=path))
    done = check(cli, write_config(tmp_path / "c.toml", exchange))
    assert done.code == 75
    assert lines(done)[-1][0] == "problem"


def test_a_server_without_tables_ends_with_6_and_a_file_is_made_by_itself(
    empty_database_url: str,
    exchange: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    """The sentence has the command; nothing is made by looking."""
    cli = command_line(monkeypatch, capsysbinary, empty_database_url)
    done = check(cli, write_config(tmp_path / "c.toml", exchange))
    if empty_database_url.startswith("sqlite"):
        assert done.code == 0
        missing = f"there is no database at {tmp_path}/collector.db yet"
        said = f"ok       database: {missing}: 'collector run' or 'collector db upgrade' makes it"
        assert said in done.out.splitlines()
        assert not (tmp_path / "collector.db").exists()
    else:
        assert done.code == 6
        assert "has no tables yet: 'collector db upgrade' makes them" in done.out


def test_a_file_that_is_no_database_ends_with_6(cli: CommandLine, exchange: Sandbox, tmp_path: Path) -> None:
    """Somebody named the wrong file: it is neither read on nor overwritten."""
    wrong = tmp_path / "wrong.db"
    wrong.write_text("this is a letter to my aunt, and no database at all" * 100)
    done = check(cli, write_config(tmp_path / "c.toml", exchange), "--database", str(wrong))
    assert done.code == 6
    assert ("problem", "database") in lines(done)
    assert wrong.read_text().startswith("this is a letter")
