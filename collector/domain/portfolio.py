"""What one or several accounts held, asset by asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from collector.domain.balances import Balance, exact_sum
from collector.domain.records import StoredSnapshot
from collector.domain.renames import together
from collector.domain.valuation import share

DUST_BTC = Decimal("0.00001")
"""What is worth less than this is dust; what has no price is not, because nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One asset in a snapshot, and its share of the snapshot's value in percent (None: it has no price).

    `snapshot` is None where it is the sum of several.
    """

    snapshot: StoredSnapshot | None
    balance: Balance
    share: Decimal | None

    @property
    def is_dust(self) -> bool:
        """True when it is worth less than anybody wants to see."""
        value = self.balance.btc_valuation
        return value is not None and 0 < value < DUST_BTC


def by_value(balances: Iterable[Balance]) -> list[Balance]:
    """The most valuable first; those of equal value, and all without one, by name."""
    return sorted(balances, key=lambda b: (-(b.btc_valuation or 0), b.asset))


def holdings(snapshot: StoredSnapshot) -> tuple[Holding, ...]:
    """The assets of one snapshot by their value."""
    return _shared(snapshot.balances, snapshot)


def summed(snapshots: Sequence[StoredSnapshot]) -> tuple[Holding, ...]:
    """The assets of all snapshots, each added up exactly, by their value."""
    rows = sorted((b for one in snapshots for b in one.balances), key=lambda b: b.asset)
    return _shared([together(list(same)) for _, same in groupby(rows, key=lambda b: b.asset)], None)


def value_of(balances: Iterable[Balance]) -> Decimal | None:
    """The sum in BTC; None when a valuation was not asked for."""
    values = [b.btc_valuation for b in balances]
    return None if None in values else exact_sum(value for value in values if value is not None)


def btc_total(snapshots: Sequence[StoredSnapshot]) -> Decimal | None:
    """The value of all in BTC; None when one of them has none."""
    totals = [one.btc_total for one in snapshots]
    return None if None in totals else exact_sum(total for total in totals if total is not None)


def unpriced_assets(balances: Iterable[Balance]) -> int:
    """How many of them have no price."""
    return sum(b.unpriced for b in balances)


def _shared(balances: Iterable[Balance], snapshot: StoredSnapshot | None) -> tuple[Holding, ...]:
    ordered = by_value(balances)
    whole = exact_sum(b.btc_valuation for b in ordered if b.btc_valuation is not None)
    return tuple(
        Holding(snapshot=snapshot, balance=b, share=None if b.unpriced else share(b.btc_valuation, whole))
        for b in ordered
    )


def values_by_asset(balances: Iterable[Balance]) -> Mapping[str, Decimal]:
    """What each asset is worth in BTC, of those that have a price."""
    return {b.asset: b.btc_valuation for b in balances if b.btc_valuation}
