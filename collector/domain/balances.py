"""A balance and a snapshot: exact amounts as Binance sent them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

AMOUNT_FIELDS = ("free", "locked", "frozen", "withdrawing", "ipoable")

# The default context rounds sums to 28 digits. Amounts have up to 40; a sum of a million of them needs seven more.
EXACT = Context(prec=120)
_add, _written = EXACT.add, EXACT.to_sci_string


# Frozen dataclasses take ten times as long to make, and a history makes one for each point.
class Balance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset's amounts in one snapshot; `btc_valuation` is None when it was not asked for."""

    asset: str
    free: Decimal
    locked: Decimal
    frozen: Decimal
    withdrawing: Decimal
    ipoable: Decimal
    btc_valuation: Decimal | None

    @classmethod
    def zero(cls, asset: str, *, btc_requested: bool) -> Balance:
        """What a whole snapshot says of an asset that it does not name."""
        nothing, valuation = dict.fromkeys(AMOUNT_FIELDS, Decimal(0)), Decimal(0) if btc_requested else None
        return cls(asset=asset, btc_valuation=valuation, **nothing)

    @property
    def total(self) -> Decimal:
        """free + locked + frozen + withdrawing, assuming that they are disjoint (unverified); ipoable stays apart."""
        return _add(_add(_add(self.free, self.locked), self.frozen), self.withdrawing)

    @property
    def is_zero(self) -> bool:
        """True when all amounts and the valuation are zero: such a row says nothing and is not stored."""
        return not (self.holds_something or self.btc_valuation)

    @property
    def holds_something(self) -> bool:
        """True when any amount, ipoable included, is above zero."""
        return bool(self.free or self.locked or self.frozen or self.withdrawing or self.ipoable)

    @property
    def unpriced(self) -> bool:
        """True when Binance was asked for a valuation and gave 0 for something that is there."""
        return self.btc_valuation is not None and not self.btc_valuation and self.holds_something


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The complete answer for one account at one tick, assets in code-point order, even when it holds nothing.

    `extra` maps asset -> unknown field -> its JSON text as sent.
    """

    balances: tuple[Balance, ...]
    btc_requested: bool
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def btc_total(self) -> Decimal | None:
        """Exact sum of the valuations in BTC, without the unpriced rows; None when they were not asked for."""
        return (
            exact_sum(b.btc_valuation for b in self.balances if b.btc_valuation is not None)
            if self.btc_requested
            else None
        )

    @property
    def unpriced(self) -> int:
        """How many rows hold something that Binance gave no price for."""
        return sum(b.unpriced for b in self.balances)


def snapshot_of(
    balances: Iterable[Balance], *, btc_requested: bool, extra: Mapping[str, Mapping[str, str]] | None = None
) -> Snapshot:
    """Put the rows of a reply into the order of the store, without those that say nothing."""
    kept = sorted((b for b in balances if not b.is_zero), key=lambda b: b.asset)
    return Snapshot(balances=tuple(kept), btc_requested=btc_requested, extra=extra or {})


def plain(amount: Decimal) -> str:
    """Plain notation with all digits as sent; str() would print Decimal("0.00000000") as 0E-8."""
    # What needs no exponent is the same in both notations, and format() takes three times as long.
    text = _written(amount)
    return format(amount, "f") if "E" in text else text


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Sum without rounding; an empty sum is Decimal("0")."""
    total = Decimal(0)
    for amount in amounts:
        total = _add(total, amount)
    return total


Cells = tuple[str, str, str, str, str, str, str | None]
"""A balance as text: asset, amounts, valuation."""


def cells(b: Balance) -> Cells:
    """The balance as the digest reads it and the store keeps it, in plain notation."""
    valuation = None if b.btc_valuation is None else plain(b.btc_valuation)
    # All rows of all snapshots pass here: no name is looked up.
    return b.asset, plain(b.free), plain(b.locked), plain(b.frozen), plain(b.withdrawing), plain(b.ipoable), valuation


exact = lru_cache(maxsize=4_096)(Decimal)
"""An amount from its text: most are zero or the same as before, and Decimal itself takes several times as long."""


def of_cells(row: Sequence[Any]) -> Balance:
    """The balance that these Cells tell of, as a driver gives them."""
    asset, free, locked, frozen, withdrawing, ipoable, btc_valuation = row
    return Balance(
        asset=asset,
        free=exact(free),
        locked=exact(locked),
        frozen=exact(frozen),
        withdrawing=exact(withdrawing),
        ipoable=exact(ipoable),
        btc_valuation=None if btc_valuation is None else exact(btc_valuation),
    )


def amount_in(field: str) -> Callable[[Cells], str | None]:
    """What finds an amount or the total among the cells of a balance."""
    if field == "total":
        return lambda row: total_of(*row[1:5])
    return itemgetter(1 + (*AMOUNT_FIELDS, "btc_valuation").index(field))


@lru_cache(maxsize=4_096)
def total_of(free: str, locked: str, frozen: str, withdrawing: str) -> str:
    """Balance.total as text, of amounts that are text; most rows of a history have the one of the row before."""
    return plain(_add(_add(_add(exact(free), exact(locked)), exact(frozen)), exact(withdrawing)))


def digest(balances: Iterable[Balance]) -> str:
    """SHA-256 (hex) of the rows' content, the same on every engine and machine.

    Over UTF-8 lines `asset TAB free TAB locked TAB frozen TAB withdrawing TAB ipoable TAB btc_valuation LF`, assets in
    code-point order, plain notation, None as empty.
    """
    return digest_of(cells(b) for b in sorted(balances, key=lambda b: b.asset))


def digest_of(rows: Iterable[Cells]) -> str:
    """The digest of rows that are text already, in code-point order of their assets."""
    lines = ["\t".join((*amounts, valuation or "")) for *amounts, valuation in rows]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
