"""What a statement of account rests on, by what had been recorded at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

from sqlalchemy import ColumnElement, Connection, func, select

from collector.domain.coverage import LATE_AFTER_S, due_before, due_between, lost_runs
from collector.domain.periods import Period
from collector.domain.records import Account, Coverage, Gap
from collector.domain.renames import NO_RENAMES, Renames
from collector.domain.statement import Statement, flows_of, gaps_of, statement_rows
from collector.domain.ticks import TickRange, count_due
from collector.storage import schema
from collector.storage.accounts import schedule_of
from collector.storage.coverage import thinned_ranges
from collector.storage.history import as_of
from collector.storage.movements import movements
from collector.storage.plain import plain
from collector.storage.rows import streamed

tick = schema.tick


def statement(
    connection: Connection,
    account: Account,
    period: Period,
    *,
    now_ms: int,
    known_at_ms: int | None = None,
    renames: Renames = NO_RENAMES,
    seen: Callable[[int], None] | None = None,
) -> Statement | None:
    """The statement of a period that has begun; None when there is no snapshot until its end.

    Without `known_at_ms` it rests on all that is there. It is the same whenever it is made with its own known_at_ms.
    """
    known_at_ms = _known_at(connection, account, period, now_ms) if known_at_ms is None else known_at_ms
    until_s = min(period.end_s, known_at_ms // 1000)
    opening = as_of(connection, account, min(period.start_s, until_s), known_at_ms=known_at_ms, renames=renames)
    closing = as_of(connection, account, until_s, known_at_ms=known_at_ms, renames=renames)
    if closing is None:
        return None
    flows = flows_of(
        movements(
            connection,
            account,
            from_s=None if opening is None else opening.due_at + 1,
            to_s=closing.due_at + 1,
            known_at_ms=known_at_ms,
            renames=renames,
            seen=seen,
        )
    )
    lost = _Lost.read(connection, account, period, until_s=until_s, known_at_ms=known_at_ms)
    return Statement(
        account=account,
        period=period,
        until_s=until_s,
        opening=opening,
        closing=closing,
        rows=statement_rows(opening, closing, flows),
        coverage=lost.coverage,
        gaps=lost.gaps,
        known_at_ms=known_at_ms,
        recorded_at_ms=_newest_record(connection, account, (opening or closing).due_at, until_s, known_at_ms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """What is missing in a period, found by arithmetic from what was recorded until an instant.

    The table of missed ticks is no help: its rows don't say when they were written.
    """

    coverage: Coverage
    gaps: tuple[Gap, ...]

    @classmethod
    def read(cls, connection: Connection, account: Account, period: Period, *, until_s: int, known_at_ms: int) -> _Lost:
        known = [e for e in schedule_of(connection, account.id) if e.from_at <= known_at_ms // 1000]
        newest = _newest_answer(connection, account, until_s, known_at_ms)
        end_s = max(period.start_s, min(until_s, due_before(known, newest, known_at_ms // 1000)))
        pruned = thinned_ranges(connection, account, period.start_s, end_s)
        kept = _kept(connection, account, period.start_s, end_s, known_at_ms)
        runs = lost_runs(known, merge(kept, pruned, key=attrgetter("start_at")), period.start_s, end_s)
        failed = _failed(connection, account, period.start_s, end_s, known_at_ms)
        due = due_between(known, period.start_s, end_s)
        lost = sum(run.ticks for run in runs)
        thinned = sum(
            count_due(max(r.start_at, period.start_s), min(r.last_due_at + 1, end_s), r.interval_s) for r in pruned
        )
        open_end = bool(runs) and until_s < period.end_s and not due_between(known, runs[-1].last_due_at + 1, end_s)
        return cls(
            coverage=Coverage(
                account=account.name,
                due=due,
                stored=due - lost - thinned,
                thinned=thinned,
                failed=len(failed),
                missed=lost - len(failed),
            ),
            gaps=tuple(gaps_of(account.name, runs, failed, open_end=open_end)),
        )


def _known_at(connection: Connection, account: Account, period: Period, now_ms: int) -> int:
    """Now; of a period that is over the same instant whenever this is asked, until something more is recorded of it."""
    settled_ms = (period.end_s + LATE_AFTER_S) * 1000
    if now_ms < settled_ms:
        return now_ms
    return max(settled_ms, _newest_record(connection, account, period.start_s, period.end_s, now_ms))


def _newest_record(connection: Connection, account: Account, from_s: int, until_s: int, known_at_ms: int) -> int:
    """The newest recorded_at (epoch milliseconds) of ticks with from_s <= due_at <= until_s; 0 without any."""
    wanted = select(func.max(tick.c.recorded_at, type_=tick.c.recorded_at.type)).where(
        *_known(account, from_s, until_s + 1, known_at_ms)
    )
    return int(connection.execute(wanted).scalar() or 0)


def _newest_answer(connection: Connection, account: Account, until_s: int, known_at_ms: int) -> int | None:
    wanted = select(tick.c.due_at).where(*_known(account, 0, until_s, known_at_ms), tick.c.interval_s.is_not(None))
    return connection.execute(wanted.order_by(tick.c.due_at.desc()).limit(1)).scalar()


def _kept(connection: Connection, account: Account, from_s: int, to_s: int, known_at_ms: int) -> Iterator[TickRange]:
    of_grid = (tick.c.outcome == "stored", tick.c.interval_s.is_not(None))
    due_at = plain(tick.c.due_at, connection.dialect)
    wanted = select(due_at).where(*_known(account, from_s, to_s, known_at_ms), *of_grid).order_by(tick.c.due_at)
    for row in streamed(connection, wanted):
        yield TickRange(start_at=row[0], last_due_at=row[0], interval_s=1)


def _failed(
    connection: Connection, account: Account, from_s: int, to_s: int, known_at_ms: int
) -> list[tuple[int, str]]:
    wanted = select(tick.c.due_at, tick.c.reason).where(*_known(account, from_s, to_s, known_at_ms), schema.NOT_STORED)
    return [(row.due_at, row.reason) for row in connection.execute(wanted.order_by(tick.c.due_at))]


def _known(account: Account, from_s: int, to_s: int, known_at_ms: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions: ticks with from_s <= due_at < to_s that had been recorded."""
    return (
        tick.c.account_id == account.id,
        tick.c.due_at >= from_s,
        tick.c.due_at < to_s,
        tick.c.recorded_at <= known_at_ms,
    )
