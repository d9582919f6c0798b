"""The databases that tests run on: `engine_name` makes a test run on SQLite and on PostgreSQL."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Databases, any_server

if TYPE_CHECKING:
    from tests.reuse import Reused

pytest_plugins = ("tests.engine_count", "tests.measuring")

# No property depends on how fast the machine is; each example makes or empties what it needs of a fixture.
IGNORED = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("collector", settings(), deadline=None, suppress_health_check=IGNORED)
settings.load_profile("collector")


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: half of the time a test waits, for a daemon's next second or for a disk."""
    return 2 * (os.cpu_count() or 1)


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
    server: Databases = request.getfixturevalue("postgres_server")
    name = server.create_database()
    request.node.user_properties.append(("postgresql", server.version))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def database_url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that is migrated and holds nothing."""
    if engine_name == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "collector.db")
        yield f"sqlite:///{tmp_path}/collector.db"
        return
    server: Databases = request.getfixturevalue("postgres_server")
    with request.getfixturevalue("migrated_databases").database() as name:
        request.node.user_properties.append(("postgresql", server.version))
        yield server.url(name)


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


@pytest.fixture(scope="session")
def migrated_databases(postgres_server: Databases, postgres_template: str) -> "Reused":
    """Databases like `postgres_template`, used one after the other by many tests."""
    from tests.reuse import Reused  # noqa: PLC0415 - as below

    return Reused(postgres_server, postgres_template)


def _upgrade(url: str) -> None:
    from collector.storage.upkeep import upgrade  # noqa: PLC0415 - tests of other parts shall run if storage can't

    upgrade(url)
