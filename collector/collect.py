"""The service itself: fetch what an account holds, decide what came of it, record it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from collector.binance.client import BinanceClient, Credentials, Reply
from collector.domain.records import Account
from collector.domain.ticks import TRY_FOR_S, FailReason, MissReason, Outcome, TickOutcome, TickRange
from collector.errors import ExchangeError, NotSentError
from collector.storage.record import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An account to collect: who it is in the ledger, how it is asked, `offset_ms` its place in the window."""

    account: Account
    credentials: Credentials
    asset: str | None = None
    btc_valuation: bool = True
    paused: bool = False
    offset_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One due instant of an account, to be tried until `deadline_ms`; `interval_s` is None for a manual snapshot."""

    due_at: int
    interval_s: int | None
    deadline_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of asking: the outcome for the ledger, the reply of a stored one, the error behind a failed one."""

    outcome: TickOutcome
    body: bytes | None = None
    error: ExchangeError | None = None


def collect_once(
    client: BinanceClient, recorder: Recorder, target: Target, tick: Tick, now_ms: Callable[[], int]
) -> tuple[Fetched, bool]:
    """Fetch, decide, record: one tick of one account from beginning to end. Raises DatabaseError.

    True when what was fetched became the tick's answer.
    """
    fetched = fetch(client, target, tick)
    return fetched, record(recorder, fetched.outcome, now_ms())


def manual_tick(now_ms: int) -> Tick:
    """A tick off the grid: due now, in whole seconds."""
    return Tick(due_at=now_ms // 1000, interval_s=None, deadline_ms=now_ms + TRY_FOR_S * 1000)


def fetch(client: BinanceClient, target: Target, tick: Tick) -> Fetched:
    """Ask Binance, and put what came of it into the ledger's words."""
    try:
        reply = client.fetch_user_assets(
            target.credentials, asset=target.asset, btc_valuation=target.btc_valuation, deadline_ms=tick.deadline_ms
        )
    except ExchangeError as error:
        return Fetched(outcome=failed(target, tick, error), error=error)
    return Fetched(outcome=stored(target, tick, reply), body=reply.body)


def record(recorder: Recorder, outcome: TickOutcome, recorded_at_ms: int) -> bool:
    """Write an outcome into the ledger; True when it is the tick's answer. A failed manual snapshot leaves nothing."""
    if outcome.interval_s is None and outcome.outcome is not Outcome.STORED:
        return False
    if outcome.interval_s is not None and isinstance(outcome.reason, MissReason):
        ticks = TickRange(start_at=outcome.due_at, last_due_at=outcome.due_at, interval_s=outcome.interval_s)
        recorder.record_missed(outcome.account_id, ticks, outcome.reason)
        return True
    return recorder.record_tick(outcome, recorded_at_ms=recorded_at_ms)


def stored(target: Target, tick: Tick, reply: Reply) -> TickOutcome:
    """The outcome of a good reply."""
    return TickOutcome(
        account_id=target.account.id,
        account=target.account.name,
        due_at=tick.due_at,
        interval_s=tick.interval_s,
        outcome=Outcome.STORED,
        http_status=reply.http_status,
        attempts=reply.attempts,
        requested_at_ms=reply.requested_at_ms,
        received_at_ms=reply.received_at_ms,
        clock_offset_ms=reply.clock_offset_ms,
        weight_used=reply.weight_used,
        snapshot=reply.snapshot,
    )


def failed(target: Target, tick: Tick, error: ExchangeError) -> TickOutcome:
    """The outcome of an error; when no request left the tick is missed."""
    missed = isinstance(error, NotSentError)
    return TickOutcome(
        account_id=target.account.id,
        account=target.account.name,
        due_at=tick.due_at,
        interval_s=tick.interval_s,
        outcome=Outcome.MISSED if missed else Outcome.FAILED,
        reason=MissReason(error.reason) if missed else FailReason(error.reason),
        http_status=error.http_status,
        code=error.code,
        detail=str(error),
        attempts=error.attempts,
        requested_at_ms=error.requested_at_ms,
        received_at_ms=error.received_at_ms,
        clock_offset_ms=error.clock_offset_ms,
        weight_used=error.weight_used,
    )


def unusable(target: Target, tick: Tick) -> TickOutcome:
    """The outcome of a reply that a bug kept from being stored; the log has more."""
    return TickOutcome(
        account_id=target.account.id,
        account=target.account.name,
        due_at=tick.due_at,
        interval_s=tick.interval_s,
        outcome=Outcome.FAILED,
        reason=FailReason.BAD_REPLY,
        detail="the reply could not be stored: this is a bug, and the log says more",
        attempts=1,
    )
