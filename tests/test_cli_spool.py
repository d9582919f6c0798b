"""`spool list`, `show` and `drain`, and what `status` says of the spool."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from collector.storage.lock import held
from collector.storage.record import Recorder
from collector.storage.spool import Entry, Spool
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, ask, record, recorder, register, stored
from tests.outages import unwritable

Fill = Callable[..., None]
BODY = b'[{"asset":"BTC","free":"1.50","locked":"0","freeze":"0","withdrawing":"0","ipoable":"0","btcValuation":"0"}]'
REPLY = Entry(
    account="main",
    outcome="stored",
    due_at=T0 + 60,
    last_due_at=T0 + 60,
    interval_s=60,
    http_status=200,
    attempts=1,
    requested_at_ms=T0 * 1000 + 60_012,
    received_at_ms=T0 * 1000 + 60_345,
    clock_offset_ms=-3,
    btc_requested=True,
    body=BODY,
    spooled_at_ms=T0 * 1000 + 61_000,
)
LOST = Entry(
    account="main",
    outcome="missed",
    reason="spool_full",
    due_at=T0 + 120,
    last_due_at=T0 + 600,
    interval_s=60,
    spooled_at_ms=T0 * 1000,
)
HEADER = "account\tplace\tentries\tbytes\toldest_due_at\tnewest_due_at\tfirst_id\tlast_id"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the spool of the test lies."""
    return tmp_path / "the spool"


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str, file: Path
) -> CommandLine:
    """The command line on the database and the spool of the test."""
    run = command_line(monkeypatch, capsysbinary, database_url)
    monkeypatch.setenv("COLLECTOR_SPOOL", str(file))
    return run


@pytest.fixture
def alone(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, file: Path
) -> CommandLine:
    """The command line with the spool of the test, and a database that is away."""
    run = command_line(monkeypatch, capsysbinary, f"sqlite:///{tmp_path}/gone.db")
    monkeypatch.setenv("COLLECTOR_SPOOL", str(file))
    return run


@pytest.fixture
def fill(file: Path) -> Fill:
    """Puts entries into the spool of a database, and some of them into quarantine."""

    def put(*entries: Entry, url: str = "sqlite://", refused: tuple[Entry, ...] = ()) -> None:
        owner = "database collector.db" if url.startswith("sqlite") else _described(url)
        spool = Spool(file, database=owner, max_bytes=10**8, min_free_bytes=0)
        for entry in entries:
            spool.append(entry)
        for entry in refused:
            spool.refuse(entry, "row 1: free is missing", instead=None, now_ms=T0 * 1000 + 90_001)
        spool.close()

    return put


def _described(url: str) -> str:
    place, _, name = url.rpartition("/")
    return f"database {name} at {place.rpartition('@')[2]}"


def test_an_empty_spool_is_told(alone: CommandLine, file: Path) -> None:
    """Nothing waits, and no file is made by looking."""
    done = alone("spool", "list")
    assert (done.code, done.out) == (0, f"{HEADER}\n")
    assert done.err == f"collector: the spool {file} is empty\n"
    assert not file.exists()


def test_list_says_how_much_waits_and_no_amount(alone: CommandLine, fill: Fill, file: Path) -> None:
    """By account and place, with the numbers that `show` takes."""
    fill(REPLY, replace(REPLY, account="other"), LOST, refused=(replace(REPLY, due_at=T0, last_due_at=T0),))
    done = alone("spool", "list")
    assert done.code == 0
    assert done.out.splitlines() == [
        HEADER,
        f"main\twaiting\t2\t{len(BODY)}\t2023-11-14T22:11:00Z\t2023-11-14T22:20:00Z\t1\t3",
        f"other\twaiting\t1\t{len(BODY)}\t2023-11-14T22:11:00Z\t2023-11-14T22:11:00Z\t2\t2",
        f"main\tquarantine\t1\t{len(BODY)}\t2023-11-14T22:10:00Z\t2023-11-14T22:10:00Z\t1\t1",
    ]
    report = json.loads(alone("spool", "list", "--json").out)
    told = {name: report[name] for name in ("path", "waiting", "quarantined", "oldest_due_at")}
    assert told == {"path": str(file), "waiting": 3, "quarantined": 1, "oldest_due_at": "2023-11-14T22:11:00Z"}


def test_show_tells_everything_but_the_amounts(alone: CommandLine, fill: Fill) -> None:
    """A support request can quote it; the reply itself comes only when it is asked for."""
    fill(REPLY, LOST, refused=(REPLY,))
    done = alone("spool", "show", "1")
    assert done.code == 0
    assert "1.50" not in done.out
    said = dict(line.split("\t") for line in done.out.splitlines())
    assert said == {
        "account": "main",
        "outcome": "stored",
        "reason": "",
        "due_at": "2023-11-14T22:11:00Z",
        "last_due_at": "2023-11-14T22:11:00Z",
        "interval_s": "60",
        "http_status": "200",
        "code": "",
        "detail": "",
        "attempts": "1",
        "requested_at_ms": "2023-11-14T22:11:00.012Z",
        "received_at_ms": "2023-11-14T22:11:00.345Z",
        "clock_offset_ms": "-3",
        "weight_used": "",
        "btc_requested": "1",
        "spooled_at_ms": "2023-11-14T22:11:01.000Z",
        "body": f"{len(BODY)} bytes",
    }
    aside = alone("spool", "show", "1", "--quarantine")
    assert "why\trow 1: free is missing\n" in aside.out
    assert "quarantined_at_ms\t2023-11-14T22:11:30.001Z\n" in aside.out
    assert alone("spool", "show", "1", "--body").out.encode() == BODY
    assert "body\tnone\n" in alone("spool", "show", "2").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("7",), "has no entry 7 that waits: see `collector spool list`"),
        (("7", "--quarantine"), "has no entry 7 in quarantine: see `collector spool list`"),
        (("2", "--body"), "entry 2 has no reply: it is missed"),
    ],
)
def test_what_is_not_there_ends_with_3(alone: CommandLine, fill: Fill, words: tuple[str, ...], sentence: str) -> None:
    """An empty answer would look like an empty reply."""
    fill(REPLY, LOST)
    done = alone("spool", "show", *words)
    assert (done.code, done.out) == (3, "")
    assert sentence in done.err


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "one"])
def test_what_can_be_no_number_of_an_entry_ends_with_2(alone: CommandLine, fill: Fill, number: str) -> None:
    """SQLite counts from 1 and as far as 64 bits go; beyond that was a traceback."""
    fill(REPLY)
    done = alone("spool", "show", number)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("collector: invalid value for 'ID': ")


def test_nothing_is_shown_of_a_spool_that_is_not_there(alone: CommandLine) -> None:
    """Nor is it made."""
    assert alone("spool", "show", "1").code == 3


def test_drain_stores_what_waits(cli: CommandLine, fill: Fill, database_url: str, file: Path) -> None:
    """For a spool whose daemon will not come back."""
    with recorder(database_url) as writer:
        register(writer)
    fill(REPLY, LOST, replace(REPLY, account="stranger"), url=database_url)
    done = cli("spool", "drain")
    assert done.code == 0, done.err
    assert done.out.endswith(f": stored 2 answers that waited in {file}\n")
    assert ask(database_url, "SELECT CAST(free AS TEXT) FROM balance") == [("1.50",)]
    assert ask(database_url, "SELECT ticks, reason FROM missed") == [(9, "spool_full")]
    report = json.loads(cli("spool", "list", "--json").out)
    assert (report["waiting"], report["quarantined"]) == (0, 1)
    assert cli("spool", "drain").out.endswith(f": stored 0 answers that waited in {file}\n")


def test_drain_is_refused_while_a_daemon_runs(cli: CommandLine, fill: Fill, database_url: str) -> None:
    """It stores them itself; two at once would only be in each other's way."""
    fill(REPLY, url=database_url)
    with held(database_url):
        done = cli("spool", "drain")
    assert done.code == 75
    assert "collects into database" in done.err
    assert json.loads(cli("spool", "list", "--json").out)["waiting"] == 1


def test_drain_says_that_the_database_is_away(cli: CommandLine, fill: Fill, database_url: str) -> None:
    """Nothing is taken out that was not stored."""
    with recorder(database_url) as writer:
        register(writer)
    fill(REPLY, url=database_url)
    ask(database_url, "ALTER TABLE tick RENAME TO gone")
    done = cli("spool", "drain")
    assert done.code == 6
    ask(database_url, "ALTER TABLE gone RENAME TO tick")
    assert cli("spool", "drain").code == 0


def test_a_spool_of_another_database_is_not_drained_into_this_one(cli: CommandLine, file: Path) -> None:
    """A wrong option must not mix two portfolios."""
    spool = Spool(file, database="database elsewhere", max_bytes=10**8, min_free_bytes=0)
    spool.append(REPLY)
    spool.close()
    done = cli("spool", "drain")
    assert done.code == 6
    assert "holds replies that belong to database elsewhere" in done.err


def test_status_names_what_waits(cli: CommandLine, fill: Fill, database_url: str) -> None:
    """Whoever looks must not think that nothing was received."""
    with recorder(database_url) as writer:
        begin(writer)
    fill(REPLY, LOST, url=database_url, refused=(REPLY,))
    done = cli("status", "--json")
    report = json.loads(done.out)
    assert (report["spool"]["waiting"], report["spool"]["quarantined"]) == (2, 1)
    table = cli("status", "--format", "table")
    words = "2 answers wait in the spool until the database can be written, the oldest due 2023-11-14T22:11:00Z"
    assert words in table.out
    assert "1 answer is in quarantine, because they could not be stored: see `collector spool list`" in table.out


def begin(writer: Recorder) -> None:
    """An account with one snapshot."""
    record(writer, stored(register(writer), T0))


def test_status_names_what_waits_while_the_database_is_away(alone: CommandLine, fill: Fill) -> None:
    """Just then it matters."""
    fill(REPLY)
    done = alone("status")
    assert done.code == 6
    assert "1 answer waits in the spool until the database can be written" in done.err


def test_a_database_that_is_only_locked_is_waited_for(cli: CommandLine, fill: Fill, database_url: str) -> None:
    """Reading needs no lock: list and status answer in the middle of an outage."""
    with recorder(database_url) as writer:
        begin(writer)
    fill(REPLY, url=database_url)
    with unwritable(database_url):
        assert json.loads(cli("spool", "list", "--json").out)["waiting"] == 1
        assert json.loads(cli("status", "--json").out)["spool"]["waiting"] == 1
