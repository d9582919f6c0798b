"""How a database is opened, and what is said when it can't be."""

import builtins
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from collector.errors import DatabaseError, SchemaMissingError, SchemaVersionError, UsageError
from collector.storage import history, ledger, revisions, sqlite
from collector.storage.engine import inspecting, open_engine
from collector.storage.failures import database_errors
from collector.storage.reader import Reader, reading
from collector.storage.revisions import check_schema
from collector.storage.sqlite import Role
from collector.storage.upkeep import upgrade
from collector.storage.urls import describe, sqlite_file
from tests.ledgers import T0, ask, failed, held, opened, record, recorder, register, snapshot, stored
from tests.postgres import Databases, PostgresServer, free_port

NOWHERE = "postgresql://reader:geheim@127.0.0.1:{port}/portfolio"


def said(url: str) -> str:
    """The sentence with which reading fails."""
    with pytest.raises(DatabaseError) as caught, reading(url):
        pass
    message = str(caught.value)
    assert "\n" not in message
    assert "geheim" not in message
    assert caught.value.__cause__ is None or "geheim" not in str(caught.value.__cause__)
    return message


def test_a_reader_cannot_write(database_url: str) -> None:
    """A report must not change what it reports, whatever it executes."""
    with recorder(database_url) as writer:
        register(writer)
    for statement in ("DELETE FROM account", "CREATE TABLE mine (x INTEGER)", "DROP VIEW gap"):
        with pytest.raises(DatabaseError) as caught, reading(database_url) as reader:
            reader.all(statement)
        assert "read" in str(caught.value)
    assert ask(database_url, "SELECT name FROM account") == [("main",)]


def test_a_reader_sees_one_moment(database_url: str) -> None:
    """A report of several queries must not mix a snapshot with the one after it."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0))
        with reading(database_url) as connection:
            before = history.latest(connection, account)
            record(writer, stored(account, T0 + 60))
            assert history.latest(connection, account) == before
        with reading(database_url) as connection:
            after = history.latest(connection, account)
    assert before is not None
    assert after is not None
    assert (before.due_at, after.due_at) == (T0, T0 + 60)


def test_a_reader_does_not_wait_for_a_writer(database_url: str) -> None:
    """While a transaction is open, `latest` answers with what was there before."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0))
        with writer.transaction() as connection:
            connection.execute(text("UPDATE account SET key_fingerprint = 'new'"))
            with reading(database_url) as reader:
                assert history.latest(reader, account) is not None
                assert reader.value("SELECT key_fingerprint FROM account") is None


def test_a_reader_does_not_hold_up_a_writer(database_url: str) -> None:
    """A long export must not cost a tick."""
    with recorder(database_url) as writer:
        account = register(writer)
        with reading(database_url) as connection:
            ledger.statuses(connection, now_ms=T0 * 1000)
            assert record(writer, stored(account, T0))


def test_tables_that_are_not_there_are_told_with_the_command(empty_database_url: str) -> None:
    """The first thing that a user forgets."""
    with pytest.raises(SchemaMissingError, match="'collector db upgrade'"), reading(empty_database_url):
        pass


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    """A mistyped path must not leave an empty database behind that looks like lost history."""
    for role in ("reader", "writer", "migration"):
        with (
            opened(f"sqlite:///{tmp_path}/none.db", role) as engine,
            pytest.raises(SchemaMissingError) as caught,
            engine.connect(),
        ):
            pass
        said = f"there is no database at {tmp_path}/none.db yet: 'collector run' or 'collector db upgrade' makes it"
        assert str(caught.value) == said
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_is_told_with_what_makes_them(empty_database_url: str) -> None:
    """On a server only an upgrade does; the daemon needs no right to make tables there."""
    if empty_database_url.startswith("sqlite"):
        Path(empty_database_url.removeprefix("sqlite:///")).touch()
    with pytest.raises(SchemaMissingError) as caught, reading(empty_database_url):
        pass
    by = "'collector run' or " if empty_database_url.startswith("sqlite") else ""
    assert str(caught.value).endswith(f" has no tables yet: {by}'collector db upgrade' makes them")


def test_a_folder_in_which_sqlite_cannot_keep_its_log_is_told_as_that() -> None:
    """Who may read a file of somebody else is told of a readonly database that it attempts to write; root never is."""
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DIRECTORY
    with pytest.raises(DatabaseError) as caught, database_errors("sqlite:////var/lib/c.db"):
        raise error
    assert str(caught.value) == (
        "database /var/lib/c.db: SQLite keeps its log beside it, also for reading, in a folder that may not be written "
        "to: run this as the owner of the file"
    )


def test_another_programs_file_is_not_said_to_lack_tables(tmp_path: Path) -> None:
    """The command that makes tables would refuse it a moment later."""
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as theirs:
        theirs.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY)")
    with pytest.raises(DatabaseError) as caught, reading(f"sqlite:///{tmp_path}/theirs.db"):
        pass
    assert str(caught.value) == (
        f"database {tmp_path}/theirs.db belongs to another program: it is left as it is, name another file"
    )


def test_tables_of_a_newer_program_are_refused(database_url: str) -> None:
    """Reading with old eyes what a newer program writes may be wrong without a word."""
    ask(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaVersionError, match=r"revision 9999, .* install a newer collector"), reading(database_url):
        pass


def test_tables_of_an_older_program_are_told_with_the_command(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update PostgreSQL waits for its owner."""
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
    expected = "is at revision 0001, this version needs 0002: run 'collector db upgrade'"
    with pytest.raises(SchemaVersionError, match=expected), reading(database_url):
        pass


def test_an_interrupted_chain_without_a_revision_is_no_schema(database_url: str) -> None:
    """Alembic's own table may be there and empty."""
    ask(database_url, "DELETE FROM alembic_version")
    with opened(database_url, "reader") as engine, engine.connect() as connection, pytest.raises(SchemaMissingError):
        check_schema(Reader.over(connection))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://me:geheim@host/x", "a database of kind 'mysql' is not supported: use sqlite:///FILE or postgresql"),
        ("postgres://me:geheim@host/x", "a database of kind 'postgres' is not supported: use sqlite:///FILE or"),
        ("geheim", "the database's URL can't be read: use sqlite:///FILE or postgresql://..."),
        ("", "the database's URL can't be read: use sqlite:///FILE or postgresql://..."),
        ("postgresql://me:geheim@host:port/x", "the database's URL can't be read: use sqlite:///FILE or postgresql"),
        ("sqlite://", "an SQLite database in memory keeps no history: use sqlite:///FILE"),
        ("sqlite:///:memory:", "an SQLite database in memory keeps no history: use sqlite:///FILE"),
        ("sqlite:///file:x.db?uri=true", "an SQLite database is a plain file here, without file: and parameters"),
        ("sqlite:///x.db?mode=ro", "an SQLite database is a plain file here, without file: and parameters"),
    ],
)
def test_what_is_no_database_is_refused_in_a_sentence(url: str, sentence: str) -> None:
    """The URL itself is never repeated: it may hold a password."""
    assert said(url).startswith(sentence)


def test_a_file_that_is_no_database_is_told_as_such(tmp_path: Path) -> None:
    """A path to the wrong file is an ordinary mistake."""
    file = tmp_path / "photo.db"
    file.write_bytes(b"\x89PNG, which is not SQLite" * 100)
    assert said(f"sqlite:///{file}") == f"database {file}: file is not a database"
    with pytest.raises(DatabaseError, match=r"photo\.db: file is not a database"):
        upgrade(f"sqlite:///{file}")
    (tmp_path / "folder").mkdir()
    assert said(f"sqlite:///{tmp_path}/folder") == f"database {tmp_path}/folder: unable to open database file"


def test_a_file_with_an_awkward_name_is_one_file(tmp_path: Path) -> None:
    """Spaces, percent signs and other alphabets stand in people's folders."""
    file = tmp_path / "My Data 100% 币" / "collector db.db"
    url = f"sqlite:///{str(file).replace('%', '%25')}"
    assert upgrade(url) is None
    assert sqlite_file(url) == file
    assert file.exists()
    with reading(url) as connection:
        assert ledger.statuses(connection, now_ms=T0 * 1000) == []


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    """Host, port and cause help; the password never does."""
    port = free_port()
    sentence = said(NOWHERE.format(port=port))
    assert sentence.startswith(f"database portfolio at 127.0.0.1:{port}: ")
    assert "refused" in sentence


def test_an_impossible_host_is_told_without_the_password() -> None:
    """A slip of the finger, which Python's resolver answers with an error of quite another kind."""
    sentence = said("postgresql://reader:geheim@host..invalid/x")
    assert sentence == "database x at host..invalid: this can't be the name of a host"


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    """The most frequent of all mistakes, against a server that really asks."""
    with PostgresServer() as server:
        ask(server.url(), "CREATE ROLE reader LOGIN PASSWORD 'right'")
        (folder,) = ask(server.url(), "SHOW hba_file")[0]
        Path(folder).write_text("host all reader 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n")
        ask(server.url(), "SELECT pg_reload_conf()")
        url = server.url().replace("postgres@", "reader:geheim@")
        for _ in range(50):
            sentence = said(url)
            if "authentication failed" in sentence:
                break
            time.sleep(0.1)
        assert 'password authentication failed for user "reader"' in sentence
        assert sentence.startswith("database postgres at 127.0.0.1:")


def test_an_unknown_database_is_told(postgres_server: Databases) -> None:
    """The server answers, but not for this name."""
    assert 'database "nothing" does not exist' in said(postgres_server.url("nothing"))


def test_a_missing_driver_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is an extra."""
    real = builtins.__import__

    def without_psycopg(name: str, *arguments: object, **keywords: object) -> object:
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "psycopg", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(DatabaseError, match=r"pip install 'binance-asset-collector\[postgres\]'"):
        open_engine("postgresql://host/x", "writer")


def test_an_old_sqlite_is_told_before_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without STRICT tables the migration would end in a syntax error."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(DatabaseError, match=r"SQLite .* is too old: .* 3\.37"):
        open_engine("sqlite:///x.db", "writer")


def test_a_refused_row_is_told_without_its_amounts(database_url: str) -> None:
    """PostgreSQL puts the whole row into an error's details, SQLAlchemy the parameters: neither may reach a log."""
    insert = text(
        "INSERT INTO price (due_at, base, quote, price) VALUES "
        "(CAST(:at AS timestamptz), 'BTC', 'EUR', CAST(:price AS numeric))"
        if database_url.startswith("postgresql")
        else "INSERT INTO price (due_at, base, quote, price) VALUES (:at, 'BTC', 'EUR', :price)"
    )
    at: object = "2026-01-01" if database_url.startswith("postgresql") else T0
    with recorder(database_url) as writer:
        with pytest.raises(DatabaseError) as caught, writer.transaction() as connection:
            connection.execute(insert, {"at": at, "price": "-123.456"})
        message = str(caught.value)
    assert "123.456" not in message
    assert "price" in message
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_errors_of_the_program_pass_through(database_url: str) -> None:
    """They have their own sentence and exit code."""
    with pytest.raises(UsageError, match="mine"), database_errors(database_url):
        raise UsageError("mine")


def test_a_mistake_in_the_program_stays_one(database_url: str) -> None:
    """Only the driver's errors are translated; a bug keeps its traceback."""
    with pytest.raises(ZeroDivisionError), database_errors(database_url):
        _ = 1 // 0


def test_an_error_of_the_library_is_told_by_its_kind(database_url: str) -> None:
    """SQLAlchemy's texts may hold parameters."""
    with (
        recorder(database_url) as writer,
        pytest.raises(DatabaseError, match=r": \w+Error$"),
        writer.transaction() as connection,
    ):
        connection.execute(text("SELECT :missing"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////var/lib/collector.db", "database /var/lib/collector.db"),
        ("postgresql://me:geheim@db.example:6432/x?sslmode=require&password=geheim", "database x at db.example:6432"),
        ("postgresql://me:geheim@db.example/x", "database x at db.example"),
        ("postgresql:///x", "database x at localhost"),
    ],
)
def test_messages_name_a_database_without_its_secrets(url: str, name: str) -> None:
    """User, password and options stay out of each message."""
    assert describe(url) == name


def test_writers_of_sqlite_are_durable_and_keyed(sqlite_template: Path, tmp_path: Path) -> None:
    """WAL, synchronous=FULL and foreign keys are per connection and easily lost."""
    (tmp_path / "x.db").write_bytes(sqlite_template.read_bytes())
    expected: dict[Role, tuple[str, int, int, int]] = {
        "writer": ("wal", 2, 1, 0),
        "migration": ("wal", 2, 0, 0),
        "reader": ("wal", 2, 0, 1),
    }
    for role, values in expected.items():
        with opened(f"sqlite:///{tmp_path}/x.db", role) as engine, engine.connect() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys", "query_only")
            seen = tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names)
        assert seen == values, role


def test_a_writer_of_sqlite_begins_with_the_lock(sqlite_template: Path, tmp_path: Path) -> None:
    """With a deferred BEGIN most concurrent writers fail as "locked" once they come to write."""
    (tmp_path / "x.db").write_bytes(sqlite_template.read_bytes())
    with opened(f"sqlite:///{tmp_path}/x.db", "writer") as engine, engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        with closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            connection.rollback()
            other.execute("BEGIN IMMEDIATE")


def test_a_locked_file_is_told_in_a_sentence(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may hold the file for longer than we wait."""
    (tmp_path / "x.db").write_bytes(sqlite_template.read_bytes())
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "x.db")) as other, recorder(f"sqlite:///{tmp_path}/x.db") as writer:
        account = register(writer)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError) as caught:
            record(writer, failed(account, T0))
        assert str(caught.value) == f"database {tmp_path}/x.db: database is locked"
        other.rollback()
        assert record(writer, failed(account, T0))


def test_a_full_disk_is_told_and_got_over(sqlite_template: Path, tmp_path: Path) -> None:
    """Once there is room again the next write goes through; nothing is there by halves."""
    (tmp_path / "x.db").write_bytes(sqlite_template.read_bytes())
    with recorder(f"sqlite:///{tmp_path}/x.db") as writer:
        account = register(writer)
        with writer.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        big = snapshot(*(held(f"ASSET {number}") for number in range(1000)))
        with pytest.raises(DatabaseError) as caught:
            record(writer, stored(account, T0, big))
        assert str(caught.value) == f"database {tmp_path}/x.db: database or disk is full"
        assert ask(f"sqlite:///{tmp_path}/x.db", "SELECT count(*) FROM tick") == [(0,)]
        assert record(writer, stored(account, T0, big))


def test_options_of_the_url_are_kept(postgres_server: Databases, postgres_template: str) -> None:
    """A search path, a time-out or a name that the user gave must not be lost to our own."""
    name = postgres_server.create_database(postgres_template)
    url = f"{postgres_server.url(name)}?options=-csearch_path%3Delsewhere&application_name=mine&connect_timeout=3"
    for role, read_only in (("writer", "off"), ("reader", "on")):
        with opened(url, role) as engine, engine.connect() as connection:  # type: ignore[arg-type]
            shown = [
                connection.exec_driver_sql(f"SHOW {setting}").scalar()
                for setting in ("search_path", "application_name", "transaction_read_only")
            ]
        assert shown == ["elsewhere", "mine", read_only]
    postgres_server.drop_database(name)


def test_sessions_on_postgresql_say_whose_they_are(postgres_server: Databases) -> None:
    """An administrator sees in pg_stat_activity who holds a lock."""
    with opened(postgres_server.url(), "writer") as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == "collector writer"


def test_instants_do_not_depend_on_the_time_zone_of_the_session(database_url: str) -> None:
    """The tests' own server lives in Kathmandu; a client may set any other zone."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0))
    with inspecting(database_url) as connection:
        if database_url.startswith("postgresql"):
            connection.execute(text("SET TIME ZONE 'America/St_Johns'"))
        seen = history.latest(Reader.over(connection), account)
        covered = connection.execute(text("SELECT due_epoch FROM snapshot")).scalar()
    assert seen is not None
    assert (seen.due_at, seen.received_at_ms, covered) == (T0, T0 * 1000 + 345, T0)


def test_driver_errors_are_not_ours_to_hide(database_url: str) -> None:
    """Outside of `database_errors` SQLAlchemy's errors come through, without parameters."""
    with opened(database_url, "writer") as engine, engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT * FROM nowhere WHERE x = :secret"), {"secret": "geheim"})
        assert "geheim" not in str(caught.value)
        assert isinstance(caught.value.orig, sqlite3.Error | psycopg.Error)
