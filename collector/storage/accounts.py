"""What the database knows of each account: its schedule, and where its ledger ends; and of the daemon that collects."""

from __future__ import annotations

from collector.domain.records import Account, Run, Wait
from collector.domain.ticks import FailReason, ScheduleEntry
from collector.storage.reader import Answer, Reader


def find(reader: Reader, name: str) -> Account | None:
    """The account of this name, or None."""
    row = reader.first(f"{_accounts(reader)} WHERE name = :name", name=name)
    return None if row is None else _account(row)


def every_account(reader: Reader) -> list[Account]:
    """All accounts ever collected, by id."""
    return [_account(row) for row in reader.all(f"{_accounts(reader)} ORDER BY id")]


def _accounts(reader: Reader) -> str:
    millis = reader.words.millis
    return f"""
    SELECT id, name, {millis("created_at")}, asset_scope, key_fingerprint, {millis("stopped_at")}, stop_reason,
        {millis("probe_at")}
    FROM account"""


def _account(row: Answer) -> Account:
    account_id, name, created_at_ms, asset_scope, key_fingerprint, stopped_at_ms, stop_reason, probe_at_ms = row
    return Account(
        id=account_id,
        name=name,
        created_at_ms=created_at_ms,
        asset_scope=asset_scope,
        key_fingerprint=key_fingerprint,
        stopped_at_ms=stopped_at_ms,
        stop_reason=stop_reason,
        probe_at_ms=probe_at_ms,
    )


def schedule_of(reader: Reader, account_id: int) -> list[ScheduleEntry]:
    """The account's schedule, oldest first."""
    rows = reader.all(
        f"""
        SELECT {reader.words.seconds("from_at")}, interval_s FROM schedule
        WHERE account_id = :account ORDER BY schedule.from_at
        """,
        account=account_id,
    )
    return [ScheduleEntry(from_at=from_at, interval_s=interval_s) for from_at, interval_s in rows]


def newest_answer(reader: Reader, account_id: int) -> int | None:
    """The high-water mark: newest due instant (epoch seconds) of the grid that has an answer."""
    due_at, last_due_at = reader.words.seconds("due_at"), reader.words.seconds("last_due_at")
    of_account = "WHERE account_id = :account"
    questions = (
        f"SELECT {due_at} FROM tick {of_account} AND interval_s IS NOT NULL ORDER BY tick.due_at DESC LIMIT 1",
        f"SELECT {last_due_at} FROM missed {of_account} ORDER BY missed.start_at DESC LIMIT 1",
        f"SELECT {last_due_at} FROM thinned {of_account} ORDER BY thinned.start_at DESC LIMIT 1",
    )
    newest = [reader.value(question, account=account_id) for question in questions]
    return max((at for at in newest if at is not None), default=None)


def waits(reader: Reader, *, now_ms: int) -> list[Wait]:
    """The waits that still hold."""
    until, now = reader.words.millis("until"), reader.words.at_milli(":now_ms")
    rows = reader.all(f"SELECT scope, {until}, reason FROM wait WHERE until > {now}", now_ms=now_ms)
    return [Wait(scope=scope, until_ms=until_ms, reason=FailReason(reason)) for scope, until_ms, reason in rows]


def last_run(reader: Reader) -> Run | None:
    """The newest start of a daemon."""
    started_at, ended_at = reader.words.millis("started_at"), reader.words.millis("ended_at")
    row = reader.first(
        f"""
        SELECT host, pid, {started_at}, {ended_at}, clean, version
        FROM daemon_run ORDER BY daemon_run.started_at DESC LIMIT 1
        """
    )
    if row is None:
        return None
    host, pid, started_at_ms, ended_at_ms, clean, version = row
    return Run(
        host=host, pid=pid, started_at_ms=started_at_ms, ended_at_ms=ended_at_ms, clean=bool(clean), version=version
    )
