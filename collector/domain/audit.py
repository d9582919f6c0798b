"""Whether each due instant of an account has exactly one answer, found by walking over all answers in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from collector.domain.ticks import ScheduleEntry, TickRange, count_due, unexplained


class Flaw(StrEnum):
    """What can be wrong with a ledger."""

    DIGEST = "digest"
    ASSET_COUNT = "asset_count"
    UNPRICED = "unpriced"
    BTC_TOTAL = "btc_total"
    EXTRA = "extra"
    KNOWN_ASSET = "known_asset"
    HOLE = "hole"
    OVERLAP = "overlap"
    NOT_DUE = "not_due"
    TICKS = "ticks"
    IDENTITY = "identity"
    REFERENCE = "reference"
    INTEGRITY = "integrity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, at a tick or from `start_at` to `last_due_at` (epoch seconds); None: the whole table."""

    flaw: Flaw
    account: str | None = None
    start_at: int | None = None
    last_due_at: int | None = None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the ledger says of one instant or of a range: `kind` is stored, failed, missed or thinned.

    `said` is how many ticks a range claims to hold.
    """

    kind: str
    ticks: TickRange
    said: int = 1


class LedgerAudit:
    """Receives every answer of one account, in the order of their first instants."""

    def __init__(self, account: str, schedule: Sequence[ScheduleEntry]) -> None:
        self._account = account
        # An interval that no CHECK would let in, found in a damaged file, has no due instants.
        self._schedule = [
            e if e.interval_s is None or e.interval_s > 0 else replace(e, interval_s=None) for e in schedule
        ]
        self._reach: int | None = None
        self._last: Answer | None = None
        self._period: tuple[int, int | None, int | None] = (0, 0, None)
        self.counted: Counter[str] = Counter()

    def see(self, answer: Answer) -> Iterator[Problem]:
        """What is wrong between the answer before and this one."""
        ticks = answer.ticks
        self.counted[answer.kind] += ticks.ticks
        if answer.said != ticks.ticks:
            detail = f"a {answer.kind} range says {answer.said} ticks and holds {ticks.ticks}"
            yield self._problem(Flaw.TICKS, ticks, detail)
        if not self._follows(answer):
            yield from self._before(answer)
            if not self._is_due(ticks):
                yield self._problem(Flaw.NOT_DUE, ticks, f"{_named(answer)} is not on the grid of the schedule")
        if self._reach is None or ticks.last_due_at > self._reach:
            self._reach, self._last = ticks.last_due_at, answer

    def end(self) -> Iterator[Problem]:
        """What is wrong after the last answer, and whether due = stored + thinned + failed + missed.

        What is due since then, by the interval that still holds, is an open gap and no hole.
        """
        closed = self._schedule[-1].from_at if self._schedule else 0
        yield from self._holes(closed)
        due = self._due_before(max(closed, 0 if self._reach is None else self._reach + 1))
        answers = self.counted.total()
        if due != answers:
            yield Problem(
                flaw=Flaw.IDENTITY, account=self._account, detail=f"{due} ticks were due and {answers} are answered"
            )

    def _follows(self, answer: Answer) -> bool:
        """Whether this is the very next due instant: what nearly all ticks are, at little cost."""
        last, ticks, end = self._last, answer.ticks, self._period[1]
        return (
            last is not None
            and ticks.interval_s == last.ticks.interval_s == self._period[2]
            and ticks.start_at == last.ticks.last_due_at + ticks.interval_s
            and (end is None or ticks.last_due_at < end)
            and (ticks.last_due_at - ticks.start_at) % ticks.interval_s == 0
        )

    def _before(self, answer: Answer) -> Iterator[Problem]:
        ticks = answer.ticks
        if self._reach is None or self._last is None or ticks.start_at > self._reach:
            yield from self._holes(ticks.start_at)
            return
        shared = TickRange(
            start_at=ticks.start_at, last_due_at=min(self._reach, ticks.last_due_at), interval_s=ticks.interval_s
        )
        yield self._problem(Flaw.OVERLAP, shared, f"{_named(answer)} lies inside {_named(self._last)}")

    def _holes(self, before: int) -> Iterator[Problem]:
        for ticks in unexplained(self._schedule, after=self._reach, before=before):
            yield self._problem(Flaw.HOLE, ticks, f"{_counted(ticks.ticks)} without an answer")

    def _is_due(self, ticks: TickRange) -> bool:
        self._period = start, end, interval_s = self._period_at(ticks.start_at)
        return (
            interval_s == ticks.interval_s
            and ticks.start_at % interval_s == ticks.last_due_at % interval_s == 0
            and start <= ticks.start_at
            and (end is None or ticks.last_due_at < end)
        )

    def _period_at(self, instant_s: int) -> tuple[int, int | None, int | None]:
        found: tuple[int, int | None, int | None] = (0, 0, None)
        for number, entry in enumerate(self._schedule):
            if entry.from_at <= instant_s:
                rest = self._schedule[number + 1 :]
                found = (entry.from_at, rest[0].from_at if rest else None, entry.interval_s)
        return found

    def _due_before(self, end: int) -> int:
        ends = [entry.from_at for entry in self._schedule[1:]] + [end]
        return sum(
            count_due(entry.from_at, min(until, end), entry.interval_s)
            for entry, until in zip(self._schedule, ends, strict=False)
            if entry.interval_s is not None
        )

    def _problem(self, flaw: Flaw, ticks: TickRange, detail: str) -> Problem:
        return Problem(
            flaw=flaw, account=self._account, start_at=ticks.start_at, last_due_at=ticks.last_due_at, detail=detail
        )


def _named(answer: Answer) -> str:
    many = answer.ticks.last_due_at != answer.ticks.start_at
    return f"a {answer.kind} {'range' if many else 'tick'}"


def _counted(ticks: int) -> str:
    return f"{ticks} due tick{'s' if ticks != 1 else ''}"
