"""The assets that the sandbox trades, chosen for their awkward names and amounts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """One asset: the usual amount in `units` of 10^-decimals, the price in 10^-12 BTC (0: unpriced).

    `short` drops trailing zeros from amounts; `zero` is how an empty field is written; a `steady` coin never vanishes.
    """

    name: str
    units: int
    decimals: int = 8
    price: int = 0
    short: bool = False
    zero: str = "0"
    steady: bool = False


_AWKWARD = (
    Coin(name="BTC", units=1_25000000, price=10**12, zero="0.00000000", steady=True),
    Coin(name="USDT", units=12345_67890123, price=15_600_000, steady=True),
    Coin(name="ETH", units=12_345678901234567890, decimals=18, price=38_000_000_000, short=True),
    Coin(name="币安人生", units=88888_00000000, price=3_100_000),
    Coin(name="456", units=456_00000000),
    Coin(name="1000SATS", units=1_000_000_00, decimals=2, price=4_000, short=True),
    Coin(name="1INCH", units=250_50000000, price=3_900_000, zero="0E-8"),
    Coin(name="LDUSDT", units=1500_00000000, price=15_600_000, zero="0.00000000"),
    Coin(name="LDO", units=37, price=14_000_000),
    Coin(name="BNB", units=887_47061626, price=9_000_000_000, zero="0E-8"),
    Coin(name='DON\'T "PANIC" COIN', units=42_000000000000000000, decimals=18),
    Coin(name="SHIB", units=50300000001_44911105, price=190, short=True),
    Coin(name="123", units=1, decimals=0, zero="0"),
    Coin(name="wBTC", units=5_00000000, price=999_000_000_000),
    Coin(name="WBTC", units=3_00000000, price=999_000_000_000),
    Coin(name="BTT", units=999999999999999_99999999, price=7),
)


def coins(count: int) -> tuple[Coin, ...]:
    """The first `count` coins: the awkward ones, then as many plain ones as it takes."""
    plain = (
        Coin(name=f"COIN{number}", units=number * 7_00000000, price=1_000_000)
        for number in range(len(_AWKWARD) + 1, count + 1)
    )
    return (*_AWKWARD[:count], *plain)
