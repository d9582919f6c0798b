"""Questions to a history of balances, and what an answer is: the same values whoever gives it, digit for digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from collector.domain.balances import Balance, plain
from collector.domain.periods import Period

POINTS = 2_000

Row = tuple[str, ...]
"""Amounts and valuation as text: of a snapshot with the asset before them."""
Whole = tuple[int, list[Row]]
"""A snapshot: due_at and its rows, assets in code-point order."""
Point = tuple[int, int, Row | None]
"""The start of a period (in a history due_at), due_at of its last snapshot and what that holds; None: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked in one round: the newest snapshot, that of an instant, and one asset in a range and by periods."""

    instant_s: int
    asset: str
    from_s: int
    to_s: int
    periods: Sequence[Period]


class Store(Protocol):
    """Whoever keeps the rows; answers come in a form of its own, and `said` says them in the one to compare."""

    name: str

    def latest(self) -> Any:
        """The newest snapshot."""

    def as_of(self, instant_s: int) -> Any:
        """The newest snapshot that is not newer than this."""

    def history(self, asset: str, from_s: int, to_s: int) -> Any:
        """One asset at each snapshot of a range."""

    def closes(self, asset: str, periods: Sequence[Period]) -> Any:
        """One asset at the last snapshot of each period, which all have the same length."""

    def said(self, kind: str, answer: Any) -> Whole | list[Point] | None:
        """An answer to `latest`, `as_of`, `history` or `closes` as plain values; None for no snapshot."""


def texts(balance: Balance) -> Row:
    """What every side is compared by."""
    assert balance.btc_valuation is not None
    amounts = (balance.free, balance.locked, balance.frozen, balance.withdrawing, balance.ipoable)
    return (*map(plain, amounts), plain(balance.btc_valuation))
