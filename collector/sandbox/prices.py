"""The price of BTC in other currencies, a pure function of seed and instant."""

from __future__ import annotations

from collector.sandbox.trades import draw

# Usual prices in units of 10^-8.
SYMBOLS = {"BTCUSDT": 64_000_00000000, "BTCEUR": 59_000_00000000}
_EVERY_MS = 1_000
_CENT = 1_000_000


def price_at(seed: int, symbol: str, at_ms: int) -> str:
    """The price at `at_ms` (epoch milliseconds), within 2 % of the usual one, in whole cents."""
    usual = SYMBOLS[symbol]
    swing = draw(str(seed), symbol, at_ms // _EVERY_MS) % 40_001 - 20_000
    units = usual + usual * swing // 1_000_000
    units -= units % _CENT
    return f"{units // 10**8}.{units % 10**8:08}"
