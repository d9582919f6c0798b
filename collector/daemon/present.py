"""Keeps the beat in the present, when the ledger has answers that by the local clock are still to come.

Either that clock is behind, and these are answers of the past; or it ran ahead, and was set right. Binance's tells.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from collector.daemon.clock import Reading
from collector.daemon.metronome import Metronome
from collector.daemon.runner import AccountRunner
from collector.domain.ticks import due_at_or_after
from collector.errors import DatabaseError
from collector.storage.accounts import every_account
from collector.storage.comeback import bring_back
from collector.storage.reader import Reader
from collector.storage.record import Recorder

log = logging.getLogger(__name__)


class Present:
    """Decides after each measurement of Binance's clock; `runners` are those of the accounts, by id."""

    def __init__(
        self,
        recorder: Recorder,
        metronome: Metronome,
        runners: Mapping[int, AccountRunner],
        *,
        interval_s: int,
        clocks: Callable[[], Reading],
    ) -> None:
        self._recorder = recorder
        self._metronome = metronome
        self._runners = runners
        self._interval_s = interval_s
        self._clocks = clocks

    def find(self, offset_ms: int | None, *, measure_now: Callable[[], None]) -> None:
        """At the start: decide by the last measurement, or ask for one when it is needed and there is none."""
        reached = self._metronome.last_due_at * 1000 <= self._clocks().wall_ms
        if not reached and (offset_ms is None or not self.measured(offset_ms)):
            measure_now()

    def measured(self, offset_ms: int) -> bool:
        """Take in Binance's clock minus the local one; False when the ledger can't be brought back now."""
        now_ms, last_due_at = self._clocks().wall_ms, self._metronome.last_due_at
        if last_due_at * 1000 <= now_ms:
            return True
        if last_due_at * 1000 <= now_ms + offset_ms:
            log.error(
                "the local clock is behind: the instants until %s have their answers, and Binance's clock has passed "
                "it; nothing is collected until the local one has, so set it right",
                _instant(last_due_at),
            )
            return True
        try:
            self._come_back(now_ms // 1000 + 1, last_due_at)
        except DatabaseError as error:
            log.warning("collecting can't go on at the present: %s", error)
            return False
        return True

    def _come_back(self, now_s: int, last_due_at: int) -> None:
        first_due_at = due_at_or_after(now_s, self._interval_s)
        for account in self._recorder.write(lambda connection: every_account(Reader.over(connection))):
            # One by one: with thousands of accounts nobody else could write for many seconds.
            self._bring_back(account.id, now_s, last_due_at)
        self._metronome.come_back(first_due_at)
        log.warning(
            "the local clock ran ahead: the ledger has answers until %s, which Binance's clock has not reached either; "
            "collecting goes on at %s, and only what has a tick already is left out",
            _instant(last_due_at),
            _instant(first_due_at),
        )

    def _bring_back(self, account_id: int, now_s: int, last_due_at: int) -> None:
        runner = self._runners.get(account_id)
        answered = self._recorder.write(
            lambda connection: bring_back(
                connection,
                account_id,
                interval_s=self._interval_s if runner else None,
                now_s=now_s,
                reached_s=last_due_at if runner else None,
            )
        )
        if runner is not None:
            runner.come_back(answered)


def _instant(due_at: int) -> str:
    return datetime.fromtimestamp(due_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
