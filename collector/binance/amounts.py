"""Texts that are amounts, turned into exact decimals."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from collector.domain.balances import plain

MAX_DIGITS = 40
MAX_TEXT = MAX_DIGITS + len(".e-99")

_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_WITH_EXPONENT = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}")


class NotAnAmountError(Exception):
    """A text is not an amount."""


def is_amount(text: str) -> bool:
    """Say whether `amount_of` takes the text."""
    try:
        amount_of(text)
    except NotAnAmountError:
        return False
    return True


@lru_cache(maxsize=1024)  # most amounts are one of a few zeros, and an account's own change seldom
def amount_of(text: str) -> Decimal:
    """Exact value with the digits as sent, an exponent (Java prints 0E-8) written out.

    Raises NotAnAmountError for signs, blanks, NaN, Infinity, exponents of three digits and more than 40 digits.
    """
    if len(text) > MAX_TEXT:
        raise NotAnAmountError
    if _PLAIN.fullmatch(text):
        written_out = text
    elif _WITH_EXPONENT.fullmatch(text):
        written_out = plain(Decimal(text))
    else:
        raise NotAnAmountError
    if len(written_out) > MAX_DIGITS and len(written_out.replace(".", "")) > MAX_DIGITS:
        raise NotAnAmountError
    return Decimal(written_out)
