"""What is spooled waits in its order, outlives a crash, and is taken out once."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from collector.errors import DamagedError, DatabaseError
from collector.storage.spool import Entry, Spool
from collector.storage.spoolfile import looking_at
from tests.ledgers import T0

REPLY = Entry(
    account="main",
    outcome="stored",
    due_at=T0,
    last_due_at=T0,
    interval_s=60,
    http_status=200,
    attempts=2,
    requested_at_ms=T0 * 1000 + 12,
    received_at_ms=T0 * 1000 + 345,
    clock_offset_ms=-3,
    weight_used=5,
    btc_requested=True,
    body=b'[{"asset":"\xe5\xb8\x81","free":"0.50000000"}]\x00\xff',
    spooled_at_ms=T0 * 1000 + 400,
)
FAILED = replace(
    REPLY, outcome="failed", reason="timeout", code=-1001, detail="no answer", body=None, btc_requested=None
)


def missed(minute: int, last: int | None = None, *, reason: str = "waiting", interval_s: int = 60) -> Entry:
    """A range of missed ticks from one minute to another, inclusive."""
    last_due_at = T0 + 60 * (minute if last is None else last)
    return Entry(
        account="main",
        outcome="missed",
        reason=reason,
        due_at=T0 + 60 * minute,
        last_due_at=last_due_at,
        interval_s=interval_s,
        spooled_at_ms=T0 * 1000,
    )


@contextmanager
def spool(
    path: Path, *, database: str = "database x", max_bytes: int = 10**8, min_free_bytes: int = 0
) -> Iterator[Spool]:
    """The spool in this file."""
    opened = Spool(path, database=database, max_bytes=max_bytes, min_free_bytes=min_free_bytes)
    try:
        yield opened
    finally:
        opened.close()


def emptied(queue: Spool) -> list[Entry]:
    """Everything that waits, oldest first, taken out one by one."""
    found = []
    while entries := queue.oldest(1):
        found += entries
        queue.done(entries)
    return found


def spans(entries: list[Entry]) -> list[tuple[int, int, str | None]]:
    """First and last minute and reason of each entry."""
    return [((e.due_at - T0) // 60, (e.last_due_at - T0) // 60, e.reason) for e in entries]


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    """Bytes, times and whatever else the ledger will want to know."""
    given = [REPLY, FAILED, replace(REPLY, account="币安", btc_requested=False, clock_offset_ms=None), missed(1, 5)]
    with spool(tmp_path / "s") as queue:
        for entry in given:
            queue.append(entry)
    with spool(tmp_path / "s") as queue:
        assert queue.waiting() == {"main": 3, "币安": 1}
        assert emptied(queue) == [replace(entry, id=number) for number, entry in enumerate(given, 1)]
        assert queue.oldest(1) == []
        assert queue.waiting() == {}


def test_the_file_is_for_its_owner_only_and_made_to_last(tmp_path: Path) -> None:
    """It holds balances; and what was acknowledged must survive a power cut as far as the disk does."""
    with spool(tmp_path / "new" / "s") as queue:
        queue.append(REPLY)
        names = ["s", "s-shm", "s-wal"]
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
        assert {(tmp_path / "new" / name).stat().st_mode & 0o777 for name in names} == {0o600}
        said = {
            name: queue._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        }
        assert said == {"journal_mode": "wal", "synchronous": 2}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_an_empty_file_becomes_its_owners_alone(tmp_path: Path) -> None:
    """Somebody may have made it beforehand, with whatever mode."""
    (tmp_path / "s").touch()
    (tmp_path / "s").chmod(0o644)
    with spool(tmp_path / "s"):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_a_loss_that_goes_on_is_one_entry(tmp_path: Path) -> None:
    """A week of waiting must not fill what is full already; another loss, or an answer between, is another entry."""
    with spool(tmp_path / "s") as queue:
        for entry in (missed(1), missed(2), missed(3, 9), missed(10, reason="paused"), missed(12, reason="paused")):
            queue.append(entry)
        queue.append(replace(missed(13, reason="paused"), account="other"))
        queue.append(FAILED)
        queue.append(missed(13, reason="paused"))
        queue.append(missed(15, 25, reason="paused", interval_s=300))
        found = emptied(queue)
    assert spans([entry for entry in found if entry.outcome == "missed" and entry.account == "main"]) == [
        (1, 9, "waiting"),
        (10, 10, "paused"),
        (12, 12, "paused"),
        (13, 13, "paused"),
        (15, 25, "paused"),
    ]
    assert [entry.account for entry in found].count("other") == 1


def test_a_range_that_grew_while_it_was_stored_stays(tmp_path: Path) -> None:
    """Else the instants that came meanwhile would have no answer."""
    with spool(tmp_path / "s") as queue:
        queue.append(missed(1, 3))
        being_stored = queue.oldest(10)
        queue.append(missed(4))
        queue.done(being_stored)
        assert spans(emptied(queue)) == [(1, 4, "waiting")]


def test_a_number_is_never_used_again(tmp_path: Path) -> None:
    """Taking something out twice must not take out another one."""
    with spool(tmp_path / "s") as queue:
        queue.append(REPLY)
        first = queue.oldest(1)
        queue.done(first)
        queue.append(REPLY)
        queue.done(first)
        assert len(emptied(queue)) == 1


def test_what_is_refused_is_kept_aside_with_its_reason(tmp_path: Path) -> None:
    """A reply that can't be read is evidence; what takes its place keeps its place in the queue."""
    with spool(tmp_path / "s") as queue:
        queue.append(REPLY)
        queue.append(missed(1))
        [bad] = queue.oldest(1)
        instead = replace(bad, outcome="failed", reason="bad_reply", body=None)
        queue.refuse(bad, "row 3: free is missing", instead=instead, now_ms=7)
        assert queue.oldest(1) == [instead]
        queue.refuse(instead, "refused again", instead=None, now_ms=8)
        queue.refuse(FAILED, "never was in the queue", instead=None, now_ms=9)
        assert spans(emptied(queue)) == [(1, 1, "waiting")]
    with looking_at(tmp_path / "s") as connection:
        assert connection is not None
        kept = connection.execute("SELECT outcome, why, quarantined_at_ms, body FROM quarantine ORDER BY id").fetchall()
    assert kept == [
        ("stored", "row 3: free is missing", 7, REPLY.body),
        ("failed", "refused again", 8, None),
        ("failed", "never was in the queue", 9, None),
    ]


def test_a_full_spool_says_so_before_anything_is_asked(tmp_path: Path) -> None:
    """It never drops the old: what has arrived is still taken, and there is room again after it was stored."""
    large = replace(REPLY, body=b"x" * 100_000)
    with spool(tmp_path / "s", max_bytes=400_000) as queue:
        taken = 0
        while queue.has_room():
            queue.append(large)
            taken += 1
        assert 2 <= taken <= 4
        queue.append(large)
        queue.append(missed(1))
        assert [len(entry.body or b"") for entry in emptied(queue)] == [100_000] * (taken + 1) + [0]
        assert queue.has_room()


def test_little_free_disk_counts_as_full(tmp_path: Path) -> None:
    """The last megabytes belong to the database and to the rest of the machine."""
    with spool(tmp_path / "s", min_free_bytes=10**18) as queue:
        assert not queue.has_room()


def test_an_empty_spool_gives_its_disk_space_back(tmp_path: Path) -> None:
    """After a long outage; quarantine is kept, however."""
    file = tmp_path / "s"
    with spool(file) as queue:
        for _ in range(30):
            queue.append(replace(REPLY, body=os.urandom(100_000)))
        queue.shrink()
        assert file.stat().st_size + (tmp_path / "s-wal").stat().st_size > 3_000_000
        emptied(queue)
        queue.shrink()
        assert file.stat().st_size + (tmp_path / "s-wal").stat().st_size < 100_000
        queue.append(REPLY)
        assert len(emptied(queue)) == 1


APPENDING = """
import sys
from dataclasses import replace
from pathlib import Path
from collector.storage.spool import Spool
from tests.test_storage_spool import REPLY
queue = Spool(Path(sys.argv[1]), database="x", max_bytes=10**9, min_free_bytes=0)
for number in range(100_000):
    queue.append(replace(REPLY, due_at=number, last_due_at=number))
    print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    """Every entry whose append returned is there, whole and in order, however the process ended."""
    for seen in (1, 5, 60):
        file = tmp_path / f"s{seen}"
        command = [sys.executable, "-c", APPENDING, str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as process:
            assert process.stdout is not None
            for _ in range(seen):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            acknowledged = seen + len(process.stdout.read().splitlines())
        with spool(file, database="x") as queue:
            found = emptied(queue)
        assert [entry.due_at for entry in found] == list(range(len(found)))
        assert acknowledged <= len(found) <= acknowledged + 1
        assert {entry.body for entry in found} == {REPLY.body}


def test_a_full_disk_takes_nothing_by_halves(tmp_path: Path) -> None:
    """An entry is there or the caller knows; the spool works again as soon as there is space."""
    with spool(tmp_path / "s") as queue:
        queue._connection.execute("PRAGMA max_page_count = 100")
        for number in range(8):
            queue.append(replace(REPLY, due_at=number, body=os.urandom(40_000)))
        with pytest.raises(DatabaseError, match=r"the spool .* can't be used: database or disk is full"):
            queue.append(replace(REPLY, body=os.urandom(100_000)))
        queue._connection.execute("PRAGMA max_page_count = 1000")
        queue.append(replace(REPLY, due_at=8))
        assert [entry.due_at for entry in emptied(queue)] == list(range(9))


def test_replies_of_one_database_never_go_into_another(tmp_path: Path) -> None:
    """An empty spool may serve another database, one that holds something is refused in a sentence."""
    with spool(tmp_path / "s", database="database a") as queue:
        queue.append(REPLY)
    with pytest.raises(DatabaseError, match=r"holds replies that belong to database a, not to database b"):
        Spool(tmp_path / "s", database="database b", max_bytes=1, min_free_bytes=0)
    with spool(tmp_path / "s", database="database a") as queue:
        emptied(queue)
    with spool(tmp_path / "s", database="database b") as queue:
        assert queue.oldest(1) == []


def test_a_spool_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    """Its entries may mean something else."""
    with closing(sqlite3.connect(tmp_path / "s")) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(DatabaseError, match="made by a newer collector"):
        Spool(tmp_path / "s", database="x", max_bytes=1, min_free_bytes=0)
    with pytest.raises(DatabaseError, match="made by a newer collector"), looking_at(tmp_path / "s"):
        pass


@pytest.mark.parametrize("version", [0, 1])
def test_a_file_of_another_program_is_left_alone(tmp_path: Path, version: int) -> None:
    """The key may name a database, or a backup of one: no reply belongs there, and it is no empty spool."""
    file = tmp_path / "s"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE tick (due_at INTEGER)")
        connection.execute(f"PRAGMA user_version = {version}")
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match="belongs to another program: choose another file with the key spool"):
        Spool(file, database="x", max_bytes=1, min_free_bytes=0)
    with pytest.raises(DatabaseError, match="belongs to another program"), looking_at(file):
        pass
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_damaged_spool_is_left_as_it_is(tmp_path: Path) -> None:
    """It may hold the only copy of what was received."""
    file = tmp_path / "s"
    file.write_bytes(b"not a database, but somebody's" * 300)
    before = file.read_bytes()
    with pytest.raises(DamagedError, match=r"is damaged .* left as it is"):
        Spool(file, database="x", max_bytes=1, min_free_bytes=0)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_place_that_can_not_be_written_is_told_with_the_key(tmp_path: Path) -> None:
    """The key is what mends it."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseError, match=r"can't be made: .*; choose another place with the key spool"):
        Spool(tmp_path / "file" / "s", database="x", max_bytes=1, min_free_bytes=0)


def test_looking_at_a_spool_does_not_make_one(tmp_path: Path) -> None:
    """Nor does it disturb the daemon that fills it."""
    with looking_at(tmp_path / "s?#%") as connection:
        assert connection is None
    assert list(tmp_path.iterdir()) == []
    with spool(tmp_path / "s?#%") as queue:
        queue.append(REPLY)
        with looking_at(tmp_path / "s?#%") as connection:
            assert connection is not None
            assert connection.execute("SELECT count(*) FROM entry").fetchone() == (1,)
            queue.append(REPLY)
            with pytest.raises(DatabaseError, match="readonly"):
                _write(tmp_path / "s?#%")


def _write(path: Path) -> None:
    with looking_at(path) as connection:
        assert connection is not None
        connection.execute("DELETE FROM entry")
