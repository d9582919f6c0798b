"""One process collects into a database: a lock file beside an SQLite file, an advisory lock on PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from collector.errors import DatabaseError, LockedError
from collector.storage.engine import open_engine
from collector.storage.failures import database_errors
from collector.storage.urls import describe, sqlite_file

ADVISORY_LOCK = 0x636F6C6C6563
PROGRAM = "collector run, "


class DatabaseLock(Protocol):
    """Held from `acquire` to `release`, or to the end of the process."""

    def acquire(self) -> None:
        """Take the lock. Raises LockedError with a sentence that says who holds it."""

    def check(self) -> None:
        """Make sure that the lock is still ours; take it again where it was lost. Raises LockedError, DatabaseError."""

    def release(self) -> None:
        """Give the lock back."""


def lock_for(url: str) -> DatabaseLock:
    """The lock of a database."""
    path = sqlite_file(url)
    if path is None:
        return _AdvisoryLock(url)
    file = path.resolve()  # whoever comes through a link has to find the same lock
    return _FileLock(url, file.with_name(file.name + ".lock"))


@contextmanager
def held(url: str) -> Iterator[None]:
    """Hold the lock of a database for a while: no daemon collects into it. Raises LockedError, DatabaseError."""
    lock = lock_for(url)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held_file(url: str, path: Path) -> Iterator[None]:
    """Hold a lock file of a database for a while. Raises LockedError, DatabaseError."""
    lock = _FileLock(url, path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


class _FileLock:
    def __init__(self, url: str, path: Path) -> None:
        self._url = url
        self._path = path
        self._file: int | None = None

    def acquire(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseError(f"can't make the lock file {self._path}: {error.strerror}") from error
        try:
            self._take(file)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _take(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.write(file, f"{_who()}\n".encode())
        except BlockingIOError:
            raise _locked(self._url, os.read(file, 200).decode(errors="replace").strip()) from None
        except OSError as error:
            raise DatabaseError(f"can't lock {self._path}: {error.strerror}") from error

    def check(self) -> None:
        """The kernel keeps it as long as the process lives."""

    def release(self) -> None:
        if self._file is not None:
            # The file stays: removing it would let two processes lock two different files.
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


class _AdvisoryLock:
    """A lock of a session: PostgreSQL gives it back by itself when the connection ends, between hosts too."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    def acquire(self) -> None:
        with database_errors(self._url):
            self._engine = self._engine or open_engine(self._url, "writer")
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                self._take(self._connection)
            except BaseException:
                self.release()
                raise

    def _take(self, connection: Connection) -> None:
        connection.execute(text("SELECT set_config('application_name', :who, false)"), {"who": f"{PROGRAM}{_who()}"})
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}).scalar_one():
            holder = connection.execute(text(HOLDER), {"key": ADVISORY_LOCK}).scalar()
            raise _locked(self._url, str(holder or "").removeprefix(PROGRAM))

    def check(self) -> None:
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return
        except DBAPIError:
            self.release()
        self.acquire()

    def release(self) -> None:
        if self._connection is not None:
            # Closed for good rather than pooled: the lock must not outlive its purpose.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


# An advisory lock's 64-bit key stands in two halves.
HOLDER = """
SELECT a.application_name FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (CAST(l.classid AS bigint) << 32) + CAST(l.objid AS bigint) = :key
"""


def _who() -> str:
    return f"pid {os.getpid()} on {socket.gethostname()}"


def _locked(url: str, holder: str) -> LockedError:
    return LockedError(
        f"another process ({holder or 'unknown'}) collects into {describe(url)}: stop it first, or use another database"
    )
