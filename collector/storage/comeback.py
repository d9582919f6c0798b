"""Brings a ledger that reaches into the future back to the present: the local clock ran ahead, and was set right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select

from collector.domain.ticks import MissReason, ScheduleEntry, TickRange, unexplained
from collector.storage.accounts import schedule_of
from collector.storage.ranges import forget_missed, write_missed
from collector.storage.reader import Reader
from collector.storage.registry import open_ledger
from collector.storage.schema import schedule, thinned, tick


def bring_back(
    connection: Connection, account_id: int, *, interval_s: int | None, now_s: int, reached_s: int | None = None
) -> list[TickRange]:
    """Let an account be due at this interval from now on; returns the instants that need no tick of it.

    These are answered already, or lie where the ticks of the wrong time were due at another interval, which stays.
    What was missed in the future is still to come. Where something is answered there, or a tick of it is under way
    (`reached_s` is the newest), each instant until then is missed for the step of the clock until it is collected after
    all: so every due instant up to the newest answer has its own.
    """
    entries, answered = schedule_of(Reader.over(connection), account_id), _answered(connection, account_id, now_s)
    # A thinned range lies under one entry of the schedule: the interval changes after it.
    from_s = max([now_s, *(ticks.last_due_at + 1 for ticks in answered if ticks.start_at < now_s)])
    ahead = [ticks.start_at for ticks in answered if ticks.start_at >= from_s]
    forget_missed(connection, account_id, from_s)
    reached = max([from_s - 1, reached_s or 0, *(ticks.last_due_at for ticks in answered)])
    if not entries or reached < from_s:
        open_ledger(connection, account_id, interval_s=interval_s, now_s=from_s)
        return answered + _of_others(entries, interval_s, [(now_s, from_s - 1)])
    first = min(ahead, default=reached)
    present = _with_present(entries, interval_s, from_s=from_s, first=first, reached=reached)
    _rewrite(connection, account_id, present, from_s)
    for ticks in unexplained(present, after=from_s - 1, before=reached + 1):
        write_missed(connection, account_id, ticks, MissReason.CLOCK_STEP)
    return answered + _of_others(present, interval_s, [(now_s, from_s - 1), (first, reached)])


def _of_others(
    entries: Sequence[ScheduleEntry], interval_s: int | None, spans: Sequence[tuple[int, int]]
) -> list[TickRange]:
    """Every second of the spans in which the account is due at another interval: none of this one's ticks is due."""
    return [
        TickRange(start_at=first, last_due_at=last, interval_s=1)
        for first, last in spans
        if first <= last and any(e.interval_s != interval_s for e in _in_force(entries, first, last))
    ]


def _in_force(entries: Sequence[ScheduleEntry], first: int, last: int) -> list[ScheduleEntry]:
    begun = [entry for entry in entries if entry.from_at <= first][-1:]
    return [*begun, *(entry for entry in entries if first < entry.from_at <= last)]


def _with_present(
    entries: Sequence[ScheduleEntry], interval_s: int | None, *, from_s: int, first: int, reached: int
) -> list[ScheduleEntry]:
    """The schedule with this interval from `from_s` on; the instants from `first` to `reached` keep theirs."""
    wanted = [
        *(entry for entry in entries if entry.from_at < from_s),
        ScheduleEntry(from_at=from_s, interval_s=interval_s),
        *(replace(entry, from_at=max(entry.from_at, first)) for entry in _in_force(entries, first, reached)),
        ScheduleEntry(from_at=reached + 1, interval_s=interval_s),
    ]
    found: list[ScheduleEntry] = []
    for entry in wanted:
        if found and found[-1].from_at == entry.from_at:
            found.pop()
        if entry.interval_s != (found[-1].interval_s if found else None):
            found.append(entry)
    return found


def _answered(connection: Connection, account_id: int, now_s: int) -> list[TickRange]:
    """The ticks from now on, run by run, and what is thinned until then or later."""
    of_grid = (tick.c.account_id == account_id, tick.c.due_at >= now_s, tick.c.interval_s.is_not(None))
    found: list[TickRange] = []
    for row in connection.execute(select(tick.c.due_at, tick.c.interval_s).where(*of_grid).order_by(tick.c.due_at)):
        last = found[-1] if found else None
        if last and last.interval_s == row.interval_s and last.last_due_at + row.interval_s == row.due_at:
            found[-1] = replace(last, last_due_at=row.due_at)
        else:
            found.append(TickRange(start_at=row.due_at, last_due_at=row.due_at, interval_s=row.interval_s))
    of_thinned = (thinned.c.account_id == account_id, thinned.c.last_due_at >= now_s)
    return found + [
        TickRange(start_at=row.start_at, last_due_at=row.last_due_at, interval_s=row.interval_s)
        for row in connection.execute(select(thinned).where(*of_thinned))
    ]


def _rewrite(connection: Connection, account_id: int, entries: Sequence[ScheduleEntry], from_s: int) -> None:
    of_future = (schedule.c.account_id == account_id, schedule.c.from_at >= from_s)
    connection.execute(delete(schedule).where(*of_future))
    for entry in entries:
        if entry.from_at >= from_s:
            connection.execute(
                insert(schedule).values(account_id=account_id, from_at=entry.from_at, interval_s=entry.interval_s)
            )
