"""Request weights, over real sockets."""

from collector.sandbox.limits import Limits
from collector.sandbox.server import Sandbox
from tests.sandbox_client import NOON_MS, USER_ASSET, Clock, Reply, ask, send

MINUTE_MS = 60_000
# NOON_MS lies 40 s after a full minute.
AFTER_MINUTE_MS = 40_000


def used(reply: Reply) -> str | None:
    """The weight that the answer tells."""
    return reply.headers["X-SAPI-USED-IP-WEIGHT-1M"]


def test_each_request_weighs_and_says_how_much_is_used() -> None:
    """The collector spreads its requests by this header."""
    with Sandbox(clock=Clock()) as exchange:
        account = exchange.accounts[0]
        assert [used(ask(exchange.base_url, account)) for _ in range(3)] == ["5", "10", "15"]
        assert used(send(exchange.base_url, "GET", "/sapi/v1/system/status")) == "1"
        assert send(exchange.base_url, "GET", "/api/v3/ticker/price").headers["X-MBX-USED-WEIGHT-1M"] == "2"


def test_bad_requests_weigh_like_good_ones() -> None:
    """A client in a loop of errors uses up the weight of all."""
    with Sandbox(clock=Clock()) as exchange:
        assert send(exchange.base_url, "POST", USER_ASSET).status == 401
        assert used(ask(exchange.base_url, exchange.accounts[0])) == "10"


def test_an_aligned_minute_begins_anew_on_the_full_minute() -> None:
    """One of the two ways in which Binance may count."""
    clock = Clock()
    with Sandbox(clock=clock, limits=Limits(weight=10)) as exchange:

        def weigh() -> Reply:
            return ask(exchange.base_url, exchange.accounts[0], at_ms=clock.now_ms)

        assert [weigh().status for _ in range(3)] == [200, 200, 429]
        refused = weigh()
        assert refused.json == {
            "code": -1003,
            "msg": "Too much request weight used; current limit is 10 request weight per 1 MINUTE.",
        }
        assert refused.headers["Retry-After"] == "20"
        clock.now_ms = NOON_MS + MINUTE_MS - AFTER_MINUTE_MS - 1
        assert weigh().status == 429
        clock.now_ms += 1
        assert used(weigh()) == "5"


def test_a_rolling_minute_frees_weight_as_it_was_used() -> None:
    """The other way: a burst then hurts for a whole minute."""
    clock = Clock()
    with Sandbox(clock=clock, limits=Limits(weight=10, rolling=True)) as exchange:

        def weigh() -> Reply:
            return ask(exchange.base_url, exchange.accounts[0], at_ms=clock.now_ms)

        assert weigh().status == 200
        clock.now_ms = NOON_MS + 50_000
        assert weigh().status == 200
        refused = weigh()
        assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
        clock.now_ms = NOON_MS + MINUTE_MS
        assert [weigh().status, weigh().status] == [200, 429]


def test_who_hammers_on_is_banned_for_a_while() -> None:
    """The ban names its end in the message, in milliseconds, and in Retry-After."""
    clock = Clock()
    with Sandbox(clock=clock, limits=Limits(weight=5, ban_after=2, ban_s=120)) as exchange:

        def weigh() -> Reply:
            return ask(exchange.base_url, exchange.accounts[0], at_ms=clock.now_ms)

        assert [weigh().status for _ in range(4)] == [200, 429, 429, 418]
        banned = weigh()
        assert banned.refusal == (418, -1003)
        assert f"IP banned until {NOON_MS + 120_000}." in banned.json["msg"]
        assert banned.headers["Retry-After"] == "120"
        assert send(exchange.base_url, "GET", "/api/v3/time").status == 418
        clock.now_ms = NOON_MS + 120_000
        assert weigh().status == 200


def test_patience_after_a_refusal_is_not_hammering() -> None:
    """Only refusals in a row lead to a ban."""
    clock = Clock()
    with Sandbox(clock=clock, limits=Limits(weight=5, ban_after=1)) as exchange:
        statuses = []
        for _ in range(3):
            statuses += [ask(exchange.base_url, exchange.accounts[0], at_ms=clock.now_ms).status for _ in range(2)]
            clock.now_ms += MINUTE_MS
        assert statuses == [200, 429] * 3


def test_addresses_are_counted_apart() -> None:
    """Weight belongs to an IP; a fleet behind two addresses has twice as much."""
    with Sandbox(clock=Clock(), limits=Limits(weight=5), trust_ip_header=True) as exchange:
        account = exchange.accounts[0]
        sources = ["127.0.0.1", "127.0.0.1", "127.0.0.2"]
        assert [ask(exchange.base_url, account, source_ip=source).status for source in sources] == [200, 429, 200]
        named = send(exchange.base_url, "GET", "/api/v3/time", headers={"X-Sandbox-IP": "203.0.113.9"})
        assert named.status == 200
        assert [entry.client_ip for entry in exchange.requests()] == [*sources, "203.0.113.9"]


def test_an_address_in_a_header_counts_only_when_trusted() -> None:
    """Else a client could forge its way around the limit."""
    with Sandbox(clock=Clock()) as exchange:
        send(exchange.base_url, "GET", "/api/v3/time", headers={"X-Sandbox-IP": "203.0.113.9"})
        assert exchange.requests()[0].client_ip == "127.0.0.1"


def test_a_weight_above_the_limit_is_refused_at_once() -> None:
    """A limit of nothing refuses everything, without a request that could ever be freed."""
    with Sandbox(clock=Clock(), limits=Limits(weight=1, rolling=True)) as exchange:
        refused = ask(exchange.base_url, exchange.accounts[0])
        assert (refused.status, refused.headers["Retry-After"], used(refused)) == (429, "60", "0")
