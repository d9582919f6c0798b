"""A tick is stored once, whole, and in one transaction, whoever writes it and whatever breaks meanwhile."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text

from collector.domain.balances import digest
from collector.domain.records import Account
from collector.domain.ticks import FailReason, TickOutcome
from collector.errors import DatabaseError
from collector.storage import driver, history
from collector.storage.reader import reading
from collector.storage.record import Recorder
from collector.storage.upkeep import upgrade
from tests.ledgers import T0, ask, failed, held, instant, instant_ms, record, recorder, register, snapshot, stored
from tests.postgres import Databases, PostgresServer

MORNING = snapshot(held("BTC", "1.50000000", btc_valuation="1.5"), held("ETH", "2", btc_valuation="0.1"))
EVENING = snapshot(held("BTC", "3", btc_valuation="3"), held("币安人生", "7"))


def ticks(url: str) -> list[tuple[object, ...]]:
    """Outcome, reason, interval and number of assets of each tick, oldest first."""
    return ask(url, "SELECT outcome, reason, interval_s, asset_count FROM tick ORDER BY due_at")


def assets(url: str) -> list[object]:
    """Every asset that any balance names."""
    return [row[0] for row in ask(url, "SELECT asset FROM balance ORDER BY due_at, asset")]


class Telling:
    """A cursor that tells each statement before it is executed."""

    def __init__(self, cursor: Any, tell: Callable[[str], object]) -> None:
        self._cursor, self._tell = cursor, tell
        self.close, self.fetchone, self.fetchall = cursor.close, cursor.fetchone, cursor.fetchall

    def execute(self, statement: str, *rest: Any) -> Any:
        """As the driver's."""
        self._tell(statement)
        return self._cursor.execute(statement, *rest)

    def executemany(self, statement: str, *rest: Any) -> Any:
        """As the driver's."""
        self._tell(statement)
        return self._cursor.executemany(statement, *rest)


@contextmanager
def telling(writer: Recorder, tell: Callable[[str], object]) -> Iterator[None]:
    """Tell each statement of a recorder before it is executed, by SQLAlchemy or by the driver itself."""

    def told(_: object, __: object, statement: str, *___: object) -> None:
        tell(statement)

    original = driver.cursor_of
    event.listen(writer._engine, "before_cursor_execute", told)
    driver.cursor_of = lambda connection, *options: Telling(original(connection, *options), tell)
    try:
        yield
    finally:
        driver.cursor_of = original
        event.remove(writer._engine, "before_cursor_execute", told)


def test_every_column_of_a_stored_tick_says_what_was_seen(database_url: str) -> None:
    """What another program reads from the tables is what the exchange sent, digit for digit."""
    taken = snapshot(
        held("BTC", "0.00000000", locked="1.10", frozen="2", withdrawing="0.000", ipoable="4", btc_valuation="9.90"),
        held("456", "5", btc_valuation="0"),
        extra={"BTC": {"staked": '"1.50"', "new": '{"a":[1.0]}'}, "456": {"é": "null"}},
    )
    with recorder(database_url) as writer:
        account = register(writer)
        seen = replace(stored(account, T0, taken), http_status=200, attempts=2)
        assert writer.record_tick(seen, recorded_at_ms=T0 * 1000 + 9_876)
    due_at, received_at = instant(database_url, T0), instant_ms(database_url, T0 * 1000 + 345)
    requested_at, recorded_at = (instant_ms(database_url, T0 * 1000 + ms) for ms in (12, 9_876))
    columns = (
        "interval_s, outcome, reason, http_status, code, detail, attempts, clock_offset_ms, weight_used, asset_count, "
        "unpriced, CAST(btc_total AS TEXT), btc_requested, digest, extra"
    )
    where = (
        f"due_at = {due_at} AND requested_at = {requested_at} AND received_at = {received_at} "
        f"AND recorded_at = {recorded_at}"
    )
    extra = '{"456": {"é": "null"}, "BTC": {"new": "{\\"a\\":[1.0]}", "staked": "\\"1.50\\""}}'
    expected = (60, "stored", None, 200, None, None, 2, -3, 5, 2, 1, "9.90", 1, digest(taken.balances), extra)
    assert ask(database_url, f"SELECT {columns} FROM tick WHERE {where}") == [expected]
    amounts = ", ".join(
        f"CAST({name} AS TEXT)" for name in ("free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation")
    )
    assert ask(database_url, f"SELECT asset, {amounts} FROM balance WHERE due_at = {due_at} ORDER BY asset") == [
        ("456", "5", "0", "0", "0", "0", "0"),
        ("BTC", "0.00000000", "1.10", "2", "0.000", "4", "9.90"),
    ]
    assert ask(database_url, f"SELECT asset FROM known_asset WHERE first_due_at = {due_at} ORDER BY asset") == [
        ("456",),
        ("BTC",),
    ]


def test_every_column_of_a_failed_tick_says_what_went_wrong(database_url: str) -> None:
    """A failure keeps its evidence and holds no amount."""
    with recorder(database_url) as writer:
        account = register(writer)
        assert record(writer, failed(account, T0, FailReason.SERVER_ERROR))
    columns = "reason, http_status, code, detail, attempts, clock_offset_ms, weight_used"
    nothing = "received_at, asset_count, unpriced, btc_total, btc_requested, digest, extra"
    assert ask(database_url, f"SELECT outcome, {columns}, {nothing} FROM tick") == [
        ("failed", "server_error", 502, -1001, "what was seen", 3, 4, 15, *[None] * 7)
    ]
    assert assets(database_url) == []


def test_an_empty_account_is_a_snapshot(database_url: str) -> None:
    """Holding nothing is known; it is no failure and no gap."""
    with recorder(database_url) as writer:
        assert record(writer, stored(register(writer), T0, snapshot()))
    assert ask(database_url, "SELECT outcome, asset_count, CAST(btc_total AS TEXT), unpriced FROM tick") == [
        ("stored", 0, "0", 0)
    ]


def test_valuations_that_were_not_asked_for_stay_unknown(database_url: str) -> None:
    """NULL and not 0, on each row and in the total."""
    taken = snapshot(held("BTC", btc_valuation=None), held("ETH", btc_valuation=None), btc_requested=False)
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0, taken))
    assert ask(database_url, "SELECT btc_total, btc_requested, unpriced FROM tick") == [(None, 0, 0)]
    assert ask(database_url, "SELECT btc_valuation FROM balance") == [(None,), (None,)]


def test_a_snapshot_recorded_twice_is_there_once(database_url: str) -> None:
    """A write is tried again when its acknowledgement was lost."""
    with recorder(database_url) as writer:
        tick = stored(register(writer), T0, MORNING)
        assert [record(writer, tick) for _ in range(3)] == [True, False, False]
    assert ticks(database_url) == [("stored", None, 60, 2)]
    assert assets(database_url) == ["BTC", "ETH"]


def test_two_fetches_of_one_tick_are_never_merged(database_url: str) -> None:
    """Rows of both would be a portfolio that never was."""
    with recorder(database_url) as writer:
        account = register(writer)
        assert record(writer, stored(account, T0, MORNING))
        assert not record(writer, stored(account, T0, EVENING))
    assert assets(database_url) == ["BTC", "ETH"]
    assert ask(database_url, "SELECT digest FROM tick") == [(digest(MORNING.balances),)]
    assert ask(database_url, "SELECT asset FROM known_asset ORDER BY asset") == [("BTC",), ("ETH",)]


def test_a_failed_tick_may_become_stored(database_url: str) -> None:
    """A second attempt that succeeds in time is the tick's answer; nothing of the failure stays."""
    with recorder(database_url) as writer:
        account = register(writer)
        assert record(writer, failed(account, T0))
        assert record(writer, stored(account, T0, MORNING))
    columns = "outcome, reason, http_status, code, detail, attempts, asset_count"
    assert ask(database_url, f"SELECT {columns} FROM tick") == [("stored", None, None, None, None, 1, 2)]
    assert assets(database_url) == ["BTC", "ETH"]


def test_a_failed_tick_may_fail_for_another_reason(database_url: str) -> None:
    """The last attempt decides."""
    with recorder(database_url) as writer:
        account = register(writer)
        assert record(writer, failed(account, T0, FailReason.BUSY))
        assert record(writer, failed(account, T0, FailReason.ABORTED))
    assert ticks(database_url) == [("failed", "aborted", 60, None)]


def test_a_stored_tick_never_becomes_failed(database_url: str) -> None:
    """What is known can't become unknown."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, MORNING))
        assert not record(writer, failed(account, T0))
    assert ticks(database_url) == [("stored", None, 60, 2)]
    assert assets(database_url) == ["BTC", "ETH"]


def test_a_snapshot_by_hand_stands_off_the_grid(database_url: str) -> None:
    """The ledger ignores it, latest and history use it."""
    with recorder(database_url) as writer:
        account = register(writer)
        assert record(writer, stored(account, T0 + 5, MORNING, interval_s=None))
    assert ticks(database_url) == [("stored", None, None, 2)]
    with reading(database_url) as connection:
        seen = history.latest(connection, account)
    assert seen is not None
    assert (seen.due_at, seen.manual) == (T0 + 5, True)


@pytest.mark.parametrize("came", ["stored", "failed"])
def test_the_grid_adopts_a_snapshot_by_hand_on_its_instant(database_url: str, came: str) -> None:
    """There can't be two snapshots of one instant, and this one answers for the tick."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, MORNING, interval_s=None))
        assert not record(writer, stored(account, T0, EVENING) if came == "stored" else failed(account, T0))
    assert ticks(database_url) == [("stored", None, 60, 2)]
    assert assets(database_url) == ["BTC", "ETH"]


def test_a_snapshot_by_hand_after_a_failed_tick_keeps_its_place_in_the_grid(database_url: str) -> None:
    """Else the tick would have no answer at all."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, failed(account, T0))
        assert record(writer, stored(account, T0, MORNING, interval_s=None))
    assert ticks(database_url) == [("stored", None, 60, 2)]


def test_a_snapshot_by_hand_does_not_leave_the_grid_of_another(database_url: str) -> None:
    """A second one in the same second changes nothing."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, MORNING))
        assert not record(writer, stored(account, T0, EVENING, interval_s=None))
    assert ticks(database_url) == [("stored", None, 60, 2)]


def test_a_failure_by_hand_leaves_nothing(database_url: str) -> None:
    """The ledger's failures are ticks of the grid; the database refuses any other."""
    with recorder(database_url) as writer:
        account = register(writer)
        with pytest.raises(DatabaseError):
            record(writer, failed(account, T0, interval_s=None))
    assert ticks(database_url) == []


def test_the_first_instant_of_an_asset_is_the_earliest(database_url: str) -> None:
    """What was kept aside while the database was away is stored after the present."""
    with recorder(database_url) as writer, recorder(database_url) as other:
        account = register(writer)
        record(writer, stored(account, T0 + 60, snapshot(held("A"), held("B"))))
        record(other, stored(account, T0 + 120, snapshot(held("B"), held("C"))))
        record(writer, stored(account, T0, snapshot(held("B"), held("D"))))
        record(other, stored(account, T0 + 30, snapshot(held("A"), held("C"), held("D")), interval_s=None))
        record(writer, stored(account, T0 + 180, snapshot(held("A"), held("B"), held("C"), held("D"))))
    first = {"A": 30, "B": 0, "C": 30, "D": 0}
    for asset, seconds in first.items():
        where = f"asset = '{asset}' AND first_due_at = {instant(database_url, T0 + seconds)}"
        assert ask(database_url, f"SELECT count(*) FROM known_asset WHERE {where}") == [(1,)], asset


def test_a_usual_tick_is_written_by_two_statements(database_url: str) -> None:
    """Whether it lies in a range of missed ones is asked along with its own row: each statement costs a round trip."""
    seen: list[str] = []
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, MORNING))
        with telling(writer, lambda statement: seen.append(statement.split("(")[0].strip())):
            record(writer, stored(account, T0 + 60, MORNING))
    assert seen == ["INSERT INTO tick", "INSERT INTO balance"]


@pytest.mark.parametrize("broken", ["INSERT INTO balance", "known_asset"])
def test_a_crash_in_the_middle_leaves_nothing(database_url: str, broken: str) -> None:
    """A snapshot is stored entirely or not at all; the next attempt stores it."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, failed(account, T0))

        def crash(statement: str) -> None:
            if broken in statement:
                raise RuntimeError("killed")

        with telling(writer, crash), pytest.raises(RuntimeError, match="killed"):
            record(writer, stored(account, T0, MORNING))
        assert ticks(database_url) == [("failed", "timeout", 60, None)]
        assert (assets(database_url), ask(database_url, "SELECT * FROM known_asset")) == ([], [])
        assert record(writer, stored(account, T0, MORNING))
    assert assets(database_url) == ["BTC", "ETH"]
    assert ask(database_url, "SELECT asset FROM known_asset ORDER BY asset") == [("BTC",), ("ETH",)]


def test_a_crash_at_the_commit_is_not_remembered_as_success(database_url: str) -> None:
    """The recorder's memory of known assets must not run ahead of the database."""
    with recorder(database_url) as writer:
        account = register(writer)

        def crash(_: object) -> None:
            raise RuntimeError("killed")

        event.listen(writer._engine, "commit", crash)
        with pytest.raises(RuntimeError, match="killed"):
            record(writer, stored(account, T0, MORNING))
        event.remove(writer._engine, "commit", crash)
        assert (ticks(database_url), assets(database_url)) == ([], [])
        assert record(writer, stored(account, T0, MORNING))
    assert ask(database_url, "SELECT asset FROM known_asset ORDER BY asset") == [("BTC",), ("ETH",)]


def test_a_refused_row_takes_its_whole_snapshot_along(database_url: str) -> None:
    """One bad amount, and neither the tick nor the good rows are stored; the message holds no amount."""
    bad = snapshot(held("BTC", "1.5"), held("ETH", locked="-77.123"))
    with recorder(database_url) as writer:
        account = register(writer)
        with pytest.raises(DatabaseError) as caught:
            record(writer, stored(account, T0, bad))
        assert "77.123" not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert (ticks(database_url), assets(database_url)) == ([], [])
        assert record(writer, stored(account, T0, MORNING))
    assert assets(database_url) == ["BTC", "ETH"]


def test_a_tick_of_nobody_is_refused(database_url: str) -> None:
    """Foreign keys hold on both engines: SQLite's are off unless asked for."""
    with recorder(database_url) as writer:
        account = register(writer)
        with pytest.raises(DatabaseError):
            record(writer, replace(failed(account, T0), account_id=account.id + 1))
    assert ticks(database_url) == []


def race(url: str, rounds: int, fetch: Callable[[int, int], TickOutcome]) -> list[list[bool]]:
    """Four threads on two recorders that meet at each round; which of them won, by round."""
    together = threading.Barrier(4, timeout=60)
    with recorder(url) as one, recorder(url) as two:

        def run(number: int) -> list[bool]:
            won = []
            for at in range(rounds):
                together.wait()
                won.append(record((one, two)[number % 2], fetch(number, at)))
            return won

        with ThreadPoolExecutor(4) as pool:
            return [list(by_round) for by_round in zip(*pool.map(run, range(4)), strict=True)]


def test_of_racing_writers_one_stores_a_whole_snapshot(database_url: str) -> None:
    """Two daemons by mistake, or `once` beside the daemon: never a mixture, never a part, nobody locked out."""
    with recorder(database_url) as writer:
        account = register(writer)
    portfolios = [snapshot(*(held(f"{number}-{n}", str(number + 1)) for n in range(20))) for number in range(4)]
    won = race(database_url, 25, lambda number, at: stored(account, T0 + at * 60, portfolios[number]))
    assert [sum(by_round) for by_round in won] == [1] * 25
    winners = [by_round.index(True) for by_round in won]
    with reading(database_url) as connection:
        for at, winner in enumerate(winners):
            seen = history.as_of(connection, account, T0 + at * 60)
            assert seen is not None
            assert (seen.balances, seen.digest) == (portfolios[winner].balances, digest(portfolios[winner].balances))
    assert ask(database_url, "SELECT count(*) FROM balance") == [(25 * 20,)]


def test_racing_failures_never_beat_a_snapshot(database_url: str) -> None:
    """Whoever comes first, the tick ends as stored."""
    with recorder(database_url) as writer:
        account = register(writer)

    def fetch(number: int, at: int) -> TickOutcome:
        return failed(account, T0 + at * 60) if (number + at) % 4 else stored(account, T0 + at * 60, MORNING)

    race(database_url, 25, fetch)
    assert ticks(database_url) == [("stored", None, 60, 2)] * 25
    assert ask(database_url, "SELECT count(*) FROM balance") == [(50,)]


def test_threads_share_one_recorder(database_url: str) -> None:
    """Many accounts end at once; each waits for its turn and none is lost."""
    with recorder(database_url) as writer:
        accounts = [register(writer, f"account {number}") for number in range(8)]

        def run(account: Account) -> bool:
            return all(record(writer, stored(account, T0 + 60 * n, MORNING)) for n in range(10))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(run, accounts))
    assert ask(database_url, "SELECT count(*) FROM tick WHERE outcome = 'stored' AND asset_count = 2") == [(80,)]
    assert ask(database_url, "SELECT count(*) FROM balance") == [(160,)]


def test_a_closed_recorder_opens_again(database_url: str) -> None:
    """Closing gives the connection back; a late write must not be lost for it."""
    with recorder(database_url) as writer:
        account = register(writer)
        writer.close()
        writer.close()
        assert record(writer, stored(account, T0))


def test_a_server_that_went_away_costs_one_error() -> None:
    """After a restart of PostgreSQL the next write goes through by itself, and nothing was written by halves."""
    with PostgresServer() as server:
        upgrade(server.url())
        with recorder(server.url()) as writer:
            account = register(writer)
            record(writer, stored(account, T0, MORNING))
            server.stop("immediate")
            with pytest.raises(DatabaseError) as caught:
                record(writer, stored(account, T0 + 60, MORNING))
            with pytest.raises(DatabaseError) as refused:
                record(writer, stored(account, T0 + 60, MORNING))
            server.start()
            assert record(writer, stored(account, T0 + 60, MORNING))
            assert ticks(server.url()) == [("stored", None, 60, 2)] * 2
        for error in (caught, refused):
            assert str(error.value).startswith("database postgres at 127.0.0.1:")
            assert "\n" not in str(error.value)
            assert "1.5" not in str(error.value)


def test_a_connection_cut_in_the_middle_leaves_nothing(postgres_server: Databases, postgres_template: str) -> None:
    """Whatever ends a session between two statements, the tick is not there by halves."""
    name = postgres_server.create_database(postgres_template)
    url = postgres_server.url(name)
    with recorder(url) as writer:
        account = register(writer)

        def cut(statement: str) -> None:
            if "INSERT INTO balance" in statement:
                others = f"datname = '{name}' AND pid <> pg_backend_pid()"
                ask(url, f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {others}")

        with telling(writer, cut), pytest.raises(DatabaseError) as caught:
            record(writer, stored(account, T0, MORNING))
        assert "\n" not in str(caught.value)
        assert ticks(url) == []
        assert record(writer, stored(account, T0, MORNING))
    assert assets(url) == ["BTC", "ETH"]
    postgres_server.drop_database(name)


def test_only_one_transaction_at_a_time(database_url: str) -> None:
    """The kept connection is nobody's while another thread writes through it."""
    with recorder(database_url) as writer:
        account = register(writer)
        inside, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with writer.transaction() as connection:
                connection.execute(text("UPDATE account SET key_fingerprint = 'held'"))
                inside.set()
                assert leave.wait(60)

        with ThreadPoolExecutor(2) as pool:
            holding = pool.submit(hold)
            assert inside.wait(60)
            waiting = pool.submit(record, writer, stored(account, T0))
            assert not waiting.done()
            leave.set()
            holding.result(60)
            assert waiting.result(60)
    assert ask(database_url, "SELECT key_fingerprint FROM account") == [("held",)]
