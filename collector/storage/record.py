"""Writing the ledger: each tick in one transaction, once."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, update

from collector.domain.balances import Cells, Snapshot, cells, digest_of
from collector.domain.ticks import MissReason, TickOutcome, TickRange
from collector.errors import DatabaseError
from collector.storage.failures import database_errors
from collector.storage.ranges import make_room, write_missed
from collector.storage.schema import tick
from collector.storage.statements import AssetUpsert, BalanceInsert, FirstSeen, TickUpsert

CLOSE_PATIENCE_S = 0.3
PAUSES_S = (0.05, 0.2)
"""Pauses before a transaction is tried again."""
TRY_AGAIN_FOR_S = 1.5

T = TypeVar("T")
Answer = TickOutcome | tuple[int, TickRange, MissReason]
"""What came of a tick, or the ticks of an account (its id) for which no request left."""


class Recorder:
    """The one writer of a process: a kept connection behind a lock, one transaction a call."""

    def __init__(self, engine: Engine, *, try_again_for_s: float = TRY_AGAIN_FOR_S) -> None:
        self._engine = engine
        self._try_again_for_s = try_again_for_s
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._tick = TickUpsert(engine)
        self._balances = BalanceInsert(engine)
        self._assets = AssetUpsert(engine)
        self._first_seen = FirstSeen(engine)
        self._known: dict[int, dict[str, int]] = {}
        self._cutting = threading.Lock()
        self._since: float | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction on the kept connection; a DatabaseError leaves nothing written; the next one reconnects."""
        with self._lock, database_errors(self._engine.url):
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                self._since = time.monotonic()
                with self._connection.begin():
                    yield self._connection
            except BaseException:
                self._drop()
                raise
            finally:
                self._since = None

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do the work in one transaction, which is done again at once when that may well help. Raises DatabaseError."""
        deadline = time.monotonic() + self._try_again_for_s
        for pause_s in PAUSES_S:
            try:
                with self.transaction() as connection:
                    return work(connection)
            except DatabaseError as error:
                if not error.transient or time.monotonic() > deadline:
                    raise
            time.sleep(pause_s)
        with self.transaction() as connection:
            return work(connection)

    def cut_off(self, after_s: float) -> bool:
        """Cut the connection of a transaction that has been under way for longer; True when one was.

        The server's own time-outs don't help when the server itself has stopped in the middle. Called from another
        thread; the transaction ends with DatabaseError, as when the server had gone.
        """
        with self._cutting:
            since = self._since
            if since is None or time.monotonic() - since < after_s or self._connection is None:
                return False
            return _hang_up(self._connection)

    def close(self) -> None:
        """Give the connection back; a write that hangs keeps it, for the end of the process to cut off."""
        if self._lock.acquire(timeout=CLOSE_PATIENCE_S):
            try:
                self._drop()
            finally:
                self._lock.release()

    def record_tick(self, outcome: TickOutcome, *, recorded_at_ms: int) -> bool:
        """Store what came of a tick, stored (the whole snapshot) or failed; True when this is now the tick's answer.

        Idempotent for each tick: a stored one stays as it is, a failed one may become stored, and two fetches
        are never merged.
        """
        won, known = self.write(lambda connection: self._record(connection, outcome, recorded_at_ms))
        if known is not None:
            self._known[outcome.account_id] = known
        return won

    def record_all(self, answers: Sequence[Answer], *, recorded_at_ms: int) -> None:
        """Store several answers in their order and in one transaction: all of them or none."""

        def work(connection: Connection) -> None:
            for answer in answers:
                if isinstance(answer, TickOutcome):
                    self._record(connection, answer, recorded_at_ms)
                else:
                    write_missed(connection, *answer)

        self.write(work)

    def _record(
        self, connection: Connection, outcome: TickOutcome, recorded_at_ms: int
    ) -> tuple[bool, dict[str, int] | None]:
        """Whether it is the tick's answer now, and the assets that are known once this is committed."""
        rows = [] if outcome.snapshot is None else [cells(b) for b in outcome.snapshot.balances]
        written = self._tick.run(connection, _tick_row(outcome, rows, recorded_at_ms))
        known = None
        if written.in_missed and outcome.interval_s is not None:
            make_room(connection, outcome.account_id, outcome.due_at)
        if not written.won:
            _adopt(connection, outcome)
        elif outcome.snapshot is not None:
            self._balances.run(connection, outcome.account_id, outcome.due_at, rows)
            known = self._note_assets(connection, outcome, outcome.snapshot)
        return written.won, known

    def record_missed(self, account_id: int, ticks: TickRange, reason: MissReason) -> None:
        """Store a range of ticks for which no request left; it extends the one before it in the same loss."""
        self.write(lambda connection: write_missed(connection, account_id, ticks, reason))

    def _note_assets(self, connection: Connection, outcome: TickOutcome, snapshot: Snapshot) -> dict[str, int]:
        """Keep the first due_at of each asset, the earliest one: what was spooled is stored after the present."""
        known = self._known.get(outcome.account_id)
        if known is None:
            known = self._first_seen.run(connection, outcome.account_id)
        new = [b.asset for b in snapshot.balances if known.get(b.asset, outcome.due_at + 1) > outcome.due_at]
        if not new:
            return known
        self._assets.run(connection, outcome.account_id, outcome.due_at, new)
        return known | dict.fromkeys(new, outcome.due_at)

    def _drop(self) -> None:
        # The next connection may lead to a server that took over, and lacks what was written last.
        self._known.clear()
        with self._cutting:
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None


def _hang_up(connection: Connection) -> bool:
    """Shut the socket down, which wakes whoever waits for it; a file has none."""
    driver: Any = connection.connection.driver_connection
    if not hasattr(driver, "fileno"):
        return False
    try:
        with socket.socket(fileno=os.dup(driver.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
    except (OSError, connection.dialect.loaded_dbapi.Error):
        return False  # it broke by itself in this moment
    return True


def _adopt(connection: Connection, outcome: TickOutcome) -> None:
    """A manual snapshot that stands on an instant of the grid answers for it: there can't be a second one."""
    if outcome.interval_s is not None:
        of_tick = (
            tick.c.account_id == outcome.account_id,
            tick.c.due_at == outcome.due_at,
            tick.c.interval_s.is_(None),
        )
        connection.execute(update(tick).where(*of_tick).values(interval_s=outcome.interval_s))


def _tick_row(o: TickOutcome, rows: Sequence[Cells], recorded_at_ms: int) -> dict[str, Any]:
    return {
        "account_id": o.account_id,
        "due_at": o.due_at,
        "interval_s": o.interval_s,
        "outcome": str(o.outcome),
        "reason": None if o.reason is None else str(o.reason),
        "http_status": o.http_status,
        "code": o.code,
        "detail": o.detail,
        "attempts": o.attempts,
        "requested_at": o.requested_at_ms,
        "received_at": o.received_at_ms,
        "recorded_at": recorded_at_ms,
        "clock_offset_ms": o.clock_offset_ms,
        "weight_used": o.weight_used,
        **_snapshot_columns(o.snapshot, rows),
    }


def _snapshot_columns(s: Snapshot | None, rows: Sequence[Cells]) -> dict[str, Any]:
    if s is None:
        return dict.fromkeys(("asset_count", "unpriced", "btc_total", "btc_requested", "digest", "extra"))
    return {
        "asset_count": len(rows),
        "unpriced": s.unpriced,
        "btc_total": s.btc_total,
        "btc_requested": int(s.btc_requested),
        "digest": digest_of(rows),
        "extra": json.dumps(
            {asset: dict(fields) for asset, fields in s.extra.items()}, ensure_ascii=False, sort_keys=True
        )
        if s.extra
        else None,
    }
