"""`db current` and `db downgrade` on real databases of both engines."""

import re
from pathlib import Path

import pytest

from collector.cli import copying
from collector.storage.lock import held
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, ask, record, recorder, register, stored


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> CommandLine:
    """The command line without a configured database, a day after T0."""
    monkeypatch.setattr(copying, "now_ms", lambda: (T0 + 86_400) * 1000)
    return command_line(monkeypatch, capsysbinary, "")


def tables(url: str) -> set[str]:
    """The names of the tables that are there."""
    schema = "sqlite_master WHERE type = 'table'"
    if not url.startswith("sqlite"):
        schema = "(SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public') AS t"
    return {row[0] for row in ask(url, f"SELECT name FROM {schema}")}


def test_the_revision_is_shown_with_the_one_that_is_needed(database_url: str, cli: CommandLine) -> None:
    """Exit code 0 says that this version can use the tables."""
    done = cli("db", "current", "--database", database_url)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"database .*: revision 0001, this version needs 0001\n", done.out)


@pytest.mark.parametrize(("statement", "revision"), [("DROP TABLE alembic_version", "base"), ("", "9999")])
def test_other_revisions_end_with_six(database_url: str, cli: CommandLine, statement: str, revision: str) -> None:
    """None at all, or one that only a newer version knows: the line is there in any case."""
    ask(database_url, statement or f"UPDATE alembic_version SET version_num = '{revision}'")
    done = cli("db", "current", "--database", database_url)
    assert done.code == 6
    assert f": revision {revision}, this version needs 0001\n" in done.out
    assert done.err


def test_a_file_that_is_not_there_has_no_revision(tmp_path: Path, cli: CommandLine) -> None:
    """Asking must not make one."""
    file = tmp_path / "none.db"
    for command in (["current"], ["downgrade", "0001"]):
        done = cli("db", *command, "--database", str(file))
        assert (done.code, done.out) == (6, "")
        assert "there is no database at" in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_whole_history_is_dropped_only_by_force(database_url: str, engine_name: str, cli: CommandLine) -> None:
    """SQLite keeps the file as it was even then."""
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0))
    refused = cli("db", "downgrade", "base", "--database", database_url)
    assert (refused.code, refused.out) == (2, "")
    assert "--force drops those of database" in refused.err
    assert ask(database_url, "SELECT count(*) FROM balance") == [(1,)]

    done = cli("db", "downgrade", "base", "--force", "--database", database_url)
    assert (done.code, tables(database_url)) == (0, {"alembic_version"})
    assert done.out.endswith(": from revision 0001 to base\n")
    if engine_name == "sqlite":
        path = Path(database_url.removeprefix("sqlite:///"))
        kept = path.with_name("collector.db.before-base-2023-11-15T221000Z")
        assert done.err == f"collector: the file as it was is kept as {kept}\n"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert ask(f"sqlite:///{kept}", "SELECT count(*) FROM balance") == [(1,)]
    else:
        assert done.err == ""


def test_the_present_revision_needs_no_downgrade(database_url: str, cli: CommandLine) -> None:
    """Nothing is touched, nothing copied."""
    done = cli("db", "downgrade", "0001", "--database", database_url)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(": already at revision 0001\n")


def test_a_revision_that_does_not_exist_is_refused(database_url: str, cli: CommandLine) -> None:
    """With the ones that do."""
    done = cli("db", "downgrade", "0000", "--database", database_url)
    assert (done.code, done.out) == (2, "")
    assert done.err == "collector: there is no revision '0000': choose one of base, 0001\n"


def test_tables_are_not_taken_from_a_running_daemon(database_url: str, cli: CommandLine) -> None:
    """It would go on writing into nothing."""
    with held(database_url):
        done = cli("db", "downgrade", "base", "--force", "--database", database_url)
    assert (done.code, done.out) == (75, "")
    assert "another process" in done.err
    assert "tick" in tables(database_url)
