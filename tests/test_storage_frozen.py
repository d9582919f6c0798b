"""Every revision, up and down, with the history of a database that it left."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.storage import accounts, upkeep
from collector.storage.engine import inspecting
from collector.storage.reader import Reader
from collector.storage.revisions import REVISIONS
from collector.storage.verify import problems_in
from tests.frozen import RENEW, engine_of, freeze, path, thaw
from tests.ledgers import T0, ask
from tests.postgres import Databases
from tests.test_storage_schema import definition

CHANGED = (
    "migrations/ makes other tables for revision {0} than those that databases out there have. If {0} is released, "
    f"this needs a new revision; if nobody has it yet, `{RENEW}` keeps the present state"
)


@pytest.fixture
def second_url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Another empty database of the same engine."""
    if engine_name == "sqlite":
        yield f"sqlite:///{tmp_path}/second.db"
        return
    server: Databases = request.getfixturevalue("postgres_server")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    """Each revision there ever was."""
    return str(request.param)


@pytest.fixture
def old_url(empty_database_url: str, revision: str) -> str:
    """A database as that revision left it."""
    assert path(revision, engine_of(empty_database_url)).exists(), f"revision {revision} is not kept: run `{RENEW}`"
    thaw(empty_database_url, revision)
    return empty_database_url


def migrate(url: str, revision: str) -> None:
    """Up to a revision that need not be the newest."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch(mode=0o600)
    with upkeep._migrating(url) as connection:
        upkeep._alembic(connection, "upgrade", revision)


def test_migrations_still_make_what_they_once_made(old_url: str, second_url: str, revision: str) -> None:
    """A revision that is changed after its release leaves two kinds of databases under one name."""
    migrate(second_url, revision)
    assert definition(second_url) == definition(old_url), CHANGED.format(revision)


def test_an_old_history_is_whole_after_the_upgrade(old_url: str, revision: str) -> None:
    """Nothing is lost on the way to the present, and nothing contradicts itself."""
    assert upkeep.upgrade(old_url) == revision
    with inspecting(old_url) as connection:
        known = accounts.every_account(Reader.over(connection))
        counts: Counter[str] = Counter()
        found = problems_in(connection, known, whole=True, counts=counts, show=lambda _what, _share: None)
        assert list(found) == []
    assert counts == {"accounts": 2, "ticks": 5, "balances": 4, "ranges": 2}
    exact = ask(old_url, f"SELECT asset, free, locked FROM balance_history WHERE due_epoch = {T0 + 180} ORDER BY asset")
    assert [tuple(format(value, "f") if hasattr(value, "as_tuple") else value for value in row) for row in exact] == [
        ("BTC", "0.50000000", "0"),
        ("it's", "1", "0"),
        ("币安人生", "123456789012345678901234567890.1234567890", "0.0000001"),
    ]


def test_the_way_back_leaves_what_was_there(old_url: str, revision: str) -> None:
    """Up to the present and down again: every row of the old database, as it was."""
    upkeep.upgrade(old_url)
    upkeep.downgrade(old_url, revision)
    assert freeze(old_url, revision) == path(revision, engine_of(old_url)).read_text(encoding="utf-8")


def test_a_history_does_not_keep_the_tables_from_going(old_url: str) -> None:
    """Down to the base from any database, filled as it is."""
    upkeep.upgrade(old_url)
    upkeep.downgrade(old_url, "base")
    assert upkeep.revision_of(old_url) is None
    upkeep.upgrade(old_url)
    assert ask(old_url, "SELECT count(*) FROM account") == [(0,)]
