"""The log of ticks: one line each for few accounts, one line for all of many."""

import logging
from collections import Counter
from dataclasses import replace

import pytest

from collector.daemon.ticklog import TickLog, line_of, summary_of
from collector.domain.ticks import FailReason, MissReason, Outcome, TickOutcome
from tests.ledgers import T0, held, snapshot

STORED = TickOutcome(
    account_id=1,
    account="main",
    due_at=T0,
    interval_s=60,
    outcome=Outcome.STORED,
    attempts=1,
    requested_at_ms=T0 * 1000 + 12,
    received_at_ms=T0 * 1000 + 357,
    snapshot=snapshot(held("BTC", "12345.678"), held("ETH", "2")),
)
FAILED = replace(
    STORED, outcome=Outcome.FAILED, reason=FailReason.TIMEOUT, detail="Binance did not answer", snapshot=None
)
MISSED = replace(STORED, outcome=Outcome.MISSED, reason=MissReason.WAITING, snapshot=None)


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (STORED, "main 2023-11-14T22:10:00Z stored: 2 assets in 345 ms"),
        (replace(STORED, attempts=3), "main 2023-11-14T22:10:00Z stored: 2 assets in 345 ms, attempt 3"),
        (FAILED, "main 2023-11-14T22:10:00Z failed (timeout): Binance did not answer"),
        (MISSED, "main 2023-11-14T22:10:00Z missed (waiting)"),
        (replace(MISSED, detail="3 ticks"), "main 2023-11-14T22:10:00Z missed (waiting): 3 ticks"),
    ],
)
def test_a_tick_is_one_line_without_amounts(outcome: TickOutcome, line: str) -> None:
    """What happened, when and why; what somebody owns is nobody's business."""
    assert line_of(outcome) == line


def test_up_to_ten_accounts_each_have_their_line(caplog: pytest.LogCaptureFixture) -> None:
    """What is good is news, what is not is a warning."""
    caplog.set_level(logging.DEBUG)
    log = TickLog(10)
    for outcome in (STORED, FAILED, MISSED):
        log(outcome)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING"]


@pytest.mark.parametrize("reason", [MissReason.PAUSED, MissReason.ACCOUNT_STOPPED])
def test_what_was_said_before_is_no_warning_at_each_tick(caplog: pytest.LogCaptureFixture, reason: MissReason) -> None:
    """An account that is stopped over a holiday would fill the log with 86,400 warnings a day, and hide the others."""
    caplog.set_level(logging.INFO)
    known = replace(MISSED, reason=reason)
    TickLog(1)(known)
    many = TickLog(11)
    for number in range(11):
        many(known if number < 4 else STORED)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", f"main 2023-11-14T22:10:00Z missed ({reason})"),
        ("INFO", f"tick 2023-11-14T22:10:00Z: 7 stored, 4 missed ({reason})"),
    ]


def test_more_accounts_share_one_line_a_tick(caplog: pytest.LogCaptureFixture) -> None:
    """Two thousand lines a minute are read by nobody; the details are there for who asks for them."""
    caplog.set_level(logging.INFO)
    log = TickLog(11)
    for number in range(11):
        later = replace(STORED, account=f"acct-{number}", due_at=T0 + 60)
        log({3: FAILED, 7: MISSED, 8: FAILED}.get(number, STORED))
        assert number == 10 or caplog.records == []
        log(later)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "tick 2023-11-14T22:10:00Z: 8 stored, 2 failed (timeout), 1 missed (waiting)"),
        ("INFO", "tick 2023-11-14T22:11:00Z: 11 stored"),
    ]
    caplog.set_level(logging.DEBUG)
    log(FAILED)
    assert caplog.records[-1].levelname == "DEBUG"
    assert caplog.records[-1].getMessage() == "main 2023-11-14T22:10:00Z failed (timeout): Binance did not answer"


def test_a_summary_begins_with_what_is_most_frequent() -> None:
    """The one line has to be read at a glance."""
    assert summary_of(Counter({"failed (tls)": 1, "stored": 20})) == "20 stored, 1 failed (tls)"
