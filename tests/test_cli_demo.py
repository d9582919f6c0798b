"""`demo`: what a stranger runs first has to work, and to say so when it does not."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector.cli import demo as module
from collector.cli.demo import _collector, _count, _end, _fresh_database, _show, _until
from collector.domain.ticks import MissReason, TickRange
from collector.errors import CollectorError
from collector.storage.registry import open_ledger
from tests.ledgers import T0, record, recorder, register, stored
from tests.processes import clean_environment, collector

SKIPPED = MissReason.OVERRUN


def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    """The whole path on a fresh file: an outage, a crash, and one answer for each tick; nothing of ours leaks in."""
    foreign = {"COLLECTOR_INTERVAL": "1h", "COLLECTOR_DATABASE": str(tmp_path / "mine.db"), "BINANCE_API_KEY": "mine"}
    done = collector("demo", env=foreign, cwd=tmp_path, timeout_s=120)
    assert done.returncode == 0, done.stderr + done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [".demo"]
    for word in ("latest", "history BTC", "gaps"):
        assert f"$ collector {word}\n" in done.stdout
    told = re.search(r"Each of (\d+) ticks has one answer: (\d+) stored, (\d+) failed, (\d+) missed\.", done.stdout)
    assert told is not None
    due, *answers = (int(number) for number in told.groups())
    assert due == sum(answers)
    assert min(answers) >= 1
    assert "server_error" in done.stdout
    assert "not_running" in done.stdout
    assert re.search(r"\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|BTC\|[0-9.]+\|[0-9.]+\n", done.stdout)
    assert "collector config init" in done.stdout
    assert "first tick at" in done.stderr
    assert "Traceback" not in done.stderr
    _the_query_can_be_repeated(done.stdout, tmp_path)


def _the_query_can_be_repeated(out: str, folder: Path) -> None:
    """The one SQL query is meant to be copied."""
    line = next(line for line in out.splitlines() if line.startswith("$ sqlite3 "))
    _, _, database, query = shlex.split(line)
    assert _count(folder / database, f"({query})") == 3


def test_a_daemon_that_ends_by_itself_ends_the_demo_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and no wait for what can't come any more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_environment", lambda *_: clean_environment(COLLECTOR_INTERVAL="never"))
    with pytest.raises(CollectorError, match="the demo went wrong: the daemon ended with 4; see its log above"):
        module.demo.main([], standalone_mode=False)
    assert "COLLECTOR_INTERVAL" in capfd.readouterr().err


def test_a_command_that_fails_ends_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    """A demo that shows a broken collector as if it worked would be worse than none."""
    with pytest.raises(CollectorError, match="the demo went wrong: `collector latest` ended with 2"):
        _collector(clean_environment(), "latest", "--nonsense")
    assert capfd.readouterr().out == "$ collector latest --nonsense\n"


def test_a_ledger_that_does_not_show_what_was_promised_is_told(
    sqlite_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An outage that left no failed tick, or a sum that does not come out, is a bug that the demo must not hide."""
    with recorder(sqlite_url) as writer:
        account = register(writer)
        with writer.transaction() as connection:
            open_ledger(connection, account.id, interval_s=60, now_s=T0)
        record(writer, stored(account, T0))
        writer.record_missed(account.id, TickRange(start_at=T0 + 60, last_due_at=T0 + 120, interval_s=60), SKIPPED)
    environment = clean_environment(COLLECTOR_DATABASE=sqlite_url)
    with pytest.raises(CollectorError, match=r"the demo went wrong: of \d+ ticks 1 stored, 0 failed, \d+ missed"):
        _show(environment, tmp_path / "plain.db")
    assert "$ collector gaps" in capfd.readouterr().out


def test_a_daemon_that_does_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what it waited for, and leaves no process behind."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    daemon = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    daemon.stdout.readline()  # it has begun to ignore the signal
    with pytest.raises(CollectorError, match="the demo went wrong: no miracle within 0 s; see the daemon's log above"):
        _until(daemon, "miracle", lambda: False)
    with pytest.raises(CollectorError, match="the demo went wrong: the daemon did not end on SIGTERM"):
        _end(daemon, signal.SIGTERM)
    assert daemon.poll() is not None
    daemon.stdout.close()
    _end(daemon, signal.SIGKILL)  # it is gone already: nothing to say


def test_a_daemon_that_ends_badly_on_its_signal_is_told() -> None:
    """SIGTERM ends it with 0; anything else is a bug that the demo must not hide."""
    daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(CollectorError, match="the daemon ended with -15; see its log above"):
        _end(daemon, signal.SIGTERM)
    killed = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    _end(killed, signal.SIGKILL)
    assert killed.returncode == -9


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody tries it where a file has that name, or where nothing may be written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".demo").touch()
    with pytest.raises(
        CollectorError, match=r"the demo can't make the folder .*/\.demo: File exists; run it in another"
    ):
        _fresh_database()


def test_nothing_is_counted_before_the_tables_are_there(tmp_path: Path) -> None:
    """The demo watches the daemon from its first moment on."""
    file = tmp_path / "c.db"
    assert _count(file, "tick") == 0
    file.touch()
    assert _count(file, "tick") == 0
