"""Backups are of one moment, checked, and never half there; they come back to either engine."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from collector.errors import DatabaseError, NoDataError, SchemaMissingError, SchemaVersionError, UsageError
from collector.storage import backup, registry, restore
from collector.storage.revisions import UNFINISHED
from collector.storage.upkeep import downgrade, upgrade
from tests.damage import plant
from tests.ledgers import T0, ask, held, record, recorder, register, snapshot, stored

RICH = snapshot(*(held(f"A{n:03}", "12345.1234567800", btc_valuation="0.1") for n in range(100)))


def silent(_what: str, _share: float) -> None:
    """No bar."""


@pytest.fixture
def url(database_url: str) -> str:
    """One account with twenty snapshots of a hundred assets."""
    with recorder(database_url) as writer:
        account = register(writer)
        with writer.transaction() as connection:
            registry.open_ledger(connection, account.id, interval_s=60, now_s=T0)
        for n in range(20):
            record(writer, stored(account, T0 + 60 * n, RICH))
    return database_url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backups.db"


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pages at once, so that there are many steps."""
    monkeypatch.setattr(backup, "STEP_PAGES", 10)


def back_up(url: str, file: Path, show: backup.Show = silent) -> None:
    """Of either engine."""
    if url.startswith("sqlite"):
        backup.back_up_file(url, file, show=show)
    else:
        restore.back_up_server(url, file, show=show)


def put_back(file: Path, url: str, show: backup.Show = silent) -> None:
    """To either engine."""
    restore.check_backup(file)
    if url.startswith("sqlite"):
        restore.restore_file(file, url, show=show)
    else:
        restore.restore_server(file, url, show=show)


def held_by(url: str) -> tuple[list[tuple[object, ...]], ...]:
    """What both engines say alike."""
    tables = ("tick", "balance", "known_asset", "schedule", "account")
    counts = [ask(url, f"SELECT count(*) FROM {table}")[0] for table in tables]
    return counts, ask(url, "SELECT digest FROM tick ORDER BY due_at")


def test_a_backup_is_one_file_that_its_owner_alone_can_read(url: str, file: Path) -> None:
    """Whole in itself, so that it may be moved or read on a disk where nothing can be written."""
    back_up(url, file)
    assert [path.name for path in file.parent.iterdir() if path.name.startswith("backups")] == ["backups.db"]
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert held_by(f"sqlite:///{file}") == held_by(url)


def test_a_backup_comes_back_to_an_empty_database(url: str, file: Path, empty_database_url: str) -> None:
    """On a new machine, where nothing has been made yet."""
    before = held_by(url)
    back_up(url, file)
    target = empty_database_url if not url.startswith("sqlite") else f"sqlite:///{file.parent}/new/c.db"
    Path(file.parent / "new").mkdir()
    assert not restore.holds_history(target)
    put_back(file, target)
    assert restore.holds_history(target)
    assert held_by(target) == before


def test_a_backup_replaces_what_is_there(url: str, file: Path) -> None:
    """What came after it is gone, in one step; it still can be written afterwards."""
    before = held_by(url)
    back_up(url, file)
    with recorder(url) as writer:
        record(writer, stored(register(writer, "later"), T0))
    put_back(file, url)
    assert held_by(url) == before
    with recorder(url) as writer:
        assert record(writer, stored(register(writer), T0 + 60 * 20))


def test_what_is_written_meanwhile_is_left_out(url: str, file: Path, engine_name: str) -> None:
    """A daemon's ticks neither mix into the copy nor make it start again."""
    if engine_name == "postgresql":
        return
    before, steps = held_by(url), []
    with recorder(url) as writer:
        account = register(writer)

        def write(what: str, _share: float) -> None:
            if what == "copying":
                steps.append(what)
                record(writer, stored(account, T0 + 60 * (20 + len(steps)), RICH))

        backup.back_up_file(url, file, show=write)
    assert 3 < len(steps) < 100
    assert held_by(f"sqlite:///{file}") == before


def test_an_interrupted_backup_leaves_nothing(url: str, file: Path) -> None:
    """A file under that name is always a whole backup."""

    def interrupt(_what: str, _share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(url, file, interrupt)
    assert [path.name for path in file.parent.iterdir() if path.name.startswith("backups")] == []


def test_a_name_that_is_taken_is_refused(url: str, file: Path) -> None:
    """The only good backup may be the one before."""
    file.write_text("precious")
    with pytest.raises(UsageError, match="is there already, and is not replaced"):
        back_up(url, file)
    assert file.read_text() == "precious"


def test_a_place_where_no_file_can_be_is_named(url: str) -> None:
    """With the reason of the system."""
    with pytest.raises(DatabaseError, match=r"can't write /proc/nowhere/b\.db: No such file or directory"):
        back_up(url, Path("/proc/nowhere/b.db"))


@pytest.mark.parametrize("damage", ["DELETE FROM balance WHERE asset = 'A001'", "UPDATE tick SET digest = 'x'"])
def test_a_copy_that_differs_is_noticed(
    url: str, file: Path, engine_name: str, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """A disk that writes something else than it is told."""
    if engine_name == "postgresql":
        return
    single = backup.make_single

    def spoil(path: Path) -> None:
        single(path)
        ask(f"sqlite:///{path}", damage)

    monkeypatch.setattr(backup, "make_single", spoil)
    with pytest.raises(DatabaseError, match="does not hold what the database holds"):
        back_up(url, file)
    assert not file.exists()


def test_a_database_of_an_older_revision_is_backed_up_too(
    url: str, file: Path, engine_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is migrated; of its tables only the number of rows can be compared."""
    if engine_name == "postgresql":
        return
    monkeypatch.setattr(backup, "REVISIONS", ("0001", "0002"))
    back_up(url, file)
    assert held_by(f"sqlite:///{file}") == held_by(url)


def test_a_damaged_file_is_neither_backed_up_nor_put_back(url: str, file: Path) -> None:
    """Bytes that SQLite finds wrong: the copy is checked when it is made and again before it is used."""
    back_up(url, file)
    changed = "replace(sql, 'outcome <> ''stored''', 'outcome <> ''failed''')"
    statement = f"UPDATE sqlite_master SET sql = {changed} WHERE type = 'index'"
    plant(f"sqlite:///{file}", "PRAGMA writable_schema=ON", statement)
    with pytest.raises(DatabaseError, match="is damaged: "):
        restore.check_backup(file)
    with pytest.raises(DatabaseError, match="is damaged: "):
        backup.back_up_file(f"sqlite:///{file}", file.with_name("second.db"), show=silent)


def test_only_backups_are_put_back(tmp_path: Path, url: str) -> None:
    """No file, no database, no history, a newer one."""
    with pytest.raises(NoDataError, match="there is no file"):
        restore.check_backup(tmp_path / "none.db")
    text = tmp_path / "text.db"
    text.write_text("dear diary, this is not a database")
    with pytest.raises(DatabaseError, match="file is not a database"):
        restore.check_backup(text)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(SchemaMissingError, match="holds no history"):
        restore.check_backup(other)
    for revision in ("9999", UNFINISHED):
        newer = tmp_path / f"{revision}.db"
        upgrade(f"sqlite:///{newer}")
        ask(f"sqlite:///{newer}", f"UPDATE alembic_version SET version_num = '{revision}'")
        with pytest.raises(SchemaVersionError):
            restore.check_backup(newer)


def test_a_foreign_file_is_not_replaced(tmp_path: Path, url: str, file: Path) -> None:
    """A wrong path must not cost anyone another program's data; nor the backup itself."""
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(DatabaseError, match="belongs to another program: it is left as it is"):
        restore.holds_history(f"sqlite:///{other}")
    back_up(url, file)
    with closing(sqlite3.connect(tmp_path / "nothing.db")) as connection:
        connection.execute("PRAGMA user_version=1")
    assert not restore.holds_history(f"sqlite:///{tmp_path}/nothing.db")
    upgrade(f"sqlite:///{tmp_path}/nothing.db")
    downgrade(f"sqlite:///{tmp_path}/nothing.db", "base")
    assert not restore.holds_history(f"sqlite:///{tmp_path}/nothing.db")
    with pytest.raises(UsageError, match="is the database itself"):
        restore.restore_file(file, f"sqlite:///{file}", show=silent)


def interrupt(_what: str, share: float) -> None:
    """Ctrl-C in the middle."""
    if share > 0:
        raise KeyboardInterrupt


def test_an_interrupted_restore_can_be_run_again(url: str, file: Path) -> None:
    """On SQLite the old state is there, on PostgreSQL the tables say that they are not complete."""
    back_up(url, file)
    before = held_by(url)
    with pytest.raises(KeyboardInterrupt):
        put_back(file, url, interrupt)
    if url.startswith("sqlite"):
        assert held_by(url) == before
    else:
        assert ask(url, "SELECT version_num FROM alembic_version") == [(UNFINISHED,)]
        assert not restore.holds_history(url)
    put_back(file, url)
    assert held_by(url) == before


def test_after_an_interrupted_restore_another_backup_may_be_put_back(url: str, file: Path, tmp_path: Path) -> None:
    """Nothing is left of the first one: no account of it, and no history that would stand in the way."""
    older, older_url = tmp_path / "older.db", f"sqlite:///{tmp_path}/source.db"
    upgrade(older_url)
    with recorder(older_url) as writer:
        record(writer, stored(register(writer, "other"), T0))
    back_up(older_url, older)
    back_up(url, file)
    with pytest.raises(KeyboardInterrupt):
        put_back(file, url, interrupt)
    put_back(older, url)
    assert ask(url, "SELECT name FROM account") == [("other",)]
    assert held_by(url) == held_by(older_url)
