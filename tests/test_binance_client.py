"""The client against a Binance-compatible exchange: attempts, clock, deadline, and what its errors tell."""

import json
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from collector.binance.client import BinanceClient, Credentials, Reply, wall_clock_ms
from collector.binance.signing import HmacSigner, load_private_key
from collector.domain.balances import plain
from collector.errors import ConfigError, ExchangeError, NotSentError
from collector.sandbox.accounts import Account, ed25519_account, rsa_account
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.raw_server import RawServer, answering, read_head, response

SAMPLE = (Path(__file__).parent / "data/sample_reply.json").read_bytes()
USER_ASSETS = "/sapi/v3/asset/getUserAsset"
TIME = "/api/v3/time"
START_MS = 1_700_000_000_000


class FakeTime:
    """A clock that only pauses move; the exchange may share it."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.ms = float(now_ms)
        self.pauses: list[float] = []

    def now_ms(self) -> int:
        """Epoch milliseconds; each look at it takes a hundredth of one."""
        self.ms += 0.01
        return int(self.ms)

    def monotonic(self) -> float:
        """Seconds."""
        return self.ms / 1000

    def sleep(self, seconds: float) -> None:
        """Pass at once."""
        self.pauses.append(seconds)
        self.ms += seconds * 1000


@pytest.fixture
def time() -> FakeTime:
    """The clock of client and exchange."""
    return FakeTime()


@pytest.fixture
def exchange(time: FakeTime) -> Iterator[Sandbox]:
    """An exchange with one account that holds the documented sample."""
    with Sandbox(1, reply=SAMPLE, clock=time.now_ms) as sandbox:
        yield sandbox


@contextmanager
def _client_of(base_url: str, time: FakeTime, **options: Any) -> Iterator[BinanceClient]:
    with BinanceClient(
        base_url, now_ms=time.now_ms, monotonic=time.monotonic, sleep=time.sleep, chance=lambda: 1.0, **options
    ) as client:
        yield client


@pytest.fixture
def client(exchange: Sandbox, time: FakeTime) -> Iterator[BinanceClient]:
    """A client of the exchange."""
    with _client_of(exchange.base_url, time) as client:
        yield client


@pytest.fixture
def credentials(exchange: Sandbox) -> Credentials:
    """The account's key and secret."""
    return _credentials(exchange.accounts[0])


def _credentials(account: Account) -> Credentials:
    if account.private_key_pem:
        return Credentials(api_key=account.api_key, signer=load_private_key(account.private_key_pem.encode(), None))
    return Credentials(api_key=account.api_key, signer=HmacSigner(account.api_secret))


def _fetch(client: BinanceClient, credentials: Credentials, time: FakeTime, *, for_s: float = 60) -> Reply:
    return client.fetch_user_assets(credentials, deadline_ms=int(time.ms + for_s * 1000))


def _failure(client: BinanceClient, credentials: Credentials, time: FakeTime, *, for_s: float = 60) -> ExchangeError:
    with pytest.raises(ExchangeError) as raised:
        _fetch(client, credentials, time, for_s=for_s)
    return raised.value


def _asked(exchange: Sandbox, path: str = USER_ASSETS) -> int:
    return len(exchange.requests(path=path))


def test_a_reply_holds_the_snapshot_and_how_it_was_come_by(
    client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """The store, the log and the metrics are fed from this value."""
    reply = _fetch(client, credentials, time)
    assert {b.asset: plain(b.free) for b in reply.snapshot.balances}["USDT"] == "50300000001.44911105"
    assert reply.body == SAMPLE
    assert (reply.http_status, reply.attempts, reply.weight_used, reply.clock_offset_ms) == (200, 1, 5, None)
    assert START_MS <= reply.requested_at_ms <= reply.received_at_ms <= time.now_ms()


@pytest.mark.parametrize("make", [ed25519_account, rsa_account])
def test_private_keys_are_accepted(make: Callable[[str], Account], time: FakeTime) -> None:
    """Binance recommends Ed25519, and verifies what we percent-encode."""
    account = make("main")
    with Sandbox([account], reply=SAMPLE, clock=time.now_ms) as exchange, _client_of(exchange.base_url, time) as client:
        assert len(_fetch(client, _credentials(account), time).snapshot.balances) == 7


def test_the_request_is_a_query_string_with_an_empty_body(time: FakeTime) -> None:
    """Both official Python libraries send it so; `asset` is left out rather than empty, `true` has no capital."""
    heads: list[str] = []
    credentials = Credentials(api_key="api-key", signer=HmacSigner("secret"))
    with RawServer(answering(response(b"[]"), heads)) as server, _client_of(server.base_url, time) as client:
        _fetch(client, credentials, time)
        client.fetch_user_assets(credentials, asset="币", btc_valuation=False, deadline_ms=START_MS + 9000)
    lines = [head.split("\r\n") for head in heads]
    assert all("Content-Length: 0" in head and "X-MBX-APIKEY: api-key" in head for head in lines)
    assert [head[0].rpartition("&signature=")[0] for head in lines] == [
        f"POST {USER_ASSETS}?needBtcValuation=true&recvWindow=5000&timestamp={START_MS}",
        f"POST {USER_ASSETS}?asset=%E5%B8%81&recvWindow=5000&timestamp={START_MS}",
    ]


def test_a_name_beyond_ascii_is_signed_as_it_is_sent(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """Signing it before percent-encoding is error -1022."""
    exchange.set_reply("main", SAMPLE.replace(b"AVAX", "币安人生".encode()))
    reply = client.fetch_user_assets(credentials, asset="币安人生", deadline_ms=START_MS + 60_000)
    assert reply.attempts == 1


def test_each_attempt_is_signed_anew(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """An old timestamp would fall out of the window, and an old signature covers an old timestamp."""
    exchange.script(Fault(kind="error", code=-1000, last=3))
    reply = _fetch(client, credentials, time)
    assert reply.attempts == 4
    assert time.pauses == [0.5, 1.0, 2.0]
    assert len({served.signature for served in exchange.requests(path=USER_ASSETS)}) == 4


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="reset", last=2),
        Fault(kind="reset_midway", last=2),
        Fault(kind="half_body", last=2),
        Fault(kind="truncated", last=2),
        Fault(kind="html", last=2),
        Fault(kind="status", status=502, last=2),
        Fault(kind="body", body="{}", last=2),
        Fault(kind="error_in_200", code=-1001, last=2),
        Fault(kind="error", code=-77777, last=2),
    ],
    ids=lambda fault: f"{fault.kind}{fault.code or ''}",
)
def test_what_may_pass_is_tried_again(
    fault: Fault, exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """A tick is lost only when Binance fails for as long as it may be tried."""
    exchange.script(fault)
    assert _fetch(client, credentials, time).attempts == 3
    assert time.pauses == [0.5, 1.0]


@pytest.mark.parametrize(
    ("fault", "reason", "status", "code", "permanent"),
    [
        (Fault(kind="error", status=429, code=-1003), "rate_limited", 429, -1003, False),
        (Fault(kind="error", status=418, code=-1003), "banned", 418, -1003, False),
        (Fault(kind="html", status=403), "firewall", 403, None, False),
        (Fault(kind="error", code=-1022), "bad_signature", 400, -1022, True),
        (Fault(kind="error", code=-2015, status=401), "key_rejected", 401, -2015, True),
        (Fault(kind="error_in_200", code=-2015), "key_rejected", 200, -2015, True),
        (Fault(kind="error", code=-1102), "bad_parameter", 400, -1102, True),
        (Fault(kind="status", status=451), "key_rejected", 451, None, True),
        (Fault(kind="html", status=404), "server_error", 404, None, False),
        (Fault(kind="redirect"), "bad_reply", 302, None, False),
        (Fault(kind="error", code=-1008, status=503), "busy", 503, -1008, False),
    ],
    ids=lambda value: value.kind + str(value.code or value.status or "") if isinstance(value, Fault) else "",
)
def test_what_stays_is_asked_once(
    *,
    fault: Fault,
    reason: str,
    status: int,
    code: int | None,
    permanent: bool,
    exchange: Sandbox,
    client: BinanceClient,
    credentials: Credentials,
    time: FakeTime,
) -> None:
    """Repeating it turns a limit into a ban, or a wrong key into a blocked one."""
    exchange.script(fault)
    error = _failure(client, credentials, time)
    assert (error.reason, error.http_status, error.code, error.permanent) == (reason, status, code, permanent)
    assert (error.attempts, _asked(exchange), time.pauses) == (1, 1, [])
    assert error.requested_at_ms is not None
    assert error.received_at_ms is not None
    assert START_MS <= error.requested_at_ms <= error.received_at_ms <= time.now_ms()


@pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("0", 0), (None, None), ("garbage", None)])
def test_a_limit_tells_how_long_to_wait(
    header: str | None,
    seconds: int | None,
    exchange: Sandbox,
    client: BinanceClient,
    credentials: Credentials,
    time: FakeTime,
) -> None:
    """Every account behind the address waits for it."""
    message = "Way too much request weight used; IP banned until 1700000500000."
    exchange.script(Fault(kind="error", status=418, code=-1003, retry_after=header, message=message))
    error = _failure(client, credentials, time)
    assert (error.retry_after_s, error.banned_until_ms) == (seconds, 1_700_000_500_000)


def test_attempts_end_before_the_deadline(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """A pause that would reach beyond it is not begun."""
    exchange.script(Fault(kind="status", status=500))
    error = _failure(client, credentials, time, for_s=4)
    assert (error.reason, error.attempts, time.pauses) == ("server_error", 4, [0.5, 1.0, 2.0])


def test_attempts_are_limited(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """Thousands of accounts that repeat for a minute would spend the weight limit on a broken exchange."""
    exchange.script(Fault(kind="status", status=500))
    assert _failure(client, credentials, time, for_s=600).attempts == 6


def test_after_the_deadline_nothing_is_sent(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """A tick that was never tried is missed, not failed: the kind of the error tells."""
    error = _failure(client, credentials, time, for_s=0)
    assert isinstance(error, NotSentError)
    assert (error.reason, error.attempts, error.requested_at_ms, _asked(exchange)) == ("overrun", 0, None, 0)


def test_a_reply_that_is_complete_after_the_deadline_is_discarded(time: FakeTime) -> None:
    """It would be stamped with an instant at which it was not true."""

    def late(connection: Any) -> None:
        read_head(connection)
        time.ms += 61_000
        connection.sendall(response(SAMPLE))

    with RawServer(late) as server, _client_of(server.base_url, time) as client:
        error = _failure(client, Credentials(api_key="k", signer=HmacSigner("s")), time)
    assert (error.reason, error.attempts) == ("timeout", 1)
    assert str(error) == "the reply was complete only after the deadline"
    assert error.received_at_ms is not None
    assert error.received_at_ms > START_MS + 60_000


@pytest.mark.parametrize("skew_ms", [600_000, -600_000])
def test_a_clock_that_is_off_is_measured_and_used(
    skew_ms: int, exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """The local clock stays as it is; only signing follows the server."""
    exchange.set_skew(skew_ms)
    first, second = _fetch(client, credentials, time), _fetch(client, credentials, time)
    assert (first.attempts, second.attempts, _asked(exchange, TIME), time.pauses) == (2, 1, 1, [0.0])
    assert first.clock_offset_ms is not None
    assert abs(first.clock_offset_ms - skew_ms) <= 2
    assert first.received_at_ms <= time.now_ms()


def test_an_offset_is_measured_on_request(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """The daemon measures before its first tick, so that not even the first request is refused."""
    exchange.set_skew(-90_000)
    offset_ms = client.server_offset_ms()
    assert abs(offset_ms + 90_000) <= 2
    reply = _fetch(client, credentials, time)
    assert (reply.attempts, reply.clock_offset_ms) == (1, offset_ms)


def test_the_offset_is_taken_at_the_midpoint_of_the_round_trip(time: FakeTime) -> None:
    """A slow network must not look like a wrong clock."""

    def slow(connection: Any) -> None:
        read_head(connection)
        time.ms += 2000
        body = json.dumps({"serverTime": int(time.ms)}).encode()
        time.ms += 2000
        connection.sendall(response(body))

    with RawServer(slow) as server, _client_of(server.base_url, time) as client:
        assert abs(client.server_offset_ms()) <= 2


def test_a_clock_error_that_stays_fails_after_one_more_attempt(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """A measured clock either helps at once or not at all."""
    exchange.script(Fault(kind="error", code=-1021, path=USER_ASSETS))
    error = _failure(client, credentials, time)
    assert (error.reason, error.code, error.attempts, _asked(exchange, TIME)) == ("clock", -1021, 2, 1)
    assert error.clock_offset_ms is not None


def test_a_clock_error_stands_when_the_clock_can_not_be_measured(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """The reason in the ledger is the cause, not the accident on the way to its cure."""
    exchange.script(Fault(kind="error", code=-1021, path=USER_ASSETS), Fault(kind="status", status=500, path=TIME))
    error = _failure(client, credentials, time)
    assert (error.reason, error.attempts, _asked(exchange, TIME)) == ("clock", 1, 1)


def test_all_threads_share_one_measurement(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """Thousands of accounts notice a step of the clock in the same second."""
    exchange.set_skew(600_000)
    together = threading.Barrier(8)

    def one(_: int) -> int | None:
        together.wait(30)
        return _fetch(client, credentials, time).clock_offset_ms

    with ThreadPoolExecutor(8) as pool:
        offsets = set(pool.map(one, range(8)))
    assert len(offsets) == 1
    assert _asked(exchange, TIME) == 1


def test_who_waits_for_a_measurement_does_not_wait_beyond_the_deadline(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """Another thread's measurement may hang."""
    exchange.set_skew(600_000)
    with client._caller._resyncing:
        error = _failure(client, credentials, time, for_s=0.2)
    assert (error.reason, error.attempts) == ("clock", 1)


def test_32_threads_get_each_their_own_account(time: FakeTime) -> None:
    """One session serves all accounts: a mix-up would store one client's balances under another's name."""
    with Sandbox(32, clock=time.now_ms) as exchange, _client_of(exchange.base_url, time) as client:
        for number, account in enumerate(exchange.accounts):
            exchange.set_reply(account.name, SAMPLE.replace(b"887.47061626", b"%d.5" % number))

        def one(turn: int) -> bool:
            number = turn % 32
            reply = _fetch(client, _credentials(exchange.accounts[number]), time)
            return reply.snapshot.balances[2].free == Decimal(f"{number}.5")

        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(one, range(320)))


def test_status_permissions_and_price_are_typed(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials
) -> None:
    """`check` tells the operator what a key may do beyond reading."""
    exchange.set_rights("main", {"enableWithdrawals": True})
    assert not client.system_status().maintenance
    restrictions = client.api_restrictions(credentials)
    assert (restrictions.reading, restrictions.rights) == (True, ("enableWithdrawals",))
    assert client.btc_price("USDT") > 0
    assert exchange.requests(path="/api/v3/ticker/price")[0].signature is None


def test_a_price_that_binance_does_not_know_is_a_bad_parameter(client: BinanceClient) -> None:
    """A typing error in the configuration."""
    with pytest.raises(ExchangeError) as raised:
        client.btc_price("NOTHING")
    assert (raised.value.reason, raised.value.code) == ("bad_parameter", -1121)


def test_an_aborted_client_sends_nothing_more(
    exchange: Sandbox, client: BinanceClient, credentials: Credentials, time: FakeTime
) -> None:
    """After SIGTERM no tick is begun."""
    client.abort()
    error = _failure(client, credentials, time)
    assert (error.reason, error.attempts, _asked(exchange)) == ("not_running", 0, 0)


def test_abort_ends_a_pause_between_attempts(exchange: Sandbox, credentials: Credentials, time: FakeTime) -> None:
    """The default sleep is one that can be woken up."""
    exchange.script(Fault(kind="status", status=500))
    with (
        BinanceClient(exchange.base_url, now_ms=time.now_ms, chance=lambda: 1e6) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        failing = pool.submit(_failure, client, credentials, time, for_s=10**7)
        while not _asked(exchange):
            threading.Event().wait(0.01)
        client.abort()
        error = failing.result(30)
    assert (error.reason, error.attempts) == ("aborted", 1)


@pytest.mark.parametrize("api_key", ["", "a b", "k\n", "k\u00e9", "k\x00"])
def test_an_api_key_that_could_not_stand_in_a_header_is_refused(api_key: str) -> None:
    """A stray newline at the end of a secret's file is the usual mistake."""
    with pytest.raises(ConfigError, match="copy it again"):
        Credentials(api_key=api_key, signer=HmacSigner("s"))


def _printed(error: BaseException) -> str:
    whole = ""
    seen: BaseException | None = error
    while seen is not None:
        whole += "".join(traceback.format_exception(seen)) + repr(seen) + repr(vars(seen))
        seen = seen.__context__
    return whole


@pytest.mark.parametrize(
    "kind", ["reset", "reset_midway", "half_body", "html", "truncated", "redirect", "error", "status", "body", "hang"]
)
def test_no_secret_is_in_an_error_or_a_log(
    kind: str,
    exchange: Sandbox,
    client: BinanceClient,
    credentials: Credentials,
    time: FakeTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logs are mailed around; whoever has a signed URL may use it for its whole window."""
    caplog.set_level(logging.DEBUG)
    exchange.script(Fault(kind=kind, path=USER_ASSETS, seconds=5))
    error = _failure(client, credentials, time, for_s=0.3)
    printed = _printed(error) + caplog.text + repr(client) + repr(credentials)
    account = exchange.accounts[0]
    signatures = [served.signature for served in exchange.requests(path=USER_ASSETS)]
    assert signatures
    assert USER_ASSETS in caplog.text or kind in {"reset", "hang"}
    for secret in (account.api_key, account.api_secret, *signatures):
        assert secret
        assert secret not in printed
        assert unquote(secret) not in printed


def test_a_server_that_echoes_secrets_is_not_quoted(time: FakeTime) -> None:
    """A gateway may repeat the request in its answer."""

    def echo(connection: Any) -> None:
        head = read_head(connection)
        signature = head.partition("signature=")[2].partition(" ")[0]
        body = json.dumps({"code": -1100, "msg": f"bad: the-api-key {signature} {unquote(signature)}"}).encode()
        connection.sendall(response(body, status="400 Bad Request"))

    account = ed25519_account("main")
    credentials = Credentials(api_key="the-api-key", signer=load_private_key(account.private_key_pem.encode(), None))
    with RawServer(echo) as server, _client_of(server.base_url, time) as client:
        error = _failure(client, credentials, time)
    assert str(error).endswith("(http status 400, code -1100, 'bad: *** *** ***')")


def test_the_defaults_work_on_the_real_clock() -> None:
    """What the daemon uses is what was tested."""
    with Sandbox(1) as exchange, BinanceClient(exchange.base_url) as client:
        assert abs(client.server_offset_ms()) < 10_000
        reply = client.fetch_user_assets(_credentials(exchange.accounts[0]), deadline_ms=wall_clock_ms() + 60_000)
    assert reply.attempts == 1
    assert reply.requested_at_ms <= reply.received_at_ms <= wall_clock_ms()


def test_plain_http_is_for_loopback() -> None:
    """The rest of the address's rules are tested with it."""
    with pytest.raises(ConfigError, match="unencrypted"):
        BinanceClient("http://api.binance.com")
