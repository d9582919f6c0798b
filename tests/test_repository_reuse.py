"""A database that a test has used is like a new one, or is not used again."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests import reuse
from tests.postgres import Databases
from tests.reuse import Reused


def connect(server: Databases, name: str) -> psycopg.Connection[tuple[int, ...]]:
    """To look into a database and to change it."""
    url = make_url(server.url(name)).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


@pytest.fixture
def reused(postgres_server: Databases, postgres_template: str) -> Iterator[Reused]:
    """A pool with nothing in it; what is left in it at the end goes."""
    pool = Reused(postgres_server, postgres_template)
    yield pool
    for name in pool._empty:
        postgres_server.drop_database(name)


ACCOUNT = "INSERT INTO account (name, created_at) VALUES ('main', now()) RETURNING id"
MANY = "INSERT INTO account (name, created_at) SELECT g, now() FROM generate_series(1, 3000) AS g"


def test_rows_and_numbers_do_not_stay(postgres_server: Databases, reused: Reused) -> None:
    """The next test finds nothing, and its first account is number 1 again."""
    for _ in range(2):
        with reused.database() as name, connect(postgres_server, name) as connection:
            assert connection.execute("SELECT count(*) FROM account").fetchall() == [(0,)]
            assert connection.execute(ACCOUNT).fetchall() == [(1,)]
            assert name not in reused._empty
        assert reused._empty == [name]


def test_who_is_still_connected_is_not_connected_any_more(postgres_server: Databases, reused: Reused) -> None:
    """A lock that a test forgot must not stop the next one."""
    with reused.database() as name:
        forgotten = connect(postgres_server, name)
        forgotten.execute("BEGIN")
        forgotten.execute("LOCK TABLE account")
    assert reused._empty == [name]
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE other (id integer)",
        "DROP VIEW snapshot CASCADE",
        "ALTER TABLE price RENAME COLUMN quote TO other",
        "ALTER TABLE tick ALTER COLUMN detail SET DEFAULT 'x'",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA other",
        "GRANT SELECT ON tick TO public",
        "UPDATE alembic_version SET version_num = '9999'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $$",
        "TRUNCATE price",
    ],
)
def test_what_is_not_the_template_any_more_goes(postgres_server: Databases, reused: Reused, change: str) -> None:
    """The next test would start on a schema that no migration makes."""
    with reused.database() as name, connect(postgres_server, name) as connection:
        connection.execute(change.encode())
    assert reused._empty == []
    with connect(postgres_server, "postgres") as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchall() == []


def test_what_has_grown_goes(postgres_server: Databases, reused: Reused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted rows would stay in the files and in the way of what is measured or planned."""
    monkeypatch.setattr(reuse, "MOST_BYTES", 200_000)
    with reused.database() as name, connect(postgres_server, name) as connection:
        connection.execute(MANY)
    assert reused._empty == []


def test_what_a_test_has_removed_itself_is_no_error(postgres_server: Databases, reused: Reused) -> None:
    """A test of a lost database may drop it."""
    with reused.database() as name:
        postgres_server.drop_database(name)
    assert reused._empty == []
