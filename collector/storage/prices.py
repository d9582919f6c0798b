"""Prices of BTC in other currencies, as they were at a tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from sqlalchemy import Connection, select

from collector.domain.records import Price
from collector.storage.schema import price
from collector.storage.statements import upsert_into

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


def has_prices(connection: Connection, quote: str) -> bool:
    """Whether BTC ever had a price in this currency."""
    if quote in newest_quotes(connection):
        return True
    wanted = select(price.c.due_at).where(price.c.base == BASE, price.c.quote == quote).limit(1)
    return connection.execute(wanted).first() is not None


def newest_quotes(connection: Connection) -> Sequence[str]:
    """The currencies in which BTC had a price at the newest tick that has any; none: there are no prices."""
    newest = select(price.c.due_at).order_by(price.c.due_at.desc()).limit(1).scalar_subquery()
    wanted = select(price.c.quote).where(price.c.due_at == newest, price.c.base == BASE).order_by(price.c.quote)
    return connection.execute(wanted).scalars().all()


def prices(connection: Connection, from_s: int | None = None, to_s: int | None = None) -> list[Price]:
    """Every price of BTC at the ticks from_s <= due_at < to_s, oldest first; a tick without a price has none."""
    wanted = select(price).where(price.c.base == BASE).order_by(price.c.due_at, price.c.quote)
    wanted = wanted if from_s is None else wanted.where(price.c.due_at >= from_s)
    wanted = wanted if to_s is None else wanted.where(price.c.due_at < to_s)
    rows = connection.execute(wanted)
    return [Price(due_at=row.due_at, quote=row.quote, price=row.price) for row in rows]


def note_prices(connection: Connection, due_at: int, found: Mapping[str, Decimal]) -> None:
    """Keep what BTC cost in some currencies at a tick; a price that is there already stays."""
    if found:
        rows = [{"due_at": due_at, "base": BASE, "quote": quote, "price": each} for quote, each in found.items()]
        connection.execute(upsert_into(price, connection.engine).on_conflict_do_nothing(), rows)
