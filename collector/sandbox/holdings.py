"""What an account truly holds at an instant: a portfolio that trades by itself, or documents given from outside."""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import Protocol

from collector.sandbox.answers import compact_json
from collector.sandbox.catalogue import Coin
from collector.sandbox.trades import Row, draw, row_after

FIELDS = ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation")


class Holdings(Protocol):
    """One account's wallet over time; instants are epoch milliseconds."""

    def held(self, at_ms: int) -> list[dict[str, str]]:
        """The rows, valued, under Binance's names and in the order in which they are served."""

    def reply(self, at_ms: int, *, asset: str, valued: bool) -> bytes:
        """The body of a reply; an empty `asset` means all of them."""


class TradingPortfolio:
    """A wallet that is a pure function of seed, account and instant.

    One asset after the other is drawn anew, one per `trade_every_ms`. Nothing is kept but the latest row of each asset,
    for speed.
    """

    def __init__(self, *, seed: int, account: str, coins: tuple[Coin, ...], trade_every_ms: int) -> None:
        self._coins = coins
        self._source = f"{seed}/{account}"
        self._every_ms = trade_every_ms
        # Without a phase of its own each account of a fleet would trade in the same instant.
        self._phase_ms = draw(self._source, "phase", 0) % (trade_every_ms * max(1, len(coins)))
        self._latest: dict[int, tuple[int, Row | None]] = {}

    def held(self, at_ms: int) -> list[dict[str, str]]:
        """See Holdings."""
        rows = self._rows(at_ms)
        return [{"asset": row.asset, **dict(zip(FIELDS, (*row.amounts, row.valuation), strict=True))} for row in rows]

    def reply(self, at_ms: int, *, asset: str, valued: bool) -> bytes:
        """See Holdings."""
        rows = [row.encode(valued=valued) for row in self._rows(at_ms) if not asset or row.asset == asset]
        return f"[{','.join(rows)}]".encode()

    def _rows(self, at_ms: int) -> list[Row]:
        """The order turns with each trade, because Binance promises none."""
        count = len(self._coins)
        done = (at_ms + self._phase_ms) // self._every_ms
        rows = [self._row((done + step) % count, done) for step in range(count)]
        return [row for row in rows if row is not None]

    def _row(self, place: int, done: int) -> Row | None:
        trade = (done - place) // len(self._coins)
        latest = self._latest.get(place)
        if latest is None or latest[0] != trade:
            latest = (trade, row_after(self._coins[place], self._source, trade))
            self._latest[place] = latest
        return latest[1]


class Documents:
    """A wallet that is served byte for byte as given, each document from its instant on."""

    def __init__(self, document: bytes) -> None:
        self._since_ms = [0]
        self._documents = [document]

    def replace(self, document: bytes, *, at_ms: int) -> None:
        """Serves `document` from `at_ms` on, which must not lie before an earlier replacement."""
        self._documents.append(document)
        self._since_ms.append(at_ms)

    def held(self, at_ms: int) -> list[dict[str, str]]:
        """See Holdings; nothing for a document that is no array."""
        try:
            rows = json.loads(self._document(at_ms))
        except ValueError:
            return []
        return rows if isinstance(rows, list) else []

    def reply(self, at_ms: int, *, asset: str, valued: bool) -> bytes:  # noqa: ARG002 - a document has no other valuation
        """See Holdings; the valuation is what the document says, asked for or not."""
        if not asset:
            return self._document(at_ms)
        return compact_json([row for row in self.held(at_ms) if row.get("asset") == asset])

    def _document(self, at_ms: int) -> bytes:
        return self._documents[max(0, bisect_right(self._since_ms, at_ms) - 1)]
