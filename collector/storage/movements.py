"""Every movement of amounts between snapshots that follow each other, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any, NamedTuple

from collector.domain.balances import Balance, Cells, of_cells
from collector.domain.changes import Movement, Taken, moved
from collector.domain.records import Account, Gap
from collector.domain.renames import NO_RENAMES, Renames
from collector.storage.ledger import each_gap
from collector.storage.reader import BATCH, Answer, Reader
from collector.storage.rows import amount_columns, between, name_values, named, stored
from collector.storage.stacked import STACK, stacked, unstacked_rows

SHOWN_EVERY = 500
"""After how many snapshots it is said how far the reading has come."""

AT_ONCE = 200
"""How many snapshots are fetched at once."""


class _Held(NamedTuple):
    """When a snapshot was, whether it has valuations, and what it names: by name what `of_cells` takes."""

    taken: Taken
    valued: bool
    rows: Mapping[str, Cells]


def movements(
    reader: Reader,
    account: Account,
    *,
    asset: str | None = None,
    from_s: int | None = None,
    to_s: int | None = None,
    known_at_ms: int | None = None,
    renames: Renames = NO_RENAMES,
    seen: Callable[[int], None] | None = None,
) -> Iterator[Movement]:
    """Movements that were seen at a snapshot with from_s <= due_at < to_s, oldest first and by asset (None: all).

    Each is against the snapshot before, which may lie before from_s. With `known_at_ms` snapshots that were recorded
    later do not count. `seen` is called with due_at now and then, to show how far it has come.
    """
    start = _before(reader, account, from_s, known_at_ms)
    where = f"{stored(reader, known_at_ms=known_at_ms)}{between(reader, 'tick.due_at', start, to_s)}"
    values = {"account": account.id, "known_at_ms": known_at_ms, "from_s": start, "to_s": to_s}
    snapshots, amounts_of = _snapshots(reader, where, values, _names(asset, renames))
    gaps = _Gaps(each_gap(reader, account, from_s=start, to_s=to_s))
    for earlier, later, renamed in _neighbours(snapshots, amounts_of, renames, seen):
        for before, after in _pairs(earlier, later, renames, renamed=renamed):
            if asset in {None, after.asset} and moved(before, after):
                yield Movement(
                    account=account.name,
                    before=before,
                    after=after,
                    earlier=earlier.taken,
                    later=later.taken,
                    gaps=gaps.between(earlier.taken.due_at, later.taken.due_at),
                )


def _before(reader: Reader, account: Account, from_s: int | None, known_at_ms: int | None) -> int | None:
    """due_at of the last snapshot before the range; where there is none, the range's own start."""
    if from_s is None:
        return None
    where = f"{stored(reader, known_at_ms=known_at_ms)}{between(reader, 'tick.due_at', None, from_s)}"
    found: int | None = reader.value(
        f"SELECT {reader.words.seconds('due_at')} FROM tick WHERE {where} ORDER BY tick.due_at DESC LIMIT 1",
        account=account.id,
        known_at_ms=known_at_ms,
        to_s=from_s,
    )
    return from_s if found is None else found


def _names(asset: str | None, renames: Renames) -> list[str] | None:
    return None if asset is None else sorted({name for named in renames.stored(asset) for name in named.names})


def _snapshots(
    reader: Reader, where: str, values: Mapping[str, Any], names: Sequence[str] | None
) -> tuple[Iterator[Answer], Callable[[Answer], object]]:
    """Rows with when each snapshot was and what it holds, and what finds in such a row the amounts to be compared.

    Of one name it is asset, amounts and valuation, NULL for nothing; of several what `stacked` gives.
    """
    words, alone = reader.words, names is not None and len(names) == 1
    of_tick = [words.seconds("tick.due_at"), *map(words.millis, ("tick.requested_at", "tick.received_at"))]
    there = "balance.account_id = tick.account_id AND balance.due_at = tick.due_at"
    join = f"LEFT JOIN balance ON {there} AND {named('balance.asset', names or ())}" if alone else ""
    what = f"balance.asset, {amount_columns(reader)}" if alone else stacked(reader, names)
    rows = reader.each(
        f"SELECT {', '.join(of_tick)}, tick.btc_requested, {what} FROM tick {join} WHERE {where} ORDER BY tick.due_at",
        at_once=BATCH if alone else AT_ONCE,
        **values,
        **name_values(names or ()),
    )
    return rows, itemgetter(slice(4, -1)) if alone else _stacked_amounts


def _stacked_amounts(row: Sequence[Any]) -> str | None:
    columns: str | None = row[4]
    return columns and columns[: columns.rindex(STACK)]  # without what they were worth


def _neighbours(
    snapshots: Iterable[Any],
    amounts_of: Callable[[Any], object],
    renames: Renames,
    seen: Callable[[int], None] | None,
) -> Iterator[tuple[_Held, _Held, bool]]:
    """Snapshots that follow each other where amounts differ as text, or (then true) a name began to mean another asset.

    Most of a snapshot says what the one before said: it never becomes a value, let alone a number.
    """
    days = [entry.on_s for entry in renames.entries]
    earlier, before, held = None, None, None
    for number, later in enumerate(snapshots, -1):
        amounts, after = amounts_of(later), None
        if earlier is not None:
            if seen and number % SHOWN_EVERY == 0:
                seen(later[0])
            renamed = bool(days) and any(earlier[0] < day <= later[0] for day in days)
            if amounts != before or renamed:
                after = _held(later)
                yield held or _held(earlier), after, renamed
        earlier, before, held = later, amounts, after


def _held(row: Any) -> _Held:
    due_at, requested_at_ms, received_at_ms, valued, *columns = row
    return _Held(
        taken=Taken(due_at=due_at, requested_at_ms=requested_at_ms, received_at_ms=received_at_ms),
        valued=bool(valued),
        rows={} if columns[0] is None else {row[0]: row for row in _rows(columns)},
    )


def _rows(columns: Sequence[Any]) -> Iterable[Cells]:
    return [tuple(columns)] if len(columns) > 1 else unstacked_rows(columns[0])


def _pairs(earlier: _Held, later: _Held, renames: Renames, *, renamed: bool) -> Iterator[tuple[Balance, Balance]]:
    """Each asset that may have moved, before and after, under the names of reports."""
    old, new, now = earlier.rows, later.rows, later.taken.due_at
    names: AbstractSet[str] = old.keys() | new.keys()
    if not renamed and len(names) > 1:  # of one it is known already
        differing = {name for name in names if old.get(name, ())[:-1] != new.get(name, ())[:-1]}
        names = _called_alike(names, differing, renames, now) if renames else differing
    before, after = _called(old, names, renames, earlier.taken.due_at), _called(new, names, renames, now)
    for asset in sorted({*before, *after}):
        yield (
            before.get(asset) or Balance.zero(asset, btc_requested=earlier.valued),
            after.get(asset) or Balance.zero(asset, btc_requested=later.valued),
        )


def _called_alike(names: AbstractSet[str], some: AbstractSet[str], renames: Renames, due_at: int) -> set[str]:
    """Those that reports add up with any of some."""
    shown = {renames.shown(name, due_at) for name in some}
    return {name for name in names if renames.shown(name, due_at) in shown}


def _called(rows: Mapping[str, Cells], names: Iterable[str], renames: Renames, due_at: int) -> dict[str, Balance]:
    found = {name: of_cells(rows[name]) for name in names if name in rows}
    return {b.asset: b for b in renames.applied(list(found.values()), due_at)} if renames else found


class _Gaps:
    """Gaps in the order of time, of which only those between two snapshots are kept."""

    def __init__(self, gaps: Iterator[Gap]) -> None:
        self._coming = gaps
        self._next = next(gaps, None)
        self._kept: list[Gap] = []

    def between(self, earlier: int, later: int) -> tuple[Gap, ...]:
        """Those that touch earlier < t < later; both only ever grow."""
        while self._next is not None and self._next.start_at < later:
            self._kept.append(self._next)
            self._next = next(self._coming, None)
        self._kept = [gap for gap in self._kept if gap.last_due_at > earlier]
        return tuple(self._kept)
