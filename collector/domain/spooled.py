"""What waits in the spool, as it is told: how much of which account, never the amounts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where an entry of the spool is."""

    WAITING = "waiting"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The entries of one account in one place; ids and due instants (epoch seconds) of the first and the last."""

    account: str
    place: Place
    entries: int
    bytes: int
    first_id: int
    last_id: int
    oldest_due_at: int
    newest_due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A spool as it is now; `path` is that of its file, which need not be there."""

    path: str
    lots: tuple[Lot, ...]

    def entries(self, place: Place) -> int:
        """How many entries are in a place."""
        return sum(lot.entries for lot in self.lots if lot.place is place)

    @property
    def oldest_due_at(self) -> int | None:
        """The due instant (epoch seconds) of what has waited longest; None when nothing waits."""
        return min((lot.oldest_due_at for lot in self.lots if lot.place is Place.WAITING), default=None)
