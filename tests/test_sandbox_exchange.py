"""The sandbox's rules for requests, over real sockets."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from collector.sandbox.accounts import ed25519_account, hmac_account, public_key_of, rsa_account
from collector.sandbox.server import Sandbox
from tests.sandbox_client import NOON_MS, RESTRICTIONS, USER_ASSET, Clock, ask, send, signature

MAIN = hmac_account("main")
AT = f"timestamp={NOON_MS}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An exchange whose clock stands still; no test here changes it."""
    with Sandbox([MAIN], clock=Clock()) as exchange:
        yield exchange.base_url


def signed(parameters: str) -> str:
    """The parameters with their signature."""
    return f"{parameters}&signature={signature(MAIN, parameters)}"


def post(url: str, query: str, body: str = "", *, api_key: str = MAIN.api_key, form: str = "") -> tuple[int, int]:
    """HTTP status and code of what a request for assets is answered; code 0 for an array."""
    headers = {"X-MBX-APIKEY": api_key, "Content-Type": form or "application/x-www-form-urlencoded"}
    reply = send(url, "POST", f"{USER_ASSET}?{query}", body=body.encode(), headers=headers)
    return (reply.status, 0) if isinstance(reply.json, list) else reply.refusal


@pytest.mark.parametrize(
    "account",
    [MAIN, ed25519_account("two"), rsa_account("three")],
    ids=["hmac", "ed25519", "rsa"],
)
def test_each_kind_of_key_opens_the_account(account: object) -> None:
    """Binance offers three kinds, so a collector is tested with each."""
    with Sandbox([account], clock=Clock()) as exchange:  # type: ignore[list-item]
        assert ask(exchange.base_url, exchange.accounts[0], "asset=BTC").json[0]["asset"] == "BTC"


def test_a_public_key_is_all_that_the_exchange_needs() -> None:
    """As at Binance, where the private key never leaves its owner."""
    pair, rsa_pair = ed25519_account("main"), rsa_account("other")
    registered = [
        ed25519_account("main", public_key_pem=public_key_of(pair.private_key_pem)),
        rsa_account("other", public_key_pem=public_key_of(rsa_pair.private_key_pem)),
    ]
    with Sandbox(registered, clock=Clock()) as exchange:
        assert [ask(exchange.base_url, account).status for account in (pair, rsa_pair)] == [200, 200]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (signed(AT), ""),
        ("", signed(AT)),
        (AT, f"recvWindow=5000&signature={signature(MAIN, f'{AT}recvWindow=5000')}"),
        (f"signature={signature(MAIN, AT)}&{AT}", ""),
        (f"{AT}&signature={signature(MAIN, AT).upper()}", ""),
        (f"{AT}&signature={signature(MAIN, f'{AT}recvWindow=1')}", "recvWindow=1"),
        (signed(f"asset=&{AT}"), ""),
        (signed(f"asset={quote('币安人生')}&{AT}"), ""),
        (signed(f"nobodyKnowsThis=1&{AT}"), ""),
    ],
    ids=[
        "query",
        "body",
        "mixed",
        "signature first",
        "upper case",
        "mixed, signed in query",
        "no asset",
        "utf-8",
        "unknown",
    ],
)
def test_every_place_for_parameters_is_accepted(url: str, query: str, body: str) -> None:
    """Clients differ in where they put parameters, and each has to work."""
    assert post(url, query, body) == (200, 0)


def test_an_empty_json_body_is_no_obstacle(url: str) -> None:
    """One official client declares JSON on each request and sends none."""
    assert post(url, signed(AT), form="application/json") == (200, 0)


def test_parameters_in_a_json_body_are_not_read(url: str) -> None:
    """The endpoint takes forms only; a client that sends JSON has sent no timestamp."""
    assert post(url, "", '{"timestamp":1}', form="application/json;charset=utf-8") == (400, -1102)


def test_the_query_counts_when_a_parameter_stands_in_both_places(url: str) -> None:
    """So says the documentation: here the window in the body would be refused."""
    query, body = f"recvWindow=5000&{AT}", "recvWindow=99999"
    both = f"{query}&signature={signature(MAIN, query + body)}"
    assert post(url, both, body) == (200, 0)


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        (signed("recvWindow=5000"), (400, -1102)),
        (AT, (400, -1102)),
        (signed("timestamp="), (400, -1105)),
        (f"{AT}&signature=", (400, -1105)),
        (signed("timestamp=now"), (400, -1100)),
        (signed("timestamp=-1"), (400, -1100)),
        (signed(f"timestamp={NOON_MS}.5"), (400, -1100)),
        (signed(f"{AT}&recvWindow="), (400, -1105)),
        (signed(f"{AT}&recvWindow=5e3"), (400, -1100)),
        (signed(f"{AT}&recvWindow=60001"), (400, -1131)),
        (signed(f"{AT}&{AT}"), (400, -1101)),
        (signed(f"asset=BTC&asset=ETH&{AT}"), (400, -1101)),
        (f"{signed(AT)}&signature=1", (400, -1101)),
        (signed(f"needBtcValuation=True&{AT}"), (400, -1100)),
        (signed(f"needBtcValuation=&{AT}"), (400, -1100)),
        (f"{AT}&signature=0000", (400, -1022)),
        (f"asset=BTC&{signed(AT)}", (400, -1022)),
    ],
)
def test_a_wrong_parameter_is_refused(url: str, query: str, refusal: tuple[int, int]) -> None:
    """Each mistake has its code, by which a client decides what to do."""
    assert post(url, query) == refusal


def test_an_unencoded_payload_is_never_rightly_signed(url: str) -> None:
    """Since 2026 it has to be percent-encoded before it is signed."""
    parameters = f"asset=币&{AT}"
    assert post(url, "", signed(parameters)) == (400, -1022)


@pytest.mark.parametrize(
    ("lead_ms", "window", "status"),
    [
        (999, "", 200),
        (1_000, "", 400),
        (1_000, "&recvWindow=60000", 400),
        (-5_000, "", 200),
        (-5_001, "", 400),
        (-60_000, "&recvWindow=60000", 200),
        (-60_001, "&recvWindow=60000", 400),
        (-1, "&recvWindow=0", 400),
    ],
)
def test_a_timestamp_counts_within_its_window_only(url: str, lead_ms: int, window: str, status: int) -> None:
    """The edges are exact, since a clock that drifts meets them first; no window mends a clock that runs ahead."""
    code = {200: 0, 400: -1021}[status]
    assert post(url, signed(f"timestamp={NOON_MS + lead_ms}{window}")) == (status, code)


@pytest.mark.parametrize(
    ("api_key", "refusal"),
    [("", (401, -2014)), ("short", (401, -2014)), ("-" * 64, (401, -2014)), ("k" * 64, (400, -2008))],
)
def test_an_unknown_key_is_refused(url: str, api_key: str, refusal: tuple[int, int]) -> None:
    """A mistyped key and somebody else's are different mistakes."""
    assert post(url, signed(AT), api_key=api_key) == refusal


def test_a_missing_key_is_refused(url: str) -> None:
    """A request without the header names no account at all."""
    assert send(url, "POST", f"{USER_ASSET}?{signed(AT)}").refusal == (401, -2014)


def test_an_asset_can_be_asked_for_alone(url: str) -> None:
    """An account may be collected for one asset only."""
    assert [row["asset"] for row in ask(url, MAIN, "asset=BTC").json] == ["BTC"]
    assert ask(url, MAIN, "asset=btc").json == []


def test_valuations_are_zero_unless_asked_for(url: str) -> None:
    """Zero then means nothing at all, and must not be taken for a value."""
    assert {row["btcValuation"] for row in ask(url, MAIN).json} == {"0"}
    assert {row["btcValuation"] for row in ask(url, MAIN, "needBtcValuation=false").json} == {"0"}
    values = {row["asset"]: row["btcValuation"] for row in ask(url, MAIN, "needBtcValuation=true").json}
    assert values["BTC"] != "0"
    assert values["456"] == "0"


@pytest.mark.parametrize(
    ("method", "target", "status", "body"),
    [
        ("GET", "/api/v3/time", 200, b'{"serverTime":1750000000000}'),
        ("GET", "/sapi/v1/system/status", 200, b'{"status":0,"msg":"normal"}'),
        ("GET", "/api/v3/ticker/price?symbol=NOPE", 400, b'{"code":-1121,"msg":"Invalid symbol."}'),
        ("GET", USER_ASSET, 400, b'{"code":-1000,"msg":"Request method \'GET\' not supported"}'),
        ("POST", "/api/v3/time", 400, b'{"code":-1000,"msg":"Request method \'POST\' not supported"}'),
    ],
)
def test_public_endpoints_answer_as_documented(url: str, method: str, target: str, status: int, body: bytes) -> None:
    """The collector asks for the time, the status and a price without a key."""
    reply = send(url, method, target)
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers["Content-Type"] == "application/json;charset=UTF-8"


def test_an_unknown_path_is_a_page(url: str) -> None:
    """A host without the endpoint answers with HTML, which is no data."""
    reply = send(url, "GET", "/sapi/v9/nothing")
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html")
    assert reply.body.startswith(b"<html>")


def test_prices_come_alone_or_together(url: str) -> None:
    """Totals in another currency need the price of BTC in it."""
    one = send(url, "GET", "/api/v3/ticker/price?symbol=BTCEUR").json
    both = send(url, "GET", "/api/v3/ticker/price").json
    assert [row["symbol"] for row in both] == ["BTCUSDT", "BTCEUR"]
    assert one == both[1]
    assert 57_000 < float(one["price"]) < 61_000


def test_rights_of_a_key_can_be_read(url: str) -> None:
    """A read-only key has one right; the check command warns of any other."""
    headers = {"X-MBX-APIKEY": MAIN.api_key}
    reply = send(url, "GET", f"{RESTRICTIONS}?{signed(AT)}", headers=headers)
    assert reply.json == {
        "ipRestrict": False,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableSpotAndMarginTrading": False,
        "enablePortfolioMarginTrading": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "createTime": 1_600_000_000_000,
    }
