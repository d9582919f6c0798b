"""How the ticks of periods came out, counted by arithmetic and cut where a period ends."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from collector.domain.periods import Period
from collector.domain.records import Coverage, Gap
from collector.domain.ticks import MissReason, ScheduleEntry, TickRange, count_due, range_between

LATE_AFTER_S = 120
"""A tick without an answer is missed after this many seconds, or after two intervals when they are shorter."""


class LostTicks(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Consecutive ticks without a snapshot, first and last inclusive, in epoch seconds."""

    start_at: int
    last_due_at: int
    ticks: int


class PeriodCoverage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the ticks of one period came out, by reason; `longest_gap` is the part of it that lies in the period."""

    period: Period
    counts: Coverage
    failed_by: Mapping[str, int]
    missed_by: Mapping[str, int]
    longest_gap: LostTicks | None

    def below(self, percent: Decimal) -> bool:
        """True when fewer of the due ticks than this have, or had, their snapshot; never by rounding."""
        lost = self.counts.failed + self.counts.missed
        return (self.counts.due - lost) * 100 < percent * self.counts.due


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the ledger of one account says: what was due until `end_s` (exclusive) and which answers are no snapshots.

    `failed` maps the start of each period that is asked for to the failed ticks in it, by reason.
    """

    account: str
    schedule: Sequence[ScheduleEntry]
    end_s: int
    missed: Sequence[tuple[TickRange, str]]
    thinned: Sequence[TickRange]
    failed: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    gaps: Sequence[Gap] = ()


def due_before(schedule: Sequence[ScheduleEntry], newest_answer: int | None, now_s: int) -> int:
    """The end (exclusive) of what is surely due: what is younger may still be under way."""
    interval_s = schedule[-1].interval_s if schedule else None
    settled = now_s if interval_s is None else now_s - min(2 * interval_s, LATE_AFTER_S)
    return max(settled, -1 if newest_answer is None else newest_answer) + 1


def due_between(schedule: Sequence[ScheduleEntry], from_s: int, to_s: int) -> int:
    """How many ticks were due at from_s <= t < to_s."""
    return sum(count_due(start_s, end_s, interval_s) for start_s, end_s, interval_s in _grids(schedule, from_s, to_s))


def cover(ledger: Ledger, periods: Sequence[Period]) -> list[PeriodCoverage]:
    """How each of these periods, which follow each other, came out."""
    missed: defaultdict[int, Counter[str]] = defaultdict(Counter)
    thinned: Counter[int] = Counter()
    for ticks, reason in ledger.missed:
        for start_s, count in _shares(ticks, periods):
            missed[start_s][reason] += count
    for ticks in ledger.thinned:
        thinned.update(dict(_shares(ticks, periods)))
    longest = _longest(ledger, periods)
    found = []
    for p in periods:
        failed_by, missed_by = ledger.failed.get(p.start_s, {}), dict(missed.get(p.start_s, {}))
        counts = _counts(
            ledger,
            p,
            failed=sum(failed_by.values()),
            missed=sum(missed_by.values()),
            thinned=thinned.get(p.start_s, 0),
        )
        found.append(
            PeriodCoverage(
                period=p,
                counts=counts,
                failed_by=failed_by,
                missed_by=missed_by,
                longest_gap=longest.get(p.start_s),
            )
        )
    return found


def _counts(ledger: Ledger, period: Period, *, failed: int, missed: int, thinned: int) -> Coverage:
    due = due_between(ledger.schedule, period.start_s, min(period.end_s, ledger.end_s))
    return Coverage(
        account=ledger.account,
        due=due,
        stored=due - thinned - failed - missed,
        thinned=thinned,
        failed=failed,
        missed=missed,
    )


def _longest(ledger: Ledger, periods: Sequence[Period]) -> dict[int, LostTicks]:
    """The longest part of a gap in each period; of two that are equally long the earlier one."""
    found: dict[int, LostTicks] = {}
    for gap in ledger.gaps:
        for period in _touched(periods, gap.start_at, gap.last_due_at):
            lost = _part(ledger, gap, period)
            known = found.get(period.start_s)
            if lost is not None and (known is None or lost.ticks > known.ticks):
                found[period.start_s] = lost
    return found


def _part(ledger: Ledger, gap: Gap, period: Period) -> LostTicks | None:
    start_s = max(gap.start_at, period.start_s)
    end_s = min(gap.last_due_at + 1, period.end_s, ledger.end_s)
    return _run(ledger.schedule, start_s, end_s)


def _grids(schedule: Sequence[ScheduleEntry], from_s: int, to_s: int) -> Iterator[tuple[int, int, int]]:
    """Each part of from_s <= t < to_s with one interval, as its start, end and interval; it may be empty."""
    ends = [*(entry.from_at for entry in schedule[1:]), to_s]
    for entry, end in zip(schedule, ends, strict=False):  # no entry, no end: it only ever had manual snapshots
        if entry.interval_s is not None:
            yield max(entry.from_at, from_s), min(end, to_s), entry.interval_s


def _due_ranges(schedule: Sequence[ScheduleEntry], from_s: int, to_s: int) -> list[TickRange]:
    found = [range_between(*grid) for grid in _grids(schedule, from_s, to_s)]
    return [ticks for ticks in found if ticks is not None]


def _shares(ticks: TickRange, periods: Sequence[Period]) -> Iterator[tuple[int, int]]:
    """The start of each period in which ticks of a range lie, and how many; one between two ticks has none."""
    for period in _touched(periods, ticks.start_at, ticks.last_due_at):
        start_s, end_s = max(ticks.start_at, period.start_s), min(ticks.last_due_at + 1, period.end_s)
        count = count_due(start_s, end_s, ticks.interval_s)
        if count:
            yield period.start_s, count


def _touched(periods: Sequence[Period], first: int, last: int) -> Iterator[Period]:
    number = max(bisect_right(periods, first, key=lambda p: p.start_s) - 1, 0)
    while number < len(periods) and periods[number].start_s <= last:
        yield periods[number]
        number += 1


def open_ticks(
    schedule: Sequence[ScheduleEntry], newest_answer: int | None, end_s: int
) -> Iterator[tuple[TickRange, str]]:
    """The ticks that were due since the newest answer: nothing was running, or it could not say so."""
    after = 0 if newest_answer is None else newest_answer + 1
    for ticks in _due_ranges(schedule, after, end_s):
        yield ticks, str(MissReason.NOT_RUNNING)


def lost_runs(schedule: Sequence[ScheduleEntry], kept: Iterable[TickRange], from_s: int, to_s: int) -> list[LostTicks]:
    """Runs of due instants, from_s <= t < to_s, that none of these ranges (in order, not overlapping) answers."""
    intervals = {entry.interval_s for entry in schedule if entry.interval_s is not None}
    runs: list[LostTicks | None] = []
    start_s = from_s
    for answered in kept:
        end_s = min(answered.start_at, to_s)
        if any(count_due(start_s, end_s, interval_s) for interval_s in intervals):  # mostly nothing lies between two
            runs.append(_run(schedule, start_s, end_s))
        start_s = max(start_s, answered.last_due_at + 1)
    return [run for run in [*runs, _run(schedule, start_s, to_s)] if run is not None]


def _run(schedule: Sequence[ScheduleEntry], from_s: int, to_s: int) -> LostTicks | None:
    parts = _due_ranges(schedule, from_s, to_s)
    if not parts:
        return None
    return LostTicks(
        start_at=parts[0].start_at, last_due_at=parts[-1].last_due_at, ticks=sum(part.ticks for part in parts)
    )
