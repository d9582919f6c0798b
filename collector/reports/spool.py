"""The report on what waits in the spool."""

from __future__ import annotations

from collector.domain.spooled import Lot, Place, Spooled
from collector.reports.instants import rfc3339
from collector.reports.values import Basis, Cell, Column, Kind, Report


def spool_report(spooled: Spooled) -> Report[Lot]:
    """A row for each account and place."""
    return Report(
        basis=Basis(account=None),
        columns=(
            Column(name="account", kind=Kind.TEXT, cell=lambda lot: lot.account),
            Column(name="place", kind=Kind.TEXT, cell=lambda lot: str(lot.place)),
            Column(name="entries", kind=Kind.COUNT, cell=lambda lot: lot.entries),
            Column(name="bytes", kind=Kind.COUNT, cell=lambda lot: lot.bytes),
            Column(name="oldest_due_at", kind=Kind.INSTANT, cell=lambda lot: rfc3339(lot.oldest_due_at)),
            Column(name="newest_due_at", kind=Kind.INSTANT, cell=lambda lot: rfc3339(lot.newest_due_at)),
            Column(name="first_id", kind=Kind.COUNT, cell=lambda lot: lot.first_id),
            Column(name="last_id", kind=Kind.COUNT, cell=lambda lot: lot.last_id),
        ),
        rows=spooled.lots,
        facts=spool_facts(spooled),
        notes=(f"spool {spooled.path}",),
    )


def spool_facts(spooled: Spooled) -> dict[str, Cell]:
    """What programs want to know of the whole spool."""
    oldest = spooled.oldest_due_at
    return {
        "path": spooled.path,
        "waiting": spooled.entries(Place.WAITING),
        "quarantined": spooled.entries(Place.QUARANTINE),
        "oldest_due_at": None if oldest is None else rfc3339(oldest),
    }


def spool_warnings(spooled: Spooled) -> tuple[str, ...]:
    """Sentences on what is not in the database, though it was received."""
    waiting, quarantined, oldest = (
        spooled.entries(Place.WAITING),
        spooled.entries(Place.QUARANTINE),
        spooled.oldest_due_at,
    )
    said = []
    if oldest is not None:
        verb = "answer waits" if waiting == 1 else "answers wait"
        said.append(
            f"{waiting} {verb} in the spool until the database can be written, the oldest due {rfc3339(oldest)}"
        )
    if quarantined:
        verb = "answer is" if quarantined == 1 else "answers are"
        said.append(f"{quarantined} {verb} in quarantine, because they could not be stored: see `collector spool list`")
    return tuple(said)
