"""Keeps what came of each tick: in the database, or in the spool until the database is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from collector.collect import record
from collector.daemon.aside import bad_reply, entry_of, range_entry
from collector.daemon.drain import BATCH, Drain
from collector.domain.ticks import MissReason, Outcome, TickOutcome, TickRange
from collector.errors import DamagedError, DatabaseError, UnstorableError
from collector.storage.record import Recorder
from collector.storage.spool import Entry, Spool

log = logging.getLogger(__name__)

FIRST_PATIENCE_S = 0.2
LONGEST_PATIENCE_S = 15.0
"""How long to wait between attempts to write to a database that can't be written."""

Write = Callable[[], object]


class Keeper:
    """The one place where outcomes go, from any thread; nobody waits for a database that is away.

    Once a write fails, everything goes aside, so that each account's answers stay in their order, until all that was
    put aside has been stored by a thread of its own. What not even the spool takes is held in memory, and nothing more
    is asked for meanwhile. `damage` is the error that nothing can mend while the daemon runs.
    """

    def __init__(self, recorder: Recorder, spool: Spool, *, now_ms: Callable[[], int]) -> None:
        self._recorder = recorder
        self._spool = spool
        self._now_ms = now_ms
        self._drain = Drain(recorder, spool, now_ms=now_ms)
        self._lock = threading.Lock()
        self._aside = False
        self._held: list[Entry] = []
        self._notes: dict[str, Write] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self.damage: DatabaseError | None = None

    def start(self) -> None:
        """Begin to store what is put aside."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Let the attempt that is under way end, and leave the rest in the spool."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._lock.acquire(timeout=timeout_s):
            self._spool_held()
            self._lock.release()
        if self._held:
            log.error("%d answers could be kept nowhere: neither database nor spool took them", len(self._held))

    def has_room(self) -> bool:
        """Whether a reply may be asked for: what comes of it has a place to go."""
        if not self._aside:
            return True
        try:
            return not self._held and self._spool.has_room()
        except DatabaseError:
            return False

    def tick(self, outcome: TickOutcome, body: bytes | None = None) -> TickOutcome:
        """Keep what came of a tick of the grid; `body` is the reply. Returns what the ledger says, or will say."""

        def entry() -> Entry:
            return entry_of(outcome, body, now_ms=self._now_ms())

        try:
            direct = self._keep(lambda: record(self._recorder, outcome, self._now_ms()), entry)
        except UnstorableError as error:
            self._refuse(entry(), str(error))
            stored = outcome.outcome is Outcome.STORED
            return self.tick(bad_reply(outcome, str(error))) if stored else outcome
        return outcome if direct else replace(outcome, spooled=True)

    def missed(self, outcome: TickOutcome, ticks: TickRange, reason: MissReason) -> TickOutcome:
        """Keep that no request left for these ticks; `outcome` is what is told of them."""

        def entry() -> Entry:
            return range_entry(outcome.account, ticks, reason, now_ms=self._now_ms())

        try:
            direct = self._keep(lambda: self._recorder.record_missed(outcome.account_id, ticks, reason), entry)
        except UnstorableError as error:
            self._refuse(entry(), str(error))
            return outcome
        return outcome if direct else replace(outcome, spooled=True)

    def note(self, key: str, write: Write) -> None:
        """Write something that is no answer; of those with the same key that had to wait only the last one counts."""
        with self._lock:
            if not self._aside:
                try:
                    write()
                except DatabaseError as error:
                    self._put_all_aside(error)
                else:
                    return
            self._notes[key] = write

    def _keep(self, write: Write, entry: Callable[[], Entry]) -> bool:
        """True when it is in the database; raises UnstorableError when it can never be."""
        with self._lock:
            if not self._aside:
                try:
                    write()
                except UnstorableError:
                    raise
                except DatabaseError as error:
                    self._put_all_aside(error)
                else:
                    return True
            self._put_aside(entry())
            return False

    def _refuse(self, entry: Entry, why: str) -> None:
        log.error("account %s: this is a bug, please report it: %s", entry.account, why)
        try:
            self._spool.refuse(entry, why, instead=None, now_ms=self._now_ms())
        except DatabaseError as error:
            log.error("the reply could not even be kept in quarantine: %s", error)

    # -- aside

    def _put_all_aside(self, error: DatabaseError) -> None:
        log.error("%s; what arrives is kept in the spool %s until it can be stored", error, self._spool.path)
        self._note_damage(error)
        self._aside = True
        self._wake.set()

    def _note_damage(self, error: DatabaseError) -> None:
        if isinstance(error, DamagedError):
            self.damage = error

    def _put_aside(self, entry: Entry) -> None:
        if not self._held:
            try:
                self._spool.append(entry)
            except DatabaseError as error:
                log.error("%s; the daemon asks for nothing more until it can", error)
                self._note_damage(error)
            else:
                return
        _hold(self._held, entry)

    def _spool_held(self) -> None:
        try:
            while self._held:
                self._spool.append(self._held[0])
                del self._held[0]
        except DatabaseError as error:
            log.debug("%s", error)

    # -- back again

    def drain(self, *, go_on: Callable[[], bool] = lambda: True) -> int:
        """Store what an earlier run left, before this one begins. Raises DatabaseError."""
        return self._drain.run(go_on=go_on)

    def _work(self) -> None:
        patience = FIRST_PATIENCE_S
        while self._wake.wait() and not self._stopping.is_set():
            if self._survived():
                patience = FIRST_PATIENCE_S
            else:
                self._stopping.wait(patience)
                patience = min(2 * patience, LONGEST_PATIENCE_S)

    def _survived(self) -> bool:
        try:
            return self._catch_up()
        except Exception:  # a bug must not leave everything in the spool until somebody restarts the daemon
            log.exception("what waits in the spool can't be stored: this is a bug, please report it")
            return False

    def _catch_up(self) -> bool:
        """Store everything that was put aside; False when the database can't take it yet."""
        stored = 0
        try:
            while not self._stopping.is_set():
                stored += self._drain.run(go_on=lambda: not self._stopping.is_set())
                self._write_notes()
                last = self._end_of_spool()
                if last is not None:
                    log.warning("the database can be written again: %d answers came from the spool", stored + last)
                    return True
        except DatabaseError as error:
            log.debug("%s", error)
            self._note_damage(error)
            with self._lock:
                self._spool_held()
        return False

    def _write_notes(self) -> None:
        with self._lock:
            notes = dict(self._notes)
        for key, write in notes.items():
            try:
                write()
            except UnstorableError as error:
                log.error("%s can't be noted, this is a bug, please report it: %s", key, error)
            with self._lock:
                if self._notes.get(key) is write:
                    del self._notes[key]

    def _end_of_spool(self) -> int | None:
        """Store the little that came meanwhile; then, in the same moment, what arrives goes to the database again.

        Returns how much that was; None when more than a little is left.
        """
        with self._lock:
            self._spool_held()
            left = self._spool.oldest(BATCH)
            if len(left) == BATCH or self._notes:
                return None
            stored = self._drain.store(left) if left else 0
            if self._spool.oldest(1):  # the failed tick of a reply that went into quarantine
                return None
            while self._held:
                stored += self._drain.store(self._held[:1])
                del self._held[0]
            self._aside = False
            self._wake.clear()
            return stored


def _hold(held: list[Entry], entry: Entry) -> None:
    """Add an entry at the end; missed ticks extend the range before them in the same loss."""
    before = next((n for n in reversed(range(len(held))) if held[n].account == entry.account), None)
    if before is not None and _goes_on(held[before], entry):
        held[before] = replace(held[before], last_due_at=entry.last_due_at)
    else:
        held.append(entry)


def _goes_on(before: Entry, entry: Entry) -> bool:
    same = (before.outcome, before.reason, before.interval_s) == (entry.outcome, entry.reason, entry.interval_s)
    return same and entry.outcome == Outcome.MISSED and before.last_due_at + before.interval_s == entry.due_at
