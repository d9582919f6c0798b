"""What amounts are worth, and which part of a change of value comes from the amount."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from collector.domain.balances import EXACT

VALUE_DIGITS = 8
"""Binance values an asset in BTC with eight digits."""

SHARE_DIGITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """A change of value in BTC, split: `amount` + `price` is the whole of it, to the last digit.

    `no_price`: it could not be split, because there is no amount or no price on one of the two sides.
    """

    amount: Decimal
    price: Decimal
    no_price: bool

    @property
    def value(self) -> Decimal:
        """The whole change."""
        return EXACT.add(self.amount, self.price)


def split(v1: Decimal, a1: Decimal, v2: Decimal, a2: Decimal) -> Effects:
    """Split the change from value v1 of amount a1 to value v2 of amount a2.

    The amount's part is what its change would have brought at the first price, v1 * a2 / a1 - v1, rounded half to even
    to eight digits. Without a price on both sides all of it is the amount's.
    """
    change = EXACT.subtract(v2, v1)
    if min(v1, a1, v2, a2) <= 0:
        return Effects(amount=change, price=Decimal(0), no_price=True)
    amount = _decimal(Fraction(v1) * Fraction(a2) / Fraction(a1) - Fraction(v1))
    return Effects(amount=amount, price=EXACT.subtract(change, amount), no_price=False)


def share(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """Percent, rounded half to even to two digits; None where the part is not known or the whole is nothing."""
    if part is None or not whole:
        return None
    percent = EXACT.divide(EXACT.multiply(part, Decimal(100)), whole)
    return percent.quantize(Decimal(1).scaleb(-SHARE_DIGITS), ROUND_HALF_EVEN, EXACT)


def worth(value: Decimal | None, price: Decimal | None) -> Decimal | None:
    """A value in BTC in another currency, exactly; None where either is not known."""
    return None if value is None or price is None else EXACT.multiply(value, price)


def _decimal(fraction: Fraction) -> Decimal:
    # round() takes a Fraction half to even, and exactly, however long its digits are.
    rounded = round(fraction * 10**VALUE_DIGITS)
    return Decimal(rounded).scaleb(-VALUE_DIGITS, EXACT)
