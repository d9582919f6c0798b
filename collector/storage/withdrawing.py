"""Since when amounts have been on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, and_, select

from collector.domain.changes import Taken, UnderWay
from collector.domain.records import StoredSnapshot
from collector.domain.renames import NO_RENAMES, Renames
from collector.storage import schema
from collector.storage.rows import stored, streamed

tick, balance = schema.tick, schema.balance


def under_way(connection: Connection, snapshot: StoredSnapshot, *, renames: Renames = NO_RENAMES) -> Iterator[UnderWay]:
    """What a snapshot shows as withdrawing, by asset, and since when; found by walking back until there was none."""
    for held in snapshot.balances:
        if held.withdrawing:
            first, before = _run(connection, snapshot, held.asset, renames)
            yield UnderWay(
                account=snapshot.account.name, asset=held.asset, amount=held.withdrawing, first=first, before=before
            )


def _run(connection: Connection, snapshot: StoredSnapshot, asset: str, renames: Renames) -> tuple[Taken, Taken | None]:
    first = Taken(
        due_at=snapshot.due_at,
        requested_at_ms=snapshot.requested_at_ms,
        received_at_ms=snapshot.received_at_ms,
    )
    for taken, away in _backwards(connection, snapshot, asset, renames):
        if not away:
            return first, taken
        first = taken
    return first, None


def _backwards(
    connection: Connection, snapshot: StoredSnapshot, asset: str, renames: Renames
) -> Iterator[tuple[Taken, bool]]:
    """Each snapshot from this one back, and whether it shows the asset as withdrawing."""
    names = sorted({name for named in renames.stored(asset) for name in named.names})
    of_tick = and_(balance.c.account_id == tick.c.account_id, balance.c.due_at == tick.c.due_at)
    wanted = (
        select(
            tick.c.due_at.label("tick_due_at"),
            tick.c.requested_at,
            tick.c.received_at,
            balance.c.asset,
            balance.c.withdrawing,
        )
        .select_from(tick.outerjoin(balance, and_(of_tick, balance.c.asset.in_(names))))
        .where(*stored(snapshot.account), tick.c.due_at <= snapshot.due_at)
        .order_by(tick.c.due_at.desc())
    )
    for due_at, same in groupby(streamed(connection, wanted), key=attrgetter("tick_due_at")):
        rows = list(same)
        taken = Taken(due_at=due_at, requested_at_ms=rows[0].requested_at, received_at_ms=rows[0].received_at)
        named = [row for row in rows if row.asset is not None and renames.shown(row.asset, due_at) == asset]
        yield taken, any(row.withdrawing for row in named)
