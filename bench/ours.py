"""The questions to our own layout, through the program's own query layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.answers import Point, Whole, texts
from collector.domain.periods import Period
from collector.domain.records import AssetClose, AssetPoint, StoredSnapshot
from collector.storage import accounts, history, series
from collector.storage.reader import Reader


class Ours:
    """One account of a database, asked by a reader that is kept."""

    def __init__(self, reader: Reader, account: str, *, name: str = "ours") -> None:
        found = accounts.find(reader, account)
        assert found is not None
        self.name, self._reader, self._account = name, reader, found

    def latest(self) -> StoredSnapshot | None:
        """By storage.history."""
        return history.latest(self._reader, self._account)

    def as_of(self, instant_s: int) -> StoredSnapshot | None:
        """By storage.history."""
        return history.as_of(self._reader, self._account, instant_s)

    def history(self, asset: str, from_s: int, to_s: int) -> list[AssetPoint]:
        """By storage.series."""
        return list(series.asset_points(self._reader, self._account, asset, from_s=from_s, to_s=to_s))

    def closes(self, asset: str, periods: Sequence[Period]) -> list[AssetClose]:
        """By storage.series."""
        return list(series.asset_closes(self._reader, self._account, asset, periods))

    def said(self, kind: str, answer: Any) -> Whole | list[Point] | None:
        """Explicit zeros are nothing elsewhere."""
        if kind == "history":
            return [(point.due_at, point.due_at, texts(point.balance)) for point in answer if not point.balance.is_zero]
        return _points(answer) if kind == "closes" else _whole(answer)


def _whole(found: StoredSnapshot | None) -> Whole | None:
    return None if found is None else (found.due_at, [(b.asset, *texts(b)) for b in found.balances])


def _points(closes: Sequence[AssetClose]) -> list[Point]:
    return [
        (close.period.start_s, point.due_at, None if point.balance.is_zero else texts(point.balance))
        for close in closes
        if (point := close.point) is not None
    ]
