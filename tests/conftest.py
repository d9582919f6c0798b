"""The databases that tests run on: `engine_name` makes a test run on SQLite and on PostgreSQL."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Databases, any_server

pytest_plugins = ("tests.engine_count",)

# No property depends on how fast the machine is; each example makes or empties what it needs of a fixture.
IGNORED = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("collector", settings(), deadline=None, suppress_health_check=IGNORED)
settings.load_profile("collector")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """`sqlite`, then `postgresql`."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Databases]:
    """One server for each pytest process; a test that stops or tunes its server makes a `PostgresServer`."""
    with any_server() as server:
        yield server


@pytest.fixture
def empty_database_url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without any table; on SQLite the file is not there yet."""
    if engine_name == "sqlite":
        yield f"sqlite:///{tmp_path}/collector.db"
        return
    with _postgres_database(request) as url:
        yield url


@pytest.fixture
def database_url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that is migrated and holds nothing."""
    if engine_name == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "collector.db")
        yield f"sqlite:///{tmp_path}/collector.db"
        return
    with _postgres_database(request, template=request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of a migrated SQLite file, for tests that have little to do with the engine."""
    shutil.copy(sqlite_template, tmp_path / "plain.db")
    return f"sqlite:///{tmp_path}/plain.db"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    _upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Databases) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to copy."""
    name = postgres_server.create_database()
    _upgrade(postgres_server.url(name))
    yield name
    postgres_server.drop_database(name)


def _upgrade(url: str) -> None:
    from collector.storage.upkeep import upgrade  # noqa: PLC0415 - tests of other parts shall run if storage can't

    upgrade(url)


@contextmanager
def _postgres_database(request: pytest.FixtureRequest, template: str | None = None) -> Iterator[str]:
    server: Databases = request.getfixturevalue("postgres_server")
    name = server.create_database(template)
    request.node.user_properties.append(("postgresql", server.version))
    yield server.url(name)
    server.drop_database(name)
