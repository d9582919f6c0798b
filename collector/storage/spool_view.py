"""Looking into a spool, also while a daemon fills it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from collector.domain.spooled import Lot, Place, Spooled
from collector.storage.spool import COLUMNS
from collector.storage.spoolfile import looking_at

TABLES = {Place.WAITING: "entry", Place.QUARANTINE: "quarantine"}


def spooled(path: Path) -> Spooled:
    """What a spool holds: nothing when there is none. Raises DatabaseError."""
    with looking_at(path) as connection:
        lots = [] if connection is None else [lot for place in Place for lot in connection.execute(_lots(place))]
    return Spooled(path=str(path), lots=tuple(_lot(row) for row in lots))


def entry(path: Path, place: Place, number: int) -> dict[str, Any] | None:
    """Everything about one entry by column, its `body` included; None when there is none. Raises DatabaseError."""
    names = [*COLUMNS, *(("why", "quarantined_at_ms") if place is Place.QUARANTINE else ())]
    with looking_at(path) as connection:
        if connection is None:
            return None
        row = connection.execute(f"SELECT {', '.join(names)} FROM {TABLES[place]} WHERE id = ?", (number,)).fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def _lots(place: Place) -> str:
    return (
        f"SELECT account, '{place}', count(*), coalesce(sum(length(body)), 0), min(id), max(id), min(due_at), "
        f"max(last_due_at) FROM {TABLES[place]} GROUP BY account ORDER BY account"
    )


def _lot(row: tuple[Any, ...]) -> Lot:
    account, place, entries, size, first_id, last_id, oldest, newest = row
    return Lot(
        account=account,
        place=Place(place),
        entries=entries,
        bytes=size,
        first_id=first_id,
        last_id=last_id,
        oldest_due_at=oldest,
        newest_due_at=newest,
    )
