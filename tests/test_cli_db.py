"""`db upgrade` on real databases of both engines."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from collector.storage import revisions, upkeep
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, ask, record, recorder, register, stored


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> CommandLine:
    """The command line without a configured database."""
    return command_line(monkeypatch, capsysbinary, "")


def test_tables_are_made_once(empty_database_url: str, cli: CommandLine) -> None:
    """The first command of a PostgreSQL user; a second run changes nothing."""
    done = cli("latest", "--database", empty_database_url)
    assert done.code == 6
    assert "'collector db upgrade' makes " in done.err

    made = cli("db", "upgrade", "--database", empty_database_url)
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"database .*: tables made, revision 0001\n", made.out)
    again = cli("db", "upgrade", "--database", empty_database_url)
    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(r"database .*: already at revision 0001\n", again.out)
    assert cli("latest", "--database", empty_database_url).code == 3


def test_an_sqlite_file_belongs_to_its_owner_alone(tmp_path: Path, cli: CommandLine) -> None:
    """What somebody owns is nobody else's business; folders are made."""
    file = tmp_path / "new" / "c.db"
    assert cli("db", "upgrade", "--database", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir() if "before" in path.name] == []


def test_an_older_file_is_copied_before_it_is_migrated(
    tmp_path: Path, sqlite_template: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a migration does, or fails to do as this one: the file as it was is still there."""
    file = tmp_path / "c.db"
    file.write_bytes(sqlite_template.read_bytes())
    with recorder(f"sqlite:///{file}") as writer:
        record(writer, stored(register(writer), T0))
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
    done = cli("db", "upgrade", "--database", str(file))
    assert (done.code, done.out) == (6, "")
    assert "0002" in done.err
    copy = tmp_path / "c.db.before-0002"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert f"{copy}" in done.err
    assert ask(f"sqlite:///{copy}", "SELECT asset, free FROM latest_balance") == [("BTC", "1")]
    assert ask(f"sqlite:///{file}", "SELECT asset, free FROM latest_balance") == [("BTC", "1")]


def test_the_step_from_one_revision_to_the_next_is_told(
    database_url: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator wants to know what happened to the tables."""
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))

    def migrate(connection: object, direction: str, revision: str) -> None:
        assert (direction, revision) == ("upgrade", "0002")

    monkeypatch.setattr(upkeep, "_alembic", migrate)
    done = cli("db", "upgrade", "--database", database_url)
    assert done.code == 0
    assert done.out.endswith(": from revision 0001 to 0002\n")
    assert ("before-0002" in done.err) == database_url.startswith("sqlite")


@pytest.mark.parametrize("command", [["db", "upgrade"], ["latest"], ["gaps"], ["status"], ["history", "BTC"]])
def test_a_newer_schema_is_refused(database_url: str, cli: CommandLine, command: list[str]) -> None:
    """An old program must not guess at new tables."""
    ask(database_url, "UPDATE alembic_version SET version_num = '9999'")
    done = cli(*command, "--database", database_url)
    assert (done.code, done.out) == (6, "")
    assert re.fullmatch(
        r"collector: database .* is at revision 9999, which this version does not know: install a newer collector\n",
        done.err,
    )


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path, cli: CommandLine) -> None:
    """A wrong path must not cost anyone a file."""
    file = tmp_path / "notes.txt"
    file.write_text("dear diary, this is not a database")
    for command in (["db", "upgrade"], ["latest"]):
        done = cli(*command, "--database", str(file))
        assert (done.code, done.out, done.err) == (6, "", f"collector: database {file}: file is not a database\n")
    assert file.read_text() == "dear diary, this is not a database"


def test_a_place_where_no_file_can_be_is_named(cli: CommandLine) -> None:
    """The error says which file could not be made."""
    done = cli("db", "upgrade", "--database", "/proc/nowhere/c.db")
    assert (done.code, done.err) == (
        6,
        "collector: can't make the database file /proc/nowhere/c.db: No such file or directory\n",
    )


@pytest.mark.parametrize("command", [["db", "upgrade"], ["db", "stats"], ["latest"], ["spool", "list"], ["status"]])
def test_a_name_that_can_not_be_looked_at_is_a_sentence(cli: CommandLine, tmp_path: Path, command: list[str]) -> None:
    """A folder closed to this user, or here, as root may look everywhere, a name that is too long."""
    file = tmp_path / ("x" * 300)
    done = cli(*command, "--database", str(file))
    spool = ".spool" if command[0] in {"spool", "status"} else ""
    assert (done.code, done.out, done.err) == (6, "", f"collector: can't look at {file}{spool}: File name too long\n")


@pytest.mark.parametrize("command", [["db", "upgrade"], ["latest"], ["gaps"], ["status"], ["history", "BTC"]])
def test_a_server_that_does_not_answer_is_named_without_its_password(cli: CommandLine, command: list[str]) -> None:
    """Errors are pasted into forums."""
    done = cli(*command, "--database", "postgresql://me:hunter2@127.0.0.1:1/wallet")
    assert (done.code, done.out) == (6, "")
    assert done.err.startswith("collector: database wallet at 127.0.0.1:1: connection failed")
    assert "hunter2" not in done.err
    assert done.err.count("\n") == 1


def test_a_user_without_rights_is_told_so(
    empty_database_url: str, engine_name: str, tmp_path: Path, cli: CommandLine
) -> None:
    """PostgreSQL lets only some make tables; an SQLite file may be another program's."""
    if engine_name == "sqlite":
        file = tmp_path / "collector.db"
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE account (id INTEGER)")
        done = cli("db", "upgrade", "--database", str(file))
        sentence = f"collector: database {file} belongs to another program: it is left as it is, name another file\n"
        assert (done.code, done.out, done.err) == (6, "", sentence)
        return
    url, role = make_url(empty_database_url), f"limited_{make_url(empty_database_url).database}"
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'hunter2'".encode())
        server.execute(b"REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        limited = url.set(username=role, password="hunter2").render_as_string(hide_password=False)
        done = cli("db", "upgrade", "--database", limited)
        server.execute(f'DROP ROLE "{role}"'.encode())
    assert (done.code, done.out) == (6, "")
    assert re.fullmatch(r"collector: database .*: permission denied for schema public\n", done.err)
