"""Takes what was spooled to the database, oldest first, once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from collector.daemon.aside import bad_reply, entry_of, outcome_of, range_of, told_of
from collector.domain.ticks import MissReason, Outcome, TickOutcome
from collector.errors import UnstorableError
from collector.storage.accounts import find
from collector.storage.reader import Reader
from collector.storage.record import Answer, Recorder
from collector.storage.spool import Entry, Spool

log = logging.getLogger(__name__)

BATCH = 100
"""How many entries are stored at once."""


class Drain:
    """Stores entries in their order; what can't be stored goes into quarantine, and its tick becomes failed.

    They are taken out after they were committed: killed in between, they are stored again, which changes nothing.
    """

    def __init__(self, recorder: Recorder, spool: Spool, *, now_ms: Callable[[], int]) -> None:
        self._recorder = recorder
        self._spool = spool
        self._now_ms = now_ms
        self._ids: dict[str, int] = {}

    def run(self, *, go_on: Callable[[], bool] = lambda: True) -> int:
        """Empty the spool; returns how many entries were stored. Raises DatabaseError, with the rest still there."""
        stored = 0
        while go_on() and (entries := self._spool.oldest(BATCH)):
            stored += self.store(entries)
        self._spool.shrink()
        return stored

    def store(self, entries: Sequence[Entry]) -> int:
        """Store these and take them out; returns how many did not go into quarantine. Raises DatabaseError.

        One transaction for all: else a busy spool would fill as fast as it is emptied.
        """
        try:
            answers = [self._answer(entry) for entry in entries]
            self._recorder.record_all(answers, recorded_at_ms=self._now_ms())
        except UnstorableError as error:
            if len(entries) > 1:
                return sum(self.store([entry]) for entry in entries)
            self._refuse(entries[0], str(error))
            return 0
        self._spool.done(entries)
        return len(entries)

    def _answer(self, entry: Entry) -> Answer:
        account_id = self._account_id(entry.account)
        if entry.outcome == Outcome.MISSED:
            return account_id, range_of(entry), MissReason(entry.reason or "")
        return _read(entry, account_id)

    def _account_id(self, name: str) -> int:
        if name not in self._ids:
            found = self._recorder.write(lambda connection: find(Reader.over(connection), name))
            if found is None:
                raise UnstorableError(f"account {name!r} is not in the database")
            self._ids[name] = found.id
        return self._ids[name]

    def _refuse(self, entry: Entry, why: str) -> None:
        log.error("account %s: what came of a tick can't be stored and is kept in quarantine: %s", entry.account, why)
        now_ms, instead = self._now_ms(), None
        if entry.outcome == Outcome.STORED and entry.account in self._ids:
            failed = bad_reply(told_of(entry, self._ids[entry.account]), why)
            instead = replace(entry_of(failed, None, now_ms=entry.spooled_at_ms), id=entry.id)
        self._spool.refuse(entry, why, instead=instead, now_ms=now_ms)


def _read(entry: Entry, account_id: int) -> TickOutcome:
    try:
        return outcome_of(entry, account_id)
    except Exception as error:
        raise UnstorableError(f"the reply can't be read: {error}") from error
