"""The price of BTC at each tick: exact or absent, asked for once, and never in the way of a snapshot."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from collector.daemon.prices import PriceKeeper, _Due
from collector.domain.records import Price, Wait
from collector.domain.ticks import FailReason
from collector.sandbox.faults import Fault
from collector.sandbox.prices import price_at
from collector.storage.prices import prices
from collector.storage.reader import Reader
from collector.storage.registry import note_prices
from tests.collecting import PATIENCE_S, World, until, world
from tests.daemons import crew
from tests.daemons import until as until_seen
from tests.ledgers import T0, ask, instant

TICKER = "/api/v3/ticker/price"


@pytest.fixture
def two(database_url: str) -> Iterator[World]:
    """Two accounts and an exchange, at T0."""
    with world(database_url, accounts=2) as made:
        made.add(0)
        made.add(1)
        yield made


@contextmanager
def keeping(on: World, *quotes: str) -> Iterator[PriceKeeper]:
    """A keeper of prices that runs."""
    shared = on.shared
    keeper = PriceKeeper(shared.client, shared.recorder, quotes, waits=shared.waits, now_ms=on.clocks.now_ms)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()
        shared.client.abort()
        if quotes:
            keeper._thread.join(20)
            assert not keeper._thread.is_alive()


def due(on: World, keeper: PriceKeeper, at_s: int = 0, *, interval_s: int = 60) -> None:
    """A tick so many seconds after T0 is due now; returns when its prices have been dealt with."""
    on.clocks.run(T0 + at_s - on.clocks.wall_ms / 1000)
    deal_with(keeper, T0 + at_s, interval_s)


def deal_with(keeper: PriceKeeper, due_at: int, interval_s: int) -> None:
    """Tell the keeper of a tick, and wait until it is done with it."""
    done = threading.Event()
    keep = keeper._keep

    def keep_and_tell(due: _Due) -> None:
        keep(due)
        done.set()

    keeper._keep = keep_and_tell  # type: ignore[method-assign]
    keeper.due(due_at, interval_s)
    assert done.wait(PATIENCE_S)
    keeper._keep = keep  # type: ignore[method-assign]


def kept(url: str) -> list[tuple[int, str, str]]:
    """The table: seconds since T0, currency, the exact price."""
    at = "due_at" if url.startswith("sqlite") else "CAST(extract(epoch FROM due_at) AS bigint)"
    rows = ask(url, f"SELECT {at}, base, quote, CAST(price AS TEXT) FROM price ORDER BY 1, 3")
    assert all(row[1] == "BTC" for row in rows)
    return [(row[0] - T0, row[2], row[3]) for row in rows]


def asked(on: World) -> int:
    """How many requests for a price reached the exchange."""
    return len(on.exchange.requests(path=TICKER))


def told(quote: str, at_s: int) -> tuple[int, str, str]:
    """What the exchange says at this instant."""
    return at_s, quote, price_at(1, f"BTC{quote}", (T0 + at_s) * 1000)


def test_prices_are_kept_digit_for_digit_once_for_all_accounts(two: World) -> None:
    """They belong to the tick, and not to an account."""
    with keeping(two, "USDT", "EUR") as keeper:
        due(two, keeper)
        two.tick()
        due(two, keeper, 60)
        two.tick()
    assert kept(two.url) == [told("EUR", 0), told("USDT", 0), told("EUR", 60), told("USDT", 60)]
    assert asked(two) == 4
    assert len(two.ledger()) == 4


def test_a_price_that_can_not_be_had_is_absent_and_fails_nothing(two: World, caplog: pytest.LogCaptureFixture) -> None:
    """No row, no 0, no older price; said once, and once more when it is there again."""
    caplog.set_level(logging.INFO)
    with keeping(two, "USDT", "EUR") as keeper:
        due(two, keeper)
        two.exchange.script(Fault(kind="status", status=500, path=TICKER))
        due(two, keeper, 60)
        due(two, keeper, 120)
        two.tick()
        two.exchange.clear_faults()
        due(two, keeper, 180)
    assert kept(two.url) == [told("EUR", 0), told("USDT", 0), told("EUR", 180), told("USDT", 180)]
    assert [row[2] for row in two.ledger()] == ["stored", "stored"]
    said = [record.getMessage() for record in caplog.records if record.name == "collector.daemon.prices"]
    assert said == [
        "there is no price of BTC in USDT: Binance failed on its side (http status 500)",
        "there is no price of BTC in EUR: Binance failed on its side (http status 500)",
        "the price of BTC in USDT is there again",
        "the price of BTC in EUR is there again",
    ]


@pytest.mark.parametrize(
    "body",
    ['{"symbol":"BTCUSDT","price":"0"}', '{"symbol":"BTCUSDT","price":"0.000"}', '{"symbol":"X","price":"1"}', ""],
)
def test_what_is_no_price_is_never_kept(two: World, body: str) -> None:
    """A price of 0 would make a fortune look like nothing."""
    two.exchange.script(Fault(kind="body", body=body, path=TICKER))
    with keeping(two, "USDT") as keeper:
        due(two, keeper)
    assert kept(two.url) == []


def test_one_currency_that_fails_leaves_the_others(two: World, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown one is asked for once an hour only, for its owner may not read the log at once."""
    with keeping(two, "XYZ", "EUR") as keeper:
        due(two, keeper)
        due(two, keeper, 60)
        due(two, keeper, 3540)
        assert asked(two) == 4
        due(two, keeper, 3600)
        assert asked(two) == 6
    assert [row[1] for row in kept(two.url)] == ["EUR"] * 4
    assert caplog.text.count("there is no price of BTC in XYZ: Binance finds a parameter wrong") == 1


def test_a_limit_that_only_prices_meet_keeps_only_prices_quiet(two: World) -> None:
    """An option that nobody needs must not cost a snapshot."""
    two.exchange.script(Fault(kind="error", code=-1003, status=429, retry_after="120", path=TICKER, last=1))
    with keeping(two, "USDT") as keeper:
        due(two, keeper)
        two.tick()
        due(two, keeper, 60)
        due(two, keeper, 120)
    assert asked(two) == 2
    assert kept(two.url) == [told("USDT", 120)]
    assert [row[2] for row in two.ledger()] == ["stored", "stored"]
    assert ask(two.url, "SELECT scope FROM wait") == []


def test_a_ban_of_the_address_holds_for_prices_too(two: World) -> None:
    """Whoever goes on asking is banned for longer."""
    two.shared.waits.hold(Wait(scope="ip", until_ms=(T0 + 90) * 1000, reason=FailReason.BANNED))
    with keeping(two, "USDT") as keeper:
        due(two, keeper)
        due(two, keeper, 60)
        assert asked(two) == 0
        due(two, keeper, 120)
    assert kept(two.url) == [told("USDT", 120)]


def test_a_price_that_hangs_delays_no_snapshot(two: World) -> None:
    """It has a thread of its own, and beats that come meanwhile are handed over at once."""
    two.exchange.script(Fault(kind="hang", seconds=30, path=TICKER))
    with keeping(two, "USDT") as keeper:
        keeper.due(T0, 60)
        until(lambda: asked(two))
        assert sorted(two.tick()) == ["acct-0001 stored", "acct-0002 stored"]
        keeper.due(T0 + 60, 60)
        two.clocks.run(60)
        assert sorted(two.tick()) == ["acct-0001 stored", "acct-0002 stored"]
    assert kept(two.url) == []


def test_a_tick_that_is_long_over_has_no_price(two: World) -> None:
    """The price of now is not the one of then."""
    with keeping(two, "USDT", "EUR") as keeper:
        two.clocks.run(70)
        deal_with(keeper, T0 + 60, 60)
        deal_with(keeper, T0 + 69, 1)
        assert asked(two) == 0
        deal_with(keeper, T0 + 70, 1)
        assert asked(two) == 2


def test_each_currency_has_its_share_of_the_time(two: World) -> None:
    """One that hangs leaves something to the others."""
    seen: list[int] = []

    def price(quote: str, *, deadline_ms: int) -> Decimal:
        seen.append(deadline_ms - T0 * 1000)
        two.clocks.run(2)
        return Decimal(1)

    two.shared.client.btc_price = price  # type: ignore[assignment,method-assign]
    with keeping(two, "A", "B", "C") as keeper:
        due(two, keeper)
        due(two, keeper, 60, interval_s=3)
    assert seen == [3333, 2000 + 4000, 4000 + 6000, 61_000, 62_500]
    assert [row[:2] for row in kept(two.url)] == [(0, "A"), (0, "B"), (0, "C"), (60, "A"), (60, "B")]


def test_a_database_that_is_away_costs_prices_and_nothing_else(two: World, caplog: pytest.LogCaptureFixture) -> None:
    """They are not worth waiting for; said once."""
    ask(two.url, "ALTER TABLE price RENAME TO gone")
    with keeping(two, "USDT") as keeper:
        due(two, keeper)
        due(two, keeper, 60)
        ask(two.url, "ALTER TABLE gone RENAME TO price")
        due(two, keeper, 120)
    assert kept(two.url) == [told("USDT", 120)]
    assert caplog.text.count("prices can't be kept: database ") == 1


def test_the_end_of_the_program_is_no_failure(two: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing can leave any more, which says nothing about the price."""
    two.shared.client.abort()
    with keeping(two, "USDT") as keeper:
        due(two, keeper)
    assert asked(two) == 0
    assert "there is no price" not in caplog.text


def test_a_bug_ends_neither_the_thread_nor_anything_else(two: World, caplog: pytest.LogCaptureFixture) -> None:
    """It is told as what it is."""

    def broken(quote: str, *, deadline_ms: int) -> Decimal:
        raise ZeroDivisionError

    price = two.shared.client.btc_price
    two.shared.client.btc_price = broken  # type: ignore[assignment,method-assign]
    with keeping(two, "USDT") as keeper:
        keeper.due(T0, 60)
        until(lambda: "prices failed: this is a bug" in caplog.text)
        two.shared.client.btc_price = price  # type: ignore[method-assign]
        due(two, keeper, 60)
    assert kept(two.url) == [told("USDT", 60)]


def test_without_currencies_nothing_is_asked(two: World) -> None:
    """The default."""
    with keeping(two) as keeper:
        keeper.due(T0, 60)
        assert not keeper._thread.is_alive()
    assert asked(two) == 0


def test_prices_are_read_back_by_range_and_the_first_one_stays(two: World) -> None:
    """From the first instant on and before the last one, in order."""
    with two.shared.recorder.transaction() as connection:
        for at in (120, 0, 60):
            note_prices(connection, T0 + at, {"USDT": Decimal("64000.10"), "EUR": Decimal(f"{at}.500")})
        note_prices(connection, T0, {"USDT": Decimal(1)})
        note_prices(connection, T0 + 180, {})
        reader = Reader.over(connection)
        assert len(prices(reader)) == 6
        assert prices(reader, T0, T0 + 60) == [
            Price(due_at=T0, quote="EUR", price=Decimal("0.500")),
            Price(due_at=T0, quote="USDT", price=Decimal("64000.10")),
        ]
        assert [price.due_at for price in prices(reader, T0 + 1)] == [
            T0 + 60,
            T0 + 60,
            T0 + 120,
            T0 + 120,
        ]


def test_the_daemon_keeps_prices_and_check_tries_them(tmp_path: Path, database_url: str) -> None:
    """From the configuration to the table; a currency that does not exist is a warning."""
    with crew(tmp_path, database_url, 2) as together:
        daemon = together.start(COLLECTOR_PRICES="USDT,EUR")
        first = daemon.first_due_at()
        count = f"SELECT count(*) FROM price WHERE due_at >= {instant(together.url, first)}"
        until_seen("prices", lambda: ask(together.url, count)[0][0] >= 4)
        until_seen("snapshots", lambda: daemon.said().count(" stored: ") >= 4)
        assert daemon.stop()[0] == 0
        shown = together.start("check", COLLECTOR_PRICES="USDT,XYZ")
        assert shown.ended() == 0
        assert "ok       price in USDT: BTC has a price in USDT" in shown.said()
        assert "warning  price in XYZ: there is none, and none will be kept: Binance finds" in shown.said()
        stored = ask(together.url, "SELECT count(*), min(outcome), max(outcome) FROM tick")[0]
        requests = len(together.exchange.requests(path=TICKER))
    assert stored[0] >= 4
    assert stored[1:] == ("stored", "stored")
    assert requests <= 2 * (stored[0] // 2 + 1) + 2 * 2
