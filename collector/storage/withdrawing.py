"""Since when amounts have been on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from collector.domain.changes import Taken, UnderWay
from collector.domain.records import StoredSnapshot
from collector.domain.renames import NO_RENAMES, Renames
from collector.storage.reader import Reader
from collector.storage.rows import name_values, named, stored


def under_way(reader: Reader, snapshot: StoredSnapshot, *, renames: Renames = NO_RENAMES) -> Iterator[UnderWay]:
    """What a snapshot shows as withdrawing, by asset, and since when; found by walking back until there was none."""
    for held in snapshot.balances:
        if held.withdrawing:
            first, before = _run(reader, snapshot, held.asset, renames)
            yield UnderWay(
                account=snapshot.account.name, asset=held.asset, amount=held.withdrawing, first=first, before=before
            )


def _run(reader: Reader, snapshot: StoredSnapshot, asset: str, renames: Renames) -> tuple[Taken, Taken | None]:
    first = Taken(
        due_at=snapshot.due_at,
        requested_at_ms=snapshot.requested_at_ms,
        received_at_ms=snapshot.received_at_ms,
    )
    for taken, away in _backwards(reader, snapshot, asset, renames):
        if not away:
            return first, taken
        first = taken
    return first, None


def _backwards(reader: Reader, snapshot: StoredSnapshot, asset: str, renames: Renames) -> Iterator[tuple[Taken, bool]]:
    """Each snapshot from this one back, and whether it shows the asset as withdrawing."""
    names = sorted({name for named in renames.stored(asset) for name in named.names})
    words = reader.words
    rows = reader.each(
        f"""
        SELECT {words.seconds("tick.due_at")}, {words.millis("tick.requested_at")}, {words.millis("tick.received_at")},
            balance.asset, {words.amount("balance.withdrawing")}
        FROM tick LEFT JOIN balance ON balance.account_id = tick.account_id AND balance.due_at = tick.due_at
            AND {named("balance.asset", names)}
        WHERE {stored(reader)} AND tick.due_at <= {words.at_second(":until_s")} ORDER BY tick.due_at DESC
        """,
        **name_values(names),
        account=snapshot.account.id,
        until_s=snapshot.due_at,
    )
    for due_at, same in groupby(rows, key=itemgetter(0)):
        of_tick = list(same)
        _, requested_at_ms, received_at_ms, *_ = of_tick[0]
        taken = Taken(due_at=due_at, requested_at_ms=requested_at_ms, received_at_ms=received_at_ms)
        under_name = [row for row in of_tick if row[3] is not None and renames.shown(row[3], due_at) == asset]
        yield taken, any(Decimal(withdrawing) for *_, withdrawing in under_name)
