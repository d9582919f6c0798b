"""The sandbox as a whole, over real sockets."""

from pathlib import Path

import pytest

from collector.errors import UsageError
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.sandbox_client import NOON_MS, ask

SAMPLE = Path(__file__).parent / "data" / "sample_reply.json"


def test_a_given_reply_is_served_byte_for_byte() -> None:
    """Exactness is tested from here on: a digit lost in the sandbox would blame the collector."""
    document = SAMPLE.read_bytes()
    with Sandbox(reply=document, clock=lambda: NOON_MS) as exchange:
        assert ask(exchange.base_url, exchange.accounts[0]).body == document


def test_what_was_served_is_what_the_account_held() -> None:
    """The daemon's tests compare the store with the truth, so served and true must be the same."""
    with Sandbox(clock=lambda: NOON_MS) as exchange:
        rows = ask(exchange.base_url, exchange.accounts[0], "needBtcValuation=true").json
        (entry,) = exchange.requests(account="main")
        assert entry.held_ms == NOON_MS
        assert rows == exchange.truth("main", NOON_MS)


def test_a_scripted_fault_meets_the_requests_it_names() -> None:
    """A test has to know which request fails."""
    with Sandbox(clock=lambda: NOON_MS) as exchange:
        exchange.script(Fault(kind="status", status=500, account="main", first=2, last=3))
        statuses = [ask(exchange.base_url, exchange.accounts[0]).status for _ in range(4)]
        assert statuses == [200, 500, 500, 200]


def test_accounts_have_names_and_keys_that_follow_from_the_seed() -> None:
    """A restarted sandbox must know the keys that a client was configured with."""
    assert [account.name for account in Sandbox(1).accounts] == ["main"]
    assert [account.name for account in Sandbox(3).accounts] == ["acct-0001", "acct-0002", "acct-0003"]
    first, again, other = Sandbox(seed=1).accounts[0], Sandbox(seed=1).accounts[0], Sandbox(seed=2).accounts[0]
    assert first == again
    assert first.api_key != other.api_key
    assert len(first.api_key) == len(first.api_secret) == 64
    assert first.api_key.isalnum()


def test_a_sandbox_can_be_started_again_on_its_port() -> None:
    """A demo that restarts its exchange keeps its clients' address, and faults work as the first time."""
    exchange = Sandbox(clock=lambda: NOON_MS)
    exchange.script(Fault(kind="hang", seconds=30))
    addresses = []
    for _ in range(2):
        with exchange:
            addresses.append(exchange.base_url)
            with pytest.raises(TimeoutError):
                ask(exchange.base_url, exchange.accounts[0], timeout=0.1)
    assert addresses[0] == addresses[1]


def test_a_port_in_use_is_one_sentence() -> None:
    """Two sandboxes on one port is a mistake that users make."""
    with Sandbox() as exchange:
        port = int(exchange.base_url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"the sandbox can't listen on 127.0.0.1:{port}: "), Sandbox(port=port):
            pass
