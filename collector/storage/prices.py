"""Prices of BTC in other currencies, as they were at a tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice

from collector.domain.records import Price
from collector.storage.reader import Reader
from collector.storage.rows import between

BASE = "BTC"
AT_ONCE = 500


def prices_at(reader: Reader, quote: str, instants: Iterable[int]) -> dict[int, Decimal]:
    """The price of BTC at each of these ticks that has one. A price of another tick would be another answer."""
    found: dict[int, Decimal] = {}
    rest = iter(instants)
    words = reader.words
    while some := list(islice(rest, AT_ONCE)):
        asked = {f"at_{number}": at for number, at in enumerate(some)}
        places = ", ".join(words.at_second(f":{name}") for name in asked)
        rows = reader.all(
            f"""
            SELECT {words.seconds("due_at")}, {words.amount("price")} FROM price
            WHERE due_at IN ({places}) AND base = '{BASE}' AND quote = :quote
            """,
            quote=quote,
            **asked,
        )
        found |= {due_at: Decimal(price) for due_at, price in rows}
    return found


def has_prices(reader: Reader, quote: str) -> bool:
    """Whether BTC ever had a price in this currency."""
    if quote in newest_quotes(reader):
        return True
    return (
        reader.value(f"SELECT 1 FROM price WHERE base = '{BASE}' AND quote = :quote LIMIT 1", quote=quote) is not None
    )


def newest_quotes(reader: Reader) -> Sequence[str]:
    """The currencies in which BTC had a price at the newest tick that has any; none: there are no prices."""
    newest = "SELECT due_at FROM price ORDER BY due_at DESC LIMIT 1"
    rows = reader.all(f"SELECT quote FROM price WHERE due_at = ({newest}) AND base = '{BASE}' ORDER BY quote")
    return [quote for (quote,) in rows]


def prices(reader: Reader, from_s: int | None = None, to_s: int | None = None) -> list[Price]:
    """Every price of BTC at the ticks from_s <= due_at < to_s, oldest first; a tick without a price has none."""
    words = reader.words
    rows = reader.all(
        f"""
        SELECT {words.seconds("due_at")}, quote, {words.amount("price")} FROM price
        WHERE base = '{BASE}'{between(reader, "due_at", from_s, to_s)} ORDER BY price.due_at, quote
        """,
        from_s=from_s,
        to_s=to_s,
    )
    return [Price(due_at=due_at, quote=quote, price=Decimal(price)) for due_at, quote, price in rows]
