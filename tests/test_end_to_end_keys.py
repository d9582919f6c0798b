"""An account that is suddenly read with another API key: said once by whatever notices it first."""

from pathlib import Path

import pytest

from collector.sandbox.accounts import hmac_account
from tests.daemons import Crew, Daemon, crew, until

JOINED = (
    "account {}: the API key is not the one that this account was read with before: unless both belong to the same "
    "wallet, two histories are joined, so give the account another name"
)


def change_keys(together: Crew, *names: str, generation: int) -> None:
    """Their owner gives these accounts new keys, at the exchange and in the configuration."""
    for name in names:
        together.exchange.change_key(hmac_account(name, generation=generation))
    together.configure(together.exchange.accounts)


def collected(together: Crew) -> Daemon:
    """A daemon that has stored a snapshot, and is stopped."""
    daemon = together.start()
    until("snapshots", lambda: daemon.said().count(" stored: ") >= 2)
    assert daemon.stop()[0] == 0
    return daemon


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database that is not there yet."""
    return f"sqlite:///{tmp_path}/collector.db"


def test_a_new_key_is_named_by_check_and_logged_by_run(tmp_path: Path, url: str) -> None:
    """It may be another wallet's; then nobody could ever take the two histories apart again."""
    with crew(tmp_path, url, 2) as together:
        assert "not the one" not in collected(together).said()
        assert "not the one" not in together.call("check").stdout
        change_keys(together, "acct-0002", generation=1)
        for _ in range(2):  # which changes nothing
            told = together.call("check")
            assert told.returncode == 0
            assert f"warning  {JOINED.format('acct-0002')}\n" in told.stdout
            assert JOINED.format("acct-0001") not in told.stdout
        said = collected(together).said()
        assert f"WARNING {JOINED.format('acct-0002')}\n" in said
        assert JOINED.format("acct-0001") not in said
        assert "not the one" not in collected(together).said()
        assert "not the one" not in together.call("check").stdout


def test_a_manual_snapshot_of_one_account_names_each_new_key(tmp_path: Path, url: str) -> None:
    """It notes the keys of all accounts, so that nothing would name them later."""
    with crew(tmp_path, url, 2) as together:
        collected(together)
        change_keys(together, "acct-0001", "acct-0002", generation=2)
        told = together.call("once", "--account", "acct-0001").stderr
        assert told.startswith(f"collector: warning: {JOINED.format('acct-0001')}\n")
        assert f"collector: warning: {JOINED.format('acct-0002')}\n" in told
        assert "not the one" not in together.call("check").stdout
