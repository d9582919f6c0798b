"""What the drivers' errors mean, told from real ones."""

import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from collector.errors import DamagedError, DatabaseError, UnstorableError
from collector.storage.engine import open_engine
from collector.storage.failures import database_errors, is_damage, is_transient
from collector.storage.postgresql import connect_arguments, hosts
from collector.storage.record import Recorder
from collector.storage.urls import describe
from tests.ledgers import T0, ask, opened, record, recorder, register, stored
from tests.outages import hang_up, locked, unwritable
from tests.postgres import Databases, free_port
from tests.raw_server import RawServer


def plain(url: str) -> str:
    """The URL as psycopg wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def raised(url: str, sql: str) -> psycopg.Error:
    """What the server says to a statement."""
    with psycopg.connect(plain(url), autocommit=True) as server, pytest.raises(psycopg.Error) as caught:
        server.execute(sql.encode())
    return caught.value


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("40001", True),
        ("40P01", True),
        ("55P03", True),
        ("57P01", True),
        ("57P02", True),
        ("57P03", True),
        ("25006", True),
        ("08006", True),
        ("08P01", True),
        ("57014", False),
        ("53100", False),
        ("42501", False),
        ("42P01", False),
        ("XX001", False),
    ],
)
def test_the_server_says_whether_trying_again_at_once_helps(
    postgres_server: Databases, state: str, expected: object
) -> None:
    """Serialization, deadlock, locks, restarts, connections and standbys do; a full disk or a missing right doesn't."""
    error: Any = raised(postgres_server.url(), f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")
    assert error.sqlstate == state
    assert (is_transient(error), is_damage(error)) == (expected, False)


def test_a_server_that_can_not_be_reached_is_transient() -> None:
    """There is no SQLSTATE without a server; only a connection that took too long is not tried again at once."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(f"postgresql://x@127.0.0.1:{free_port()}/x")
    assert is_transient(caught.value)
    assert not is_transient(psycopg.errors.ConnectionTimeout("too slow"))
    assert not is_transient(ValueError("something else"))


def test_a_locked_file_is_transient_and_a_broken_one_is_damaged(sqlite_template: Path, tmp_path: Path) -> None:
    """By the codes of SQLite itself, extended ones included."""
    file = tmp_path / "collector.db"
    file.write_bytes(sqlite_template.read_bytes())
    with locked(f"sqlite:///{file}"), closing(sqlite3.connect(file, timeout=0)) as connection:
        with pytest.raises(sqlite3.OperationalError) as busy:
            connection.execute("BEGIN IMMEDIATE")
        assert (is_transient(busy.value), is_damage(busy.value)) == (True, False)
    file.write_bytes(b"x" * 5000)
    with closing(sqlite3.connect(file)) as connection:
        with pytest.raises(sqlite3.DatabaseError) as broken:
            connection.execute("SELECT * FROM tick")
        assert (is_transient(broken.value), is_damage(broken.value)) == (False, True)
    extended = sqlite3.DatabaseError("index")
    extended.sqlite_errorcode = 779  # SQLITE_CORRUPT_INDEX
    assert is_damage(extended)


def test_errors_carry_what_they_mean(database_url: str) -> None:
    """Whoever catches one knows what to do without reading it."""
    with recorder(database_url) as writer:
        account = register(writer)
    with opened(database_url, "writer", patience_s=0.1) as engine, unwritable(database_url):
        with pytest.raises(DatabaseError) as caught, database_errors(database_url), engine.begin() as connection:
            connection.execute(text(f"DELETE FROM account WHERE id = {account.id}"))
        assert caught.value.transient
        assert not isinstance(caught.value, UnstorableError | DamagedError)


def test_a_write_is_tried_again_when_that_helps(database_url: str) -> None:
    """A server that was restarted between two ticks costs nobody a detour; a file may be locked for a moment."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0))
        if database_url.startswith("postgresql"):
            hang_up(database_url)
        assert record(writer, stored(account, T0 + 60))
    assert ask(database_url, "SELECT count(*) FROM tick") == [(2,)]


def test_a_write_is_not_tried_for_ever(database_url: str) -> None:
    """Nobody waits: there is another place to write to."""
    with recorder(database_url) as writer:
        account = register(writer)
    with opened(database_url, "writer", patience_s=0.2) as engine:
        writer = Recorder(engine, try_again_for_s=0.3)
        with unwritable(database_url):
            started = time.monotonic()
            with pytest.raises(DatabaseError) as caught:
                record(writer, stored(account, T0))
            assert caught.value.transient
            assert time.monotonic() - started < 3
        assert record(writer, stored(account, T0))
        writer.close()


def listening(connection: socket.socket) -> None:
    """Hear everything and say nothing."""
    while connection.recv(1000):
        pass


def test_a_server_that_never_answers_is_given_up() -> None:
    """A black hole: the connection is accepted, and nothing comes."""
    with RawServer(listening) as silent:
        started = time.monotonic()
        with (
            opened(f"postgresql://x@127.0.0.1:{silent.port}/x", "writer", patience_s=0.5) as engine,
            pytest.raises(DatabaseError) as caught,
            database_errors(engine.url),
        ):
            engine.connect()
        assert not caught.value.transient
        assert time.monotonic() - started < 10


def test_time_outs_are_asked_for_and_the_url_is_stronger() -> None:
    """A writer that has a spool waits for nothing longer than it said."""
    url = make_url("postgresql://u@h/x?connect_timeout=7&options=-c%20statement_timeout%3D0")
    assert connect_arguments(url, "writer", 2.0) == {
        "application_name": "collector writer",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "4000",
        "options": "-c lock_timeout=2000 -c statement_timeout=4000 -c idle_in_transaction_session_timeout=60000"
        " -c statement_timeout=0",
    }
    assert connect_arguments(make_url("postgresql://u@h/x"), "migration", None) == {
        "connect_timeout": "10",
        "application_name": "collector migration",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "20000",
    }
    reading = connect_arguments(url, "reader", None)
    assert reading["options"] == "-c statement_timeout=0 -c default_transaction_read_only=on"
    assert connect_arguments(make_url("postgresql://u@h/x"), "writer", 0.25)["connect_timeout"] == "2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u@h/x", ["h"]),
        ("postgresql://u@h:5433/x", ["h:5433"]),
        ("postgresql://u@/x", ["localhost"]),
        ("postgresql://u@/x?host=a:1&host=b:2", ["a:1", "b:2"]),
        ("postgresql://u@/x?host=a,b", ["a", "b"]),
        ("postgresql://u@/x?host=/run/postgresql", ["/run/postgresql"]),
    ],
)
def test_hosts_are_found_wherever_the_url_has_them(url: str, expected: list[str]) -> None:
    """Only with several of them it matters which one can be written."""
    assert hosts(make_url(url)) == expected
    wanted = connect_arguments(make_url(url), "writer", 2.0).get("target_session_attrs")
    assert wanted == ("read-write" if len(expected) > 1 else None)
    assert "target_session_attrs" not in connect_arguments(make_url(url), "reader", None)
    assert describe(url) == f"database x at {', '.join(expected)}"


def test_a_writer_sets_its_time_outs(database_url: str) -> None:
    """As the server and the file see them."""
    with opened(database_url, "writer", patience_s=1.5) as engine, engine.connect() as connection:
        if database_url.startswith("sqlite"):
            assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 1500
        else:
            said = [connection.execute(text(f"SHOW {name}_timeout")).scalar() for name in ("lock", "statement")]
            assert said == ["1500ms", "4s"]
    engine = open_engine(database_url, "writer")
    with engine.connect() as connection:
        if database_url.startswith("postgresql"):
            assert connection.execute(text("SHOW statement_timeout")).scalar() == "0"
    engine.dispose()
