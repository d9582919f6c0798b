"""What failures mean for an account's next tick; the rules are those of the protocol, written out."""

from dataclasses import replace
from typing import Any

import pytest

from collector.binance import faults
from collector.binance.faults import Fault
from collector.binance.standing import Standing, after_failure, standing_of, wait_after, why_not_now
from collector.domain.records import Account, Wait
from collector.domain.ticks import FailReason, MissReason
from collector.errors import ExchangeError

MINUTE = 60_000
HOUR = 60 * MINUTE
NOW = 1_700_000_000_000  # 20 s into a minute
NEXT_MINUTE = NOW + 40_000


def after(*failures: Fault, standing: Standing | None = None) -> Standing:
    """The standing after these failures in a row, a minute apart."""
    found = standing or Standing()
    for number, fault in enumerate(failures):
        found = after_failure(found, fault, NOW + number * MINUTE)
    return found


@pytest.mark.parametrize(
    ("failures", "stopped"),
    [
        # -1022, a rejected key, a bad parameter and a forbidden place: at once
        ([faults.BAD_SIGNATURE], True),
        ([faults.KEY_REJECTED], True),
        ([faults.BAD_PARAMETER], True),
        ([faults.RESTRICTED_PLACE], True),
        # -2015, 404 and unknown codes: the third in a row
        ([faults.KEY_OR_ADDRESS] * 2, False),
        ([faults.KEY_OR_ADDRESS] * 3, True),
        ([faults.NOT_FOUND] * 2, False),
        ([faults.NOT_FOUND] * 3, True),
        ([faults.UNKNOWN_CODE] * 3, True),
        ([faults.KEY_OR_ADDRESS, faults.KEY_OR_ADDRESS, faults.TIMEOUT, faults.KEY_OR_ADDRESS], False),
        # a gateway that answers 502, 502 and then 404 is still a passing thing, though both count as server_error
        ([faults.SERVER_ERROR, faults.SERVER_ERROR, faults.NOT_FOUND], False),
        ([faults.NOT_FOUND, faults.NOT_FOUND, faults.SERVER_ERROR], False),
        # all others never
        *(
            ([fault] * 10, False)
            for fault in (
                faults.TIMEOUT,
                faults.CONNECTION,
                faults.TLS,
                faults.SERVER_ERROR,
                faults.BAD_REPLY,
                faults.CLOCK,
                faults.RATE_LIMITED,
                faults.BANNED,
                faults.FIREWALL,
                faults.BUSY,
                faults.MAINTENANCE,
                faults.ABORTED,
            )
        ),
    ],
)
def test_an_account_stops_for_what_only_its_owner_can_mend(failures: list[Fault], *, stopped: bool) -> None:
    """Neither hammering on with a dead key nor giving up because of a bad day."""
    found = after(*failures)
    assert found.stopped is stopped
    if stopped:
        last = NOW + (len(failures) - 1) * MINUTE
        assert (found.stopped_at_ms, found.probe_at_ms) == (last, last + HOUR)
        assert found.stop_reason == str(failures[-1].reason)


def test_a_stopped_account_is_probed_once_an_hour_and_keeps_its_beginning() -> None:
    """Since when it stands still is what its owner asks; why is not what happened to the last probe."""
    stopped = after(faults.BAD_SIGNATURE)
    assert why_not_now(stopped, (), NOW + HOUR - 1) is MissReason.ACCOUNT_STOPPED
    assert why_not_now(stopped, (), NOW + HOUR) is None

    failed = after_failure(stopped, faults.TIMEOUT, NOW + HOUR)
    assert (failed.stopped_at_ms, failed.stop_reason, failed.probe_at_ms) == (NOW, "bad_signature", NOW + 2 * HOUR)
    refused = after_failure(failed, faults.KEY_REJECTED, NOW + 2 * HOUR)
    assert (refused.stopped_at_ms, refused.stop_reason, refused.probe_at_ms) == (NOW, "key_rejected", NOW + 3 * HOUR)
    passing = after_failure(stopped, faults.KEY_OR_ADDRESS, NOW + HOUR)
    assert passing.stop_reason == "bad_signature"


def test_a_standing_comes_back_from_the_database() -> None:
    """A restart is no reason to hammer Binance with a dead key."""
    account = Account(
        id=1,
        name="main",
        created_at_ms=0,
        asset_scope=None,
        key_fingerprint=None,
        stopped_at_ms=NOW,
        stop_reason="key_rejected",
        probe_at_ms=NOW + HOUR,
    )
    stopped = standing_of(account)
    assert stopped.stopped
    assert why_not_now(stopped, (), NOW + 1) is MissReason.ACCOUNT_STOPPED
    assert after_failure(stopped, faults.TIMEOUT, NOW + HOUR).stop_reason == "key_rejected"
    going = standing_of(replace(account, stopped_at_ms=None, stop_reason=None, probe_at_ms=None))
    assert not going.stopped
    assert why_not_now(going, (), NOW) is None


def test_a_wait_comes_before_a_stop_and_ends_at_its_instant() -> None:
    """Nothing is asked while it holds, not even a probe."""
    stopped = after(faults.BAD_SIGNATURE)
    over = Wait(scope="ip", until_ms=NOW, reason=FailReason.BUSY)
    holds = Wait(scope="account:main", until_ms=NOW + 1, reason=FailReason.BUSY)
    assert why_not_now(Standing(), (over, holds), NOW) is MissReason.WAITING
    assert why_not_now(Standing(), (over,), NOW) is None
    assert why_not_now(stopped, (holds,), NOW) is MissReason.WAITING
    assert why_not_now(replace(stopped, probe_at_ms=None), (over,), NOW) is MissReason.ACCOUNT_STOPPED


def test_a_probe_that_was_planned_under_a_clock_ahead_is_due() -> None:
    """Once the clock is right it would come in a year; none is more than an hour away."""
    stopped = after(faults.BAD_SIGNATURE)
    for away, reason in ((1, MissReason.ACCOUNT_STOPPED), (HOUR, MissReason.ACCOUNT_STOPPED), (HOUR + 1, None)):
        assert why_not_now(replace(stopped, probe_at_ms=NOW + away), (), NOW) is reason


def error(reason: FailReason, **told: Any) -> ExchangeError:
    """An error of a request with what Binance told."""
    return ExchangeError("no data", reason=reason, http_status=429, **told)


@pytest.mark.parametrize(
    ("fault", "told", "failures", "scope", "until_ms"),
    [
        # 429 and -1003: the next minute, or Retry-After when that is later
        (faults.RATE_LIMITED, {}, 1, "ip", NEXT_MINUTE),
        (faults.RATE_LIMITED, {"retry_after_s": 0}, 1, "ip", NEXT_MINUTE),
        (faults.RATE_LIMITED, {"retry_after_s": 17}, 1, "ip", NEXT_MINUTE),
        (faults.RATE_LIMITED, {"retry_after_s": 100}, 1, "ip", NOW + 100_000),
        (faults.RATE_LIMITED, {}, 2, "ip", NEXT_MINUTE + MINUTE),
        # 418: until the ban ends, by Retry-After or by the message
        (faults.BANNED, {"banned_until_ms": NOW + 7 * HOUR}, 1, "ip", NOW + 7 * HOUR),
        (faults.BANNED, {"retry_after_s": 300}, 1, "ip", NOW + 300_000),
        (faults.BANNED, {"retry_after_s": 300, "banned_until_ms": NOW + HOUR}, 1, "ip", NOW + HOUR),
        (faults.BANNED, {}, 1, "ip", NOW + 2 * MINUTE),
        (faults.BANNED, {"banned_until_ms": NOW + 365 * 24 * HOUR}, 1, "ip", NOW + 3 * 24 * HOUR),
        # the firewall: five minutes at least; busy and maintenance: minutes
        (faults.FIREWALL, {}, 1, "ip", NOW + 5 * MINUTE),
        (faults.BUSY, {}, 1, "ip", NOW + MINUTE),
        (faults.BUSY, {}, 3, "ip", NOW + 4 * MINUTE),
        (faults.MAINTENANCE, {"retry_after_s": 600}, 1, "ip", NOW + 600_000),
        # a fault of one account only
        (replace(faults.BUSY, scope=faults.Scope.ACCOUNT), {}, 1, "account:main", NOW + MINUTE),
    ],
)
def test_a_failure_that_asks_for_quiet_gets_it(
    fault: Fault, told: dict[str, int], failures: int, scope: str, until_ms: int
) -> None:
    """Everyone behind the address waits for a limit or a ban; the instant is on the local clock."""
    standing = after(*[fault] * failures)
    found = wait_after("main", standing, fault, error(fault.reason, **told), NOW)
    assert found == Wait(scope=scope, until_ms=until_ms, reason=fault.reason)


def test_a_ban_ends_by_the_exchange_clock() -> None:
    """With a local clock that is ten minutes behind, the ban ends ten minutes earlier on it."""
    told = error(FailReason.BANNED, banned_until_ms=NOW + HOUR, clock_offset_ms=10 * MINUTE)
    found = wait_after("main", after(faults.BANNED), faults.BANNED, told, NOW)
    assert found is not None
    assert found.until_ms == NOW + HOUR - 10 * MINUTE


def test_most_failures_ask_for_no_wait() -> None:
    """A time-out is tried again at the next tick."""
    assert wait_after("main", after(faults.TIMEOUT), faults.TIMEOUT, error(FailReason.TIMEOUT), NOW) is None
