"""Migrating a database: up, down, again, interrupted, by two at once, and with a copy kept."""

import os
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import collector
from collector.errors import DatabaseError, SchemaMissingError, SchemaVersionError
from collector.storage import revisions, upkeep
from collector.storage.engine import inspecting
from collector.storage.files import make_private
from collector.storage.upkeep import back_up_before_upgrade, downgrade, migrations_folder, revision_of, upgrade
from tests.ledgers import T0, ask, record, recorder, register, stored

TABLES = {
    "account", "schedule", "tick", "balance", "missed", "thinned", "known_asset", "price", "wait", "daemon_run",
}  # fmt: skip
VIEWS = {"snapshot", "total_history", "latest_balance", "balance_history", "asset_history", "gap", "coverage"}


def relations(url: str) -> set[str]:
    """Names of all tables and views."""
    if url.startswith("sqlite"):
        return {str(row[0]) for row in ask(url, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    return {
        str(row[0])
        for row in ask(url, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    }


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_an_upgrade_makes_every_table_and_view(empty_database_url: str) -> None:
    """From nothing to a database that can collect, in one command."""
    assert upgrade(empty_database_url) is None
    assert relations(empty_database_url) == TABLES | VIEWS | {"alembic_version"}
    assert revision_of(empty_database_url) == "0001"


def test_an_upgrade_of_the_present_changes_nothing(database_url: str) -> None:
    """Every start of the daemon may upgrade; the history stays."""
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0))
    before = relations(database_url)
    assert [upgrade(database_url) for _ in range(2)] == ["0001", "0001"]
    assert relations(database_url) == before
    assert ask(database_url, "SELECT count(*) FROM balance") == [(1,)]


def test_a_downgrade_to_the_base_leaves_nothing_and_can_be_undone(database_url: str) -> None:
    """Tables, views, indexes: what the chain made it takes away, even from a database with a history."""
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0))
    downgrade(database_url, "base")
    assert relations(database_url) == {"alembic_version"}
    assert revision_of(database_url) is None
    assert upgrade(database_url) is None
    assert relations(database_url) == TABLES | VIEWS | {"alembic_version"}
    assert ask(database_url, "SELECT count(*) FROM tick") == [(0,)]


def test_an_unknown_revision_is_no_way_down(database_url: str) -> None:
    """A mistyped revision ends in a sentence, with everything still there."""
    with pytest.raises(DatabaseError, match="0042"):
        downgrade(database_url, "0042")
    assert relations(database_url) == TABLES | VIEWS | {"alembic_version"}


def test_a_newer_database_is_left_alone(database_url: str) -> None:
    """An old program beside a new one must not touch what it does not know."""
    ask(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaVersionError, match="does not know: install a newer collector"):
        upgrade(database_url)
    assert revision_of(database_url) == "9999"


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A wrong path must not mix tables into somebody's data, nor turn its journal into a log."""
    file = tmp_path / "browser.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE visits (url TEXT)")
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match=r"browser\.db belongs to another program: it is left as it is"):
        upgrade(f"sqlite:///{file}")
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["browser.db"]


def test_a_database_without_a_file_has_no_revision(tmp_path: Path) -> None:
    """Asking must not make it."""
    with pytest.raises(SchemaMissingError):
        revision_of(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, for a test that changes them."""
    copy = tmp_path / "chain %d"
    for file in migrations_folder().rglob("*"):
        if file.suffix in {".py", ".sql", ".mako"}:
            target = copy / file.relative_to(migrations_folder())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    monkeypatch.setattr(upkeep, "migrations_folder", lambda: copy)
    return copy


NEXT = '''
"""A revision that changes tables and views."""
import time
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None

def upgrade() -> None:
    op.execute("DROP VIEW coverage")
    op.execute("CREATE TABLE added (x INTEGER)")
    op.execute("INSERT INTO account (name, created_at) SELECT 'half way', created_at FROM account")
    {then}

def downgrade() -> None:
    op.execute("DROP TABLE added")
'''


@pytest.mark.parametrize(
    "end", ['raise RuntimeError("killed")', "raise SystemExit(1)", 'op.execute("SELECT nonsense")']
)
def test_an_interrupted_migration_leaves_the_old_state(
    database_url: str, chain: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Power may fail between two statements; half a migration would be neither revision."""
    with recorder(database_url) as writer:
        register(writer)
    (chain / "versions" / "0002_next.py").write_text(NEXT.replace("{then}", end))
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
    with pytest.raises((RuntimeError, SystemExit, DatabaseError)):
        upgrade(database_url)
    assert relations(database_url) == TABLES | VIEWS | {"alembic_version"}
    assert revision_of(database_url) == "0001"
    assert ask(database_url, "SELECT name FROM account") == [("main",)]


def test_an_interrupted_first_migration_leaves_nothing(empty_database_url: str, chain: Path) -> None:
    """The next attempt finds an empty database and not a broken one."""
    for file in (chain / "sql").glob("0001_up.*.sql"):
        file.write_text(file.read_text() + ";\n\nSELECT nonsense")
    with pytest.raises(DatabaseError):
        upgrade(empty_database_url)
    assert relations(empty_database_url) == set()


def test_the_next_revision_is_applied_to_a_history(
    database_url: str, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upgrade says where it came from."""
    (chain / "versions" / "0002_next.py").write_text(NEXT.replace("{then}", ""))
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
    assert upgrade(database_url) == "0001"
    assert revision_of(database_url) == "0002"
    assert "added" in relations(database_url)


def test_two_upgrades_at_once_take_turns(empty_database_url: str) -> None:
    """A daemon and a command that start together: one migrates, the other finds it done."""
    together = threading.Barrier(4, timeout=60)

    def run(_: int) -> str | None:
        together.wait()
        return upgrade(empty_database_url)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(map(str, pool.map(run, range(4)))) == ["0001", "0001", "0001", "None"]
    assert relations(empty_database_url) == TABLES | VIEWS | {"alembic_version"}


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A portfolio is nobody else's business: the file, its companions, its folder, whatever the umask is."""
    before = os.umask(0)
    try:
        file = tmp_path / "data" / "collector" / "collector.db"
        upgrade(f"sqlite:///{file}")
        with recorder(f"sqlite:///{file}") as writer:
            record(writer, stored(register(writer), T0))
            files = sorted(path.name for path in file.parent.iterdir())
            assert files == ["collector.db", "collector.db-shm", "collector.db-wal"]
            assert {mode(path) for path in file.parent.iterdir()} == {0o600}
            assert mode(file.parent) == 0o700
    finally:
        os.umask(before)


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Permissions that somebody chose are not ours to change."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o750)
    upgrade(f"sqlite:///{folder}/collector.db")
    assert mode(folder) == 0o750
    assert mode(folder / "collector.db") == 0o600


def test_an_empty_file_becomes_its_owners_alone(tmp_path: Path) -> None:
    """`touch` gave it any mode, before there was anything to hide; of a history the mode is its owner's choice."""
    file = tmp_path / "collector.db"
    file.touch()
    file.chmod(0o664)
    upgrade(f"sqlite:///{file}")
    assert mode(file) == 0o600
    file.chmod(0o640)
    upgrade(f"sqlite:///{file}")
    assert mode(file) == 0o640


def test_what_is_no_file_keeps_its_mode(tmp_path: Path) -> None:
    """A program that runs as root must not take /dev/null away from everybody else."""
    os.mkfifo(tmp_path / "pipe", 0o644)
    (tmp_path / "pipe").chmod(0o644)
    make_private(tmp_path / "pipe")
    assert mode(tmp_path / "pipe") == 0o644


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A path through a file is an ordinary mistake."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError) as caught:
        upgrade(f"sqlite:///{tmp_path}/file/collector.db")
    assert str(caught.value).startswith(f"can't make the database file {tmp_path}/file/collector.db: ")


def test_a_copy_is_kept_of_older_tables_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first migration there is nothing to lose, and after the last nothing changes."""
    url = f"sqlite:///{tmp_path}/collector.db"
    assert back_up_before_upgrade(url) is None
    (tmp_path / "collector.db").write_bytes(b"")
    assert back_up_before_upgrade(url) is None
    upgrade(url)
    assert back_up_before_upgrade(url) is None
    assert back_up_before_upgrade("postgresql://nowhere.invalid/x") is None
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
    assert back_up_before_upgrade(url) == tmp_path / "collector.db.before-0002"


def test_a_copy_holds_what_is_still_in_the_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying the file alone would lose the newest snapshots; the copy is as private as the file."""
    url, before = f"sqlite:///{tmp_path}/collector.db", os.umask(0)
    try:
        upgrade(url)
        with recorder(url) as writer:
            record(writer, stored(register(writer), T0))
            monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
            copy = back_up_before_upgrade(url)
    finally:
        os.umask(before)
    assert copy is not None
    assert mode(copy) == 0o600
    monkeypatch.undo()
    with inspecting(f"sqlite:///{copy}") as connection:
        assert connection.exec_driver_sql("SELECT asset, free FROM latest_balance").fetchall() == [("BTC", "1")]


def test_a_copy_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a copy there is no migration, and the reason is a sentence."""
    url = f"sqlite:///{tmp_path}/collector.db"
    upgrade(url)
    monkeypatch.setattr(revisions, "REVISIONS", ("0001", "0002"))
    (tmp_path / "collector.db.before-0002").mkdir()
    with pytest.raises(DatabaseError, match=r"collector\.db\.before-0002: Is a directory"):
        back_up_before_upgrade(url)
    (tmp_path / "collector.db.before-0002").rmdir()
    (tmp_path / "collector.db.before-0002").write_bytes(b"no database at all, but long enough for a page" * 100)
    with pytest.raises(DatabaseError, match="file is not a database"):
        back_up_before_upgrade(url)


def test_migrations_are_found_inside_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel carries them; a checkout has them beside the package."""
    assert (migrations_folder() / "env.py").exists()
    monkeypatch.setattr(collector, "__file__", str(tmp_path / "collector" / "__init__.py"))
    assert migrations_folder() == tmp_path / "migrations"
    (tmp_path / "collector" / "migrations").mkdir(parents=True)
    assert migrations_folder() == tmp_path / "collector" / "migrations"


def test_the_chain_is_the_one_that_the_program_knows() -> None:
    """A revision that is added is named in the program as well, and each follows the one before."""
    files = sorted((migrations_folder() / "versions").glob("*.py"))
    assert tuple(file.name[:4] for file in files) == revisions.REVISIONS
    texts = [file.read_text() for file in files]
    for text, revision, before in zip(texts, revisions.REVISIONS, (None, *revisions.REVISIONS), strict=False):
        assert f'revision = "{revision}"' in text
        assert f"down_revision = {before if before is None else repr(before)}".replace("'", '"') in text


def test_foreign_keys_hold_after_a_migration(sqlite_template: Path) -> None:
    """Migrations run with the keys off, so they are checked at the end."""
    with closing(sqlite3.connect(sqlite_template)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
