"""One hash for each account and month over every tick and balance: equal ones hold the same, digit for digit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from collector.storage.plain import with_balances
from collector.storage.schema import tick

TICK_COLUMNS = ("due_at", *(name for name in tick.c.keys() if name not in {"due_at", "account_id"}))  # noqa: SIM118 - names

Show = Callable[[str, float], None]
"""Called now and then with what is being done, and how much of it is done (0 to 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What an account has in a month of UTC, from_s <= due_at < to_s; account ids are not in the digest."""

    from_s: int
    to_s: int
    ticks: int
    balances: int
    digest: str


def months(connection: Connection, account_id: int, reached: Callable[[int], None]) -> Iterator[Month]:
    """The months of an account that have ticks, oldest first; `reached` is told how far it has come."""
    from_s = to_s = ticks = balances = 0
    said = hashlib.sha256()
    for due_at, row, held in with_balances(connection, account_id, TICK_COLUMNS):
        if due_at >= to_s:
            if ticks:
                yield Month(from_s=from_s, to_s=to_s, ticks=ticks, balances=balances, digest=said.hexdigest())
            (from_s, to_s), ticks, balances, said = bounds(due_at), 0, 0, hashlib.sha256()
            reached(due_at)
        ticks += 1
        balances += len(held)
        said.update(repr((due_at, row, held)).encode())
    if ticks:
        yield Month(from_s=from_s, to_s=to_s, ticks=ticks, balances=balances, digest=said.hexdigest())


def bounds(instant_s: int) -> tuple[int, int]:
    """The first moment of the instant's month in UTC and that of the next, in epoch seconds."""
    day = datetime.fromtimestamp(instant_s, UTC)
    start = datetime(day.year, day.month, 1, tzinfo=UTC)
    end = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    return int(start.timestamp()), int(end.timestamp())
