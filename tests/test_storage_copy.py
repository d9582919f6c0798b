"""A copy holds what its source holds, digit for digit, whichever way it goes and whatever comes between."""

import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from collector.domain.records import Account
from collector.domain.thinning import FOREVER, Keep, Rule
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.errors import DatabaseError, LockedError, SchemaVersionError, UsageError
from collector.storage import accounts, prune, registry, transfer
from collector.storage import copy as copying
from collector.storage.backup import back_up_file
from collector.storage.bulk import insert_plain
from collector.storage.copy import Copied, copy
from collector.storage.engine import inspecting
from collector.storage.failures import database_errors
from collector.storage.lock import held as locked
from collector.storage.months import bounds
from collector.storage.reader import Reader, reading
from collector.storage.record import Recorder
from collector.storage.restore import back_up_server
from collector.storage.schema import metadata, price
from collector.storage.verify import problems_in
from tests.damage import plant
from tests.ledgers import T0, ask, failed, held, instant, opened, record, recorder, register, snapshot, stored
from tests.postgres import Databases
from tests.processes import clean_environment

AWKWARD = snapshot(
    held("BTC", "0.50000000", btc_valuation="0.50000000"),
    held("币安人生", "123456789012345678901234567890.1234567890", locked="0.0000001", btc_valuation="0.00000000"),
    held("1000SATS", "7", btc_valuation="0.1"),
    extra={"BTC": {"new \\ field": '"a\\tb"'}},
)


@pytest.fixture(params=["sqlite", "postgresql"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Databases) -> Iterator[str]:
    """The URL of an empty database of either engine; an SQLite file is not there yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/copies/target.db"
        return
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def other_url(engine_name: str, tmp_path: Path, postgres_server: Databases) -> Iterator[str]:
    """The URL of an empty database of the other engine."""
    if engine_name == "postgresql":
        yield f"sqlite:///{tmp_path}/target.db"
        return
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def url(database_url: str) -> str:
    """Two accounts with every kind of row, over three months; `second` has no ticks at all."""
    with recorder(database_url) as writer:
        account = register(writer, "first", asset_scope=None)
        schedule(writer, account, 86_400, T0)
        start = T0 // 86_400 * 86_400 + 86_400
        for n in range(70):
            record(writer, stored(account, start + 86_400 * n, AWKWARD, interval_s=86_400))
        record(writer, failed(account, start + 86_400 * 70, interval_s=86_400))
        lost = TickRange(start_at=start + 86_400 * 71, last_due_at=start + 86_400 * 72, interval_s=86_400)
        writer.record_missed(account.id, lost, MissReason.PAUSED)
        record(writer, stored(account, start + 100, AWKWARD, interval_s=None))
        thin(database_url, account)
        other = register(writer, "second", asset_scope="BTC")
        schedule(writer, other, 60, T0)
        with writer.transaction() as connection:
            registry.note_key(connection, other.id, "0123456789abcdef")
            registry.note_stop(
                connection, other.id, stopped_at_ms=T0 * 1000 + 7, reason="key_rejected", probe_at_ms=None
            )
            registry.note_run(connection, host="h", pid=7, started_at_ms=T0 * 1000 + 1, version="0.1")
    due = instant(database_url, T0)
    ask(database_url, f"INSERT INTO price (due_at, base, quote, price) VALUES ({due}, 'BTC', 'EUR', '0.10')")
    ask(database_url, f"INSERT INTO wait (scope, until, reason) VALUES ('ip', {due}, 'banned')")
    return database_url


def schedule(writer: Recorder, account: Account, interval_s: int | None, now_s: int) -> None:
    """From now on the account is due at this interval."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)


def thin(url: str, account: Account) -> None:
    """Of each week only the ends stay."""
    rules = [Rule(keep=Keep.WEEKLY, span_s=FOREVER)]
    with inspecting(url) as connection:
        planned = prune.plan(connection, account, rules)
    prune.prune(url, planned, rules, show=silent, pause=lambda _seconds: None)


def silent(_what: str, _share: float) -> None:
    """No bar."""


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Each table as sorted text, with names in place of account ids."""
    found = {}
    names = dict(ask(url, "SELECT id, name FROM account"))
    for table in metadata.sorted_tables:
        columns = [c.name for c in table.columns if c.name != "id"]
        values = columns if url.startswith("sqlite") else [_epoch(name) for name in columns]
        rows = ask(url, f"SELECT {', '.join(values)} FROM {table.name}")
        at = columns.index("account_id") if "account_id" in columns else None
        named = [tuple(names[v] if n == at else _text(v) for n, v in enumerate(row)) for row in rows]
        found[table.name] = sorted(named, key=repr)
    return found


def _text(value: Any) -> str | None:
    return None if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)


def _epoch(name: str) -> str:
    """An instant in seconds or milliseconds as SQLite has it."""
    seconds = {"due_at", "from_at", "start_at", "last_due_at", "first_due_at"}
    if name in seconds:
        return f"CAST(extract(epoch FROM {name}) AS bigint)"
    is_instant = name.endswith("_at") or name == "until"
    return f"CAST(extract(epoch FROM {name}) * 1000 AS bigint)" if is_instant else name


def problems(url: str) -> list[Any]:
    """What a verifier finds."""
    with inspecting(url) as connection:
        known = accounts.every_account(Reader.over(connection))
        return list(problems_in(connection, known, whole=True, counts=Counter(), show=silent))


def test_a_copy_holds_the_same_digit_for_digit(url: str, target_url: str) -> None:
    """Every table, every row, every digit; names of any script; instants to the millisecond."""
    seen: list[tuple[str, float]] = []
    done = copy(url, target_url, show=lambda what, share: seen.append((what, share)))
    assert everything(target_url) == everything(url)
    assert problems(target_url) == []
    ticks, balances = len(everything(url)["tick"]), len(everything(url)["balance"])
    assert done == Copied(accounts=2, ticks=ticks, balances=balances, again=0)
    assert {what for what, _ in seen} == {"copying account first", "comparing account first"}
    assert all(0 <= share <= 1 for _, share in seen)
    if target_url.startswith("sqlite"):
        assert Path(target_url.removeprefix("sqlite:///")).stat().st_mode & 0o777 == 0o600


def test_a_second_copy_brings_only_what_is_new(url: str, target_url: str) -> None:
    """It goes on at the newest tick, also when something happened behind it."""
    copy(url, target_url, show=silent)
    with recorder(url) as writer:
        account = register(writer, "first")
        start = T0 // 86_400 * 86_400 + 86_400
        record(writer, stored(account, start + 86_400 * 70, AWKWARD, interval_s=86_400))  # spooled: it had failed
        record(writer, stored(account, start + 86_400 * 71, AWKWARD, interval_s=86_400))  # out of the missed range
        record(writer, stored(account, start + 86_400 * 74, AWKWARD, interval_s=86_400))
        schedule(writer, account, None, start + 86_400 * 74 + 1)
    done = copy(url, target_url, show=silent)
    assert everything(target_url) == everything(url)
    assert done.again == 1


def test_what_was_thinned_in_the_source_is_thinned_in_the_copy(url: str, other_url: str) -> None:
    """A tick that is gone on purpose is no history of the target's own."""
    copy(url, other_url, show=silent)
    with inspecting(url) as connection:
        account = accounts.find(Reader.over(connection), "first")
        assert account is not None
        rules = [Rule(keep=Keep.MONTHLY, span_s=FOREVER)]
        planned = prune.plan(connection, account, rules)
    prune.prune(url, planned, rules, show=silent, pause=lambda _seconds: None)
    assert planned.ticks > 5
    done = copy(url, other_url, show=silent)
    assert done.again == 3
    assert everything(other_url) == everything(url)


def test_a_damaged_copy_is_mended(url: str, other_url: str) -> None:
    """A digit that differs, a row that is lost: the month is copied again."""
    copy(url, other_url, show=silent)
    plant(
        other_url,
        "UPDATE balance SET free = '0.6' WHERE asset = 'BTC'",
        "DELETE FROM balance WHERE asset = '1000SATS'",
    )
    plant(other_url, "UPDATE tick SET btc_total = '9'")
    assert copy(url, other_url, show=silent).again == 3
    assert everything(other_url) == everything(url)


def test_other_accounts_of_the_target_stay(url: str, other_url: str) -> None:
    """Ids are mapped by name; nothing of the others is touched, nor is the database marked as unfinished."""
    copy(url, other_url, show=silent)
    with recorder(other_url) as writer:
        mine = register(writer, "mine")
        schedule(writer, mine, 60, T0)
        record(writer, stored(mine, T0))
    before = everything(other_url)
    with recorder(url) as writer:
        third = register(writer, "third")
        schedule(writer, third, 60, T0)
        record(writer, stored(third, T0, AWKWARD))
    copy(url, other_url, show=silent)
    after = everything(other_url)
    assert [row for row in after["tick"] if row[1] != "third"] == before["tick"]
    assert [row[5:8] for row in after["balance"] if row[1] == "third"] == [
        row[5:8] for row in everything(url)["balance"] if row[1] == "third"
    ]
    assert problems(other_url) == []


def test_a_history_of_its_own_is_never_written_over(url: str, other_url: str) -> None:
    """An account of the same name that was collected elsewhere, in three disguises."""
    copy(url, other_url, show=silent)
    with recorder(other_url) as writer:
        account = register(writer, "first")
        before = T0 // 86_400 * 86_400 + 86_400 + 100
        record(writer, stored(account, before + 1, interval_s=None))
        said = everything(other_url)
    with pytest.raises(DatabaseError, match=rf"has a tick at {before + 1} .* nothing is copied over it"):
        copy(url, other_url, show=silent)
    assert everything(other_url) == said
    with recorder(other_url) as writer:
        record(writer, stored(account, T0 + 86_400 * 90, interval_s=None))
    with pytest.raises(DatabaseError, match="has newer ticks than the source"):
        copy(url, other_url, show=silent)
    ask(other_url, f"UPDATE account SET created_at = {instant(other_url, 5)} WHERE name = 'first'")
    with pytest.raises(DatabaseError, match="is not a copy of the source's but another history"):
        copy(url, other_url, show=silent)
    assert len(everything(other_url)["tick"]) == len(said["tick"]) + 1


def test_another_answer_for_the_same_tick_is_a_history_of_its_own(url: str, other_url: str) -> None:
    """Stored at another moment means fetched another time."""
    copy(url, other_url, show=silent)
    millis = 5_000 if other_url.startswith("sqlite") else "to_timestamp(5)"
    ask(other_url, f"UPDATE tick SET recorded_at = {millis} WHERE outcome = 'stored'")
    with pytest.raises(DatabaseError, match="it has a history of its own"):
        copy(url, other_url, show=silent)


def test_the_same_database_is_refused(url: str, tmp_path: Path) -> None:
    """By whatever name."""
    other = url
    if url.startswith("sqlite"):
        (tmp_path / "link.db").symlink_to(url.removeprefix("sqlite:///"))
        other = f"sqlite:///{tmp_path}/link.db"
    else:
        other = url.replace("127.0.0.1", "localhost")
    for name in (url, other):
        with pytest.raises(UsageError, match="source and target are both database"):
            copy(url, name, show=silent)


def test_a_daemon_in_the_target_is_refused(url: str, other_url: str) -> None:
    """It would write into what is being filled."""
    copy(url, other_url, show=silent)
    with locked(other_url), pytest.raises(LockedError):
        copy(url, other_url, show=silent)


@pytest.mark.parametrize("side", ["source", "target"])
def test_other_revisions_are_refused(url: str, other_url: str, side: str) -> None:
    """A newer program made it: what its tables mean is unknown."""
    copy(url, other_url, show=silent)
    ask({"source": url, "target": other_url}[side], "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaVersionError, match="revision 9999, which this version does not know"):
        copy(url, other_url, show=silent)


def test_a_source_that_contradicts_itself_is_refused(url: str, other_url: str) -> None:
    """Balances without a tick have no place to go."""
    plant(url, "DELETE FROM tick WHERE interval_s IS NULL")
    with pytest.raises(
        DatabaseError, match=r"has balances without a tick at .* run 'collector db verify' on the source"
    ):
        copy(url, other_url, show=silent)


def test_a_month_that_can_not_be_made_equal_is_told(url: str, other_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not keep what it is given: no copy is called whole that is not."""
    copy(url, other_url, show=silent)
    plant(other_url, "UPDATE tick SET btc_total = '9'")
    monkeypatch.setattr(copying, "copy_again", lambda *_: None)
    with pytest.raises(DatabaseError, match="still differs after it was copied again"):
        copy(url, other_url, show=silent)


def test_a_row_that_the_target_refuses_is_told_without_its_amounts(url: str) -> None:
    """PostgreSQL would print the whole row."""
    with opened(url, "writer") as engine, engine.connect() as connection:
        with pytest.raises(DatabaseError) as raised, database_errors(url), connection.begin():
            insert_plain(connection, price, ["due_at", "base", "quote", "price"], [(T0, "BTC", "EUR", "0.10")])
        assert "unique" in str(raised.value).lower()
        assert "0.10" not in str(raised.value)
        with connection.begin():
            insert_plain(connection, price, ["due_at", "base", "quote", "price"], [])
            assert list(connection.execute(text("SELECT count(*) FROM price"))) == [(1,)]


@contextmanager
def small_disk() -> Iterator[None]:
    """No file of this process can grow beyond 60 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_a_copy_that_goes_on_later(url: str, tmp_path: Path) -> None:
    """Neither a backup nor a copy is called complete; what was written helps the next run."""
    target, file = tmp_path / "small" / "c.db", tmp_path / "small" / "b.db"
    work: list[Callable[[], object]] = [
        lambda: copy(url, f"sqlite:///{target}", show=silent),
        lambda: (
            back_up_file(url, file, show=silent) if url.startswith("sqlite") else back_up_server(url, file, show=silent)
        ),
    ]
    for one in work:
        with pytest.raises(DatabaseError, match=r"full|I/O error|File too large"), small_disk():
            one()
    assert [path.name for path in target.parent.iterdir() if path.name.startswith("b.db")] == []
    copy(url, f"sqlite:///{target}", show=silent)
    assert everything(f"sqlite:///{target}") == everything(url)


KILLED = """
import os, signal, sys
from collector.storage import copy, transfer
transfer.ROWS_AT_ONCE = 10
write, left = transfer._write, [int(sys.argv[3])]
def killed(*arguments):
    write(*arguments)
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
transfer._write = killed
copy.copy(sys.argv[1], sys.argv[2], show=lambda what, share: None)
"""


def test_a_copy_goes_on_after_kill_nine(url: str, target_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed inside of a transaction, three times: what was half there is not used, and the last run completes it."""
    rows = []
    for batches in (0, 2, 3):
        command = [sys.executable, "-c", KILLED, url, target_url, str(batches)]
        done = subprocess.run(command, env=clean_environment(), timeout=60, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        rows.append(ask(target_url, "SELECT count(*) FROM tick")[0][0])
        with pytest.raises(SchemaVersionError, match="is a copy that is not finished"), reading(target_url):
            pass
    assert rows[0] == 0
    assert rows[0] < rows[1] < rows[2] < len(everything(url)["tick"])
    monkeypatch.setattr(transfer, "ROWS_AT_ONCE", 10)
    copy(url, target_url, show=silent)
    assert everything(target_url) == everything(url)


def test_a_daemon_writes_into_the_source_meanwhile(url: str, other_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is of one moment: what came before it is there, and its ledger is whole."""
    monkeypatch.setattr(transfer, "ROWS_AT_ONCE", 10)
    with recorder(url) as writer:
        busy = register(writer, "busy")
        schedule(writer, busy, 60, T0)
        due: list[int] = []

        def collect(what: str, _share: float) -> None:
            if len(due) < 40:
                due.append(T0 + 60 * len(due))
                outcome = stored(busy, due[-1], AWKWARD)
                record(writer, failed(busy, due[-1], FailReason.TLS) if "comparing" in what else outcome)

        copy(url, other_url, show=collect)
    there = [row for row in everything(other_url)["tick"] if row[1] == "busy"]
    here = [row for row in everything(url)["tick"] if row[1] == "busy"]
    assert len(there) >= 5
    assert there == here[: len(there)]
    assert problems(other_url) == []
    copy(url, other_url, show=silent)
    assert everything(other_url) == everything(url)


def test_months_begin_and_end_where_the_calendar_says() -> None:
    """December too."""
    assert bounds(T0) == (1_698_796_800, 1_701_388_800)
    assert bounds(1_703_980_799) == (1_701_388_800, 1_704_067_200)
    assert bounds(1_701_388_800) == (1_701_388_800, 1_704_067_200)
