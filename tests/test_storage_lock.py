"""One process at a time collects into a database; the second one is told who is there."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from collector.errors import DatabaseError, LockedError
from collector.storage.lock import DatabaseLock, held, lock_for
from tests.ledgers import ask
from tests.postgres import PostgresServer

ME = f"pid {os.getpid()} on {socket.gethostname()}"


@pytest.fixture
def first(database_url: str) -> Iterator[DatabaseLock]:
    """A lock of the database, free at first."""
    lock = lock_for(database_url)
    yield lock
    lock.release()


def test_a_second_process_is_told_who_holds_the_database(first: DatabaseLock, database_url: str) -> None:
    """Two daemons would answer each tick twice; its owner has to find the other one."""
    first.acquire()
    second = lock_for(database_url)
    with pytest.raises(LockedError) as caught:
        second.acquire()
    assert str(caught.value).startswith(f"another process ({ME}) collects into database ")
    assert str(caught.value).endswith(": stop it first, or use another database")
    assert caught.value.exit_code == 75


def test_a_released_lock_is_free(first: DatabaseLock, database_url: str) -> None:
    """A restart follows at once; releasing what is not held is no mistake."""
    first.release()
    first.acquire()
    first.release()
    first.release()
    second = lock_for(database_url)
    second.acquire()
    with pytest.raises(LockedError):
        first.acquire()
    second.release()
    first.acquire()


def test_a_lock_that_is_held_stays_ours_when_looked_at(first: DatabaseLock, database_url: str) -> None:
    """The daemon looks every few seconds."""
    first.acquire()
    for _ in range(3):
        first.check()
    with pytest.raises(LockedError):
        lock_for(database_url).acquire()


def test_a_lock_is_held_for_a_while(first: DatabaseLock, database_url: str) -> None:
    """What changes the tables keeps every daemon out until it is done, or has failed."""

    def change_tables() -> None:
        with held(database_url):
            with pytest.raises(LockedError):
                first.acquire()
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        change_tables()
    first.acquire()


# -- SQLite: a file beside the database


def test_the_lock_file_lies_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    """It says who runs, and stays: removing it would let two processes lock two different files."""
    lock = lock_for(f"sqlite:///{tmp_path}/new/c.db")
    lock.acquire()
    file = tmp_path / "new" / "c.db.lock"
    assert file.read_text() == f"{ME}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    lock.release()
    assert file.read_text() == ""


def test_whoever_comes_through_a_link_finds_the_same_lock(tmp_path: Path) -> None:
    """A link to the file or to its folder is the same database."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "c.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "data" / "c.db")
    lock = lock_for(f"sqlite:///{tmp_path}/data/c.db")
    lock.acquire()
    with pytest.raises(LockedError, match=r"collects into database .*/link\.db: "):
        lock_for(f"sqlite:///{tmp_path}/link.db").acquire()
    lock.release()


def test_a_holder_that_has_not_written_its_name_yet_is_unknown(tmp_path: Path) -> None:
    """Between locking and writing lies a moment."""
    file = os.open(tmp_path / "c.db.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    with pytest.raises(LockedError, match=r"another process \(unknown\)"):
        lock_for(f"sqlite:///{tmp_path}/c.db").acquire()
    os.close(file)


def test_a_lock_file_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be: the owner's mistake, not a bug."""
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match=r"can't make the lock file .*/file/c\.db\.lock: File exists"):
        lock_for(f"sqlite:///{tmp_path}/file/c.db").acquire()


def test_a_lock_file_that_cannot_be_locked_or_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems know no locks, and disks get full; no descriptor is left behind."""
    opened: list[int] = []

    def no_locks(file: int, _: int) -> None:
        opened.append(file)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(DatabaseError, match=r"can't lock .*/c\.db\.lock: No locks available"):
        lock_for(f"sqlite:///{tmp_path}/c.db").acquire()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


# -- PostgreSQL: a lock of the session


def cut_all(url: str) -> None:
    """End every other session of this database, as a restart of the server does."""
    ask(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@pytest.fixture
def on_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def test_a_lost_connection_gets_its_lock_back(on_postgres: str) -> None:
    """The server gives the lock up with the connection, so the next look takes it again."""
    lock = lock_for(on_postgres)
    lock.acquire()
    cut_all(on_postgres)
    lock.check()
    with pytest.raises(LockedError):
        lock_for(on_postgres).acquire()
    lock.release()


def test_a_lock_that_somebody_else_took_meanwhile_is_lost(on_postgres: str) -> None:
    """The daemon has to leave: another one collects now."""
    lock, other = lock_for(on_postgres), lock_for(on_postgres)
    lock.acquire()
    cut_all(on_postgres)
    other.acquire()
    with pytest.raises(LockedError, match="another process"):
        lock.check()
    other.release()
    lock.check()  # free again
    lock.release()


def test_locks_of_two_databases_on_one_server_are_two(on_postgres: str, postgres_server: PostgresServer) -> None:
    """Two owners share a server without knowing of each other."""
    name = postgres_server.create_database()
    here, there = lock_for(on_postgres), lock_for(postgres_server.url(name))
    here.acquire()
    there.acquire()
    here.release()
    there.release()
    postgres_server.drop_database(name)


def test_a_holder_that_is_another_program_is_named_too(on_postgres: str) -> None:
    """An advisory lock is anyone's to take; the name of its session is all there is."""
    plain = make_url(on_postgres).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True, application_name="somebody") as session:
        session.execute("SELECT pg_advisory_lock(109330211562851)")
        with pytest.raises(LockedError, match=r"another process \(somebody\)"):
            lock_for(on_postgres).acquire()


def test_a_server_that_is_away_is_a_database_error_until_it_is_back() -> None:
    """The daemon goes on and looks again; it neither thinks that it holds the lock nor that it lost it."""
    with PostgresServer() as server:
        lock = lock_for(server.url())
        lock.acquire()
        server.stop("immediate")
        for _ in range(2):
            with pytest.raises(DatabaseError) as caught:
                lock.check()
            assert not isinstance(caught.value, LockedError)
            assert "postgres@" not in str(caught.value)
        server.start()
        lock.check()
        with pytest.raises(LockedError):
            lock_for(server.url()).acquire()
        lock.release()


def test_a_server_that_is_away_at_the_start_is_a_database_error() -> None:
    """One sentence and exit code 6, whatever the driver says."""
    nobody = make_url("postgresql://postgres@127.0.0.1:1/postgres").render_as_string()
    with pytest.raises(DatabaseError, match=r"database postgres at 127\.0\.0\.1:1: "):
        lock_for(nobody).acquire()
