"""Renamed assets."""

from decimal import Decimal

import pytest

from collector.domain.renames import NO_RENAMES, Named, Rename, Renames, together
from tests.ledgers import held

LUNA = Renames((Rename(old="LUNA", new="LUNC", on_s=100),))
CHAIN = Renames((Rename(old="B", new="C", on_s=200), Rename(old="A", new="B", on_s=100)))


def test_the_old_name_is_read_as_the_new_one_until_the_day() -> None:
    """From then on it is another asset: Binance gave LUNA to a new coin."""
    assert [LUNA.shown("LUNA", at) for at in (0, 99, 100)] == ["LUNC", "LUNC", "LUNA"]
    assert LUNA.shown("BTC", 0) == "BTC"
    assert [CHAIN.shown("A", at) for at in (0, 100)] == ["C", "A"]
    assert [CHAIN.shown("B", at) for at in (0, 150, 200)] == ["C", "C", "B"]


@pytest.mark.parametrize("order", [1, -1])
def test_renames_of_one_day_happen_at_once(order: int) -> None:
    """LUNA became LUNC when LUNA2 became LUNA, and names may be swapped: their order in the file says nothing."""
    entries = [("LUNA", "LUNC"), ("LUNA2", "LUNA"), ("X", "Y"), ("Y", "X")]
    renames = Renames(tuple(Rename(old=old, new=new, on_s=100) for old, new in entries[::order]))
    assert {old: renames.shown(old, 99) for old, _ in entries} == dict(entries)
    assert [span.names for span in renames.stored("LUNA")] == [("LUNA2",), ("LUNA",)]
    assert [span.names for span in renames.stored("LUNC")] == [("LUNA", "LUNC"), ("LUNC",)]


def test_the_store_is_asked_for_the_name_of_the_time() -> None:
    """Each span of time has its own names, together they are all of time."""
    assert list(LUNA.stored("LUNC")) == [
        Named(from_s=None, to_s=100, names=("LUNA", "LUNC")),
        Named(from_s=100, to_s=None, names=("LUNC",)),
    ]
    assert list(LUNA.stored("LUNA")) == [
        Named(from_s=None, to_s=100, names=()),
        Named(from_s=100, to_s=None, names=("LUNA",)),
    ]
    assert list(NO_RENAMES.stored("BTC")) == [Named(from_s=None, to_s=None, names=("BTC",))]
    assert [span.names for span in CHAIN.stored("C")] == [("A", "B", "C"), ("B", "C"), ("C",)]


def test_rows_that_get_the_same_name_are_added_up() -> None:
    """Both were there at once: nothing may be lost."""
    found = LUNA.applied([held("BTC"), held("LUNA", "1.5", btc_valuation="1"), held("LUNC", "2", locked="3")], 99)
    assert [(b.asset, b.free, b.locked, b.btc_valuation) for b in found] == [
        ("BTC", Decimal(1), Decimal(0), Decimal(0)),
        ("LUNC", Decimal("3.5"), Decimal(3), Decimal(1)),
    ]
    assert together([held("A", btc_valuation=None), held("A")]).btc_valuation is None
    assert NO_RENAMES.applied([held("B"), held("A")], 0) == (held("B"), held("A"))
    assert not NO_RENAMES
    assert LUNA
