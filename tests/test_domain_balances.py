"""Amounts keep every digit through sums, text and digest."""

import hashlib
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.balances import Balance, amount_in, cells, digest, exact_sum, of_cells, plain, snapshot_of
from tests.ledgers import held, snapshot


@st.composite
def amount_texts(draw: st.DrawFn) -> str:
    """Any plain decimal of at most 40 digits, trailing zeros included, without superfluous leading ones."""
    digits = draw(st.text("0123456789", min_size=1, max_size=40))
    point = draw(st.integers(min_value=0, max_value=len(digits) - 1))
    whole, fraction = digits[: len(digits) - point], digits[len(digits) - point :]
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


@given(amount_texts())
def test_plain_gives_back_the_text_that_was_sent(sent: str) -> None:
    """What is printed, exported and digested is what Binance sent, digit for digit."""
    assert plain(Decimal(sent)) == sent


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("0.00000000"), "0.00000000"),
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("1E-30"), "0.000000000000000000000000000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("50300000001.44911105"), "50300000001.44911105"),
        (Decimal("999999999999999.99999999"), "999999999999999.99999999"),
    ],
)
def test_plain_never_writes_an_exponent(amount: Decimal, text: str) -> None:
    """str() of the same values has exponents, which neither SQL nor people read well."""
    assert plain(amount) == text


@given(st.lists(amount_texts(), max_size=50))
def test_a_sum_is_exact(amounts: list[str]) -> None:
    """Python's default context would round to 28 digits without a word."""
    assert Fraction(exact_sum(map(Decimal, amounts))) == sum(map(Fraction, amounts))


@given(st.lists(amount_texts(), min_size=6, max_size=6))
def test_a_balance_is_what_its_cells_say(amounts: list[str]) -> None:
    """A history is written from text, and says what the numbers would."""
    row = ("BTC", *amounts)
    free, locked, frozen, withdrawing, *_ = map(Decimal, amounts)
    assert cells(of_cells(row)) == row
    assert amount_in("ipoable")(cells(of_cells(row))) == amounts[4]
    assert amount_in("total")(cells(of_cells(row))) == plain(exact_sum([free, locked, frozen, withdrawing]))


def test_a_sum_beyond_28_digits_keeps_both_ends() -> None:
    """The widest amounts there can be: 40 digits before the point and 40 after it."""
    total = exact_sum([Decimal("9" * 40), Decimal("0." + "0" * 39 + "1"), Decimal("9" * 40)])
    assert plain(total) == "1" + "9" * 39 + "8." + "0" * 39 + "1"


def test_a_sum_of_a_million_widest_amounts_is_exact() -> None:
    """The precision has room for the carries of many rows."""
    total = exact_sum([Decimal("0." + "0" * 39 + "1"), *([Decimal("9" * 40)] * 1_000_000)])
    assert plain(total) == "9" * 40 + "0" * 6 + "." + "0" * 39 + "1"


def test_sums_neither_use_nor_change_the_context_of_the_thread() -> None:
    """A library that lowers the precision must not round the totals."""
    with localcontext() as context:
        context.prec = 5
        assert exact_sum([Decimal("1.23456789"), Decimal(1000000)]) == Decimal("1000001.23456789")
        assert getcontext().prec == 5


def test_a_sum_of_nothing_is_zero() -> None:
    """An empty account is worth 0, which is known, and not NULL, which is not."""
    assert plain(exact_sum([])) == "0"


def test_the_total_leaves_ipoable_out() -> None:
    """Whether ipoable overlaps the rest is unverified, so it is never summed silently."""
    balance = held("BTC", "1", locked="2", frozen="4", withdrawing="8", ipoable="16", btc_valuation="32")
    assert balance.total == Decimal(15)


def test_the_total_is_exact_beyond_28_digits() -> None:
    """Each amount may use 40 digits by itself."""
    balance = held("X", "1" + "0" * 30, locked="0.00000001")
    assert plain(balance.total) == "1" + "0" * 30 + ".00000001"


@pytest.mark.parametrize("name", ["free", "locked", "frozen", "withdrawing", "ipoable"])
def test_any_amount_makes_a_row_worth_storing(name: str) -> None:
    """Binance does not say which sum has to be above zero."""
    balance = held("BTC", **{"free": "0", name: "0.00000001"})
    assert (balance.is_zero, balance.holds_something, balance.unpriced) == (False, True, True)


def test_a_valuation_alone_makes_a_row_worth_storing() -> None:
    """It was sent, so it is kept, though no amount explains it."""
    balance = held("BTC", "0", btc_valuation="0.00000001")
    assert (balance.is_zero, balance.holds_something, balance.unpriced) == (False, False, False)


@pytest.mark.parametrize("valuation", ["0", "0.00000000", None])
def test_a_row_of_nothing_but_zeros_says_nothing(valuation: str | None) -> None:
    """Absence means zero in a snapshot; a row of zeros would be a second way to say it."""
    balance = held("BTC", "0.00000000", locked="0.0", btc_valuation=valuation)
    assert (balance.is_zero, balance.holds_something, balance.unpriced) == (True, False, False)


@pytest.mark.parametrize(
    ("free", "valuation", "unpriced"), [("1", "0.00000000", True), ("1", "0.1", False), ("1", None, False)]
)
def test_unpriced_is_a_zero_valuation_of_something(free: str, valuation: str | None, *, unpriced: bool) -> None:
    """Binance says 0 when it has no price; where none was asked for there is nothing to say."""
    assert held("BTC", free, btc_valuation=valuation).unpriced is unpriced


def test_zero_values_an_asset_only_where_a_valuation_was_asked_for() -> None:
    """The zero of a vanished asset is known; its valuation is unknown when nobody asked."""
    assert Balance.zero("ETH", btc_requested=True).btc_valuation == 0
    assert Balance.zero("ETH", btc_requested=False).btc_valuation is None
    assert Balance.zero("ETH", btc_requested=True).is_zero


def test_a_snapshot_is_in_code_point_order_without_rows_of_zeros() -> None:
    """The order of rows is unspecified in the reply; the store and the digest need one."""
    taken = snapshot(
        held("币安人生"), held("a"), held("\U0001f600"), held("Z", "0"), held("456"), held("A"), held("\uffff1")
    )
    assert [b.asset for b in taken.balances] == ["456", "A", "a", "币安人生", "\uffff1", "\U0001f600"]


def test_names_that_differ_in_case_are_different_assets() -> None:
    """Names are compared exactly."""
    assert len(snapshot(held("abc"), held("ABC")).balances) == 2


def test_the_worth_of_a_snapshot_counts_what_has_a_price() -> None:
    """A total that lacks rows has to say how many."""
    taken = snapshot(
        held("BTC", btc_valuation="1.50000000"),
        held("ETH", btc_valuation="0.05"),
        held("AIRDROP"),
        held("456", "0", ipoable="3"),
    )
    assert (plain(taken.btc_total or Decimal(-1)), taken.unpriced) == ("1.55000000", 2)


def test_a_snapshot_without_valuations_has_no_worth() -> None:
    """Not asked is not zero."""
    taken = snapshot(held("BTC", btc_valuation=None), btc_requested=False)
    assert (taken.btc_total, taken.unpriced) == (None, 0)


def test_an_empty_snapshot_is_worth_zero() -> None:
    """An empty account is known to hold nothing."""
    taken = snapshot_of([], btc_requested=True)
    assert (taken.balances, taken.btc_total, taken.unpriced, dict(taken.extra)) == ((), Decimal(0), 0, {})


def test_unknown_fields_stay_even_of_a_row_of_zeros() -> None:
    """A new field is kept, not dropped; a row of zeros may carry one."""
    taken = snapshot(held("BTC", "0"), extra={"BTC": {"staked": '"1.5"'}})
    assert (taken.balances, taken.extra) == ((), {"BTC": {"staked": '"1.5"'}})


def test_the_digest_is_that_of_a_text_which_anyone_can_write() -> None:
    """Written out by hand: sha256sum over the same bytes gives the same digits, on every engine and machine."""
    rows = [
        held("币安人生", "0.00000000", locked="12.50000000", btc_valuation=None),
        held(
            "BTC",
            "50300000001.44911105",
            locked="0",
            frozen="1E-30",
            withdrawing="0.10",
            ipoable="5",
            btc_valuation="0E-8",
        ),
    ]
    text = (
        "BTC\t50300000001.44911105\t0\t0.000000000000000000000000000001\t0.10\t5\t0.00000000\n"
        "币安人生\t0.00000000\t12.50000000\t0\t0\t0\t\n"
    )
    assert digest(rows) == hashlib.sha256(text.encode()).hexdigest()
    assert digest(rows) == "49f4024a71754e0c2136ef30d2e82e7d5f6f0b29acc85dc2bfd68f04c47baab8"


def test_the_digest_of_nothing_is_that_of_no_bytes() -> None:
    """`sha256sum < /dev/null` says the same."""
    assert digest([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_tells_zero_from_unknown_and_one_field_from_another() -> None:
    """Each of these says something else about the portfolio."""
    told = [
        [held("BTC", "1")],
        [held("BTC", "1.0")],
        [held("BTC", "1", btc_valuation=None)],
        [held("BTC", "0", locked="1")],
        [held("BTC", "0", frozen="1")],
        [held("BTC", "0", withdrawing="1")],
        [held("BTC", "0", ipoable="1")],
        [held("BTC1", "1")],
        [held("BTC", "1"), held("ETH", "1")],
    ]
    assert len({digest(rows) for rows in told}) == len(told)


def test_the_digest_does_not_depend_on_the_order_of_rows() -> None:
    """Binance may answer in any order."""
    rows = [held("A"), held("B"), held("a"), held("币")]
    assert digest(rows) == digest(reversed(rows))
