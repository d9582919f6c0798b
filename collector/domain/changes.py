"""What became of amounts between two snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter

import msgspec

from collector.domain.balances import AMOUNT_FIELDS, EXACT, Balance, exact_sum
from collector.domain.records import Gap
from collector.domain.valuation import Effects, split

_amounts = attrgetter(*AMOUNT_FIELDS)


class ChangeKind(StrEnum):
    """What became of the total of an asset."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    ROSE = "rose"
    FELL = "fell"


def kind_of(before: Decimal, after: Decimal) -> ChangeKind | None:
    """How one total follows another; None when they are equal."""
    if before == after:
        return None
    if not before or not after:
        return ChangeKind.VANISHED if before else ChangeKind.APPEARED
    return ChangeKind.ROSE if after > before else ChangeKind.FELL


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One asset at two instants; all amounts are zero on a side that does not name it.

    `effects` is None where a valuation was not asked for.
    """

    before: Balance
    after: Balance
    effects: Effects | None

    @property
    def asset(self) -> str:
        """Its name."""
        return self.after.asset

    @property
    def change(self) -> ChangeKind | None:
        """What became of its total; None when that is the same."""
        return kind_of(self.before.total, self.after.total)

    @property
    def total_change(self) -> Decimal:
        """Of its total."""
        return EXACT.subtract(self.after.total, self.before.total)

    @property
    def moved(self) -> bool:
        """True when any amount differs, or its value."""
        return self.before != self.after


class Taken(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When a snapshot was due and when its amounts were true: between `requested_at_ms` and `received_at_ms`."""

    due_at: int
    requested_at_ms: int | None
    received_at_ms: int


class Movement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Amounts of one asset that differ between two snapshots that follow each other.

    It happened at some time between `earliest_ms` and `latest_ms`; `gaps` are those that lie between the two.
    """

    account: str
    before: Balance
    after: Balance
    earlier: Taken
    later: Taken
    gaps: tuple[Gap, ...]

    @property
    def asset(self) -> str:
        """Its name."""
        return self.after.asset

    @property
    def change(self) -> ChangeKind | None:
        """What became of the total; None when amounts only moved within it, or ipoable alone did."""
        return kind_of(self.before.total, self.after.total)

    @property
    def earliest_ms(self) -> int:
        """Before this instant the old amounts still were true (epoch milliseconds)."""
        asked = self.earlier.requested_at_ms
        return self.earlier.received_at_ms if asked is None else asked

    @property
    def latest_ms(self) -> int:
        """At this instant the new amounts were true (epoch milliseconds)."""
        return self.later.received_at_ms

    def by(self, field: str) -> Decimal:
        """By how much a field differs, `total` among them."""
        return EXACT.subtract(getattr(self.after, field), getattr(self.before, field))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """An amount that is being withdrawn: `first` is the oldest of the snapshots in a row that show any.

    `before` is the last one that showed none, or None when there is no older snapshot.
    """

    account: str
    asset: str
    amount: Decimal
    first: Taken
    before: Taken | None


def moved(before: Balance, after: Balance) -> bool:
    """True when any amount differs; what it is worth does not count."""
    return _amounts(before) != _amounts(after)


def compare(
    before: Iterable[Balance], after: Iterable[Balance], *, before_valued: bool = True, after_valued: bool = True
) -> tuple[Difference, ...]:
    """Every asset of two snapshots, in code-point order; `_valued` says whether valuations were asked for."""
    old, new = {b.asset: b for b in before}, {b.asset: b for b in after}
    return tuple(
        _difference(_named(old, asset, valued=before_valued), _named(new, asset, valued=after_valued))
        for asset in sorted(old.keys() | new.keys())
    )


def _named(balances: Mapping[str, Balance], asset: str, *, valued: bool) -> Balance:
    return balances.get(asset) or Balance.zero(asset, btc_requested=valued)


def _difference(before: Balance, after: Balance) -> Difference:
    v1, v2 = before.btc_valuation, after.btc_valuation
    effects = None if v1 is None or v2 is None else split(v1, before.total, v2, after.total)
    return Difference(before=before, after=after, effects=effects)


def sum_of_effects(differences: Iterable[Difference]) -> Effects | None:
    """Of all of them together; None where any is not known. `no_price` when any could not be split."""
    known = [d.effects for d in differences]
    if any(effects is None for effects in known):
        return None
    found = [effects for effects in known if effects is not None]
    return Effects(
        amount=exact_sum(e.amount for e in found),
        price=exact_sum(e.price for e in found),
        no_price=any(e.no_price for e in found),
    )
