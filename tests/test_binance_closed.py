"""Whether Binance is closed: asked only when that would explain a failure, and seldom."""

import threading
from collections.abc import Callable

import pytest

from collector.binance.closed import ClosedSign, closed_error
from collector.binance.replies import SystemStatus
from collector.errors import ExchangeError, NotSentError

FAILED = ExchangeError("m", reason="server_error", http_status=503, attempts=3, requested_at_ms=5, weight_used=7)


class Door:
    """A system status that a test sets; counts how often it is asked."""

    def __init__(self) -> None:
        self.closed = True
        self.asked: list[int] = []
        self.now = 1000.0
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, deadline_ms: int) -> SystemStatus:
        """The status."""
        self.asked.append(deadline_ms)
        self.meanwhile()
        return SystemStatus(maintenance=self.closed, message="")


@pytest.fixture
def door() -> Door:
    """Binance is closed."""
    return Door()


def sign_at(door: Door) -> ClosedSign:
    """A sign on the door."""
    return ClosedSign(door, monotonic=lambda: door.now)


@pytest.mark.parametrize(
    "error",
    [
        FAILED,
        ExchangeError("a page", reason="bad_reply", http_status=200),
        ExchangeError("half a gzip", reason="bad_reply"),
        ExchangeError("m", reason="server_error", http_status=200, code=-1000),
    ],
)
def test_a_failure_on_binances_side_may_be_maintenance(door: Door, error: ExchangeError) -> None:
    """Gateways answer with their own pages and statuses while it is closed."""
    assert sign_at(door).explains(error, 99)
    assert door.asked == [99]


@pytest.mark.parametrize(
    "error",
    [
        ExchangeError("m", reason="timeout"),
        ExchangeError("m", reason="connection"),
        ExchangeError("m", reason="rate_limited", http_status=429),
        ExchangeError("m", reason="key_rejected", http_status=401, code=-2015),
        ExchangeError("m", reason="server_error", http_status=404),
        ExchangeError("m", reason="aborted"),
        NotSentError("m", reason="waiting"),
    ],
)
def test_whatever_has_another_cause_asks_for_nothing(door: Door, error: ExchangeError) -> None:
    """A limit must not cause further requests, nor a network that is down."""
    assert not sign_at(door).explains(error, 99)
    assert door.asked == []


def test_it_is_asked_once_a_minute_for_all_accounts(door: Door) -> None:
    """Two thousand accounts that fail together are no reason for two thousand more requests."""
    sign = sign_at(door)
    assert [sign.explains(FAILED, 1) for _ in range(5)] == [True] * 5
    door.closed, door.now = False, 1059.9
    assert sign.explains(FAILED, 2)
    door.now = 1060.0
    assert not sign.explains(FAILED, 3)
    assert door.asked == [1, 3]


def test_nobody_waits_for_another_ones_question(door: Door) -> None:
    """A tick has little time after its failures."""
    sign, answers = sign_at(door), list[bool]()

    def meanwhile() -> None:
        other = threading.Thread(target=lambda: answers.append(sign.explains(FAILED, 2)))
        other.start()
        other.join(10)

    door.meanwhile = meanwhile
    assert sign.explains(FAILED, 1)
    assert answers == [False]


def test_a_status_that_can_not_be_had_says_nothing() -> None:
    """The failure stands as it was."""

    def fails(_: int) -> SystemStatus:
        raise ExchangeError("m", reason="timeout")

    assert not ClosedSign(fails, monotonic=lambda: 0.0).explains(FAILED, 1)


def test_the_error_tells_of_the_same_attempts() -> None:
    """The ledger keeps how often and when it was tried."""
    error = closed_error(FAILED)
    assert str(error) == (
        "Binance is closed for maintenance: requests pause for minutes (its system status says so, http status 503)"
    )
    told = (error.reason, error.http_status, error.attempts, error.requested_at_ms, error.weight_used)
    assert told == ("maintenance", None, 3, 5, 7)
    assert "http status" not in str(closed_error(ExchangeError("m", reason="bad_reply")))
