"""docs/sql.md: its columns are those of the views, and its queries run and find what they say."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from collector.domain.balances import Balance
from collector.storage import registry
from collector.storage.engine import inspecting
from tests.ledgers import ask, failed, held, record, recorder, register, rows, snapshot, stored

TEXT = (Path(__file__).parent.parent / "docs/sql.md").read_text(encoding="utf-8")
NOON = int(datetime(2026, 3, 31, 12, tzinfo=UTC).timestamp())
HOUR = 3600

HELD: dict[int, tuple[Balance, ...]] = {
    NOON - HOUR: (held("BTC", "2.00000000", btc_valuation="2.00000000"), held("ETH", "0.000000000000000042")),
    NOON: (held("BTC", "10.5", btc_valuation="10.5"), held("USDT", "1000.00000000", withdrawing="7.1")),
    NOON + 2 * HOUR: (
        held("BTC", "5", btc_valuation="5"),
        held("SHIB", "50300000001.44911105"),
        held("USDT", "1000.00000000", withdrawing="7.1"),
    ),
}


@pytest.fixture
def url(database_url: str) -> str:
    """Two accounts on the last day of March 2026; the first one, which has id 1, has a gap."""
    with recorder(database_url) as writer:
        for name in ("main", "second"):
            account = register(writer, name)
            with writer.transaction() as connection:
                registry.open_ledger(connection, account.id, interval_s=HOUR, now_s=NOON - HOUR)
            for due_at, balances in HELD.items():
                record(writer, stored(account, due_at, snapshot(*balances), interval_s=HOUR))
            record(writer, failed(account, NOON + HOUR, interval_s=HOUR))
            with writer.transaction() as connection:
                registry.open_ledger(connection, account.id, interval_s=None, now_s=NOON + 2 * HOUR + 1)
    return database_url


def queries(engine: str) -> list[str]:
    """The queries of the document for this engine, in order."""
    other = {"sqlite": "-- PostgreSQL", "postgresql": "-- SQLite"}[engine]
    blocks: list[str] = re.findall(r"^```sql\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if not block.startswith(other)]


def answer(url: str, engine: str, beginning: str) -> list[tuple[Any, ...]]:
    """The rows of the one query that begins like this, asked as any other program would ask it."""
    (query,) = [q for q in queries(engine) if re.sub(r"^-- .*\n", "", q).startswith(beginning)]
    return ask(url, query)


def test_every_query_runs_and_finds_something(url: str, engine_name: str) -> None:
    """A recipe that does not work is worse than none."""
    found = [(query, ask(url, query)) for query in queries(engine_name)]
    assert len(found) >= 11
    assert [query for query, rows_found in found if not rows_found and "SET timezone" not in query] == []


def test_the_columns_are_those_of_the_views(url: str) -> None:
    """The same names in the same order on both engines."""
    documented = dict(re.findall(r"^### ([a-z_]+)$.*?^Columns: (.*?)\.$", TEXT, re.MULTILINE | re.DOTALL))
    with inspecting(url) as connection:
        for view, columns in documented.items():
            real = connection.exec_driver_sql(f"SELECT * FROM {view} LIMIT 1").keys()
            assert re.findall(r"`([a-z_]+)`", columns) == list(real)
        names = (
            rows(connection, "SELECT name FROM sqlite_master WHERE type = 'view'")
            if connection.dialect.name == "sqlite"
            else rows(connection, "SELECT viewname FROM pg_views WHERE schemaname = 'public'")
        )
    assert {name for (name,) in names} == set(documented)


def test_comparing_exact_text_goes_wrong_on_sqlite(url: str, engine_name: str) -> None:
    """The warning on the first page is no theory: 5 is not above 100."""
    right = answer(url, engine_name, "SELECT asset, free FROM latest_balance WHERE account_id = 1 AND free_num > 100")
    assert [asset for asset, _ in right] == ["SHIB", "USDT"]
    exact = [asset for (asset,) in ask(url, "SELECT asset FROM latest_balance WHERE account_id = 1 AND free > 100")]
    above_200 = [asset for (asset,) in ask(url, "SELECT asset FROM latest_balance WHERE account_id = 1 AND free > 200")]
    if engine_name == "sqlite":
        assert sorted(exact) == ["BTC", "SHIB", "USDT"]
        assert sorted(above_200) == ["BTC", "SHIB"]
    else:
        assert sorted(exact) == sorted(above_200) == ["SHIB", "USDT"]


def test_as_of_finds_the_snapshot_until_then(url: str, engine_name: str) -> None:
    """With the digits as they were sent."""
    found = answer(url, engine_name, "SELECT due_at, captured_at, asset")
    assert [(asset, str(free), str(withdrawing)) for _, _, asset, free, _, _, withdrawing in found] == [
        ("BTC", "10.5", "0"),
        ("USDT", "1000.00000000", "7.1"),
    ]


def test_one_asset_over_time_has_zeros(url: str, engine_name: str) -> None:
    """Ether was sold; that is known, and says so."""
    found = answer(url, engine_name, "SELECT due_at, free, locked FROM asset_history")
    assert [format(Decimal(free), "f") for _, free, _ in found] == ["0.000000000000000042", "0", "0"]


def test_the_other_examples_answer_their_question(url: str, engine_name: str) -> None:
    """Peak, value, withdrawals, gaps, coverage and sums."""
    assert str(answer(url, engine_name, "SELECT due_at, free FROM balance_history")[0][1]) == "10.5"
    value = answer(url, engine_name, "SELECT due_at, btc_total")
    assert [(str(total), unpriced) for _, total, unpriced in value] == [("5", 2), ("10.5", 1), ("2.00000000", 1)]
    away = answer(url, engine_name, "SELECT account, asset, withdrawing")
    assert [(name, asset, str(amount)) for name, asset, amount in away] == [
        ("main", "USDT", "7.1"),
        ("second", "USDT", "7.1"),
    ]
    [(_, _, ticks, reasons, is_open)] = answer(url, engine_name, "SELECT start_at")
    assert (ticks, reasons, bool(is_open)) == (1, "timeout", False)
    lacking = answer(url, engine_name, "SELECT account, failed, missed, percent")
    assert [(name, lost, missed, percent) for name, lost, missed, percent in lacking] == [
        ("main", 1, 0, 75.0),
        ("second", 1, 0, 75.0),
    ]
    sums = dict(answer(url, engine_name, "SELECT asset, sum(total_num)"))
    assert sums == {"BTC": 10.0, "SHIB": 100600000002.8982221, "USDT": 2014.2}
    if engine_name == "postgresql":
        exact = dict(answer(url, engine_name, "SELECT asset, sum(free + "))
        assert exact["SHIB"] == Decimal("100600000002.89822210")
