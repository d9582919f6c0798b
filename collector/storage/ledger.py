"""What the ledger says of time: gaps, coverage, and how the collection of each account stands."""

from __future__ import annotations

from collections.abc import Iterator

from collector.domain.offsets import is_future
from collector.domain.records import Account, AccountStatus, Coverage, Failure, Gap
from collector.domain.ticks import FailReason
from collector.storage.accounts import every_account, newest_answer, schedule_of
from collector.storage.history import as_of, latest
from collector.storage.reader import Reader
from collector.storage.rows import GAP_COLUMNS, between, gap_from, stored

GAPS = f"SELECT {GAP_COLUMNS} FROM gap"


def gaps(
    reader: Reader, account: Account | None = None, *, from_s: int | None = None, to_s: int | None = None
) -> list[Gap]:
    """Gaps that touch from_s <= t < to_s, oldest first, with the open one by the database's clock."""
    return list(each_gap(reader, account, from_s=from_s, to_s=to_s))


def each_gap(
    reader: Reader, account: Account | None = None, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[Gap]:
    """The same, one by one and in constant memory."""
    values = {}
    where = ["1 = 1"]
    if account is not None:
        where.append("account_id = :account")
        values["account"] = account.id
    if to_s is not None:
        where.append(f"{_start(reader)} < {reader.words.at_second(':to_s')}")
        values["to_s"] = to_s
    if account is not None and from_s is not None:
        where.append(f"{_start(reader)} > {reader.words.at_second(':kept_s')}")
        values["kept_s"] = _newest_kept(reader, account, from_s)
    question = f"{GAPS} WHERE {' AND '.join(where)} ORDER BY account_id, start_epoch"
    found = map(gap_from, reader.each(question, **values))
    # Not in the query: there the view would work out the end of each gap twice.
    return found if from_s is None else (gap for gap in found if gap.last_due_at >= from_s)


def open_gap(reader: Reader, account: Account) -> Gap | None:
    """The gap at the end, if the newest tick that was due has no snapshot."""
    still_open = "open" if reader.words.postgresql else "open = 1"
    at_the_end = f"{_start(reader)} > {reader.words.at_second(':kept_s')}"
    row = reader.first(
        f"{GAPS} WHERE account_id = :account AND {still_open} AND {at_the_end}",
        account=account.id,
        kept_s=_newest_kept(reader, account),
    )
    return None if row is None else gap_from(row)


def _start(reader: Reader) -> str:
    """The start of a gap as the engine finds it by key; the other spelling it has to work out for each gap."""
    return "start_at" if reader.words.postgresql else "start_epoch"


def _newest_kept(reader: Reader, account: Account, before_s: int | None = None) -> int:
    """The newest snapshot of the grid, and no gap spans one: what touches a later instant begins after it."""
    newest = reader.value(
        f"""
        SELECT {reader.words.seconds("due_at")} FROM tick
        WHERE {stored(reader)} AND interval_s IS NOT NULL{between(reader, "tick.due_at", None, before_s)}
        ORDER BY tick.due_at DESC LIMIT 1
        """,
        account=account.id,
        to_s=before_s,
    )
    return newest or 0


def coverage(reader: Reader, account: Account | None = None) -> list[Coverage]:
    """How all ticks that were due came out, one row an account."""
    where = "" if account is None else "WHERE account_id = :account"
    names = ("account", "due", "stored", "thinned", "failed", "missed")
    question = f"SELECT {', '.join(names)} FROM coverage {where} ORDER BY account_id"
    rows = reader.all(question, account=None if account is None else account.id)
    return [Coverage(**dict(zip(names, row, strict=True))) for row in rows]


def statuses(reader: Reader, *, now_ms: int) -> list[AccountStatus]:
    """How the collection of each account stands."""
    return [_status(reader, account, now_ms) for account in every_account(reader)]


def _status(reader: Reader, account: Account, now_ms: int) -> AccountStatus:
    entries, newest = schedule_of(reader, account.id), latest(reader, account)
    if newest is not None and is_future(newest.due_at, now_ms):
        newest = as_of(reader, account, now_ms // 1000)
    return AccountStatus(
        account=account,
        interval_s=entries[-1].interval_s if entries else None,
        newest_snapshot=newest,
        newest_failure=_newest_failure(reader, account),
        open_gap=open_gap(reader, account),
        coverage=coverage(reader, account)[0],
        newest_answer_at=newest_answer(reader, account.id),
    )


def _newest_failure(reader: Reader, account: Account) -> Failure | None:
    row = reader.first(
        f"""
        SELECT {reader.words.seconds("due_at")}, reason, http_status, code, detail FROM tick
        WHERE account_id = :account AND outcome <> 'stored' ORDER BY tick.due_at DESC LIMIT 1
        """,
        account=account.id,
    )
    if row is None:
        return None
    due_at, reason, http_status, code, detail = row
    return Failure(due_at=due_at, reason=FailReason(reason), http_status=http_status, code=code, detail=detail)
