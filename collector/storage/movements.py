"""Every movement of amounts between snapshots that follow each other, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Row, Select, and_, select

from collector.domain.balances import AMOUNT_FIELDS, Balance
from collector.domain.changes import Movement, Taken, moved
from collector.domain.records import Account, Gap
from collector.domain.renames import NO_RENAMES, Renames
from collector.storage import schema
from collector.storage.ledger import each_gap
from collector.storage.plain import plain
from collector.storage.rows import stored, streamed

tick, balance = schema.tick, schema.balance

SHOWN_EVERY = 500
"""After how many snapshots it is said how far the reading has come."""

_AMOUNTS = slice(5, 5 + len(AMOUNT_FIELDS))
"""Where the amounts stand in a row of `_wanted`; the valuation follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What a snapshot names, as text: most of it says what the one before said, and never becomes a number.

    `amounts` is of each asset, `values` what it was worth.
    """

    taken: Taken
    valued: bool
    amounts: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str | None]


def movements(
    connection: Connection,
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
    conditions = [*stored(account, known_at_ms=known_at_ms)]
    start = _before(connection, conditions, from_s)
    conditions += [tick.c.due_at >= start] if start is not None else []
    conditions += [tick.c.due_at < to_s] if to_s is not None else []
    snapshots = _snapshots(connection, conditions, _names(asset, renames))
    gaps = _Gaps(each_gap(connection, account, from_s=start, to_s=to_s))
    for number, (earlier, later) in enumerate(pairwise(snapshots)):
        if seen and number % SHOWN_EVERY == 0:
            seen(later.taken.due_at)
        between = gaps.between(earlier.taken.due_at, later.taken.due_at)
        for before, after in _pairs(earlier, later, renames):
            if asset in {None, after.asset} and moved(before, after):
                yield Movement(
                    account=account.name,
                    before=before,
                    after=after,
                    earlier=earlier.taken,
                    later=later.taken,
                    gaps=between,
                )


def _before(connection: Connection, conditions: Sequence[ColumnElement[bool]], from_s: int | None) -> int | None:
    """due_at of the last snapshot before the range; where there is none, the range's own start."""
    if from_s is None:
        return None
    wanted = select(tick.c.due_at).where(*conditions, tick.c.due_at < from_s).order_by(tick.c.due_at.desc()).limit(1)
    found = connection.execute(wanted).scalar()
    return from_s if found is None else found


def _names(asset: str | None, renames: Renames) -> list[str] | None:
    return None if asset is None else sorted({name for named in renames.stored(asset) for name in named.names})


def _wanted(dialect: Dialect, conditions: Sequence[ColumnElement[bool]], names: Sequence[str] | None) -> Select[Any]:
    joined = and_(balance.c.account_id == tick.c.account_id, balance.c.due_at == tick.c.due_at)
    joined = joined if names is None else and_(joined, balance.c.asset.in_(names))
    columns = (tick.c.due_at, tick.c.requested_at, tick.c.received_at, tick.c.btc_requested, balance.c.asset)
    amounts = (*(balance.c[name] for name in AMOUNT_FIELDS), balance.c.btc_valuation)
    return (
        select(*(plain(column, dialect) for column in (*columns, *amounts)))
        .select_from(tick.outerjoin(balance, joined))
        .where(*conditions)
        .order_by(tick.c.due_at, balance.c.asset)
    )


def _snapshots(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], names: Sequence[str] | None
) -> Iterator[_Held]:
    rows: Iterator[Row[Any]] = streamed(connection, _wanted(connection.dialect, conditions, names))
    for _, of_tick in groupby(rows, key=itemgetter(0)):
        cells: list[Any] = [*of_tick]
        due_at, requested_at, received_at, valued, asset = cells[0][:5]
        named = [] if asset is None else cells  # None: a snapshot of nothing
        amounts = {row[4]: row[_AMOUNTS] for row in named}
        values = {row[4]: row[-1] for row in named}
        taken = Taken(due_at=due_at, requested_at_ms=requested_at, received_at_ms=received_at)
        yield _Held(taken=taken, valued=bool(valued), amounts=amounts, values=values)


def _pairs(earlier: _Held, later: _Held, renames: Renames) -> Iterator[tuple[Balance, Balance]]:
    """Each asset that may have moved, before and after, under the names of reports."""
    old, new = earlier.amounts, later.amounts
    if old == new and not renames:
        return
    names = old.keys() | new.keys()
    if not renames:
        names = {name for name in names if old.get(name) != new.get(name)}
    before, after = (_called(held, names, renames) for held in (earlier, later))
    for asset in sorted(before.keys() | after.keys()):
        yield (
            before.get(asset) or Balance.zero(asset, btc_requested=earlier.valued),
            after.get(asset) or Balance.zero(asset, btc_requested=later.valued),
        )


def _called(held: _Held, names: Iterable[str], renames: Renames) -> dict[str, Balance]:
    found = [_balance(held, name) for name in names if name in held.amounts]
    return {b.asset: b for b in renames.applied(found, held.taken.due_at)}


def _balance(held: _Held, name: str) -> Balance:
    amounts = dict(zip(AMOUNT_FIELDS, map(Decimal, held.amounts[name]), strict=True))
    value = held.values[name]
    return Balance(asset=name, btc_valuation=None if value is None else Decimal(value), **amounts)


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
