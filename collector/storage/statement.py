"""What a statement of account rests on, by what had been recorded at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

from collector.domain.coverage import LATE_AFTER_S, due_before, due_between, lost_runs
from collector.domain.periods import Period
from collector.domain.records import Account, Coverage, Gap
from collector.domain.renames import NO_RENAMES, Renames
from collector.domain.statement import Statement, flows_of, gaps_of, statement_rows
from collector.domain.ticks import TickRange, count_due
from collector.storage.accounts import schedule_of
from collector.storage.coverage import thinned_ranges
from collector.storage.history import as_of
from collector.storage.movements import movements
from collector.storage.reader import Reader


def statement(
    reader: Reader,
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
    known_at_ms = _known_at(reader, account, period, now_ms) if known_at_ms is None else known_at_ms
    until_s = min(period.end_s, known_at_ms // 1000)
    opening = as_of(reader, account, min(period.start_s, until_s), known_at_ms=known_at_ms, renames=renames)
    closing = as_of(reader, account, until_s, known_at_ms=known_at_ms, renames=renames)
    if closing is None:
        return None
    flows = flows_of(
        movements(
            reader,
            account,
            from_s=None if opening is None else opening.due_at + 1,
            to_s=closing.due_at + 1,
            known_at_ms=known_at_ms,
            renames=renames,
            seen=seen,
        )
    )
    lost = _Lost.read(reader, account, period, until_s=until_s, known_at_ms=known_at_ms)
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
        recorded_at_ms=_newest_record(reader, account, (opening or closing).due_at, until_s, known_at_ms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """What is missing in a period, found by arithmetic from what was recorded until an instant.

    The table of missed ticks is no help: its rows don't say when they were written.
    """

    coverage: Coverage
    gaps: tuple[Gap, ...]

    @classmethod
    def read(cls, reader: Reader, account: Account, period: Period, *, until_s: int, known_at_ms: int) -> _Lost:
        known = [e for e in schedule_of(reader, account.id) if e.from_at <= known_at_ms // 1000]
        newest = _newest_answer(reader, account, until_s, known_at_ms)
        end_s = max(period.start_s, min(until_s, due_before(known, newest, known_at_ms // 1000)))
        pruned = thinned_ranges(reader, account, period.start_s, end_s)
        kept = _kept(reader, account, period.start_s, end_s, known_at_ms)
        runs = lost_runs(known, merge(kept, pruned, key=attrgetter("start_at")), period.start_s, end_s)
        failed = _failed(reader, account, period.start_s, end_s, known_at_ms)
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


def _known_at(reader: Reader, account: Account, period: Period, now_ms: int) -> int:
    """Now; of a period that is over the same instant whenever this is asked, until something more is recorded of it."""
    settled_ms = (period.end_s + LATE_AFTER_S) * 1000
    if now_ms < settled_ms:
        return now_ms
    return max(settled_ms, _newest_record(reader, account, period.start_s, period.end_s, now_ms))


def _newest_record(reader: Reader, account: Account, from_s: int, until_s: int, known_at_ms: int) -> int:
    """The newest recorded_at (epoch milliseconds) of ticks with from_s <= due_at <= until_s; 0 without any."""
    question = f"SELECT {reader.words.millis('max(recorded_at)')} FROM tick WHERE {_known(reader)}"
    return int(reader.value(question, **_values(account, from_s, until_s + 1, known_at_ms)) or 0)


def _newest_answer(reader: Reader, account: Account, until_s: int, known_at_ms: int) -> int | None:
    found: int | None = reader.value(
        f"""
        SELECT {reader.words.seconds("due_at")} FROM tick WHERE {_known(reader)} AND interval_s IS NOT NULL
        ORDER BY tick.due_at DESC LIMIT 1
        """,
        **_values(account, 0, until_s, known_at_ms),
    )
    return found


def _kept(reader: Reader, account: Account, from_s: int, to_s: int, known_at_ms: int) -> Iterator[TickRange]:
    rows = reader.each(
        f"""
        SELECT {reader.words.seconds("due_at")} FROM tick
        WHERE {_known(reader)} AND outcome = 'stored' AND interval_s IS NOT NULL ORDER BY tick.due_at
        """,
        **_values(account, from_s, to_s, known_at_ms),
    )
    for (due_at,) in rows:
        yield TickRange(start_at=due_at, last_due_at=due_at, interval_s=1)


def _failed(reader: Reader, account: Account, from_s: int, to_s: int, known_at_ms: int) -> list[tuple[int, str]]:
    rows = reader.all(
        f"""
        SELECT {reader.words.seconds("due_at")}, reason FROM tick
        WHERE {_known(reader)} AND outcome <> 'stored' ORDER BY tick.due_at
        """,
        **_values(account, from_s, to_s, known_at_ms),
    )
    return [(due_at, reason) for due_at, reason in rows]


def _known(reader: Reader) -> str:
    """Conditions on `tick`: from_s <= due_at < to_s, and it had been recorded."""
    second, milli = reader.words.at_second, reader.words.at_milli
    return (
        f"account_id = :account AND due_at >= {second(':from_s')} AND due_at < {second(':to_s')} "
        f"AND recorded_at <= {milli(':known_at_ms')}"
    )


def _values(account: Account, from_s: int, to_s: int, known_at_ms: int) -> dict[str, int]:
    return {"account": account.id, "from_s": from_s, "to_s": to_s, "known_at_ms": known_at_ms}
