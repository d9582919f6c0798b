"""The log of ticks: a line for each account, or one for all when there are many."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import UTC, datetime

from collector.domain.ticks import MissReason, Outcome, TickOutcome

log = logging.getLogger("collector.tick")

ACCOUNTS_WITH_LINES = 10
SAID_BEFORE = (MissReason.PAUSED, MissReason.ACCOUNT_STOPPED)
"""Whoever paused the account knows, and that it is stopped was an error in the log: not a warning at each tick."""


QUIET = {"stored", *(f"missed ({reason})" for reason in SAID_BEFORE)}


class TickLog:
    """Receives every outcome; up to ten accounts each get their own line, more are counted in one line a tick."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._lock = threading.Lock()
        self._counts: dict[int, Counter[str]] = {}

    def __call__(self, outcome: TickOutcome) -> None:
        if self._accounts <= ACCOUNTS_WITH_LINES:
            log.log(_level(outcome), "%s", line_of(outcome))
            return
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s", line_of(outcome))
        with self._lock:
            counts = self._counts.setdefault(outcome.due_at, Counter())
            counts[_word(outcome)] += 1
            done = counts.total() >= self._accounts
            if done:
                del self._counts[outcome.due_at]
        if done:
            level = logging.INFO if set(counts) <= QUIET else logging.WARNING
            log.log(level, "tick %s: %s", _instant(outcome.due_at), summary_of(counts))


def line_of(outcome: TickOutcome) -> str:
    """One tick of one account in one line; without amounts."""
    kept = ", kept in the spool" if outcome.spooled else ""
    return _line(outcome) + kept


def _line(outcome: TickOutcome) -> str:
    head = f"{outcome.account} {_instant(outcome.due_at)} {outcome.outcome}"
    if outcome.outcome is Outcome.STORED and outcome.snapshot is not None:
        took = (outcome.received_at_ms or 0) - (outcome.requested_at_ms or 0)
        tries = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
        return f"{head}: {len(outcome.snapshot.balances)} assets in {took} ms{tries}"
    detail = f": {outcome.detail}" if outcome.detail else ""
    return f"{head} ({outcome.reason}){detail}"


def summary_of(counts: Counter[str]) -> str:
    """Outcomes with their numbers, the most frequent first."""
    return ", ".join(f"{number} {word}" for word, number in counts.most_common())


def _word(outcome: TickOutcome) -> str:
    return str(outcome.outcome) if outcome.reason is None else f"{outcome.outcome} ({outcome.reason})"


def _level(outcome: TickOutcome) -> int:
    return logging.INFO if _word(outcome) in QUIET else logging.WARNING


def _instant(due_at: int) -> str:
    return datetime.fromtimestamp(due_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
