"""A database of the last days of March 2026: two accounts, a gap, a vanished asset, a withdrawal, prices."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import insert

from collector.domain.balances import Balance
from collector.domain.records import Account
from collector.domain.ticks import MissReason, TickRange
from collector.storage import registry
from collector.storage.record import Recorder
from collector.storage.schema import price
from tests.ledgers import failed, held, record, recorder, register, snapshot, stored

SIX_HOURS = 21_600
START = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp())
NOW_MS = int(datetime(2026, 3, 31, 1, tzinfo=UTC).timestamp()) * 1000


def at(day: int, hour: int) -> int:
    """Epoch seconds of an hour of March 2026, UTC."""
    return int(datetime(2026, 3, day, hour, tzinfo=UTC).timestamp())


FIRST = (held("BTC", "1.00000000", btc_valuation="1"), held("ETH", "10", btc_valuation="0.5"), held("LUNA", "5"))
RICHER = (held("BTC", "1.00000000", btc_valuation="1"), held("ETH", "12", btc_valuation="0.66"), held("LUNA", "5"))
GONE = (
    held("BTC", "1.00000000", btc_valuation="1"),
    held("ETH", "12", btc_valuation="0.66000001"),
    held("SHIB", "100", btc_valuation="0.000001"),
)
LEAVING = (
    held("BTC", "1.00000000", btc_valuation="1"),
    held("ETH", "10", withdrawing="2", btc_valuation="0.7"),
    held("SHIB", "100", btc_valuation="0.000001"),
)
LAST = (
    held("BTC", "1.00000000", locked="0.5", btc_valuation="1.5"),
    held("ETH", "10", btc_valuation="0.6"),
    held("LUNA", "0.1", ipoable="3"),
    held("SHIB", "100", btc_valuation="0.000001"),
)
MAIN: dict[int, tuple[Balance, ...] | str] = {
    at(28, 0): FIRST, at(28, 6): FIRST, at(28, 12): "failed", at(28, 18): RICHER,
    at(29, 0): GONE, at(29, 6): "missed", at(29, 12): LEAVING, at(29, 18): LEAVING,
    at(30, 0): LEAVING, at(30, 6): LEAVING, at(30, 12): LAST, at(30, 18): LAST,
}  # fmt: skip
SECOND: dict[int, tuple[Balance, ...] | str] = {
    at(30, 0): (held("BTC", "0.25", btc_valuation="0.25"),),
    at(30, 6): (held("BTC", "0.25", btc_valuation="0.25"), held("DOGE", "7")),
    at(30, 12): "missed",
    at(30, 18): (held("BTC", "0.25", btc_valuation="0.25"), held("DOGE", "7")),
}
PRICES = {at(29, 18): "66000.50", at(30, 6): "67000.00", at(30, 18): "68000.25"}


def live(writer: Recorder, account: Account, life: dict[int, tuple[Balance, ...] | str]) -> None:
    """What became of each tick; then the account was removed."""
    schedule(writer, account, SIX_HOURS, min(life))
    for due_at, what in life.items():
        if what == "failed":
            record(writer, failed(account, due_at, interval_s=SIX_HOURS))
        elif what == "missed":
            ticks = TickRange(start_at=due_at, last_due_at=due_at, interval_s=SIX_HOURS)
            writer.record_missed(account.id, ticks, MissReason.OVERRUN)
        else:
            assert not isinstance(what, str)
            record(writer, stored(account, due_at, snapshot(*what), interval_s=SIX_HOURS))
    schedule(writer, account, None, max(life) + 1)


def schedule(writer: Recorder, account: Account, interval_s: int | None, now_s: int) -> None:
    """From now on the account is due at this interval."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)


def fill(url: str, *, second: bool = False) -> None:
    """`main`, its prices, and perhaps `second`, which was collected from 30 March on."""
    with recorder(url) as writer:
        live(writer, register(writer, "main", now_s=START), MAIN)
        if second:
            live(writer, register(writer, "second", now_s=at(30, 0)), SECOND)
        with writer.transaction() as connection:
            for due_at, each in PRICES.items():
                row = {"due_at": due_at, "base": "BTC", "quote": "USDT", "price": Decimal(each)}
                connection.execute(insert(price).values(**row))
