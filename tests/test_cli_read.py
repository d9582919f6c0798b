"""`latest`, `history` and `gaps` on real databases of both engines."""

import csv
import io
import json
import os
import pty
import subprocess
import sys

import pytest

from collector.cli import output
from collector.domain.records import Account
from collector.domain.ticks import MissReason, TickRange
from collector.storage import registry
from collector.storage.record import Recorder
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, failed, held, record, recorder, register, snapshot, stored
from tests.processes import COMMAND, clean_environment, collector

BTC = held("BTC", "1.50000000", btc_valuation="1.50000000")
ETH = held("ETH", "0.000000000000000042", locked="0.1", btc_valuation="0.00000000")
FROM_T0 = "2023-11-14T22:10:00Z"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line on the database of the test, a day after T0."""
    monkeypatch.setattr(output, "now_ms", lambda: (T0 + 86_400) * 1000)
    return command_line(monkeypatch, capsysbinary, database_url)


@pytest.fixture
def url(database_url: str) -> str:
    """A database in which `main` lived six minutes from T0 on: two snapshots, two losses, ether sold, then removed."""
    with recorder(database_url) as writer:
        live(writer, register(writer))
    return database_url


def live(writer: Recorder, account: Account) -> None:
    """The six minutes of an account."""
    schedule(writer, account, 60, T0)
    record(writer, stored(account, T0, snapshot(BTC)))
    record(writer, stored(account, T0 + 60, snapshot(BTC, ETH)))
    record(writer, failed(account, T0 + 120))
    writer.record_missed(
        account.id, TickRange(start_at=T0 + 180, last_due_at=T0 + 180, interval_s=60), MissReason.OVERRUN
    )
    record(writer, stored(account, T0 + 240, snapshot(BTC)))
    record(writer, failed(account, T0 + 300))
    schedule(writer, account, None, T0 + 301)


def schedule(writer: Recorder, account: Account, interval_s: int | None, now_s: int) -> None:
    """From now on the account is due at this interval."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)


def test_latest_shows_the_newest_snapshot_digit_for_digit(url: str, cli: CommandLine) -> None:
    """The one question that everybody asks; piped, the answer is TSV, and the gap since then is named."""
    done = cli("latest")
    assert done.code == 0
    assert done.out == (
        "account\tdue_at\tcaptured_at\tasset\tfree\tlocked\tfrozen\twithdrawing\tipoable\t"
        "btc_valuation\ttotal\tshare\n"
        "main\t2023-11-14T22:14:00Z\t2023-11-14T22:14:00.345Z\tBTC\t1.50000000\t0\t0\t0\t0\t"
        "1.50000000\t1.50000000\t100.00\n"
    )
    assert done.err == "collector: open gap of 1 tick at 2023-11-14T22:15:00Z: timeout\n"


def test_latest_as_json_is_one_object(url: str, cli: CommandLine) -> None:
    """Everything that is known of the rows stands beside them."""
    done = cli("latest", "--json")
    assert done.err == ""
    report = json.loads(done.out)
    assert list(report) == [
        "account", "wallet", "due_at", "captured_at", "age", "clock_offset_ms",
        "as_of", "asset_scope", "btc_total", "unpriced", "missing", "gaps", "rows",
    ]  # fmt: skip
    assert report["age"] == 86_400 - 240 - 1
    assert (report["wallet"], report["btc_total"], report["unpriced"]) == ("spot", "1.50000000", 0)
    assert [gap["reasons"] for gap in report["gaps"]] == [["timeout"]]
    assert report["rows"][0]["total"] == "1.50000000"


def test_latest_of_an_empty_account_is_an_answer(database_url: str, cli: CommandLine) -> None:
    """Nothing is what it holds: exit code 0, and a sentence."""
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0, snapshot(), interval_s=None))
    done = cli("latest", "--format", "table")
    assert done.code == 0
    assert done.out.startswith("account main, wallet spot\nsnapshot due 2023-11-14T22:10:00Z")
    assert done.err == "collector: account 'main' held nothing at all\n"


def test_history_has_a_row_for_each_snapshot_zeros_included(url: str, cli: CommandLine) -> None:
    """Ether was sold: 0 is said, and what is unknown is no row but a named gap."""
    done = cli("history", "ETH", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [(row["due_at"], row["free"], row["total"]) for row in rows] == [
        ("2023-11-14T22:11:00Z", "0.000000000000000042", "0.100000000000000042"),
        ("2023-11-14T22:14:00Z", "0", "0"),
    ]
    assert done.err == (
        "collector: gap of 2 ticks from 2023-11-14T22:12:00Z to 2023-11-14T22:13:00Z: overrun, timeout\n"
        "collector: open gap of 1 tick at 2023-11-14T22:15:00Z: timeout\n"
    )


def test_a_range_includes_its_start_and_not_its_end(url: str, cli: CommandLine) -> None:
    """Two ranges that follow each other share no row."""
    first = cli("history", "BTC", "--to", "2023-11-14T22:11:00Z", "--format", "ndjson")
    second = cli(
        "history", "BTC", "--from", "2023-11-14T22:11:00Z", "--to", "2023-11-14T22:12:00Z", "--format", "ndjson"
    )
    assert [json.loads(line)["due_at"] for line in first.out.splitlines()] == ["2023-11-14T22:10:00Z"]
    assert [json.loads(line)["due_at"] for line in second.out.splitlines()] == ["2023-11-14T22:11:00Z"]
    assert second.err == ""
    report = json.loads(cli("history", "BTC", "--from", "2023-11-14T22:12:30Z", "--to", "2023-11-15", "--json").out)
    assert (report["due_at"], len(report["rows"]), len(report["gaps"])) == ("2023-11-14T22:14:00Z", 1, 2)


def test_fields_may_be_named_as_binance_names_them(url: str, cli: CommandLine) -> None:
    """What Binance calls freeze and btcValuation is kept as frozen and btc_valuation."""
    done = cli("history", "BTC", "--field", "freeze", "--field", "btcValuation", "--field", "frozen", "--json")
    assert list(json.loads(done.out)["rows"][0]) == ["due_at", "captured_at", "frozen", "btc_valuation"]
    assert cli("history", "BTC", "--field", "Free").code == 2


def test_before_an_asset_appeared_there_is_no_row(url: str, cli: CommandLine) -> None:
    """Not held yet is neither an error nor a gap."""
    done = cli("history", "ETH", "--to", "2023-11-14T22:11:00Z")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert done.err == "collector: ETH appeared only after this time: account 'main' did not hold it yet\n"


def test_gaps_tell_when_and_why(url: str, cli: CommandLine) -> None:
    """What is missing is part of the history."""
    done = cli("gaps")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "account\tstart_at\tlast_due_at\tticks\tfailed\tmissed\treasons\topen\n"
        "main\t2023-11-14T22:12:00Z\t2023-11-14T22:13:00Z\t2\t1\t1\toverrun,timeout\tfalse\n"
        "main\t2023-11-14T22:15:00Z\t2023-11-14T22:15:00Z\t1\t1\t0\ttimeout\ttrue\n"
    )
    report = json.loads(cli("gaps", "--json", "--to", "2023-11-14T22:15:00Z").out)
    assert (report["account"], report["due_at"]) == ("main", "2023-11-14T22:14:00Z")
    assert report["rows"] == report["gaps"]
    assert [row["ticks"] for row in report["rows"]] == [2]


def test_no_gap_is_said(url: str, cli: CommandLine) -> None:
    """An empty output alone could be a mistake."""
    done = cli("gaps", "--from", "2024-01-01")
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "collector: there is no gap\n")


def test_several_accounts_stand_below_each_other(url: str, cli: CommandLine) -> None:
    """All of them, or those that are named, each with the snapshot that it rests on."""
    with recorder(url) as writer:
        live(writer, register(writer, "second"))
    both = json.loads(cli("latest", "--json").out)
    assert (both["account"], both["due_at"], both["btc_total"]) == (None, None, "3.00000000")
    assert [(one["account"], one["due_at"], one["age"]) for one in both["accounts"]] == [
        ("main", "2023-11-14T22:14:00Z", 86_159),
        ("second", "2023-11-14T22:14:00Z", 86_159),
    ]
    assert [(row["account"], row["asset"], row["total"]) for row in both["rows"]] == [
        ("main", "BTC", "1.50000000"),
        ("second", "BTC", "1.50000000"),
    ]
    assert json.loads(cli("latest", "--account", "second", "--json").out)["account"] == "second"
    named = json.loads(cli("latest", "--account", "second", "--account", "main", "--json").out)
    assert [row["account"] for row in named["rows"]] == ["second", "main"]
    found = json.loads(cli("gaps", "--json").out)
    assert (found["account"], [row["account"] for row in found["rows"]]) == (None, ["main", "main", "second", "second"])
    assert len(json.loads(cli("gaps", "--account", "main", "--json").out)["rows"]) == 2
    lines = cli("history", "BTC", "--format", "ndjson").out.splitlines()
    assert [json.loads(line)["account"] for line in lines] == ["main"] * 3 + ["second"] * 3


@pytest.mark.parametrize("command", [["latest"], ["history", "BTC"], ["gaps"]])
def test_without_any_data_the_exit_code_is_3(database_url: str, cli: CommandLine, command: list[str]) -> None:
    """Scripts tell an empty wallet from an empty database."""
    done = cli(*command)
    sentence = "nothing has been collected yet: `collector run` collects, `collector once` takes one snapshot"
    assert (done.code, done.out, done.err) == (3, "", f"collector: {sentence}\n")


def test_an_account_that_never_had_a_snapshot_is_no_empty_one(database_url: str, cli: CommandLine) -> None:
    """Unknown and nothing never look alike; the gap that explains it can be shown."""
    with recorder(database_url) as writer:
        account = register(writer)
        schedule(writer, account, 60, T0)
        record(writer, failed(account, T0))
        schedule(writer, account, None, T0 + 1)
    done = cli("latest")
    assert (done.code, done.err) == (3, "collector: account 'main' has no snapshot yet: see `collector gaps`\n")
    assert (
        cli("history", "BTC").err == "collector: account 'main' was never seen to hold 'BTC': it never held anything\n"
    )
    assert json.loads(cli("gaps", "--json").out)["rows"][0]["reasons"] == ["timeout"]


def test_a_name_that_is_not_known_is_answered_with_those_that_are(url: str, cli: CommandLine) -> None:
    """A typing mistake must not look like an account or an asset that holds nothing."""
    done = cli("latest", "--account", "mian")
    assert (done.code, done.err) == (3, "collector: account 'mian' has never been collected: did you mean 'main'?\n")
    done = cli("gaps", "--account", "zzz")
    assert (done.code, done.err) == (3, "collector: account 'zzz' has never been collected: there is main\n")
    done = cli("history", "eth")
    assert (done.code, done.err) == (3, "collector: account 'main' was never seen to hold 'eth': did you mean 'ETH'?\n")
    done = cli("history", "XYZZY")
    sentence = "account 'main' was never seen to hold 'XYZZY': there are BTC, ETH"
    assert (done.code, done.err) == (3, f"collector: {sentence}\n")


def test_an_asset_outside_the_scope_is_unknown(database_url: str, cli: CommandLine) -> None:
    """An account that is collected for one asset knows nothing of the others."""
    with recorder(database_url) as writer:
        account = register(writer, asset_scope="BTC")
        record(writer, stored(account, T0, snapshot(BTC), interval_s=None))
    done = cli("history", "ETH")
    assert (done.code, done.err) == (3, "collector: only BTC is collected of account 'main': 'ETH' is unknown\n")
    assert "only BTC is collected: every other asset is unknown, not zero" in cli("latest").err


def test_a_time_without_a_snapshot_has_no_answer(url: str, cli: CommandLine) -> None:
    """Empty would look like zero."""
    for arguments in (["--to", FROM_T0], ["--from", "2024-01-01"]):
        done = cli("history", "BTC", *arguments)
        assert (done.code, done.out) == (3, "")
        assert done.err == "collector: account 'main' has no snapshot in this time: see `collector gaps`\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "1700000000"], "invalid value for '--from': 1700000000 could be seconds or milliseconds"),
        (["--to", "yesterdayish"], "invalid value for '--to': 'yesterdayish' is neither a date"),
        (["--from", "2024-01-01", "--to", "2024-01-01"], "nothing lies between --from and --to"),
        (["--csv", "--json"], "a report has one format: choose csv or json"),
        (["--format", "tsv", "--json"], "a report has one format: choose json or tsv"),
        (["--format", "xml"], "invalid value for '--format'"),
    ],
)
def test_impossible_wishes_are_refused(url: str, cli: CommandLine, arguments: list[str], sentence: str) -> None:
    """Exit code 2 and one sentence, before anything is written."""
    done = cli("gaps", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"collector: {sentence}")


def test_the_command_line_chooses_over_the_environment(
    url: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A format set for all cron jobs is a default, not a contradiction."""
    monkeypatch.setenv("COLLECTOR_GAPS_FORMAT", "ndjson")
    monkeypatch.setenv("COLLECTOR_GAPS_FROM", "2023-11-14T22:15:00Z")
    assert json.loads(cli("gaps").out)["start_at"] == "2023-11-14T22:15:00Z"
    assert cli("gaps", "--csv").out.startswith("account,start_at")
    assert cli("gaps", "--json", "--format", "json").code == 0


HEAVY = ("rich", "alembic", "requests", "apscheduler", "cryptography", "starlette", "collector.sandbox")
POSTGRESQL = ("sqlalchemy", "psycopg")


@pytest.mark.parametrize(
    "arguments",
    [
        ["latest"],
        ["history", "BTC"],
        ["history", "BTC", "--every", "1d", "--to", "2023-11-16"],
        ["diff", "2023-11-14T22:10:00Z", "2023-11-14T22:14:00Z"],
        ["gaps"],
        ["coverage"],
        ["status", "--json"],
        ["changes", "--all"],
        ["total"],
        ["export", "--format", "csv"],
    ],
    ids=" ".join,
)
def test_a_report_in_a_pipe_loads_no_more_than_it_needs(url: str, arguments: list[str]) -> None:
    """Scripts call it once a minute: a reader does not wait for rich or Alembic, nor on SQLite for SQLAlchemy."""
    code = f"import sys; from collector.cli.main import run; run({arguments}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(COLLECTOR_DATABASE=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "collector.storage.reader" in loaded
    assert loaded.isdisjoint(HEAVY)
    assert {name for name in POSTGRESQL if name in loaded} == (set() if url.startswith("sqlite") else {*POSTGRESQL})


def test_a_report_does_not_look_for_garbage_while_it_starts(url: str) -> None:
    """What a program imports stays: each look through it costs as much as the whole question to the database."""
    seen = (
        "import gc, sys; from collector.cli.main import main; looks = []; gc.collect(); gc.set_threshold(100)\n"
        "gc.callbacks.append(lambda phase, info: looks.append(info) if phase == 'start' else None)\n"
        "import atexit; atexit.register(lambda: print(len(looks), file=sys.stderr))\n"
    )
    counts = []
    for before in ("", "gc.set_threshold = print\n"):
        done = subprocess.run(
            [sys.executable, "-c", f"{seen}{before}main()", "latest", "--format", "tsv"],
            env=clean_environment(COLLECTOR_DATABASE=url),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        counts.append(int(done.stderr.splitlines()[-1]))
    assert counts[0] < 5
    assert counts[1] > 50


def test_rows_leave_in_blocks_whatever_python_was_told(url: str) -> None:
    """Images of containers set PYTHONUNBUFFERED: a call of the system for each row takes longer than the rest."""
    with recorder(url) as writer:
        account = register(writer, "many")
        record(writer, stored(account, T0, snapshot(*(held(f"A{n:03}") for n in range(400))), interval_s=None))
    count = (
        "import sys, io, os; from collector.cli import main as m; writes = []\n"
        "class Raw(io.FileIO):\n    def write(self, b): writes.append(1); return super().write(bytes(b)[:5000])\n"
        "sys.stdout = io.TextIOWrapper(Raw(1, 'w', closefd=False), write_through=True)\n"
        "m._leave = lambda code: (print(len(writes), file=sys.stderr), os._exit(code))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{count}m.main()", "latest", "--account", "many", "--format", "tsv"],
        env=clean_environment(COLLECTOR_DATABASE=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 401
    assert int(done.stderr.splitlines()[-1]) == 0


@pytest.mark.parametrize("arguments", [["latest", "--help"], ["history", "--help"], ["db", "upgrade", "--help"]])
def test_help_needs_no_database(arguments: list[str]) -> None:
    """Help is there at once, whatever is broken."""
    code = f"import sys; from collector.cli.main import run; run({arguments}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stderr.split()).isdisjoint((*HEAVY, "sqlalchemy", "msgspec"))


def test_on_a_terminal_it_is_a_table(url: str) -> None:
    """People see a table, programs TSV."""
    environ = {"COLLECTOR_DATABASE": url}
    assert collector("latest", env=environ).stdout.startswith("account\t")
    master, slave = pty.openpty()
    with subprocess.Popen([*COMMAND, "latest"], env=clean_environment(**environ), stdout=slave, stderr=slave) as shown:
        os.close(slave)
        seen = b""
        while chunk := _read(master):
            seen += chunk
        assert shown.wait(60) == 0
    os.close(master)
    assert b"account main, wallet spot\r\n" in seen
    assert b"1.50000000" in seen


@pytest.mark.parametrize("chosen", ["table", "csv", "json"])
def test_an_old_locale_neither_fails_nor_spoils_data(url: str, chosen: str) -> None:
    """Files are UTF-8 wherever they are written; a terminal that lacks a character shows its number."""
    with recorder(url) as writer:
        other = register(writer, "other")
        record(writer, stored(other, T0, snapshot(held("币安人生")), interval_s=None))
    done = subprocess.run(
        [*COMMAND, "latest", "--account", "other", "--format", chosen],
        env=clean_environment(COLLECTOR_DATABASE=url, PYTHONIOENCODING="latin-1"),
        capture_output=True,
        timeout=60,
        check=True,
    )
    expected = r"\u5e01\u5b89\u4eba\u751f" if chosen == "table" else "币安人生"
    assert expected.encode() in done.stdout


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""
