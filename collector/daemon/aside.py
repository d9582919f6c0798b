"""Turns what came of a tick into an entry of the spool, and back."""

from __future__ import annotations

from dataclasses import replace

from collector.binance.wire import parse_user_assets
from collector.domain.ticks import FailReason, MissReason, Outcome, TickOutcome, TickRange
from collector.storage.spool import Entry


def entry_of(outcome: TickOutcome, body: bytes | None, *, now_ms: int) -> Entry:
    """What came of one tick of the grid; `body` is the reply behind a stored one."""
    assert outcome.interval_s is not None  # noqa: S101 - a manual snapshot is never kept aside
    return Entry(
        account=outcome.account,
        outcome=str(outcome.outcome),
        reason=None if outcome.reason is None else str(outcome.reason),
        due_at=outcome.due_at,
        last_due_at=outcome.due_at,
        interval_s=outcome.interval_s,
        http_status=outcome.http_status,
        code=outcome.code,
        detail=outcome.detail,
        attempts=outcome.attempts,
        requested_at_ms=outcome.requested_at_ms,
        received_at_ms=outcome.received_at_ms,
        clock_offset_ms=outcome.clock_offset_ms,
        weight_used=outcome.weight_used,
        btc_requested=None if outcome.snapshot is None else outcome.snapshot.btc_requested,
        body=body,
        spooled_at_ms=now_ms,
    )


def range_entry(account: str, ticks: TickRange, reason: MissReason, *, now_ms: int) -> Entry:
    """Ticks for which no request left."""
    return Entry(
        account=account,
        outcome=str(Outcome.MISSED),
        reason=str(reason),
        due_at=ticks.start_at,
        last_due_at=ticks.last_due_at,
        interval_s=ticks.interval_s,
        spooled_at_ms=now_ms,
    )


def outcome_of(entry: Entry, account_id: int) -> TickOutcome:
    """What came of the tick; the reply is read again. Raises ExchangeError when it can't be."""
    told = told_of(entry, account_id)
    if entry.body is None:
        return told
    return replace(told, snapshot=parse_user_assets(entry.body, btc_requested=bool(entry.btc_requested)))


def told_of(entry: Entry, account_id: int) -> TickOutcome:
    """What came of the tick, but for the snapshot."""
    return TickOutcome(
        account_id=account_id,
        account=entry.account,
        due_at=entry.due_at,
        interval_s=entry.interval_s,
        outcome=Outcome(entry.outcome),
        reason=None if entry.reason is None else FailReason(entry.reason),
        http_status=entry.http_status,
        code=entry.code,
        detail=entry.detail,
        attempts=entry.attempts,
        requested_at_ms=entry.requested_at_ms,
        received_at_ms=entry.received_at_ms,
        clock_offset_ms=entry.clock_offset_ms,
        weight_used=entry.weight_used,
    )


def bad_reply(outcome: TickOutcome, why: str) -> TickOutcome:
    """The failed tick that stands in the ledger for a reply which is in quarantine."""
    return replace(
        outcome,
        outcome=Outcome.FAILED,
        reason=FailReason.BAD_REPLY,
        detail=f"the reply could not be stored and is in quarantine: {why}",
        snapshot=None,
    )


def range_of(entry: Entry) -> TickRange:
    """The ticks that a missed entry is about."""
    return TickRange(start_at=entry.due_at, last_due_at=entry.last_due_at, interval_s=entry.interval_s)
