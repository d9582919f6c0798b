"""From a configuration to the things that collect: keys, the database, each account's place."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from collector.binance.client import Credentials
from collector.bootstrap import (
    credentials_of,
    open_services,
    program_version,
    ready_database,
    targets,
    untracked_target,
)
from collector.config.values import AccountSettings, BinanceSettings, Secret
from collector.errors import ConfigError, DatabaseError, SchemaMissingError
from collector.sandbox.accounts import Account, ed25519_account, hmac_account, rsa_account
from collector.sandbox.server import Sandbox
from collector.storage import revisions, upkeep
from tests.collecting import configured, settings_of
from tests.ledgers import T0, ask, record, recorder, register, stored

NOW_MS = T0 * 1000
KEY = Secret("k" * 64)


# -- keys


@pytest.mark.parametrize("make", [hmac_account, ed25519_account, rsa_account])
def test_each_kind_of_key_signs_what_the_exchange_accepts(make: object, tmp_path: Path) -> None:
    """HMAC, Ed25519 and RSA: the exchange checks them by code of its own."""
    account: Account = make("main")  # type: ignore[operator]
    with Sandbox([account]) as exchange:
        settings = settings_of(f"sqlite:///{tmp_path}/c.db", configured(account), base_url=exchange.base_url)
        ready_database(settings)
        with open_services(settings) as services:
            (target,) = targets(services, instant_ms=NOW_MS)
            deadline_ms = exchange.clock() + 30_000
            reply = services.client.fetch_user_assets(target.credentials, deadline_ms=deadline_ms)
    assert reply.http_status == 200


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (AccountSettings(name="a", api_key=KEY), "account 'a': there is neither an API secret nor a private key"),
        (
            AccountSettings(name="b", api_key=KEY, private_key=Secret("no PEM, s3cret")),
            "account 'b': ",
        ),
        (
            AccountSettings(name="c", api_key=Secret("a key\nin two lines"), api_secret=Secret("s3cret")),
            "account 'c': the API key is empty or holds characters that no API key has: copy it again",
        ),
    ],
)
def test_a_key_that_cannot_be_used_is_named_by_its_account(account: AccountSettings, sentence: str) -> None:
    """With forty accounts one has to know which; what was given as a secret is never shown."""
    with pytest.raises(ConfigError) as caught:
        credentials_of(account)
    assert str(caught.value).startswith(sentence)
    assert "s3cret" not in str(caught.value)
    assert "lines" not in str(caught.value)


def test_keys_are_told_apart_without_being_shown() -> None:
    """Sixteen digits of a hash: the same for the same key, another for another."""
    first = credentials_of(AccountSettings(name="a", api_key=KEY, api_secret=Secret("s")))
    again = credentials_of(AccountSettings(name="b", api_key=KEY, api_secret=Secret("other")))
    other = Credentials(api_key="l" * 64, signer=first.signer)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert len(first.fingerprint) == 16
    assert "k" not in first.fingerprint


# -- the database


def test_an_sqlite_file_is_made_once_and_left_alone_then(tmp_path: Path) -> None:
    """A copy at each start would fill the disk, and in time replace the one that is worth keeping."""
    settings = settings_of(f"sqlite:///{tmp_path}/new/c.db")
    assert ready_database(settings) == f"made the database {tmp_path}/new/c.db"
    with recorder(settings.database) as writer:
        record(writer, stored(register(writer), T0))
    assert ready_database(settings) is None
    assert ready_database(settings) is None
    assert sorted(path.name for path in (tmp_path / "new").iterdir() if not path.name.endswith(("-wal", "-shm"))) == [
        "c.db"
    ]
    assert ask(settings.database, "SELECT count(*) FROM tick") == [(1,)]


def test_an_older_sqlite_file_is_copied_before_it_is_migrated(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a migration does to years of history can be undone."""
    file, folder = tmp_path / "c.db", tmp_path / "migrations"
    file.write_bytes(sqlite_template.read_bytes())
    _with_a_further_revision(folder)
    newest = revisions.REVISIONS[-1]
    monkeypatch.setattr(revisions, "REVISIONS", (newest, "9999"))
    monkeypatch.setattr(upkeep, "migrations_folder", lambda: folder)
    said = ready_database(settings_of(f"sqlite:///{file}"))
    copy = tmp_path / "c.db.before-9999"
    assert said == f"migrated {file} from revision {newest}; the file as it was is kept as {copy}"
    assert copy.stat().st_mode & 0o777 == 0o600
    for path, found in ((file, "9999"), (copy, newest)):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(found,)]
    assert ready_database(settings_of(f"sqlite:///{file}")) is None


def _with_a_further_revision(folder: Path) -> None:
    """A copy of the migrations with one more, which changes nothing."""
    (folder / "versions").mkdir(parents=True)
    for path in upkeep.migrations_folder().rglob("*.py"):
        (folder / path.relative_to(upkeep.migrations_folder())).write_text(path.read_text())
    (folder / "versions" / "9999_more.py").write_text(
        f'revision = "9999"\ndown_revision = "{revisions.REVISIONS[-1]}"\n\n\ndef upgrade() -> None:\n    pass\n'
    )


def test_a_server_without_tables_is_an_error_with_the_command(empty_database_url: str) -> None:
    """The daemon needs no right to change tables; SQLite's are made by itself."""
    settings = settings_of(empty_database_url)
    if empty_database_url.startswith("sqlite"):
        assert str(ready_database(settings)).startswith("made the database ")
        return
    with pytest.raises(SchemaMissingError, match="no tables yet: 'collector db upgrade' makes them"):
        ready_database(settings)


def test_a_database_with_its_tables_is_ready(database_url: str) -> None:
    """The usual start, on both engines."""
    assert ready_database(settings_of(database_url)) is None


def test_tables_of_a_newer_program_are_refused(database_url: str) -> None:
    """An old program that writes into new tables could break what it does not know."""
    ask(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="install a newer collector"):
        ready_database(settings_of(database_url))


# -- accounts and their places


def test_accounts_are_registered_with_key_and_place(database_url: str) -> None:
    """In the order of the configuration at first; each keeps its place when others come."""
    first, second, third = (configured(hmac_account(name)) for name in ("first", "second", "third"))
    with open_services(settings_of(database_url, first, second)) as services:
        made = targets(services, instant_ms=NOW_MS)
    assert [target.account.name for target in made] == ["first", "second"]
    assert made[0].offset_ms == 0 < made[1].offset_ms
    with open_services(settings_of(database_url, third, second, first)) as services:
        later = {target.account.name: target for target in targets(services, instant_ms=NOW_MS + 1)}
    assert {name: target.offset_ms for name, target in later.items() if name != "third"} == {
        "first": 0,
        "second": made[1].offset_ms,
    }
    assert later["first"].account.created_at_ms == NOW_MS
    rows = ask(database_url, "SELECT name, key_fingerprint FROM account ORDER BY name")
    assert rows == [(name, later[str(name)].credentials.fingerprint) for name in ("first", "second", "third")]


def test_what_the_configuration_says_of_an_account_reaches_its_target(database_url: str) -> None:
    """Scope, pause and valuation are the owner's choices."""
    account = configured(hmac_account("main"), asset="BTC", paused=True)
    settings = settings_of(database_url, account, binance=BinanceSettings(btc_valuation=False))
    with open_services(settings) as services:
        (target,) = targets(services, instant_ms=NOW_MS)
    assert (target.asset, target.paused, target.btc_valuation) == ("BTC", True, False)
    assert target.account.asset_scope == "BTC"


def test_a_changed_scope_is_refused_and_registers_nobody(database_url: str) -> None:
    """A history is of the whole account or of one asset; nothing is half done."""
    account = configured(hmac_account("main"))
    with open_services(settings_of(database_url, account)) as services:
        (target,) = targets(services, instant_ms=NOW_MS)
        record(services.recorder, stored(target.account, T0))
    other = configured(hmac_account("other"))
    settings = settings_of(database_url, other, replace(account, asset="BTC"))
    with open_services(settings) as services, pytest.raises(ConfigError, match="give the account another name"):
        targets(services, instant_ms=NOW_MS)
    assert ask(database_url, "SELECT name FROM account") == [("main",)]


def test_accounts_that_do_not_fit_are_refused_with_the_numbers(database_url: str) -> None:
    """At the start and not by a ban in the night."""
    accounts = [configured(hmac_account(f"a{number}")) for number in range(60)]
    settings = settings_of(database_url, *accounts, interval_s=1)
    with open_services(settings) as services, pytest.raises(ConfigError, match="60 accounts don't fit"):
        targets(services, instant_ms=NOW_MS)
    with (
        open_services(settings_of(database_url)) as services,
        pytest.raises(ConfigError, match="no account is configured"),
    ):
        targets(services, instant_ms=NOW_MS)


def test_an_untracked_account_is_written_nowhere(database_url: str) -> None:
    """`check` and a dry run leave no trace."""
    account = configured(hmac_account("main"), paused=True)
    target = untracked_target(settings_of(database_url, account), account)
    assert (target.account.name, target.account.key_fingerprint, target.paused) == ("main", None, True)
    assert ask(database_url, "SELECT count(*) FROM account") == [(0,)]


def test_the_program_knows_its_version() -> None:
    """Each run of the daemon is noted with it."""
    assert program_version()[0].isdigit()
