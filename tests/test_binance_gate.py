"""Requests of many threads pass one gate, which never lets more out than Binance allows."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from collector.binance.budget import Budget, Moment, Quota, quota_of
from collector.binance.client import BinanceClient, Credentials
from collector.binance.gate import Gate, Pass
from collector.binance.signing import HmacSigner
from collector.errors import ExchangeError, NotSentError
from collector.sandbox.faults import Fault
from collector.sandbox.journal import Served
from collector.sandbox.limits import Limits
from collector.sandbox.server import Sandbox

USER_ASSETS = "/sapi/v3/asset/getUserAsset"
TIGHT = Quota(limit=4, placed=2, ceiling=3, brink=4)


class FakeTime:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.pauses: list[float] = []

    def moment(self) -> Moment:
        """Both clocks alike."""
        return Moment(steady_ms=self.ms, server_ms=self.ms)

    def pause(self, seconds: float) -> None:
        """Pass at once."""
        self.pauses.append(seconds)
        self.ms += seconds * 1000


def gate_of(clock: FakeTime, *, planned: int = 0, quota: Quota = TIGHT) -> Gate:
    """A gate of this clock."""
    return Gate(Budget(quota, planned=planned), moment=clock.moment, pause=clock.pause)


def left_until(clock: FakeTime, deadline_ms: float) -> float:
    """Seconds to a deadline."""
    return (deadline_ms - clock.ms) / 1000


def entered(gate: Gate, clock: FakeTime, deadline_ms: float = 1e9, *, retry: bool = False) -> Pass | None:
    """A request that may wait until the deadline."""
    return gate.enter(lambda: left_until(clock, deadline_ms), retry=retry)


def test_with_room_nobody_waits() -> None:
    """Punctuality is what a single account sees."""
    clock = FakeTime()
    gate = gate_of(clock)
    passes = [entered(gate, clock, deadline_ms=1) for _ in range(3)]
    assert [passed.number for passed in passes if passed] == [1, 2, 3]
    assert clock.pauses == []


def test_without_room_it_waits_in_short_pauses() -> None:
    """So that a place given back, or a lower count of Binance's, is noticed."""
    clock = FakeTime()
    gate = gate_of(clock)
    for _ in range(3):
        entered(gate, clock)
    passed = entered(gate, clock)
    assert passed is not None
    assert (passed.number, clock.ms, max(clock.pauses)) == (4, 60_000, 1.0)


def test_what_has_to_leave_sooner_does_not_leave() -> None:
    """It gives up at once, and its place with it: a thread that waits in vain is lost to all accounts."""
    clock = FakeTime()
    gate = gate_of(clock)
    for _ in range(3):
        entered(gate, clock)
    assert entered(gate, clock, deadline_ms=59_999) is None
    assert clock.pauses == []
    assert entered(gate, clock, deadline_ms=60_001) is not None


def test_a_closed_gate_opens_by_itself() -> None:
    """After a ban whoever still has time goes on."""
    clock = FakeTime()
    gate = gate_of(clock)
    gate.close_for(2.5)
    assert entered(gate, clock, deadline_ms=2_400) is None
    assert entered(gate, clock) is not None
    assert clock.ms == 2_500


def test_binances_own_count_closes_it_until_the_next_minute() -> None:
    """Somebody else behind the address has used the limit up."""
    clock = FakeTime()
    gate = gate_of(clock)
    passed = entered(gate, clock)
    assert passed is not None
    gate.told(passed, 20)
    assert entered(gate, clock) is not None
    assert clock.ms == 60_000


class Stopped(FakeTime):
    """A clock whose pauses wait until the test moves it on."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = threading.Condition()
        self.waiting = 0

    def pause(self, seconds: float) -> None:
        """Wait for the clock."""
        with self.moved:
            self.waiting += 1
            self.moved.notify_all()
            until_ms = self.ms + seconds * 1000
            assert self.moved.wait_for(lambda: self.ms >= until_ms, 20)
            self.waiting -= 1

    def move(self, ms: float) -> None:
        """Set it forward."""
        with self.moved:
            self.ms += ms
            self.moved.notify_all()

    def until_waiting(self, number: int) -> None:
        """Return when so many pause."""
        with self.moved:
            assert self.moved.wait_for(lambda: self.waiting == number, 20)


def test_first_attempts_go_before_retries_and_each_in_its_order() -> None:
    """A storm of retries must not starve the accounts that have not been asked yet."""
    clock = Stopped()
    gate = gate_of(clock)
    for _ in range(3):
        entered(gate, clock)
        clock.ms += 10  # so that places come free one by one
    went: list[str] = []

    def come(name: str) -> None:
        gate.enter(lambda: 100.0, retry=name.startswith("retry"))
        went.append(name)

    with ThreadPoolExecutor(3) as pool:
        for number, name in enumerate(("retry", "first 1", "first 2"), 1):
            pool.submit(come, name)
            clock.until_waiting(number)
        clock.ms = 58_995
        for number in range(3):
            clock.move(1_005)
            while len(went) <= number:
                clock.move(1)
                time.sleep(0.001)
            clock.ms = 59_000 + 10 * number
    assert went == ["first 1", "first 2", "retry"]


def test_a_first_attempt_is_not_behind_a_retry_that_may_not_leave() -> None:
    """The one place that is left belongs to the account that has not been asked yet."""
    clock = Stopped()
    gate = gate_of(clock, planned=3)
    for _ in range(2):
        entered(gate, clock)
    with ThreadPoolExecutor(1) as pool:
        retry = pool.submit(entered, gate, clock, retry=True)
        clock.until_waiting(1)
        assert entered(gate, clock, deadline_ms=1) is not None
        assert not retry.done()
        for _ in range(200):
            clock.move(1_000)
            if retry.done():
                break
            time.sleep(0.001)
        with clock.moved:
            clock.ms = 1e10  # past its deadline, should it still wait
            clock.moved.notify_all()
        assert retry.result(20) is None


# -- the client, over real sockets


@contextmanager
def client_of(exchange: Sandbox, budget: Budget) -> Iterator[tuple[BinanceClient, list[Credentials]]]:
    """A client with this budget, and every account's key."""
    keys = [Credentials(api_key=a.api_key, signer=HmacSigner(a.api_secret)) for a in exchange.accounts]
    with BinanceClient(exchange.base_url, budget=budget, chance=lambda: 9.0) as client:  # pauses of 2.5 s and more
        client.server_offset_ms()
        yield client, keys


def asked(exchange: Sandbox) -> list[Served]:
    """The requests for balances."""
    return exchange.requests(path=USER_ASSETS)


def fetched(client: BinanceClient, key: Credentials, for_s: float) -> str:
    """What came of one tick: `stored`, or the reason."""
    try:
        client.fetch_user_assets(key, deadline_ms=time.time_ns() // 1_000_000 + int(for_s * 1000))
    except ExchangeError as error:
        return str(error.reason)
    return "stored"


def early_in_a_minute() -> Callable[[], int]:
    """A clock that goes on from ten seconds after the turn of a minute."""
    now_ms = time.time_ns() // 1_000_000
    ahead_ms = 10_000 - now_ms % 60_000
    return lambda: time.time_ns() // 1_000_000 + ahead_ms


@pytest.mark.parametrize("rolling", [False, True])
def test_the_exchange_never_refuses_for_weight(*, rolling: bool) -> None:
    """Eight threads ask as often as they can: what is too much for the limit does not leave, and is told apart."""
    limits = Limits(weight=100, rolling=rolling, ban_after=0)
    with (
        Sandbox(8, limits=limits, clock=early_in_a_minute()) as exchange,
        client_of(exchange, Budget(quota_of(100, 0.1))) as (client, keys),
    ):
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda n: fetched(client, keys[n % 8], 20), range(100)))
        assert {entry.status for entry in asked(exchange)} == {200}
        assert len(asked(exchange)) == outcomes.count("stored") == 19
        assert outcomes.count("waiting") == 81


@pytest.mark.parametrize("rolling", [False, True])
def test_others_behind_the_address_are_left_their_share(*, rolling: bool) -> None:
    """Another program has used 60 of 100 when we begin; the first answer tells."""
    limits = Limits(weight=100, rolling=rolling, ban_after=0)
    with Sandbox(1, limits=limits, clock=early_in_a_minute()) as exchange:
        with client_of(exchange, Budget(quota_of(100, 0.1))) as (other, keys):
            assert [fetched(other, keys[0], 20) for _ in range(12)] == ["stored"] * 12
        with client_of(exchange, Budget(quota_of(100, 0.1))) as (client, keys):
            outcomes = [fetched(client, keys[0], 20) for _ in range(20)]
        assert {entry.status for entry in asked(exchange)} == {200}
        assert (outcomes.count("stored"), outcomes.count("waiting")) == (7, 13)


def test_retries_leave_the_weight_to_first_attempts() -> None:
    """With every request of a minute planned, a failure stands at once, and its own reason with it."""
    budget = Budget(quota_of(100, 0.1), planned=19)
    with Sandbox(1, clock=early_in_a_minute()) as exchange, client_of(exchange, budget) as (client, keys):
        exchange.script(Fault(kind="status", status=500, path=USER_ASSETS))
        assert fetched(client, keys[0], 20) == "server_error"
        exchange.clear_faults()
        assert fetched(client, keys[0], 20) == "stored"
        assert len(asked(exchange)) == 2


def test_after_a_ban_nobody_tries_again() -> None:
    """One request was answered by 418: others that pause between two attempts must not follow."""
    with Sandbox(2) as exchange, client_of(exchange, Budget(quota_of(12_000, 0.05))) as (client, keys):
        exchange.script(
            Fault(kind="error", code=-1003, status=418, retry_after="120", account="acct-0002"),
            Fault(kind="status", status=500, account="acct-0001"),
        )
        with ThreadPoolExecutor(2) as pool:
            pausing = pool.submit(fetched, client, keys[0], 30.0)
            while not asked(exchange):
                time.sleep(0.01)
            banned = pool.submit(fetched, client, keys[1], 30.0)
            assert (banned.result(30), pausing.result(30)) == ("banned", "server_error")
        assert [entry.account for entry in asked(exchange)] == ["acct-0001", "acct-0002"]
        assert fetched(client, keys[0], 30.0) == "waiting"
        assert len(asked(exchange)) == 2


def test_waiting_for_the_gate_ends_with_the_program() -> None:
    """SIGTERM must not wait for the next minute; the tick was not begun."""
    with Sandbox(1) as exchange, client_of(exchange, Budget(quota_of(5, 0.0))) as (client, keys):
        assert fetched(client, keys[0], 20) == "stored"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(fetched, client, keys[0], 300.0)
            time.sleep(0.1)
            client.abort()
            assert waiting.result(5) == "not_running"
        assert len(asked(exchange)) == 1


def test_what_is_held_back_says_so() -> None:
    """`once` shows the sentence to a person."""
    with Sandbox(1) as exchange, client_of(exchange, Budget(quota_of(5, 0.0))) as (client, keys):
        fetched(client, keys[0], 20)
        with pytest.raises(NotSentError, match="the weight limit is used up") as raised:
            client.fetch_user_assets(keys[0], deadline_ms=time.time_ns() // 1_000_000 + 20_000)
        assert raised.value.exit_code == 75
