"""The control endpoints, as another process uses them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from collector.sandbox.accounts import ed25519_account
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.sandbox_client import NOON_MS, RESTRICTIONS, USER_ASSET, Clock, Reply, ask, send, signature


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange with two accounts, of different kinds."""
    with Sandbox(["main", ed25519_account("other")], clock=Clock()) as exchange:
        yield exchange


def control(exchange: Sandbox, method: str, path: str, data: Any = None) -> Reply:
    """One request to the control endpoints."""
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    return send(exchange.base_url, method, f"/sandbox{path}", body=body)


def test_the_truth_can_be_asked_for(exchange: Sandbox) -> None:
    """The kill tests run the exchange in another process and compare the store with it."""
    reply = control(exchange, "GET", f"/truth?account=other&at_ms={NOON_MS - 5_000}")
    assert reply.json == {
        "account": "other",
        "at_ms": NOON_MS - 5_000,
        "rows": exchange.truth("other", NOON_MS - 5_000),
    }
    assert control(exchange, "GET", "/truth").json["rows"] == exchange.truth("main", NOON_MS)


def test_requests_are_on_record_with_their_signatures(exchange: Sandbox) -> None:
    """A crawl for secrets has to know what must be found nowhere."""
    account = exchange.accounts[0]
    ask(exchange.base_url, account)
    send(exchange.base_url, "GET", "/api/v3/time")
    assert control(exchange, "GET", "/requests?account=main").json == [
        {
            "number": 1,
            "account": "main",
            "client_ip": "127.0.0.1",
            "method": "POST",
            "path": USER_ASSET,
            "arrived_ms": NOON_MS,
            "finished_ms": NOON_MS,
            "status": 200,
            "code": None,
            "complete": True,
            "signature": signature(account, f"timestamp={NOON_MS}"),
            "held_ms": NOON_MS,
            "faults": [],
        }
    ]
    assert [entry["number"] for entry in control(exchange, "GET", "/requests?since=1").json] == [2]
    assert [entry["number"] for entry in control(exchange, "GET", "/requests?path=/api/v3/time").json] == [2]


def test_faults_are_added_shown_and_cleared(exchange: Sandbox) -> None:
    """One or several at a time."""
    assert control(exchange, "POST", "/faults", {"kind": "status", "last": 1}).status == 200
    added = control(exchange, "POST", "/faults", [{"kind": "reset", "account": "other"}, {"kind": "gzip"}])
    assert [fault["kind"] for fault in added.json] == ["status", "reset", "gzip"]
    assert ask(exchange.base_url, exchange.accounts[0]).status == 500
    assert control(exchange, "GET", "/faults").json == added.json
    assert control(exchange, "DELETE", "/faults").json == []
    assert ask(exchange.base_url, exchange.accounts[0]).status == 200


def test_control_requests_meet_no_fault_and_leave_no_trace(exchange: Sandbox) -> None:
    """Whoever broke the exchange must be able to mend it."""
    exchange.script(Fault(kind="reset"))
    assert control(exchange, "DELETE", "/faults").status == 200
    assert exchange.requests() == []


def test_the_clock_can_be_skewed(exchange: Sandbox) -> None:
    """The truth stays on the sandbox's own clock."""
    assert control(exchange, "POST", "/clock", {"skew_ms": -600_000}).json == {
        "now_ms": NOON_MS,
        "skew_ms": -600_000,
    }
    assert send(exchange.base_url, "GET", "/api/v3/time").json == {"serverTime": NOON_MS - 600_000}
    assert ask(exchange.base_url, exchange.accounts[0]).refusal == (400, -1021)
    assert ask(exchange.base_url, exchange.accounts[0], at_ms=NOON_MS - 600_000).status == 200
    assert exchange.requests()[-1].held_ms == NOON_MS
    assert control(exchange, "GET", "/clock").json["skew_ms"] == -600_000


def test_a_key_can_become_invalid_and_valid_again(exchange: Sandbox) -> None:
    """Binance answers so while an address is banned, too."""
    states = []
    for state in ("invalid", "valid"):
        changed = control(exchange, "POST", "/accounts/main", {"key_state": state})
        assert changed.json["key_state"] == state
        states.append(ask(exchange.base_url, exchange.accounts[0]).status)
    assert states == [401, 200]


def test_a_changed_key_makes_the_old_one_unknown(exchange: Sandbox) -> None:
    """As when the owner made a new one and forgot the collector."""
    old = exchange.accounts[0]
    new = {"api_key": "N" * 64, "api_secret": "S" * 64}
    assert control(exchange, "POST", "/accounts/main", new).json["api_key"] == "N" * 64
    assert ask(exchange.base_url, old).refusal == (400, -2008)
    assert ask(exchange.base_url, exchange.accounts[0]).status == 200


def test_rights_can_be_granted_and_taken(exchange: Sandbox) -> None:
    """The check command warns of rights beyond reading; without reading there are no balances."""
    rights = {"enableWithdrawals": True, "enableReading": True}
    assert control(exchange, "POST", "/accounts/main", {"rights": rights}).json["rights"]["enableWithdrawals"] is True
    account, query = exchange.accounts[0], f"timestamp={NOON_MS}"
    target = f"{RESTRICTIONS}?{query}&signature={signature(account, query)}"
    assert send(exchange.base_url, "GET", target, headers={"X-MBX-APIKEY": account.api_key}).json["enableWithdrawals"]
    control(exchange, "POST", "/accounts/main", {"rights": {"enableReading": False}})
    assert ask(exchange.base_url, account).refusal == (401, -2015)


def test_a_wallet_can_be_replaced(exchange: Sandbox) -> None:
    """A test that needs an exact reply at an exact moment writes it."""
    document = b'[{"asset":"X","free":"1.0"}]'
    assert control(exchange, "PUT", "/accounts/main/reply", document).json == {"since_ms": NOON_MS}
    assert ask(exchange.base_url, exchange.accounts[0]).body == document
    assert len(exchange.truth("main", NOON_MS - 1)) > 1


def test_accounts_are_shown_with_their_keys(exchange: Sandbox) -> None:
    """Another process needs them to sign."""
    main, other = control(exchange, "GET", "/accounts").json
    assert (main["name"], main["api_secret"]) == ("main", exchange.accounts[0].api_secret)
    assert other["private_key_pem"].startswith("-----BEGIN PRIVATE KEY-----")
    assert exchange.describe()["accounts"][0] == {key: main[key] for key in ("name", "api_key", "api_secret")}


@pytest.mark.parametrize(
    ("method", "path", "data", "sentence"),
    [
        ("GET", "/truth?account=nobody", None, "the sandbox has no account 'nobody': it has 2, the first is 'main'"),
        ("GET", "/truth?at_ms=yesterday", None, "at_ms must be a whole number"),
        ("GET", "/requests?since=-1", None, "since must be a whole number"),
        ("POST", "/faults", b"{", "the body can't be used: Input data was truncated"),
        ("POST", "/faults", {"kind": "rain"}, "fault script: there is no kind 'rain'"),
        ("POST", "/clock", {"skew": 1}, "the body can't be used: Object contains unknown field `skew`"),
        ("POST", "/accounts/main", {"key_state": "lost"}, "the body can't be used: Invalid enum value 'lost'"),
        ("POST", "/accounts/main", {"api_key": "x"}, "api_key and api_secret belong together: give both or none"),
        ("POST", "/accounts/main", {"rights": {"enableFlight": True}}, "there is no right 'enableFlight': use one of"),
        ("POST", "/accounts/nobody", {}, "the sandbox has no account 'nobody'"),
        ("PUT", "/accounts/nobody/reply", b"[]", "the sandbox has no account 'nobody'"),
    ],
)
def test_a_mistake_is_one_sentence(exchange: Sandbox, method: str, path: str, data: Any, sentence: str) -> None:
    """A control request that does nothing would make a test pass for the wrong reason."""
    reply = control(exchange, method, path, data)
    assert reply.status == 400
    assert reply.json["error"].startswith(sentence)


def test_unknown_control_paths_are_not_found(exchange: Sandbox) -> None:
    """They never reach the exchange, so they can't be taken for Binance's."""
    assert control(exchange, "GET", "/weather").status == 404
    assert exchange.requests() == []
