"""Prices of BTC in other currencies, as they were at a tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice

from sqlalchemy import Connection, select

from collector.storage.schema import price

BASE = "BTC"
AT_ONCE = 500


def prices_at(connection: Connection, quote: str, instants: Iterable[int]) -> dict[int, Decimal]:
    """The price of BTC at each of these ticks that has one. A price of another tick would be another answer."""
    found: dict[int, Decimal] = {}
    rest = iter(instants)
    while some := list(islice(rest, AT_ONCE)):
        wanted = select(price.c.due_at, price.c.price).where(
            price.c.due_at.in_(some), price.c.base == BASE, price.c.quote == quote
        )
        found |= {row.due_at: row.price for row in connection.execute(wanted)}
    return found


def newest_quotes(connection: Connection) -> Sequence[str]:
    """The currencies in which BTC had a price at the newest tick that has any; none: there are no prices."""
    newest = select(price.c.due_at).order_by(price.c.due_at.desc()).limit(1).scalar_subquery()
    wanted = select(price.c.quote).where(price.c.due_at == newest, price.c.base == BASE).order_by(price.c.quote)
    return connection.execute(wanted).scalars().all()
