"""What became of amounts and values between two snapshots, against a naive reference."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.balances import Balance
from collector.domain.changes import compare, kind_of, moved, sum_of_effects
from collector.domain.valuation import Effects, share, split, worth
from tests.ledgers import held, snapshot
from tests.wallets import holdings

amounts = st.decimals(min_value=0, max_value=Decimal(10) ** 30, places=18, allow_nan=False)
values = st.decimals(min_value=0, max_value=10**8, places=8, allow_nan=False)
zero = st.just(Decimal(0))


def naive_amount_effect(v1: Decimal, a1: Decimal, a2: Decimal) -> Decimal:
    """The same with two hundred digits of which the last are dropped at the end."""
    with localcontext(prec=250):
        return (v1 * a2 / a1 - v1).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)


@given(values | zero, amounts | zero, values | zero, amounts | zero)
def test_the_parts_of_a_change_of_value_add_up_to_the_last_digit(
    v1: Decimal, a1: Decimal, v2: Decimal, a2: Decimal
) -> None:
    """What comes from the amount and what comes from the price is the change, whatever was rounded."""
    effects = split(v1, a1, v2, a2)
    with localcontext(prec=250):
        assert effects.amount + effects.price == effects.value == v2 - v1
    if v1 > 0 < a1 and v2 > 0 < a2:
        assert effects.amount == naive_amount_effect(v1, a1, a2)
        assert not effects.no_price
    else:
        assert effects == Effects(amount=v2 - v1, price=Decimal(0), no_price=True)


@pytest.mark.parametrize(
    ("before", "after", "amount", "price"),
    [
        (("1", "2"), ("3", "4"), "1.00000000", "1.00000000"),
        (("0.00000001", "2"), ("0.00000001", "3"), "0E-8", "0E-8"),  # half of the last digit, to even
        (("0.00000003", "2"), ("0.00000003", "3"), "2E-8", "-2E-8"),
        (("0", "2"), ("3", "4"), "3", "0"),
        (("1", "2"), ("0", "0"), "-1", "0"),
    ],
)
def test_a_change_is_split_like_this(before: tuple[str, str], after: tuple[str, str], amount: str, price: str) -> None:
    """Rounded half to even, to eight digits; all of it is the amount's where a price is missing."""
    effects = split(*map(Decimal, before), *map(Decimal, after))
    assert (effects.amount, effects.price) == (Decimal(amount), Decimal(price))


@given(holdings, holdings)
def test_the_differences_of_two_snapshots_add_up_to_their_totals(
    before: tuple[Balance, ...], after: tuple[Balance, ...]
) -> None:
    """Each asset of either stands there once, and the sum of all parts is the change of the whole."""
    one, two = snapshot(*before), snapshot(*after)
    found = compare(one.balances, two.balances)
    assert [d.asset for d in found] == sorted({b.asset for b in (*one.balances, *two.balances)})
    effects = sum_of_effects(found)
    assert effects is not None
    assert one.btc_total is not None
    assert two.btc_total is not None
    with localcontext(prec=250):
        assert effects.amount + effects.price == two.btc_total - one.btc_total
        for d in found:
            old = next((b for b in before if b.asset == d.asset), held(d.asset, "0"))
            new = next((b for b in after if b.asset == d.asset), held(d.asset, "0"))
            assert d.total_change == new.total - old.total
            assert Fraction(d.after.free) - Fraction(d.before.free) == Fraction(new.free) - Fraction(old.free)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [("0", "1", "appeared"), ("1", "0", "vanished"), ("1", "2", "rose"), ("2", "1", "fell"), ("1", "1.000", None)],
)
def test_a_change_has_one_word(before: str, after: str, kind: str | None) -> None:
    """The same words in every report; trailing zeros are no change."""
    assert kind_of(Decimal(before), Decimal(after)) == kind


def test_without_a_valuation_there_is_nothing_to_split() -> None:
    """Not asked for is not zero."""
    (one,) = compare([held("BTC", btc_valuation=None)], [held("BTC", "2")], before_valued=False)
    assert one.effects is None
    assert sum_of_effects([one]) is None
    assert one.moved
    assert one.total_change == 1
    (gone,) = compare([held("BTC")], [], after_valued=False)
    assert gone.after.btc_valuation is None
    assert sum_of_effects([]) == Effects(amount=Decimal(0), price=Decimal(0), no_price=False)


def test_a_new_price_is_no_movement() -> None:
    """Movements are of amounts, ipoable among them; what they are worth changes with every tick."""
    assert not moved(held("BTC", btc_valuation="1"), held("BTC", btc_valuation="2"))
    assert moved(held("BTC", "1"), held("BTC", "0", locked="1"))
    assert moved(held("BTC", ipoable="1"), held("BTC"))


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [("1", "3", "33.33"), ("2", "3", "66.67"), ("1", "1", "100.00"), ("1", "80000", "0.00"), ("0", "5", "0.00")],
)
def test_shares_have_two_digits(part: str, whole: str, percent: str) -> None:
    """Half to even, like all else that is rounded."""
    assert str(share(Decimal(part), Decimal(whole))) == percent


def test_a_share_of_nothing_and_the_worth_of_the_unknown_stay_blank() -> None:
    """A missing price is never 0."""
    assert share(None, Decimal(1)) is None
    assert share(Decimal(0), Decimal(0)) is None
    assert share(Decimal(0), None) is None
    assert worth(None, Decimal(1)) is None
    assert worth(Decimal(1), None) is None
    assert worth(Decimal("0.1"), Decimal("100000.01")) == Decimal("10000.001")
