"""What came of a tick is kept, in its order and once, while the database is away and after it."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.binance.wire import parse_user_assets
from collector.daemon.drain import Drain
from collector.daemon.keeper import Keeper
from collector.domain.records import Account
from collector.domain.ticks import MissReason, Outcome, TickOutcome, TickRange
from collector.errors import DamagedError, DatabaseError
from collector.storage import registry
from collector.storage.record import Recorder
from collector.storage.spool import Spool
from collector.storage.spoolfile import looking_at
from tests.daemons import until
from tests.ledgers import T0, ask, failed, opened, recorder, register, stored
from tests.outages import unwritable

PATIENCE_S = 0.2
WAITING, FULL = MissReason.WAITING, MissReason.SPOOL_FULL


def body(free: str, asset: str = "BTC") -> bytes:
    """A reply that holds one asset."""
    row = dict.fromkeys(("locked", "freeze", "withdrawing", "ipoable", "btcValuation"), "0")
    return json.dumps([{"asset": asset, "free": free, **row}]).encode()


def came(account: Account, minute: int, reply: bytes) -> tuple[TickOutcome, bytes]:
    """What came of the tick of a minute, and its reply."""
    return stored(account, T0 + 60 * minute, parse_user_assets(reply, btc_requested=True)), reply


def minutes(first: int, last: int) -> TickRange:
    """A range of ticks, by minutes after T0."""
    return TickRange(start_at=T0 + 60 * first, last_due_at=T0 + 60 * last, interval_s=60)


class Clock:
    """Epoch milliseconds, as the test says."""

    def __init__(self) -> None:
        self.ms = T0 * 1000

    def __call__(self) -> int:
        return self.ms


class Kept:
    """A keeper with what it works with."""

    def __init__(self, url: str, spool: Spool, writer: Recorder) -> None:
        self.url = url
        self.spool = spool
        self.recorder = writer
        self.clock = Clock()
        self.keeper = Keeper(writer, spool, now_ms=self.clock)

    def aside(self, outcome: TickOutcome, reply: bytes | None = None) -> bool:
        """Keep what came of a tick; whether it had to be kept aside."""
        return self.keeper.tick(outcome, reply).spooled

    def miss(self, account: Account, ticks: TickRange, reason: MissReason) -> bool:
        """Keep that ticks were missed; whether it had to be kept aside."""
        told = replace(failed(account, ticks.last_due_at), outcome=Outcome.MISSED, reason=reason)
        return self.keeper.missed(told, ticks, reason).spooled

    def is_empty(self) -> bool:
        """Whether nothing waits any more."""
        return not self.spool.waiting()

    def is_back(self) -> None:
        """Wait until all has been stored and the database is written directly again."""
        until("everything stored", lambda: self.is_empty() and not self.keeper._aside)


@contextmanager
def keeping(url: str, folder: Path, *, max_bytes: int = 10**8, start: bool = True) -> Iterator[Kept]:
    """A keeper at work on a database, as the daemon has it."""
    spool = Spool(folder / "spool", database="x", max_bytes=max_bytes, min_free_bytes=0)
    with opened(url, "writer", patience_s=PATIENCE_S) as engine:
        writer = Recorder(engine)
        kept = Kept(url, spool, writer)
        if start:
            kept.keeper.start()
        try:
            yield kept
        finally:
            kept.keeper.stop(1.0)
            writer.close()
            spool.close()


def answers(url: str) -> list[tuple[Any, ...]]:
    """Minute and outcome of each tick, in the order in which they were recorded."""
    epoch = "due_at" if url.startswith("sqlite") else "CAST(extract(epoch FROM due_at) AS bigint)"
    return ask(url, f"SELECT ({epoch} - {T0}) / 60, outcome, reason FROM tick ORDER BY recorded_at, due_at")


def lost(url: str) -> list[tuple[Any, ...]]:
    """First and last minute and reason of each range."""
    epoch = "{0}" if url.startswith("sqlite") else "CAST(extract(epoch FROM {0}) AS bigint)"
    span = ", ".join(f"({epoch.format(name)} - {T0}) / 60" for name in ("start_at", "last_due_at"))
    return ask(url, f"SELECT {span}, reason FROM missed ORDER BY start_at")


def quarantine(folder: Path) -> list[tuple[Any, ...]]:
    """Reply and reason of everything that could not be stored."""
    with looking_at(folder / "spool") as connection:
        assert connection is not None
        return connection.execute("SELECT body, why FROM quarantine ORDER BY id").fetchall()


def test_nobody_waits_for_a_database_that_is_away(database_url: str, tmp_path: Path) -> None:
    """What arrives meanwhile is kept, and stored as soon as the database is back, with the time at which that was."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        assert not kept.aside(*came(account, 0, body("1")))
        with unwritable(database_url):
            kept.clock.ms += 3_600_000
            started = time.monotonic()
            assert kept.aside(*came(account, 1, body("1.50")))
            assert time.monotonic() - started < 5
            started = time.monotonic()
            assert kept.aside(failed(account, T0 + 120))
            assert kept.miss(account, minutes(3, 4), WAITING)
            assert kept.miss(account, minutes(5, 5), WAITING)
            assert kept.aside(*came(account, 6, body("0.00000001")))
            assert time.monotonic() - started < 1
            assert kept.spool.waiting() == {"main": 4}
        kept.is_back()
        assert not kept.aside(*came(account, 7, body("2")))
    assert answers(database_url) == [
        (0, "stored", None),
        (1, "stored", None),
        (2, "failed", "timeout"),
        (6, "stored", None),
        (7, "stored", None),
    ]
    assert lost(database_url) == [(3, 5, "waiting")]
    amounts = ask(database_url, "SELECT CAST(free AS TEXT) FROM balance ORDER BY due_at")
    assert amounts == [("1",), ("1.50",), ("0.00000001",), ("2",)]
    late = ask(database_url, f"SELECT count(*) FROM tick WHERE recorded_at >= {_ms(database_url, 3_600_000)}")
    assert late == [(4,)]


def _ms(url: str, after: int) -> str:
    return str(T0 * 1000 + after) if url.startswith("sqlite") else f"to_timestamp({T0 + after // 1000})"


def test_what_the_spool_keeps_is_what_was_received(database_url: str, tmp_path: Path) -> None:
    """Every column of a tick that came over the spool is that of one that was stored at once."""
    reply = b'[{"asset":"\\u5e01","free":"1.10","locked":"0","freeze":"2E+1","withdrawing":"0","ipoable":"0",'
    reply += b'"btcValuation":"0.0","staked":"7"}]'
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        first, _ = came(account, 0, reply)
        full = replace(first, http_status=200, code=None, detail=None, attempts=3)
        kept.keeper.tick(full, reply)
        with unwritable(database_url):
            shift = 60_000
            kept.keeper.tick(
                replace(
                    full,
                    due_at=T0 + 60,
                    requested_at_ms=(full.requested_at_ms or 0) + shift,
                    received_at_ms=(full.received_at_ms or 0) + shift,
                ),
                reply,
            )
        kept.is_back()
    columns = (
        "interval_s, outcome, reason, http_status, code, detail, attempts, clock_offset_ms, weight_used, asset_count, "
        "unpriced, CAST(btc_total AS TEXT), btc_requested, digest, extra"
    )
    direct, late = ask(database_url, f"SELECT {columns} FROM tick ORDER BY due_at")
    assert direct == late
    assert direct[14] == '{"币": {"staked": "\\"7\\""}}'
    held = ask(database_url, "SELECT asset, CAST(free AS TEXT), CAST(frozen AS TEXT) FROM balance ORDER BY due_at")
    assert held == [("币", "1.10", "20")] * 2


def test_a_restart_stores_what_was_left_before_it_writes_downtime(database_url: str, tmp_path: Path) -> None:
    """The ticks of the outage have their snapshots; only those of the downtime are missed."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        open_ledger(kept.recorder, account, T0)
        with unwritable(database_url):
            for minute in range(3):
                kept.keeper.tick(*came(account, minute, body("1")))
            kept.keeper.stop(1.0)
    with keeping(database_url, tmp_path, start=False) as kept:
        assert kept.keeper.drain() == 3
        assert kept.keeper.drain() == 0
        open_ledger(kept.recorder, account, T0 + 301)
    assert answers(database_url) == [(minute, "stored", None) for minute in range(3)]
    assert lost(database_url) == [(3, 5, "not_running")]


def open_ledger(writer: Recorder, account: Account, now_s: int) -> None:
    """A daemon begins."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=60, now_s=now_s)


@pytest.mark.parametrize(
    ("late", "left"),
    [
        ((2, 2), [(3, 5)]),
        ((5, 5), [(2, 4)]),
        ((3, 4), [(2, 2), (5, 5)]),
        ((2, 5), []),
    ],
    ids=["first", "last", "middle", "whole"],
)
def test_what_comes_late_splits_the_range_that_says_it_was_missed(
    database_url: str, tmp_path: Path, late: tuple[int, int], left: list[tuple[int, int]]
) -> None:
    """Another host may have written the downtime already: a request left for these instants after all."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        open_ledger(kept.recorder, account, T0)
        with unwritable(database_url):
            for minute in range(late[0], late[1] + 1):
                kept.keeper.tick(*came(account, minute, body("1")))
            kept.keeper.stop(1.0)
        with recorder(database_url) as other:
            other.record_missed(account.id, minutes(2, 5), MissReason.NOT_RUNNING)
    with keeping(database_url, tmp_path, start=False) as kept:
        kept.keeper.drain()
    assert answers(database_url) == [(minute, "stored", None) for minute in range(late[0], late[1] + 1)]
    assert lost(database_url) == [(*span, "not_running") for span in left]


def test_an_entry_that_is_stored_twice_counts_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between commit and removal, the entry is still there at the next start."""
    with keeping(database_url, tmp_path, start=False) as kept:
        account = register(kept.recorder)
        with unwritable(database_url):
            kept.keeper.tick(*came(account, 0, body("1")))
            kept.keeper.tick(failed(account, T0 + 60))
            kept.miss(account, minutes(2, 3), WAITING)
        with monkeypatch.context() as patched:
            patched.setattr(Spool, "done", _killed)
            drain = Drain(kept.recorder, kept.spool, now_ms=kept.clock)
            with pytest.raises(KeyboardInterrupt):
                drain.run()
        assert kept.keeper.drain() == 3
    assert answers(database_url) == [(0, "stored", None), (1, "failed", "timeout")]
    assert lost(database_url) == [(2, 3, "waiting")]
    assert ask(database_url, "SELECT count(*) FROM balance") == [(1,)]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_reply_that_can_not_be_read_again_is_kept_as_evidence(database_url: str, tmp_path: Path) -> None:
    """The tick failed, as the ledger says; its bytes are not thrown away, and nothing behind it is blocked."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        with unwritable(database_url):
            kept.keeper.tick(came(account, 0, body("1"))[0], b'[{"asset":"BTC"}]')
            kept.keeper.tick(*came(account, 1, body("1")))
        kept.is_back()
        assert kept.spool.waiting() == {}
    assert answers(database_url) == [(0, "failed", "bad_reply"), (1, "stored", None)]
    said = "the reply can't be read: the reply is not data as Binance documents it: row 1: free is missing"
    assert quarantine(tmp_path) == [(b'[{"asset":"BTC"}]', said)]
    (kept_as,) = ask(database_url, "SELECT detail, asset_count FROM tick WHERE outcome = 'failed'")
    assert kept_as == (f"the reply could not be stored and is in quarantine: {said}", None)


def test_a_row_that_the_database_refuses_blocks_nobody(database_url: str, tmp_path: Path) -> None:
    """That is a bug, and costs one tick: it failed, its bytes are kept, and the next ones are stored."""
    forbid(database_url, "EVIL")
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        told = kept.keeper.tick(*came(account, 0, body("66.6", "EVIL")))
        assert (told.outcome, told.reason, told.snapshot, told.spooled) == ("failed", "bad_reply", None, False)
        assert not kept.aside(*came(account, 1, body("1")))
        with unwritable(database_url):
            kept.keeper.tick(*came(account, 2, body("66.6", "EVIL")))
            kept.keeper.tick(*came(account, 3, body("1")))
        kept.is_back()
    outcomes = [(0, "failed", "bad_reply"), (1, "stored", None), (2, "failed", "bad_reply"), (3, "stored", None)]
    assert sorted(answers(database_url)) == outcomes
    kept_aside = quarantine(tmp_path)
    assert [reply for reply, _ in kept_aside] == [body("66.6", "EVIL")] * 2
    assert not [why for _, why in kept_aside if "66.6" in why]
    details = ask(database_url, "SELECT detail FROM tick WHERE outcome = 'failed' ORDER BY due_at")
    assert details[0] == details[1]


def test_a_tick_has_its_answer_though_quarantine_is_full(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two things went wrong at once: the ledger is right all the same, and the log tells of both."""
    forbid(database_url, "EVIL")
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        kept.spool._connection.execute("PRAGMA max_page_count = 10")
        kept.keeper.tick(*came(account, 0, body("66.6", "EVIL") + b" " * 100_000))
    assert answers(database_url) == [(0, "failed", "bad_reply")]
    assert "the reply could not even be kept in quarantine" in caplog.text


def test_the_last_step_back_takes_only_a_little(sqlite_url: str, tmp_path: Path) -> None:
    """Everybody waits for it; what is more, and the failed tick of a refused reply, is left to the next one."""
    with keeping(sqlite_url, tmp_path, start=False) as kept:
        account = register(kept.recorder)
        kept.keeper._aside = True
        for minute in range(100):
            assert kept.aside(failed(account, T0 + 60 * minute))
        assert kept.keeper._end_of_spool() is None
        assert kept.spool.waiting() == {"main": 100}
        kept.keeper.drain()
        kept.keeper.tick(came(account, 100, body("1"))[0], b"unreadable")
        assert (kept.keeper._end_of_spool(), kept.keeper._aside) == (None, True)
        assert (kept.keeper._end_of_spool(), kept.keeper._aside) == (1, False)
    assert answers(sqlite_url)[-1] == (100, "failed", "bad_reply")


def forbid(url: str, asset: str) -> None:
    """Let the database refuse an asset for good."""
    if url.startswith("sqlite"):
        refusal = f"BEGIN SELECT RAISE(ABORT, 'refused') WHERE NEW.asset = '{asset}'; END"
        ask(url, f"CREATE TRIGGER no BEFORE INSERT ON balance {refusal}")
    else:
        ask(url, f"ALTER TABLE balance ADD CONSTRAINT no CHECK (asset <> '{asset}')")


def test_a_refused_failure_is_kept_aside_too(database_url: str, tmp_path: Path) -> None:
    """There is nothing better to say of its tick; the daemon goes on."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        kept.keeper.tick(failed(account, T0, interval_s=100_000))
        until("it in quarantine", lambda: quarantine(tmp_path))
        kept.is_back()
        assert not kept.aside(*came(account, 1, body("1")))
    assert answers(database_url) == [(1, "stored", None)]


def test_an_account_that_the_database_does_not_know_is_kept_aside(database_url: str, tmp_path: Path) -> None:
    """As when an older copy of the database was put back: its replies wait for somebody to look at them."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        with unwritable(database_url):
            kept.keeper.tick(*came(replace(account, name="stranger"), 0, body("1")))
            kept.keeper.tick(*came(account, 0, body("2")))
        kept.is_back()
    assert quarantine(tmp_path) == [(body("1"), "account 'stranger' is not in the database")]
    assert answers(database_url) == [(0, "stored", None)]


def test_a_full_spool_asks_for_nothing_more(database_url: str, tmp_path: Path) -> None:
    """The ticks are missed, in one range however long it lasts, and nothing that was kept is dropped."""
    with keeping(database_url, tmp_path, max_bytes=120_000) as kept:
        account = register(kept.recorder)
        assert kept.keeper.has_room()
        with unwritable(database_url):
            minute = 0
            large = body("1") + b" " * 20_000
            while kept.keeper.has_room():
                kept.keeper.tick(*came(account, minute, large))
                minute += 1
            assert minute >= 2
            for further in range(minute, minute + 50):
                assert not kept.keeper.has_room()
                kept.miss(account, minutes(further, further), FULL)
            assert kept.spool.waiting() == {"main": minute + 1}
        kept.is_back()
        assert kept.keeper.has_room()
    assert answers(database_url) == [(n, "stored", None) for n in range(minute)]
    assert lost(database_url) == [(minute, minute + 49, "spool_full")]


def test_what_neither_database_nor_spool_takes_waits_in_memory(database_url: str, tmp_path: Path) -> None:
    """A disk that is full for both: the reply that is there already is not lost, and no other is asked for."""
    with keeping(database_url, tmp_path) as kept:
        account, other = register(kept.recorder), register(kept.recorder, "other")
        kept.spool._connection.execute("PRAGMA max_page_count = 10")
        with unwritable(database_url):
            assert kept.aside(*came(account, 0, body("1") + b" " * 100_000))
            assert not kept.keeper.has_room()
            kept.miss(other, minutes(0, 0), FULL)
            for minute in range(1, 9):
                kept.miss(account, minutes(minute, minute), FULL)
            kept.miss(other, minutes(1, 1), FULL)
            assert len(kept.keeper._held) == 3
        kept.is_back()
        assert kept.keeper.has_room()
    assert answers(database_url) == [(0, "stored", None)]
    assert sorted(lost(database_url)) == [(0, 1, "spool_full"), (1, 8, "spool_full")]


def test_what_is_held_in_memory_goes_to_the_spool_when_that_can_be_written(database_url: str, tmp_path: Path) -> None:
    """The database may be away for longer than the process lives."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        kept.spool._connection.execute("PRAGMA max_page_count = 10")
        with unwritable(database_url):
            kept.keeper.tick(*came(account, 0, body("1") + b" " * 100_000))
            kept.spool._connection.execute("PRAGMA max_page_count = 10000")
            until("it in the spool", lambda: kept.spool.waiting() == {"main": 1})
            until("room", kept.keeper.has_room)
            kept.keeper.stop(1.0)
    with keeping(database_url, tmp_path, start=False) as kept:
        assert kept.keeper.drain() == 1
    assert answers(database_url) == [(0, "stored", None)]


def test_of_notes_that_had_to_wait_the_last_one_counts(database_url: str, tmp_path: Path) -> None:
    """A stop that was lifted meanwhile must not come back."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)

        def note(fingerprint: str | None) -> None:
            with kept.recorder.transaction() as connection:
                registry.note_key(connection, account.id, fingerprint)  # type: ignore[arg-type]

        kept.keeper.note("key", lambda: note("first"))
        with unwritable(database_url):
            kept.keeper.note("key", lambda: note("second"))
            kept.keeper.note("key", lambda: note("third"))
        kept.is_back()
    assert ask(database_url, "SELECT key_fingerprint FROM account") == [("third",)]


def test_a_note_that_is_refused_holds_nothing_up(database_url: str, tmp_path: Path) -> None:
    """It is a bug, and must not cost a tick."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        kept.keeper.note(
            "bad",
            lambda: kept.recorder.record_tick(
                replace(failed(account, T0), account_id=account.id + 7), recorded_at_ms=0
            ),
        )
        kept.is_back()
        assert not kept.aside(*came(account, 1, body("1")))


def test_a_bug_while_storing_is_told_and_tried_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread must not end with it: everything would wait until somebody restarts the daemon."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        with monkeypatch.context() as patched:
            patched.setattr(Drain, "run", lambda *_, **__: 1 / 0)
            with unwritable(database_url):
                kept.keeper.tick(*came(account, 0, body("1")))
                until("the bug in the log", lambda: "ZeroDivisionError" in caplog.text)
        kept.is_back()
    assert answers(database_url) == [(0, "stored", None)]


def test_many_threads_and_outages_lose_and_double_nothing(database_url: str, tmp_path: Path) -> None:
    """Each account's answers come in their order, whichever way they went."""
    with keeping(database_url, tmp_path) as kept:
        known = [register(kept.recorder, f"account {n}") for n in range(4)]
        over = threading.Event()

        def live(account: Account) -> int:
            minute = 0
            while not over.is_set():
                kept.clock.ms += 1
                kept.keeper.tick(*came(account, minute, body(str(minute + 1))))
                minute += 1
                time.sleep(0.01)
            return minute

        with ThreadPoolExecutor(4) as pool:
            lives = [pool.submit(live, account) for account in known]
            for _ in range(2):
                time.sleep(0.1)
                with unwritable(database_url):
                    time.sleep(0.2)
            over.set()
            ticks = [life.result() for life in lives]
        kept.is_back()
    for account, number in zip(known, ticks, strict=True):
        order = f"FROM tick WHERE account_id = {account.id} ORDER BY recorded_at, due_at"
        assert len(ask(database_url, f"SELECT due_at {order}")) == number
        held = ask(
            database_url, f"SELECT CAST(free AS TEXT) FROM balance WHERE account_id = {account.id} ORDER BY due_at"
        )
        assert held == [(str(n + 1),) for n in range(number)]
        assert ask(database_url, f"SELECT due_at {order}") == sorted(ask(database_url, f"SELECT due_at {order}"))


@pytest.mark.parametrize("damage", ["header", "pages"])
def test_a_damaged_file_is_told_and_left_alone(sqlite_template: Path, tmp_path: Path, damage: str) -> None:
    """Whoever owns the history decides; what arrives meanwhile is in the spool."""
    file = tmp_path / "collector.db"
    file.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{file}"
    with keeping(url, tmp_path) as kept:
        account = register(kept.recorder)
        for minute in range(200):
            kept.keeper.tick(*came(account, minute, body("1")))
        kept.recorder.close()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray(file.read_bytes())
        page = int.from_bytes(content[16:18], "big")
        first, last = (0, 100) if damage == "header" else (page, len(content))
        content[first:last] = b"\xaa" * (last - first)
        file.write_bytes(content)
        assert kept.aside(*came(account, 200, body("1")))
        assert isinstance(kept.keeper.damage, DamagedError)
        words = "file is not a database" if damage == "header" else "database disk image is malformed"
        assert words in str(kept.keeper.damage)
        assert kept.spool.waiting() == {"main": 1}
        assert file.read_bytes() == bytes(content)


def test_an_answer_that_was_kept_nowhere_is_named_at_the_end(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The ticks will be missed at the next start; the log says why."""
    with keeping(database_url, tmp_path) as kept:
        account = register(kept.recorder)
        kept.spool._connection.execute("PRAGMA max_page_count = 10")
        with unwritable(database_url):
            kept.keeper.tick(*came(account, 0, body("1") + b" " * 100_000))
            kept.keeper.stop(1.0)
        assert "1 answers could be kept nowhere" in caplog.text
        kept.keeper._held.clear()


def test_a_spool_that_is_gone_has_no_room(sqlite_template: Path, tmp_path: Path) -> None:
    """What can't be asked is answered with no."""
    file = tmp_path / "collector.db"
    file.write_bytes(sqlite_template.read_bytes())
    with keeping(f"sqlite:///{file}", tmp_path) as kept:
        account = register(kept.recorder)
        with unwritable(f"sqlite:///{file}"):
            kept.keeper.tick(*came(account, 0, body("1")))
            (tmp_path / "spool").rename(tmp_path / "elsewhere")
            assert not kept.keeper.has_room()
            (tmp_path / "elsewhere").rename(tmp_path / "spool")
            assert kept.keeper.has_room()
        kept.is_back()


def test_the_start_fails_while_the_database_can_not_be_written(database_url: str, tmp_path: Path) -> None:
    """Downtime must not be written before what was received: the supervisor tries again."""
    with keeping(database_url, tmp_path, start=False) as kept:
        account = register(kept.recorder)
        with unwritable(database_url):
            kept.keeper.tick(*came(account, 0, body("1")))
            with pytest.raises(DatabaseError):
                kept.keeper.drain()
        assert kept.keeper.drain(go_on=lambda: False) == 0
        assert kept.keeper.drain() == 1
    assert answers(database_url) == [(0, "stored", None)]
