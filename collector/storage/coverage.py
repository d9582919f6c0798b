"""How the ticks of periods came out, read by key seeks and never by walking over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from collector.domain.coverage import Ledger, PeriodCoverage, cover, due_before, open_ticks
from collector.domain.periods import Period
from collector.domain.records import Account, Gap
from collector.domain.ticks import TickRange
from collector.storage.accounts import newest_answer, schedule_of
from collector.storage.asked import asked_periods, asked_values, batches
from collector.storage.ledger import gaps
from collector.storage.reader import Answer, Reader


def database_now(reader: Reader) -> int:
    """The database's clock, in epoch seconds: by it the views say what is missing."""
    floor = "CAST(floor(extract(epoch FROM now())) AS bigint)"
    now = floor if reader.words.postgresql else "CAST(strftime('%s', 'now') AS INTEGER)"
    return int(reader.value(f"SELECT {now}"))


def due_span(reader: Reader, account: Account, *, now_s: int) -> tuple[int, int] | None:
    """From when (inclusive) until when (exclusive) the account was due, in epoch seconds; None: never."""
    entries = schedule_of(reader, account.id)
    if not entries:
        return None
    return entries[0].from_at, now_s + 1 if entries[-1].interval_s is not None else entries[-1].from_at


def period_coverage(
    reader: Reader,
    account: Account,
    periods: Sequence[Period],
    *,
    now_s: int,
    known_gaps: Sequence[Gap] | None = None,
) -> list[PeriodCoverage]:
    """How the ticks of each period, which follow each other, came out; ticks after now_s are not due yet.

    `known_gaps` are all that touch these periods, from whoever has read them.
    """
    if not periods:
        return []
    first, last = periods[0].start_s, periods[-1].end_s
    entries, newest = schedule_of(reader, account.id), newest_answer(reader, account.id)
    end_s = due_before(entries, newest, now_s)
    lost = [(_range(row), row[3]) for row in _ranges(reader, account, "missed", first, last)]
    ledger = Ledger(
        account=account.name,
        schedule=entries,
        end_s=end_s,
        missed=[*lost, *open_ticks(entries, newest, end_s)],
        thinned=[_range(row) for row in _ranges(reader, account, "thinned", first, last)],
        failed=_failed(reader, account, periods),
        gaps=gaps(reader, account, from_s=first, to_s=last) if known_gaps is None else known_gaps,
    )
    return cover(ledger, periods)


def thinned_ranges(reader: Reader, account: Account, from_s: int, to_s: int) -> list[TickRange]:
    """Ranges of snapshots that were pruned, of which any tick lies in from_s <= t < to_s."""
    return [_range(row) for row in _ranges(reader, account, "thinned", from_s, to_s)]


def _failed(reader: Reader, account: Account, periods: Sequence[Period]) -> dict[int, Mapping[str, int]]:
    """Failed ticks of each period by reason, all of it from the partial index."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    question = f"""
        {asked_periods(reader)}
        SELECT {reader.words.seconds("asked.start_at")}, tick.reason, count(*)
        FROM asked JOIN tick ON tick.account_id = :account AND outcome <> 'stored'
            AND tick.due_at >= asked.start_at AND tick.due_at < asked.end_at
        GROUP BY asked.start_at, tick.reason
        """
    for some in batches(periods):
        for start_s, reason, ticks in reader.all(question, account=account.id, **asked_values(reader, some)):
            found[start_s][reason] = ticks
    return dict(found)


def _ranges(reader: Reader, account: Account, table: str, from_s: int, to_s: int) -> list[Answer]:
    """Start, last instant, interval, and of missed ones the reason."""
    seconds, at_second = reader.words.seconds, reader.words.at_second
    reason = ", reason" if table == "missed" else ""
    return reader.all(
        f"""
        SELECT {seconds("start_at")}, {seconds("last_due_at")}, interval_s{reason} FROM {table}
        WHERE account_id = :account AND last_due_at >= {at_second(":from_s")} AND start_at < {at_second(":to_s")}
        ORDER BY {table}.start_at
        """,
        account=account.id,
        from_s=from_s,
        to_s=to_s,
    )


def _range(row: Answer) -> TickRange:
    return TickRange(start_at=row[0], last_due_at=row[1], interval_s=row[2])
