"""What an account truly holds at an instant: a portfolio that trades by itself, or documents given from outside."""

from __future__ import annotations

import json
from typing import Any, Protocol

from collector.sandbox.answers import compact_json
from collector.sandbox.catalogue import Coin
from collector.sandbox.trades import Row, draw, row_after

FIELDS = ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation")


class Holdings(Protocol):
    """One account's wallet over time; instants are epoch milliseconds."""

    def held(self, at_ms: int) -> list[dict[str, Any]]:
        """The rows, valued, under Binance's names and in the order in which they are served."""

    def reply(self, at_ms: int, *, asset: str, valued: bool) -> bytes:
        """The body of a reply; an empty `asset` means all of them."""


class TradingPortfolio:
    """A wallet that is a pure function of `source` (seed and account) and instant.

    One asset after the other is drawn anew, one per `trade_every_ms`. Nothing is kept but the latest row of each asset,
    for speed.
    """

    def __init__(self, source: str, coins: tuple[Coin, ...], *, trade_every_ms: int) -> None:
        self._source = source
        self._coins = coins
        self._every_ms = trade_every_ms
        # Without a phase of its own each account of a fleet would trade in the same instant.
        self._phase_ms = draw(self._source, "phase", 0) % (trade_every_ms * max(1, len(coins)))
        self._latest: dict[int, tuple[int, Row | None]] = {}

    def held(self, at_ms: int) -> list[dict[str, Any]]:
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


class Document:
    """A wallet that is served byte for byte as given."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    def held(self, at_ms: int) -> list[dict[str, Any]]:  # noqa: ARG002 - it is the same at any instant
        """See Holdings; nothing for a document that is no array."""
        try:
            rows = json.loads(self._document)
        except ValueError:
            return []
        return rows if isinstance(rows, list) else []

    def reply(self, at_ms: int, *, asset: str, valued: bool) -> bytes:  # noqa: ARG002 - its valuations are as given
        """See Holdings; the valuation is what the document says, asked for or not."""
        if not asset:
            return self._document
        return compact_json([row for row in self.held(at_ms) if row.get("asset") == asset])


class Wallet:
    """One account's holdings, which may be replaced by others from an instant on."""

    def __init__(self, holdings: Holdings) -> None:
        self._eras: list[tuple[int, Holdings]] = [(0, holdings)]

    def become(self, holdings: Holdings, *, at_ms: int) -> None:
        """Holds `holdings` from `at_ms` on, which must not lie before an earlier change."""
        self._eras.append((at_ms, holdings))

    def held(self, at_ms: int) -> list[dict[str, Any]]:
        """See Holdings."""
        return self._at(at_ms).held(at_ms)

    def reply(self, at_ms: int, *, asset: str, valued: bool) -> bytes:
        """See Holdings."""
        return self._at(at_ms).reply(at_ms, asset=asset, valued=valued)

    def _at(self, at_ms: int) -> Holdings:
        return next(holdings for since_ms, holdings in reversed(self._eras) if since_ms <= at_ms)
