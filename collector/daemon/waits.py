"""The waits that hold now, for an egress IP or for one account; kept in the database across a restart."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime

from collector.binance.standing import EGRESS_IP
from collector.domain.records import Wait
from collector.storage.accounts import waits
from collector.storage.reader import Reader
from collector.storage.record import Recorder
from collector.storage.registry import note_wait

log = logging.getLogger(__name__)

LONGEST_MS = 4 * 24 * 60 * 60 * 1000
"""Binance bans for three days at most: what goes on for longer was written under a clock that ran ahead."""


class Waits:
    """Read by every account before each tick, so they are held in memory; written through to the database."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._by_scope: dict[str, Wait] = {}
        self._of_this_run: set[str] = set()

    def load(self, now_ms: int) -> None:
        """Take up the waits that an earlier run left."""
        with self._recorder.transaction() as connection:
            found = waits(Reader.over(connection), now_ms=now_ms)
        self._by_scope = {wait.scope: wait for wait in found if wait.until_ms <= now_ms + LONGEST_MS}

    def of(self, account_scope: str) -> tuple[Wait, ...]:
        """The waits that concern an account; some may be over."""
        with self._lock:
            found = (self._by_scope.get(EGRESS_IP), self._by_scope.get(account_scope))
        return tuple(wait for wait in found if wait is not None)

    def hold(self, wait: Wait) -> bool:
        """Let everyone in its scope wait; False when they wait as long already."""
        with self._lock:
            known = self._by_scope.get(wait.scope)
            if known is not None and known.until_ms >= wait.until_ms:
                return False
            self._by_scope[wait.scope] = wait
            self._of_this_run.add(wait.scope)
        until = datetime.fromtimestamp(wait.until_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        log.warning("%s: no requests until %s (%s)", wait.scope, until, wait.reason)
        return True

    def clock_was_set(self, by_ms: int) -> list[str]:
        """Let each wait last as long as before the step; returns the scopes that have to be kept anew.

        One that an earlier run left ends by the clock of then, so a clock that is put forward ends it sooner.
        """
        with self._lock:
            moved = [scope for scope in self._by_scope if by_ms < 0 or scope in self._of_this_run]
            for scope in moved:
                wait = self._by_scope[scope]
                self._by_scope[scope] = replace(wait, until_ms=wait.until_ms + by_ms)
        return moved

    def keep(self, scope: str) -> None:
        """Write the wait that holds now to the database. Raises DatabaseError."""
        with self._recorder.transaction() as connection:
            # Read inside, for another thread may have made it longer meanwhile.
            with self._lock:
                wait = self._by_scope[scope]
            note_wait(connection, wait)
