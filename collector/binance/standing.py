"""How an account stands with Binance: what the failures so far mean for its next tick."""

from __future__ import annotations

from dataclasses import dataclass, replace

from collector.binance.faults import Fault, Scope, Stop, wait_until_ms
from collector.domain.records import Account, Wait
from collector.domain.ticks import MissReason
from collector.errors import ExchangeError

EGRESS_IP = "ip"
PROBE_EVERY_MS = 60 * 60 * 1000
FAILURES_BEFORE_STOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An account's failed ticks in a row for one fault, and whether it is stopped (instants in epoch milliseconds)."""

    failures: int = 0
    fault: Fault | None = None
    stop_reason: str | None = None
    stopped_at_ms: int | None = None
    probe_at_ms: int | None = None

    @property
    def stopped(self) -> bool:
        """True while only the account's owner can mend it; a probe now and then finds out whether that has happened."""
        return self.stopped_at_ms is not None


def standing_of(account: Account) -> Standing:
    """How an account stood when its database was last written."""
    return Standing(
        stop_reason=account.stop_reason, stopped_at_ms=account.stopped_at_ms, probe_at_ms=account.probe_at_ms
    )


def why_not_now(standing: Standing, waits: tuple[Wait, ...], now_ms: int) -> MissReason | None:
    """Why no request may leave for this account now; None when one may."""
    if any(wait.until_ms > now_ms for wait in waits):
        return MissReason.WAITING
    # A probe that is more than its interval away was planned under a clock that ran ahead.
    if standing.stopped and (standing.probe_at_ms is None or 0 < standing.probe_at_ms - now_ms <= PROBE_EVERY_MS):
        return MissReason.ACCOUNT_STOPPED
    return None


def after_failure(standing: Standing, fault: Fault, now_ms: int) -> Standing:
    """The standing after one more failed tick; a stopped account stays so and is probed again later."""
    failures = standing.failures + 1 if standing.fault == fault else 1
    counted = replace(standing, failures=failures, fault=fault)
    stops = fault.stop is Stop.AT_ONCE or (fault.stop is Stop.AFTER_THREE and failures >= FAILURES_BEFORE_STOP)
    if not (stops or standing.stopped):
        return counted
    return replace(
        counted,
        # A probe that fails for a passing cause says nothing new about why the account was stopped.
        stop_reason=str(fault.reason) if stops else standing.stop_reason,
        stopped_at_ms=now_ms if standing.stopped_at_ms is None else standing.stopped_at_ms,
        probe_at_ms=now_ms + PROBE_EVERY_MS,
    )


def wait_after(account: str, standing: Standing, fault: Fault, error: ExchangeError, now_ms: int) -> Wait | None:
    """The wait that a failure demands, on the local clock; `standing` already counts it."""
    offset = error.clock_offset_ms or 0
    until = wait_until_ms(fault, now_ms + offset, error.retry_after_s, error.banned_until_ms, standing.failures)
    if until is None:
        return None
    scope = EGRESS_IP if fault.scope is Scope.EGRESS_IP else account_scope(account)
    return Wait(scope=scope, until_ms=until - offset, reason=fault.reason)


def account_scope(account: str) -> str:
    """The scope of a wait that concerns one account only."""
    return f"account:{account}"
