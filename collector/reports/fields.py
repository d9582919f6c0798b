"""The names of a balance's amounts, for whoever has to know no more than these."""

FIELDS = ("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation", "total")
"""The amounts of a balance in the order in which they are shown."""

BINANCE_NAMES = {"freeze": "frozen", "btcValuation": "btc_valuation"}
"""What Binance calls them where it has a name of its own."""
