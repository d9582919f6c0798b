"""Which snapshots stay when a history is thinned, and which ranges say what went."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from collector.domain.records import Account
from collector.domain.ticks import TickRange

FOREVER = 2**62
HOUR_S, DAY_S = 3_600, 86_400
UNITS = {"h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S, "y": 365 * DAY_S}

_SPAN = re.compile(r"(\d{1,6})([hdwy])", re.ASCII)


class Keep(StrEnum):
    """How much of a part of the past is kept: all, or the first and the last snapshot of each period in UTC."""

    ALL = "all"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def _month(instant_s: int) -> int:
    day = datetime.fromtimestamp(instant_s, UTC)
    return day.year * 12 + day.month


# The epoch was a Thursday; weeks begin on Monday.
PERIODS: dict[Keep, Callable[[int], int]] = {
    Keep.HOURLY: lambda t: t // HOUR_S,
    Keep.DAILY: lambda t: t // DAY_S,
    Keep.WEEKLY: lambda t: (t // DAY_S + 3) // 7,
    Keep.MONTHLY: _month,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """For how many seconds before the newest snapshot (inclusive) something is kept."""

    keep: Keep
    span_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinning:
    """What goes of one account: `ticks` of its `snapshots` (manual ones are neither), with their balances.

    `first` and `last` are the due instants of the first and the last that go, in epoch seconds; None when none goes.
    """

    account: Account
    snapshots: int
    ticks: int = 0
    balances: int = 0
    first: int | None = None
    last: int | None = None


def parse_span(written: str) -> int:
    """Seconds of `12h`, `30d`, `6w`, `1y` (365 days) or `forever`. ValueError holds a sentence."""
    match = _SPAN.fullmatch(written)
    span_s = FOREVER if written == "forever" else int(match[1]) * UNITS[match[2]] if match else 0
    if not span_s:
        raise ValueError(f"{written!r} is no span of time: write it like 12h, 30d, 6w, 1y or forever")
    return span_s


def fates(due: Iterable[int], rules: Sequence[Rule], *, newest: int) -> Iterator[tuple[int, bool]]:
    """Each snapshot (its due_at, ascending, in epoch seconds) with whether it stays by any of the rules.

    Only its neighbours decide: a snapshot is the first or the last of its period when the one before or after it
    belongs to another. So thinning again, later or by other rules, finds the same firsts and lasts.
    """
    before: int | None = None
    here: int | None = None
    for after in due:
        if here is not None:
            yield here, any(_stays(rule, before, here, after, newest) for rule in rules)
        before, here = here, after
    if here is not None:
        yield here, any(_stays(rule, before, here, None, newest) for rule in rules)


def _stays(rule: Rule, before: int | None, here: int, after: int | None, newest: int) -> bool:
    if here < newest - rule.span_s:
        return False
    if rule.keep is Keep.ALL or before is None or after is None:
        return True
    period = PERIODS[rule.keep]
    mine = period(here)
    return period(before) != mine or period(after) != mine


def thinned_ranges(
    snapshots: Iterable[tuple[int, int]],
    rules: Sequence[Rule],
    *,
    newest: int,
    borders: Sequence[int],
    at_most: int,
) -> Iterator[TickRange]:
    """The ranges of consecutive due instants whose snapshots go; `snapshots` are (due_at, interval_s), ascending.

    None holds an instant that stays, failed or was missed, crosses a border (an instant at which the schedule
    changed, ascending) or has more than `at_most` ticks.
    """
    intervals: dict[int, int] = {}
    run: TickRange | None = None
    for due_at, stays in fates(_noting(snapshots, intervals), rules, newest=newest):
        interval_s = intervals.pop(due_at)
        if stays:
            continue
        here = TickRange(start_at=due_at, last_due_at=due_at, interval_s=interval_s)
        longer = None if run is None or run.ticks == at_most else together(run, here, borders)
        if run is not None and longer is None:
            yield run
        run = longer or here
    if run is not None:
        yield run


def _noting(snapshots: Iterable[tuple[int, int]], intervals: dict[int, int]) -> Iterator[int]:
    for due_at, interval_s in snapshots:
        intervals[due_at] = interval_s
        yield due_at


def together(first: TickRange, second: TickRange, borders: Sequence[int]) -> TickRange | None:
    """One range of both when the second goes on where the first ends, in the same period of the schedule; else None."""
    if first.interval_s != second.interval_s or second.start_at != first.last_due_at + first.interval_s:
        return None
    if bisect_right(borders, first.last_due_at) != bisect_right(borders, second.start_at):
        return None
    return TickRange(start_at=first.start_at, last_due_at=second.last_due_at, interval_s=first.interval_s)
