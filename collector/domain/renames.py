"""Assets that Binance gave another name: the old name is read as the new one, until the day it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from msgspec.structs import replace

from collector.domain.balances import AMOUNT_FIELDS, Balance, exact_sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """What was called `old` before `on_s` (epoch seconds) is called `new`."""

    old: str
    new: str
    on_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The names under which the store keeps an asset, from_s <= due_at < to_s (None: without an end)."""

    from_s: int | None
    to_s: int | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Renames:
    """All renames, applied one after the other in the order of their days; those of one day at once."""

    entries: tuple[Rename, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def shown(self, stored: str, due_at: int) -> str:
        """What a name of the store is called in reports."""
        for on_s, entries in groupby(self._ordered(), key=lambda entry: entry.on_s):
            if due_at < on_s:
                stored = next((entry.new for entry in entries if entry.old == stored), stored)
        return stored

    def applied(self, balances: Sequence[Balance], due_at: int) -> tuple[Balance, ...]:
        """The rows of one snapshot under the names of reports, in code-point order; rows of one name are added up."""
        if not self.entries:
            return tuple(balances)
        renamed = sorted((replace(b, asset=self.shown(b.asset, due_at)) for b in balances), key=lambda b: b.asset)
        return tuple(together(list(rows)) for _, rows in groupby(renamed, key=lambda b: b.asset))

    def stored(self, asset: str) -> Iterator[Named]:
        """The names under which the store keeps an asset, from the beginning to the end of time."""
        days = sorted({entry.on_s for entry in self.entries})
        candidates = sorted({asset, *(entry.old for entry in self.entries)})
        for start, end in pairwise([None, *days, None]):
            at = days[0] - 1 if start is None and days else start or 0
            names = tuple(name for name in candidates if self.shown(name, at) == asset)
            yield Named(from_s=start, to_s=end, names=names)

    def _ordered(self) -> Iterable[Rename]:
        return sorted(self.entries, key=lambda entry: entry.on_s)


NO_RENAMES = Renames()


def together(balances: Sequence[Balance]) -> Balance:
    """Rows of one asset added up, exactly; a valuation only when all have one."""
    if len(balances) == 1:
        return balances[0]
    amounts = {name: exact_sum(getattr(b, name) for b in balances) for name in AMOUNT_FIELDS}
    values = [b.btc_valuation for b in balances if b.btc_valuation is not None]
    value = exact_sum(values) if len(values) == len(balances) else None
    return Balance(asset=balances[0].asset, btc_valuation=value, **amounts)
