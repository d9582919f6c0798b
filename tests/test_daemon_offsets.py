"""The clocks are compared beside the ticks, and each change is said once."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator

import pytest

from collector.binance.client import BinanceClient
from collector.daemon import offsets
from collector.daemon.clock import Reading
from collector.daemon.offsets import ClockKeeper
from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox

TIME = "/api/v3/time"


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange with one account."""
    with Sandbox(1) as sandbox:
        yield sandbox


@pytest.fixture
def client(exchange: Sandbox) -> Iterator[BinanceClient]:
    """A client that does not try twice."""
    with BinanceClient(exchange.base_url, max_attempts=1) as made:
        yield made


def until(seen: Callable[[], bool]) -> None:
    """Wait for the keeper's thread."""
    deadline = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def asked(exchange: Sandbox) -> int:
    """How often the clock was asked for, and answered or not."""
    return sum(entry.finished_ms is not None for entry in exchange.requests(path=TIME))


def test_the_clocks_are_compared_when_one_was_set(exchange: Sandbox, client: BinanceClient) -> None:
    """The old difference is worth nothing any more; without a step nothing is asked for ten minutes."""
    keeper = ClockKeeper(client)
    keeper.start()
    assert asked(exchange) == 0
    for number in (1, 2):
        keeper.measure_now()
        until(lambda number=number: asked(exchange) == number)  # type: ignore[misc]  # mypy can't infer such a lambda
    keeper.stop()


def test_the_clocks_are_compared_now_and_then(exchange: Sandbox, client: BinanceClient) -> None:
    """A clock that drifts never steps."""
    keeper = ClockKeeper(client, every_s=0.01)
    keeper.start()
    until(lambda: asked(exchange) >= 3)
    keeper.stop()
    until(lambda: not keeper._thread.is_alive())


def test_each_change_is_said_once(
    exchange: Sandbox, client: BinanceClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes later the same sentence would tell nothing new."""
    caplog.set_level(logging.INFO, logger=offsets.__name__)
    monkeypatch.setattr(offsets, "AFTER_FAILURE_S", 0.01)
    keeper = ClockKeeper(client, every_s=0.01)
    keeper.start()

    def soon(words: str) -> None:
        until(lambda: words in caplog.text)
        seen = asked(exchange)
        until(lambda: asked(exchange) > seen + 2)

    soon("the local clock and Binance's differ by")
    exchange.set_skew(-600_000)
    soon("600.0 s ahead of Binance's: set it right")
    exchange.script(Fault(kind="status", status=500, path=TIME))
    soon("Binance's clock can't be asked for: Binance failed on its side")
    exchange.clear_faults()
    exchange.set_skew(0)
    until(lambda: caplog.text.count("the local clock and Binance's differ by") == 2)
    keeper.stop()
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING", "INFO"]


def test_who_wants_to_know_is_told_each_measurement_and_may_ask_for_another(
    exchange: Sandbox, client: BinanceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that can't be brought back to the present now is tried again soon, not in ten minutes."""
    monkeypatch.setattr(offsets, "AFTER_FAILURE_S", 0.01)
    told: list[int] = []

    def on_measured(offset_ms: int) -> bool:
        told.append(offset_ms)
        return False

    keeper = ClockKeeper(client, every_s=0.01, on_measured=on_measured)
    exchange.set_skew(60_000)
    keeper.start()
    until(lambda: len(told) >= 3)
    keeper.stop()
    assert all(abs(offset_ms - 60_000) < 500 for offset_ms in told)


def test_a_measurement_during_which_the_clock_was_set_is_none(exchange: Sandbox, client: BinanceClient) -> None:
    """Its midpoint lies between two times that have nothing to do with each other."""
    told: list[int] = []
    readings = itertools.count()

    def clocks() -> Reading:
        return Reading(wall_ms=0 if next(readings) else 3_600_000, awake_ms=0, all_ms=0)

    def on_measured(offset_ms: int) -> bool:
        told.append(offset_ms)
        return True

    keeper = ClockKeeper(client, every_s=0.01, on_measured=on_measured, clocks=clocks)
    keeper.measure_now()
    keeper.start()
    until(lambda: len(told) >= 1)
    keeper.stop()
    assert asked(exchange) > len(told)


def test_a_measurement_that_the_end_cuts_off_is_no_failure(
    exchange: Sandbox, client: BinanceClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a clean end holds no warning."""
    exchange.script(Fault(kind="hang", seconds=30, path=TIME))
    keeper = ClockKeeper(client)
    keeper.start()
    keeper.measure_now()
    until(lambda: len(exchange.requests(path=TIME)) == 1)
    keeper.stop()
    client.abort()
    until(lambda: not keeper._thread.is_alive())
    assert caplog.text == ""
