"""The last exact values of periods, of several accounts added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from collector.domain.balances import cells, exact_sum
from collector.domain.records import AssetClose, AssetPoint, TotalPoint
from collector.domain.renames import together


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSum:
    """One asset of all accounts together; without a point while `missing` names accounts of which nothing is known."""

    close: AssetClose
    missing: tuple[str, ...]


def sum_of_assets(closes: Mapping[str, Iterable[AssetClose]]) -> Iterator[AssetSum]:
    """One row for each period, from those of each account by its name. A sum is as old as its oldest part."""
    for each in zip(*closes.values(), strict=True):
        missing = tuple(name for name, close in zip(closes, each, strict=True) if close.point is None)
        points = [close.point for close in each if close.point is not None]
        point = None if missing else _asset_sum(points)
        yield AssetSum(close=AssetClose(period=each[0].period, point=point), missing=missing)


def total_sum(points: Iterable[TotalPoint]) -> TotalPoint:
    """What several accounts were worth together; None where one of them was not asked for valuations."""
    some = list(points)
    totals = [point.btc_total for point in some]
    return TotalPoint(
        due_at=min(point.due_at for point in some),
        received_at_ms=min(point.received_at_ms for point in some),
        btc_total=None if None in totals else exact_sum(total for total in totals if total is not None),
        unpriced=sum(point.unpriced for point in some),
    )


def _asset_sum(points: list[AssetPoint]) -> AssetPoint:
    return AssetPoint(
        due_at=min(point.due_at for point in points),
        received_at_ms=min(point.received_at_ms for point in points),
        cells=cells(together([point.balance for point in points])),
    )
