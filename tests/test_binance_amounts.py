"""Amounts keep the digits that Binance sent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.binance.amounts import NotAnAmountError, amount_of, is_amount


@given(st.from_regex(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?", fullmatch=True))
def test_any_plain_decimal_comes_back_as_sent(text: str) -> None:
    """Exactness is the first promise: no digit is added, dropped or rounded."""
    assert format(amount_of(text), "f") == text


@pytest.mark.parametrize(
    ("text", "written_out"),
    [
        ("0E-8", "0.00000000"),
        ("1E+2", "100"),
        ("1e2", "100"),
        ("2.50E1", "25.0"),
        ("1.5e-7", "0.00000015"),
        ("0E+5", "0"),
        ("1e39", "1" + "0" * 39),
        ("1e-39", "0." + "0" * 38 + "1"),
        ("9" * 40, "9" * 40),
        ("9" * 20 + "." + "9" * 20, "9" * 20 + "." + "9" * 20),
    ],
)
def test_an_exponent_is_written_out(text: str, written_out: str) -> None:
    """Java prints 0E-8; nobody behind this module ever sees an exponent."""
    amount = amount_of(text)
    assert format(amount, "f") == written_out
    assert int(amount.as_tuple().exponent) <= 0


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", " 1", "1 ", "1\n", "+1", "-1", "-0", "-0.0", "1.", ".5", "1..2", "1,5", "1_000", "0x10", "1e", "e5"],
        *[
            "NaN",
            "nan",
            "sNaN",
            "Infinity",
            "-Infinity",
            "inf",
            "1e100",
            "1e-100",
            "1e+001",
            "\u0661",
            "\uff11",
            "1\x00",
        ],
        *["1e40", "1e-40", "9" * 41, "0." + "0" * 40, "5e-50", "0" * 60 + "1", "1" * 100_000],
    ],
)
def test_anything_else_is_no_amount(text: str) -> None:
    """Decimal() itself takes signs, blanks, underscores, NaN and foreign digits."""
    assert not is_amount(text)
    with pytest.raises(NotAnAmountError):
        amount_of(text)


def test_trailing_zeros_stay() -> None:
    """0.50000000 says more than 0.5: how finely Binance keeps this asset."""
    assert amount_of("0.50000000").as_tuple() == Decimal("0.50000000").as_tuple()
