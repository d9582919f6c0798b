"""The table of failures, written out a second time from Binance's documentation."""

from dataclasses import astuple

import pytest

from collector.binance.faults import (
    CONNECTION,
    TIMEOUT,
    TLS,
    Fault,
    Scope,
    Stop,
    Wait,
    fault_for,
    fault_of,
    wait_until_ms,
)
from collector.errors import ExchangeError

# http status, code, reason, retry, resync, wait, scope, stop, alert, permanent
RETRIED = (True, False, "none", "account", "never", False, False)
STOPS = (False, False, "none", "account", "at_once", True, True)
PAUSES = (False, False, "back_off", "egress_ip", "never", False, False)
UNKNOWN = ("unknown_code", True, False, "none", "account", "after_three", True, False)

TABLE = [
    *[(status, None, "server_error", *RETRIED) for status in (500, 502, 503, 504, 520, 599)],
    *[(400, code, "server_error", *RETRIED) for code in (-1000, -1001, -1006, -1007, -3000, -3044)],
    (503, -1000, "server_error", *RETRIED),
    (500, -99999, "server_error", *RETRIED),
    *[(status, None, "bad_reply", *RETRIED) for status in (200, 201, 204, 400, 401, 405)],
    (400, -1021, "clock", True, True, "none", "account", "never", True, False),
    (429, -1003, "rate_limited", False, False, "limit", "egress_ip", "never", False, False),
    (429, None, "rate_limited", False, False, "limit", "egress_ip", "never", False, False),
    (400, -1003, "rate_limited", False, False, "limit", "egress_ip", "never", False, False),
    (418, -1003, "banned", False, False, "ban", "egress_ip", "never", True, False),
    (418, None, "banned", False, False, "ban", "egress_ip", "never", True, False),
    (403, None, "firewall", False, False, "firewall", "egress_ip", "never", True, False),
    *[(400, code, "busy", *PAUSES) for code in (-1004, -1008)],
    (503, -1008, "busy", *PAUSES),
    *[(400, code, "maintenance", *PAUSES) for code in (-1016, -10001)],
    (400, -1022, "bad_signature", *STOPS),
    (401, -1022, "bad_signature", *STOPS),
    *[(400, code, "key_rejected", *STOPS) for code in (-1002, -1005, -1011, -1020, -1099, -1109, -2008, -2014)],
    (403, -1002, "key_rejected", *STOPS),
    (451, 0, "key_rejected", *STOPS),
    (451, None, "key_rejected", *STOPS),
    (404, None, "server_error", False, False, "none", "account", "after_three", True, False),
    (404, -99999, "server_error", False, False, "none", "account", "after_three", True, False),
    (401, -2015, "key_rejected", False, False, "none", "account", "after_three", True, True),
    (400, -2015, "key_rejected", False, False, "none", "account", "after_three", True, True),
    *[(400, code, "bad_parameter", *STOPS) for code in range(-1108, -1099)],
    *[(400, code, "bad_parameter", *STOPS) for code in range(-1131, -1109)],
    *[(400, code, *UNKNOWN) for code in (-1132, -1, 1, 0, -2011, -99999, 200)],
    (302, None, "bad_reply", False, False, "none", "account", "never", True, False),
    (200, -1000, "server_error", *RETRIED),
    (200, -1021, "clock", True, True, "none", "account", "never", True, False),
    (200, -2015, "key_rejected", False, False, "none", "account", "after_three", True, True),
    (200, -99999, *UNKNOWN),
]


@pytest.mark.parametrize(
    ("status", "code", "expected"), [(row[0], row[1], row[2:]) for row in TABLE], ids=[f"{r[0]},{r[1]}" for r in TABLE]
)
def test_each_answer_has_its_row(status: int, code: int | None, expected: tuple[object, ...]) -> None:
    """What the daemon does about a failure is decided here and nowhere else."""
    assert astuple(fault_for(status, code))[1:] == expected


@pytest.mark.parametrize(("fault", "reason"), [(TIMEOUT, "timeout"), (CONNECTION, "connection"), (TLS, "tls")])
def test_what_brought_no_answer_is_tried_again(fault: Fault, reason: str) -> None:
    """Reading is safe to repeat, and most network failures pass."""
    assert astuple(fault)[1:] == (reason, *RETRIED)


def test_a_limit_whose_message_names_the_end_of_a_ban_is_a_ban() -> None:
    """Binance's texts disagree on the status of a ban, so its message counts too."""
    assert fault_for(429, -1003, banned=True).reason == "banned"
    assert fault_for(200, -1003, banned=True).reason == "banned"
    assert fault_for(500, -1000, banned=True).reason == "server_error"


def test_an_error_leads_back_to_its_row() -> None:
    """What is decided after the request looks at the error only."""
    for reason in ("timeout", "connection", "tls", "bad_reply", "maintenance", "aborted"):
        assert fault_of(ExchangeError("m", reason=reason)).reason == reason
    assert fault_of(ExchangeError("m", reason="x", http_status=400, code=-1021)).reason == "clock"
    assert fault_of(ExchangeError("m", reason="x", http_status=429, banned_until_ms=1)).reason == "banned"
    assert not fault_of(ExchangeError("m", reason="aborted")).retry


@pytest.mark.parametrize("row", TABLE, ids=[f"{r[0]},{r[1]}" for r in TABLE])
def test_each_meaning_is_one_sentence(row: tuple[int, int | None]) -> None:
    """It becomes an error message, a line of the log and an alert."""
    meaning = fault_for(row[0], row[1]).meaning
    assert meaning
    assert not meaning.endswith(".")
    assert "\n" not in meaning


NOW = 1_700_000_025_000  # 22:13:45 UTC: 15 s before the next minute
NEXT_MINUTE = 1_700_000_040_000
THREE_DAYS = 259_200_000


def waits(kind: Wait) -> Fault:
    """Some fault with this kind of wait."""
    return Fault(meaning="m", reason=TIMEOUT.reason, wait=kind, scope=Scope.EGRESS_IP, stop=Stop.NEVER)


@pytest.mark.parametrize(
    ("kind", "retry_after_s", "banned_until_ms", "failures", "expected"),
    [
        (Wait.NONE, 30, NOW + 5000, 9, None),
        (Wait.LIMIT, None, None, 1, NEXT_MINUTE),
        (Wait.LIMIT, 0, None, 1, NEXT_MINUTE),
        (Wait.LIMIT, 7, None, 1, NEXT_MINUTE),
        (Wait.LIMIT, 7, None, 4, NEXT_MINUTE),
        (Wait.LIMIT, 90, None, 1, NOW + 90_000),
        (Wait.LIMIT, 0, None, 2, NEXT_MINUTE + 60_000),
        (Wait.LIMIT, None, None, 3, NEXT_MINUTE + 180_000),
        (Wait.LIMIT, None, None, 99, NEXT_MINUTE + 900_000),
        (Wait.LIMIT, 10**9, None, 1, NOW + THREE_DAYS),
        (Wait.BAN, 120, None, 1, NOW + 120_000),
        (Wait.BAN, None, NOW + 500_000, 1, NOW + 500_000),
        (Wait.BAN, 600, NOW + 500_000, 1, NOW + 600_000),
        (Wait.BAN, 300, NOW + 500_000, 1, NOW + 500_000),
        (Wait.BAN, 0, None, 1, NOW + 120_000),
        (Wait.BAN, None, NOW - 1, 1, NOW + 120_000),
        (Wait.BAN, None, None, 3, NOW + 480_000),
        (Wait.BAN, None, None, 99, NOW + 3_840_000),
        (Wait.BAN, None, 10**15, 1, NOW + THREE_DAYS),
        (Wait.FIREWALL, None, None, 1, NOW + 300_000),
        (Wait.FIREWALL, 30, None, 1, NOW + 300_000),
        (Wait.FIREWALL, 900, None, 1, NOW + 900_000),
        (Wait.FIREWALL, None, None, 2, NOW + 600_000),
        (Wait.FIREWALL, None, None, 99, NOW + 3_600_000),
        (Wait.BACK_OFF, None, None, 1, NOW + 60_000),
        (Wait.BACK_OFF, None, None, 0, NOW + 60_000),
        (Wait.BACK_OFF, 600, None, 1, NOW + 600_000),
        (Wait.BACK_OFF, None, None, 4, NOW + 480_000),
        (Wait.BACK_OFF, None, None, 10**9, NOW + 960_000),
    ],
)
def test_a_wait_ends_when_binance_says_or_by_our_own_rule(
    kind: Wait, retry_after_s: int | None, banned_until_ms: int | None, failures: int, expected: int | None
) -> None:
    """Too early turns a limit into a ban; too late loses ticks; garbage must do neither."""
    assert wait_until_ms(waits(kind), NOW, retry_after_s, banned_until_ms, failures) == expected


def test_at_the_start_of_a_minute_a_limit_still_waits_for_the_next() -> None:
    """The minute that has just begun is the one whose budget is spent."""
    assert wait_until_ms(waits(Wait.LIMIT), NEXT_MINUTE, None, None, 1) == NEXT_MINUTE + 60_000
