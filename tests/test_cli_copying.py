"""`db backup`, `db restore` and `db copy` on real databases of both engines."""

import re
from pathlib import Path

import pytest

from collector.cli import copying
from collector.storage.lock import held
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, ask, record, recorder, register, stored


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line on the database of the test, a day after T0."""
    monkeypatch.setattr(copying, "now_ms", lambda: (T0 + 86_400) * 1000)
    return command_line(monkeypatch, capsysbinary, database_url)


@pytest.fixture
def url(database_url: str) -> str:
    """One snapshot."""
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0, interval_s=None))
    return database_url


def ticks(url: str) -> int:
    """How many there are."""
    return int(ask(url, "SELECT count(*) FROM tick")[0][0])


def test_a_backup_is_made_and_put_back(url: str, engine_name: str, tmp_path: Path, cli: CommandLine) -> None:
    """What the database held in between is replaced by force only, and kept where it is a file."""
    file = tmp_path / "b.db"
    done = cli("db", "backup", str(file))
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(rf"database .* is backed up as {file}: [0-9.]+ kB, checked\n", done.out)
    with recorder(url) as writer:
        record(writer, stored(register(writer), T0 + 1, interval_s=None))
    refused = cli("db", "restore", str(file))
    assert (refused.code, refused.out, ticks(url)) == (2, "", 2)
    assert refused.err.endswith(" holds a history already: --force replaces it\n")
    done = cli("db", "restore", str(file), "--force")
    assert (done.code, ticks(url)) == (0, 1)
    assert done.out.endswith(f" holds what {file} held, checked\n")
    if engine_name == "sqlite":
        kept = tmp_path / "collector.db.before-restore-2023-11-15T221000Z"
        assert done.err == f"collector: the file as it was is kept as {kept}\n"
        assert ticks(f"sqlite:///{kept}") == 2
    else:
        assert done.err == ""
    assert cli("db", "verify").code == 0


def test_a_backup_comes_to_an_empty_database_without_force(
    url: str, empty_database_url: str, engine_name: str, tmp_path: Path, cli: CommandLine
) -> None:
    """As on a new machine."""
    target = f"sqlite:///{tmp_path}/new/c.db" if engine_name == "sqlite" else empty_database_url
    cli("db", "backup", str(tmp_path / "b.db"))
    done = cli("db", "restore", str(tmp_path / "b.db"), "--database", target)
    assert (done.code, done.err, ticks(target)) == (0, "", 1)


def test_nothing_is_put_back_under_a_running_daemon(url: str, tmp_path: Path, cli: CommandLine) -> None:
    """It would go on with what it remembers."""
    file = tmp_path / "b.db"
    with held(url):
        assert cli("db", "backup", str(file)).code == 0
        assert cli("db", "restore", str(file), "--force").code == 75
    assert ticks(url) == 1


def test_backups_that_can_not_be_made_or_used_are_told(url: str, tmp_path: Path, cli: CommandLine) -> None:
    """A name that is taken, a file that is not there or no backup, a name that can't be looked at."""
    file, long = tmp_path / "b.db", "x" * 300
    file.write_text("dear diary, this is not a database")
    assert cli("db", "backup", str(file)).code == 2
    assert cli("db", "restore", str(file)).code == 6
    assert cli("db", "restore", str(tmp_path / "none.db")).code == 3
    assert cli("db", "backup", str(tmp_path / "c.db"), "--database", str(tmp_path / "none.db")).code == 6
    for command in ("backup", "restore"):
        done = cli("db", command, str(tmp_path / long))
        assert (done.code, done.err) == (6, f"collector: can't look at {tmp_path / long}: File name too long\n")
    (tmp_path / "\udcff").write_text("a name of another encoding")
    done = cli("db", "restore", str(tmp_path / "\udcff"))
    assert done.code == 2
    assert done.err.endswith("\\udcff' is no UTF-8 text, which a database's name has to be: rename it\n")
    done = cli("db", "copy", url, str(tmp_path / long))
    assert (done.code, done.err.count("\n")) == (6, 1)
    assert "File name too long" in done.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".db" and path.name != "collector.db") == [
        "b.db"
    ]


def test_a_copy_is_made_from_url_to_url(url: str, empty_database_url: str, tmp_path: Path, cli: CommandLine) -> None:
    """There and back again; what is held is told with where."""
    target = str(tmp_path / "copy.db")
    done = cli("db", "copy", url, target)
    assert (done.code, done.err) == (0, "")
    sentence = r"database .*/copy\.db holds 1 account, 1 tick, 1 balance of database .*, compared\n"
    assert re.fullmatch(sentence, done.out)
    if not url.startswith("sqlite"):
        assert cli("db", "copy", target, empty_database_url).code == 0
        assert ticks(empty_database_url) == 1
    ask(f"sqlite:///{target}", "UPDATE balance SET free = '2'")
    assert cli("db", "copy", url, target).out.endswith(", compared; 1 month copied again\n")


def test_urls_that_are_none_are_refused_without_being_shown(url: str, cli: CommandLine) -> None:
    """They may hold a password."""
    for arguments in ((url, "mysql://me:hunter2@host/db"), ("postgresql:me:hunter2@host", url)):
        done = cli("db", "copy", *arguments)
        assert (done.code, done.out) == (2, "")
        assert "hunter2" not in done.err
        assert re.match(r"collector: (SOURCE|TARGET) must be ", done.err)
    assert cli("db", "copy", url, url).code == 2
    assert cli("db", "copy", url).code == 2
