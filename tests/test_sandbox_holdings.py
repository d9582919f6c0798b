"""The portfolios that the sandbox holds."""

import json
import re
from decimal import Decimal, localcontext

import pytest

from collector.sandbox.catalogue import Coin, coins
from collector.sandbox.holdings import Document, TradingPortfolio, Wallet
from collector.sandbox.trades import row_after

NOON_MS = 1_750_000_000_000
AMOUNTS = ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation")


def portfolio(source: str = "1/main", count: int = 12, every_ms: int = 1_000) -> TradingPortfolio:
    """A portfolio of `count` assets."""
    return TradingPortfolio(source, coins(count), trade_every_ms=every_ms)


def test_the_past_can_be_asked_for_at_any_time() -> None:
    """What was true stays true: another object, another order of questions, the same answers."""
    instants = range(NOON_MS, NOON_MS + 60_000, 777)
    forwards = portfolio()
    seen = [forwards.held(at_ms) for at_ms in instants]
    backwards = portfolio()
    assert [backwards.held(at_ms) for at_ms in reversed(instants)] == seen[::-1]


def test_seed_and_account_decide() -> None:
    """Accounts that held the same could be mixed up unseen."""
    held = [portfolio(source).held(NOON_MS) for source in ("1/main", "1/other", "2/main")]
    assert held[0] != held[1]
    assert held[0] != held[2]


def test_the_reply_is_what_is_held() -> None:
    """The bytes on the wire and the truth come from one place; decoding shows that they agree."""
    one = portfolio()
    assert json.loads(one.reply(NOON_MS, asset="", valued=True)) == one.held(NOON_MS)
    unvalued = [{**row, "btcValuation": "0"} for row in one.held(NOON_MS)]
    assert json.loads(one.reply(NOON_MS, asset="", valued=False)) == unvalued
    assert json.loads(one.reply(NOON_MS, asset="NOPE", valued=True)) == []


def test_one_asset_changes_with_each_trade() -> None:
    """Between two trades nothing moves, so a tick's truth does not hang on a millisecond too many."""
    one = portfolio(every_ms=1_000)
    changes = 0
    last = {row["asset"]: row for row in one.held(NOON_MS)}
    for at_ms in range(NOON_MS + 100, NOON_MS + 30_000, 100):
        now = {row["asset"]: row for row in one.held(at_ms)}
        moved = [asset for asset in {*last, *now} if last.get(asset) != now.get(asset)]
        assert len(moved) <= 1
        changes += len(moved)
        last = now
    assert 20 <= changes <= 30


def test_assets_vanish_and_come_back_but_the_steady_ones_stay() -> None:
    """An asset that falls to zero disappears from the reply: the case that a recorder gets wrong."""
    one = portfolio()
    seen = [{row["asset"] for row in one.held(NOON_MS + minute * 13_000)} for minute in range(200)]
    assert all({"BTC", "USDT"} <= assets for assets in seen)
    for asset in ("ETH", "币安人生", "456", 'DON\'T "PANIC" COIN'):
        assert 100 < sum(asset in assets for assets in seen) < 200


def test_the_order_of_rows_changes() -> None:
    """Binance promises none, so nobody may rely on one."""
    orders = {tuple(row["asset"] for row in portfolio().held(NOON_MS + after)) for after in range(0, 12_000, 1_000)}
    assert len(orders) > 6


def test_amounts_are_awkward_but_true() -> None:
    """18 decimals, 19 digits, trailing zeros, exponents of zero: each has to turn up, and each must be a decimal."""
    texts = {
        row[field]
        for account in range(30)
        for row in portfolio(f"1/{account}", count=16).held(NOON_MS)
        for field in AMOUNTS
    }
    assert {"0", "0.00000000", "0E-8"} <= texts
    assert any(re.fullmatch(r"[0-9]+\.[0-9]{18}", text) for text in texts)
    assert any(re.fullmatch(r"[0-9]{11}\.[0-9]+", text) for text in texts)
    assert any(re.fullmatch(r"0\.000000[0-9]{2}", text) for text in texts)
    assert any(re.fullmatch(r"[0-9]+\.[0-9]+0000", text) for text in texts)
    assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)?|0E-8", text) for text in texts)


def test_every_row_holds_something() -> None:
    """Binance returns assets above zero only."""
    with localcontext(prec=60):
        for row in portfolio(count=40).held(NOON_MS):
            assert sum((Decimal(row[field]) for field in AMOUNTS[:4]), Decimal(0)) > 0


def test_any_number_of_assets_can_be_held() -> None:
    """Benchmarks hold 40, an empty account none."""
    assert len({coin.name for coin in coins(40)}) == 40
    assert 25 < len(portfolio(count=40).held(NOON_MS)) <= 40
    assert portfolio(count=0).reply(NOON_MS, asset="", valued=True) == b"[]"


def test_whole_numbers_have_no_point() -> None:
    """`1` is an amount as Binance writes it."""
    row = row_after(Coin(name="X", units=10, decimals=0, steady=True), "1/main", 1)
    assert row is not None
    assert row.amounts[0].isdecimal()


@pytest.mark.parametrize(
    ("document", "held"),
    [
        (b'[{"asset":"A","free":"0E-8"}]', [{"asset": "A", "free": "0E-8"}]),
        (b"[]", []),
        (b'{"code":-1000}', []),
        (b"<html>", []),
        (b"\xff", []),
    ],
)
def test_a_document_is_served_as_it_is(document: bytes, held: list[dict[str, str]]) -> None:
    """Good or bad, digit for digit; what is no array holds nothing."""
    assert Document(document).reply(NOON_MS, asset="", valued=False) == document
    assert Document(document).held(NOON_MS) == held


def test_a_document_can_be_asked_for_one_asset() -> None:
    """The digits stay as they are."""
    document = b'[ {"asset": "A", "free": "1.10"}, {"asset": "B", "free": "2"} ]'
    assert Document(document).reply(NOON_MS, asset="A", valued=True) == b'[{"asset":"A","free":"1.10"}]'


def test_a_wallet_remembers_what_it_held_before() -> None:
    """A test that empties an account still asks for the time before."""
    wallet = Wallet(Document(b'[{"asset":"A"}]'))
    wallet.become(Document(b"[]"), at_ms=NOON_MS)
    assert [wallet.held(NOON_MS - 1), wallet.held(NOON_MS)] == [[{"asset": "A"}], []]
    assert wallet.reply(NOON_MS, asset="", valued=True) == b"[]"
