"""The views are the public interface for SQL: the same names, columns and answers on both engines."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.records import Account
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.storage.engine import inspecting
from collector.storage.record import Recorder
from tests.ledgers import T0, ask, failed, held, record, recorder, register, rows, snapshot, stored
from tests.lives import prune

EXACT = ["free", "locked", "frozen", "withdrawing", "ipoable", "btc_valuation"]
TICK = ["account", "account_id", "due_at", "due_epoch", "captured_at"]
SNAPSHOT = [*TICK, "asset_scope", "asset_count", "unpriced", "btc_total", "btc_total_num"]
BALANCE = [*TICK, "asset", *EXACT, *(f"{name}_num" for name in EXACT), "total_num"]
COLUMNS = {
    "snapshot": SNAPSHOT,
    "total_history": SNAPSHOT,
    "latest_balance": BALANCE,
    "balance_history": BALANCE,
    "asset_history": BALANCE,
    "gap": [
        "account", "account_id", "start_at", "start_epoch", "last_due_at", "last_due_epoch",
        "ticks", "failed", "missed", "reasons", "open",
    ],
    "coverage": ["account", "account_id", "due", "stored", "thinned", "failed", "missed", "percent"],
}  # fmt: skip


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_has_the_documented_columns(database_url: str, view: str) -> None:
    """A query that works on one engine works on the other, and goes on working."""
    with inspecting(database_url) as connection:
        assert list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys()) == COLUMNS[view]


def test_there_are_no_other_views(database_url: str) -> None:
    """What is there is documented."""
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'view'"
        if database_url.startswith("sqlite")
        else "SELECT viewname FROM pg_views WHERE schemaname = 'public'"
    )
    assert {name for (name,) in ask(database_url, names)} == set(COLUMNS)


def test_instants_read_well(database_url: str, engine_name: str) -> None:
    """ISO 8601 in UTC with milliseconds on SQLite, an instant of its own type on PostgreSQL; the epoch on both."""
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0))
    (seen,) = ask(database_url, "SELECT due_at, due_epoch, captured_at FROM snapshot")
    if engine_name == "sqlite":
        assert seen == ("2023-11-14T22:10:00Z", 1_699_999_800, "2023-11-14T22:10:00.345Z")
    else:
        assert [type(value).__name__ for value in seen] == ["datetime", "int", "datetime"]
        assert (str(seen[0]), seen[1], str(seen[2])) == (
            "2023-11-14 22:10:00+00:00",
            1_699_999_800,
            "2023-11-14 22:10:00.345000+00:00",
        )


@settings(max_examples=300)
@given(at=st.integers(1_483_228_800, 4_102_444_799), ms=st.integers(0, 999))
def test_sqlite_shows_every_millisecond_as_it_is(sqlite_template: Any, at: int, ms: int) -> None:
    """The view divides by 1000.0, so a float must never show the millisecond beside it."""
    shown = ask(
        f"sqlite:///{sqlite_template}", f"SELECT strftime('%Y-%m-%dT%H:%M:%fZ', {at * 1000 + ms} / 1000.0, 'unixepoch')"
    )
    assert str(shown[0][0]).endswith(f"{at % 60:02}.{ms:03}Z")


def test_amounts_come_exact_and_as_numbers(database_url: str, engine_name: str) -> None:
    """Exact to show and to add up elsewhere; as double on both engines to filter, sort and plot with."""
    taken = snapshot(
        held(
            "BTC", "50300000001.44911105", locked="0.50", frozen="0.25000000", withdrawing="1", ipoable="7",
            btc_valuation="0.10",
        ),
        held("ETH", "5", btc_valuation="0"),
        held("XRP", "1000", btc_valuation="0.2"),
    )  # fmt: skip
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0, taken))
    numbers = ", ".join(f"{name}_num" for name in EXACT)
    for view in ("latest_balance", "balance_history", "asset_history"):
        exact = ask(database_url, f"SELECT {', '.join(EXACT)} FROM {view} WHERE asset = 'BTC'")
        texts = ("50300000001.44911105", "0.50", "0.25000000", "1", "7", "0.10")
        assert exact == [texts if engine_name == "sqlite" else tuple(Decimal(text) for text in texts)]
        assert [format(Decimal(value), "f") for value in exact[0]] == list(texts)
        assert ask(database_url, f"SELECT {numbers}, total_num FROM {view} WHERE asset = 'BTC'") == [
            (50300000001.44911105, 0.5, 0.25, 1.0, 7.0, 0.1, 50300000003.19911105)
        ]
        assert ask(database_url, f"SELECT asset FROM {view} WHERE free_num > 100 ORDER BY free_num DESC") == [
            ("BTC",),
            ("XRP",),
        ]
    assert ask(database_url, "SELECT CAST(btc_total AS TEXT), btc_total_num, unpriced, asset_count FROM snapshot") == [
        ("0.30", 0.3, 1, 3)
    ]


def test_the_latest_balances_are_the_newest_snapshots(database_url: str) -> None:
    """Failures and misses after it change nothing; an account that sold everything shows nothing."""
    with recorder(database_url) as writer:
        first, second, empty = (register(writer, name) for name in ("first", "second", "empty"))
        register(writer, "never collected")
        record(writer, stored(first, T0, snapshot(held("OLD"))))
        record(writer, stored(first, T0 + 60, snapshot(held("NEW"), held("TWO"))))
        record(writer, failed(first, T0 + 120))
        writer.record_missed(first.id, minute(3, 9), MissReason.PAUSED)
        record(writer, stored(second, T0 + 7, snapshot(held("BY HAND")), interval_s=None))
        record(writer, stored(empty, T0, snapshot(held("SOLD"))))
        record(writer, stored(empty, T0 + 60, snapshot()))
    assert ask(database_url, "SELECT account, due_epoch, asset FROM latest_balance ORDER BY account, asset") == [
        ("first", T0 + 60, "NEW"),
        ("first", T0 + 60, "TWO"),
        ("second", T0 + 7, "BY HAND"),
    ]


def minute(first: int, last: int) -> TickRange:
    """Ticks of these minutes after T0."""
    return TickRange(start_at=T0 + 60 * first, last_due_at=T0 + 60 * last, interval_s=60)


def points(url: str, account: Account, asset: str) -> list[tuple[int, str, str | None]]:
    """Minute after T0, free and valuation of each point of an asset's history."""
    sql = (
        f"SELECT due_epoch, CAST(free AS TEXT), CAST(btc_valuation AS TEXT) FROM asset_history WHERE asset = '{asset}'"
    )
    with inspecting(url) as connection:
        found = rows(connection, f"{sql} AND account_id = {account.id} ORDER BY due_epoch")
    return [((at - T0) // 60, free, valuation) for at, free, valuation in found]


def test_an_assets_history_tells_zero_from_unknown(database_url: str) -> None:
    """Zero where a snapshot does not name it, nothing where there is no snapshot, nothing before it appeared."""
    with recorder(database_url) as writer:
        account, other = register(writer), register(writer, "other")
        record(writer, stored(account, T0, snapshot(held("ETH", "5"))))
        record(writer, stored(account, T0 + 60, snapshot(held("BTC", "1.50", btc_valuation="1.5"))))
        record(writer, failed(account, T0 + 120))
        record(writer, stored(account, T0 + 180, snapshot()))
        unasked = snapshot(held("ETH", "6", btc_valuation=None), btc_requested=False)
        record(writer, stored(account, T0 + 240, unasked))
        record(writer, stored(account, T0 + 300, snapshot(held("BTC", "2", btc_valuation="2"))))
        record(writer, stored(other, T0 + 360, snapshot(held("BTC", "9"))))
    assert points(database_url, account, "BTC") == [
        (1, "1.50", "1.5"),
        (3, "0", "0"),
        (4, "0", None),
        (5, "2", "2"),
    ]
    assert points(database_url, account, "ETH") == [
        (0, "5", "0"),
        (1, "0", "0"),
        (3, "0", "0"),
        (4, "6", None),
        (5, "0", "0"),
    ]
    assert points(database_url, other, "BTC") == [(6, "9", "0")]
    assert ask(
        database_url,
        f"SELECT count(*) FROM asset_history WHERE free_num = 0 AND total_num = 0 AND account_id = {account.id}",
    ) == [(5,)]


def test_absence_means_zero_only_inside_the_scope(database_url: str) -> None:
    """An account that is asked about one asset says nothing of the others."""
    with recorder(database_url) as writer:
        account = register(writer, asset_scope="BTC")
        record(writer, stored(account, T0, snapshot(held("BTC"), held("STRAY"))))
        record(writer, stored(account, T0 + 60, snapshot()))
    assert points(database_url, account, "BTC") == [(0, "1", "0"), (1, "0", "0")]
    assert points(database_url, account, "STRAY") == []
    assert ask(database_url, "SELECT asset_scope FROM snapshot") == [("BTC",), ("BTC",)]


def test_totals_are_those_of_snapshots_with_valuations(database_url: str) -> None:
    """A line of worth must not fall to nothing where nobody asked for it."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, snapshot(held("BTC", btc_valuation="1.10"))))
        record(writer, stored(account, T0 + 60, snapshot(held("BTC", btc_valuation=None), btc_requested=False)))
        record(writer, failed(account, T0 + 120))
        record(writer, stored(account, T0 + 180, snapshot()))
    assert ask(database_url, "SELECT due_epoch, CAST(btc_total AS TEXT) FROM total_history ORDER BY due_epoch") == [
        (T0, "1.10"),
        (T0 + 180, "0"),
    ]
    assert ask(database_url, "SELECT count(*) FROM snapshot") == [(3,)]


def test_a_gap_tells_its_ends_its_size_and_its_reasons(database_url: str, engine_name: str) -> None:
    """Each reason once, in order; the snapshot after it closes it (`open` is 0 on SQLite, false on PostgreSQL)."""
    with recorder(database_url) as writer:
        account = register(writer)
        lose(writer, account)
        record(writer, stored(account, T0 + 600))
    found = ask(
        database_url, "SELECT start_epoch, last_due_epoch, ticks, failed, missed, reasons, open FROM gap ORDER BY 1"
    )
    assert found == [
        (T0 + 60, T0 + 360, 6, 3, 3, "paused,timeout,tls", False),
        (T0 + 480, T0 + 540, 2, 0, 2, "waiting", False),
    ]
    (shown,) = ask(database_url, f"SELECT start_at, last_due_at FROM gap WHERE start_epoch = {T0 + 60}")
    if engine_name == "sqlite":
        assert shown == ("2023-11-14T22:11:00Z", "2023-11-14T22:16:00Z")
    else:
        assert [str(value) for value in shown] == ["2023-11-14 22:11:00+00:00", "2023-11-14 22:16:00+00:00"]


def lose(writer: Recorder, account: Account) -> None:
    """Stored at 0, lost from 1 to 6 for several reasons, stored at 7, lost at 8 and 9."""
    record(writer, stored(account, T0))
    record(writer, failed(account, T0 + 60, FailReason.TLS))
    writer.record_missed(account.id, minute(2, 4), MissReason.PAUSED)
    record(writer, failed(account, T0 + 300, FailReason.TIMEOUT))
    record(writer, failed(account, T0 + 360, FailReason.TLS))
    record(writer, stored(account, T0 + 420))
    writer.record_missed(account.id, minute(8, 9), MissReason.WAITING)


def test_a_gap_is_open_until_a_snapshot_follows(database_url: str) -> None:
    """A snapshot by hand shows balances, but the tick stays lost and the gap open."""
    with recorder(database_url) as writer:
        account = register(writer)
        lose(writer, account)
        record(writer, stored(account, T0 + 599, interval_s=None))
    still_open = "open" if database_url.startswith("postgresql") else "open = 1"
    assert ask(database_url, f"SELECT start_epoch, ticks FROM gap WHERE {still_open}") == [(T0 + 480, 2)]
    assert ask(database_url, f"SELECT start_epoch FROM gap WHERE NOT ({still_open})") == [(T0 + 60,)]


def test_coverage_is_told_in_percent(database_url: str) -> None:
    """Of what was due, how much is known; pruned snapshots were known. An account that was never due has none."""
    with recorder(database_url) as writer:
        account = register(writer)
        register(writer, "never due")
        with writer.transaction() as connection:
            schedule = "INSERT INTO schedule (account_id, from_at, interval_s) VALUES ({0}, {1}, {2})"
            at = "to_timestamp({0})" if database_url.startswith("postgresql") else "{0}"
            connection.exec_driver_sql(schedule.format(account.id, at.format(T0), 60))
            connection.exec_driver_sql(schedule.format(account.id, at.format(T0 + 600), "NULL"))
        lose(writer, account)
        with writer.transaction() as connection:
            prune(connection, account.id, [T0 + 420], 60)
    assert ask(database_url, "SELECT due, stored, thinned, failed, missed, percent FROM coverage ORDER BY account") == [
        (10, 1, 1, 3, 5, 20.0),
        (0, 0, 0, 0, 0, None),
    ]
