"""`collector export` on real databases of both engines: every digit, nothing overwritten, nothing half done."""

import csv
import io
import json
import os
import pty
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.errors import UsageError
from collector.reports.export import write_csv
from collector.storage.accounts import every_account
from collector.storage.export import plain_snapshots
from collector.storage.reader import reading
from collector.storage.record import Recorder
from tests.command_line import CommandLine, command_line
from tests.ledgers import failed, held, record, recorder, register, snapshot, stored
from tests.processes import COMMAND, clean_environment

NEW_YEAR = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
HOUR = 3600
HEADER = "account,due_at,captured_at,asset,free,locked,frozen,withdrawing,ipoable,btc_valuation"
LONG = "0.0000000000000000000000000000000000001"
LINES = [
    HEADER,
    "main,2025-12-31T23:00:00Z,2025-12-31T23:00:00.345Z,BTC,1.50000000,0,0,0,0,1",
    "main,2025-12-31T23:00:00Z,2025-12-31T23:00:00.345Z,ETH,0.000000000000000042,0,0,0,0,0",
    "main,2026-01-01T00:00:00Z,2026-01-01T00:00:00.345Z,BTC,2,0,0,0,0,",
]


def tell(writer: Recorder, name: str) -> None:
    """Two snapshots around the new year, the second without valuations, one of nothing, and a tick that failed."""
    account = register(writer, name, now_s=NEW_YEAR - HOUR)
    first = snapshot(held("BTC", "1.50000000", btc_valuation="1"), held("ETH", "0.000000000000000042"))
    second = snapshot(held("BTC", "2", btc_valuation=None), btc_requested=False)
    record(writer, stored(account, NEW_YEAR - HOUR, first, interval_s=HOUR))
    record(writer, stored(account, NEW_YEAR, second, interval_s=HOUR))
    record(writer, failed(account, NEW_YEAR + HOUR, interval_s=HOUR))
    record(writer, stored(account, NEW_YEAR + 2 * HOUR, snapshot(), interval_s=HOUR))


@pytest.fixture
def url(database_url: str) -> str:
    """One account."""
    with recorder(database_url) as writer:
        tell(writer, "main")
    return database_url


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], url: str) -> CommandLine:
    """The command line on this database."""
    return command_line(monkeypatch, capsysbinary, url)


def test_every_balance_comes_out_as_it_is(cli: CommandLine) -> None:
    """With the digits that were sent; what it does not hold is said on stderr."""
    done = cli("export")
    assert done.code == 0
    assert done.out.split("\r\n") == [*LINES, ""]
    assert done.err.splitlines() == [
        "collector: 3 rows of 3 snapshots",
        "collector: 1 gap in this time, of which an export says nothing: `collector gaps`",
    ]


def test_lines_of_json_have_text_and_null(cli: CommandLine) -> None:
    """A number in JSON would be read as a double."""
    done = cli("export", "--format", "ndjson")
    *_, last = map(json.loads, done.out.splitlines())
    assert last == dict(zip(HEADER.split(","), [*LINES[3].split(",")[:-1], None], strict=True))


def test_names_come_out_as_a_csv_reader_reads_them_back(cli: CommandLine, url: str) -> None:
    """Whatever Binance or the operator call them; an apostrophe in front of those that a spreadsheet would run."""
    names = ["+A", "1INCH", 'A"B', "A,B", "\uff1dA", "币安人生", "🚀"]
    with recorder(url) as writer:
        account = register(writer, 'my "wallet", cold', now_s=NEW_YEAR)
        record(writer, stored(account, NEW_YEAR, snapshot(*(held(name, LONG) for name in reversed(names)))))
    done = cli("export", "--account", account.name)
    _, *rows = csv.reader(io.StringIO(done.out, newline=""))
    assert [row[3] for row in rows] == ["'+A", *names[1:4], "币安人生", "'\uff1dA", "🚀"]
    assert {(row[0], *row[4:6]) for row in rows} == {(account.name, LONG, "0")}
    assert '"A""B"' in done.out
    done = cli("export", "--account", account.name, "--format", "ndjson")
    assert [json.loads(line)["asset"] for line in done.out.splitlines()] == [*names[:4], "币安人生", "\uff1dA", "🚀"]


def test_a_range_and_an_account_are_chosen(cli: CommandLine, url: str) -> None:
    """From inclusive, to exclusive, as everywhere."""
    with recorder(url) as writer:
        tell(writer, "=second")
        register(writer, "empty")
    assert cli("export", "--from", "2026-01-01", "--account", "main").out.split("\r\n") == [HEADER, LINES[3], ""]
    done = cli("export", "--to", "2026-01-01")
    names = [row["account"] for row in csv.DictReader(io.StringIO(done.out))]
    assert names == ["main", "main", "'=second", "'=second"]
    assert "account 'empty' has no snapshot in this time" in done.err
    nothing = cli("export", "--account", "empty")
    assert (nothing.code, nothing.out) == (3, "")
    assert "there is nothing to export" in nothing.err


def test_a_file_is_new_private_and_whole(cli: CommandLine, tmp_path: Path) -> None:
    """What it ends with chooses the format."""
    out = tmp_path / "all.ndjson"
    done = cli("export", "--out", str(out))
    assert (done.code, done.out) == (0, "")
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("all*")] == ["all.ndjson"]
    assert cli("export", "--out", str(tmp_path / "all.txt")).code == 0
    assert (tmp_path / "all.txt").read_bytes().decode().split("\r\n") == [*LINES, ""]


def test_the_environment_can_choose_the_format(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option is a variable too."""
    monkeypatch.setenv("COLLECTOR_EXPORT_FORMAT", "ndjson")
    assert cli("export").out.startswith('{"account": "main"')


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_ends_it(url: str, unbuffered: str) -> None:
    """`collector export | head` says nothing of a broken pipe, whatever Python was told of buffers."""
    with subprocess.Popen(
        [*COMMAND, "export"],
        env=clean_environment(COLLECTOR_DATABASE=url, PYTHONUNBUFFERED=unbuffered),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(60)) == (b"", 141)


def test_a_terminal_shows_how_far_it_is(url: str, tmp_path: Path) -> None:
    """On stderr, and only there."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "export", "--out", str(tmp_path / "all.csv")],
            env=clean_environment(COLLECTOR_DATABASE=url, TERM="xterm"),
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=60,
            check=True,
        )
        shown = os.read(ours, 65_536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout == b""
    assert b"account main" in shown


def test_a_long_range_takes_no_more_memory(url: str) -> None:
    """Rows are written while they are read: the first one is out before the last one is asked for."""
    with reading(url) as connection:
        (account,) = every_account(connection)
        snapshots = plain_snapshots(connection, account)
        assert next(snapshots).due_at == NEW_YEAR - HOUR
        snapshots.close()  # type: ignore[attr-defined]  # it is a generator


def test_nothing_is_overwritten(cli: CommandLine, tmp_path: Path) -> None:
    """Not a file, not a folder, not what another export has begun."""
    (tmp_path / "there.csv").write_text("mine")
    done = cli("export", "--out", str(tmp_path / "there.csv"))
    assert (done.code, (tmp_path / "there.csv").read_text()) == (2, "mine")
    assert "is not overwritten" in done.err
    (tmp_path / "begun.csv.part").write_text("half")
    done = cli("export", "--out", str(tmp_path / "begun.csv"))
    assert (done.code, (tmp_path / "begun.csv.part").read_text()) == (2, "half")
    assert "left by an export that did not end" in done.err
    (tmp_path / "folder").mkdir()
    assert cli("export", "--format", "csv", "--out", str(tmp_path / "folder")).code == 2


def test_a_file_that_appears_meanwhile_stays(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export may take minutes."""
    out = tmp_path / "late.csv"

    def write_too(file: io.StringIO, rows: object) -> None:
        write_csv(file, rows)  # type: ignore[arg-type]  # only handed on
        out.write_text("mine")

    monkeypatch.setattr("collector.reports.export.WRITERS", {"csv": write_too})
    done = cli("export", "--out", str(out))
    assert (done.code, out.read_text()) == (2, "mine")
    assert not (tmp_path / "late.csv.part").exists()


def test_what_does_not_end_leaves_nothing(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an export would be taken for a whole one."""

    def full(file: io.StringIO, rows: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("collector.reports.export.WRITERS", {"csv": full})
    done = cli("export", "--out", str(tmp_path / "all.csv"))
    assert (done.code, done.err) == (1, f"collector: can't write {tmp_path}/all.csv: No space left on device\n")
    assert list(tmp_path.glob("all*")) == []
    assert cli("export", "--out", str(tmp_path / "no/folder.csv")).code == 1
    done = cli("export", "--out", str(tmp_path / ("x" * 300)))
    assert (done.code, done.err) == (1, f"collector: can't write {tmp_path}/{'x' * 300}: File name too long\n")


def test_parquet_without_its_library_says_what_to_install(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without --out it has nowhere to go."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = cli("export", "--out", str(tmp_path / "all.parquet"))
    assert done.code == UsageError.exit_code
    assert "this needs pyarrow, which is not installed: pip install 'binance-asset-collector[parquet]'" in done.err
    assert "name it with --out" in cli("export", "--format", "parquet").err
