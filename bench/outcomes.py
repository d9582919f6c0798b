"""Ticks of an account, as the store receives them from the exchange: a portfolio's snapshots with exact amounts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from bench.built import FIRST_DUE_AT
from bench.portfolio import Held, Portfolio, names
from collector.domain.balances import Balance, Snapshot
from collector.domain.records import Account
from collector.domain.ticks import Outcome, TickOutcome

ASSETS, INTERVAL_S = 40, 60


def outcomes(account: Account, count: int) -> Iterator[TickOutcome]:
    """So many stored ticks of 40 assets, one minute after the other."""
    portfolio = Portfolio(names(ASSETS), count, range(0))
    for number, held in enumerate(portfolio.snapshots()):
        yield _outcome(account, FIRST_DUE_AT + INTERVAL_S * number, _snapshot(portfolio, held))


def _outcome(account: Account, due_at: int, snapshot: Snapshot) -> TickOutcome:
    return TickOutcome(
        account_id=account.id,
        account=account.name,
        due_at=due_at,
        interval_s=INTERVAL_S,
        outcome=Outcome.STORED,
        http_status=200,
        attempts=1,
        requested_at_ms=due_at * 1000 + 3,
        received_at_ms=due_at * 1000 + 207,
        clock_offset_ms=-2,
        weight_used=5,
        snapshot=snapshot,
    )


def _snapshot(portfolio: Portfolio, held: Held) -> Snapshot:
    rows = zip(held.places, held.frees, held.valuations, strict=True)
    return Snapshot(balances=tuple(_balance(portfolio, *row) for row in rows), btc_requested=True)


def _balance(portfolio: Portfolio, place: int, free: str, valuation: str) -> Balance:
    locked, frozen = portfolio.bound[place]
    return Balance(
        asset=portfolio.assets[place],
        free=Decimal(free),
        locked=Decimal(locked),
        frozen=Decimal(frozen),
        withdrawing=Decimal(0),
        ipoable=Decimal(0),
        btc_valuation=Decimal(valuation),
    )
