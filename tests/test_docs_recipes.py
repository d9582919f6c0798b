"""docs/recipes.md: each recipe answers its question on both engines, as any program would ask it."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from collector.domain.balances import Balance
from collector.domain.ticks import MissReason, TickRange
from collector.storage import registry
from tests.ledgers import ask, failed, held, record, recorder, register, snapshot, stored

TEXT = (Path(__file__).parent.parent / "docs/recipes.md").read_text(encoding="utf-8")
DAY = 86_400


def at(written: str) -> int:
    """Epoch seconds of an hour of UTC like 2025-12-31 22."""
    return int(datetime.strptime(f"{written} +0000", "%Y-%m-%d %H %z").timestamp())


BTC, SHIB = held("BTC", "1.50000000", btc_valuation="1.5"), held("SHIB", "50300000001.44911105")
HELD: dict[int, tuple[Balance, ...]] = {
    at("2025-12-31 18"): (BTC,),
    at("2025-12-31 22"): (BTC, held("ETH", "0.000000000000000042")),
    at("2025-12-31 23"): (held("BTC", "10", btc_valuation="10"), held("ETH", "0.000000000000000042")),
    at("2026-01-01 01"): (held("BTC", "10", locked="0.25", btc_valuation="10.25"), held("ETH", "20.5")),
    at("2026-01-02 04"): (held("BTC", "9.6", btc_valuation="9.6"), SHIB),
    at("2026-02-01 00"): (held("BTC", "9.6", btc_valuation="9.60"), SHIB, held("ETH", "20.5")),
}
HOUR = 3600


@pytest.fixture
def url(database_url: str) -> str:
    """Manual snapshots around the new year, and an hourly schedule of four ticks that brought nothing."""
    with recorder(database_url) as writer:
        account = register(writer)
        for due_at, balances in HELD.items():
            record(writer, stored(account, due_at, snapshot(*balances), interval_s=None))
        lose(writer, account.id, account)
    return database_url


def lose(writer: Any, account_id: int, account: Any) -> None:
    """Two gaps: of a time-out, and of three ticks while nothing ran."""
    start = at("2026-02-02 00")
    with writer.transaction() as connection:
        registry.open_ledger(connection, account_id, interval_s=HOUR, now_s=start)
    record(writer, failed(account, start, interval_s=HOUR))
    record(writer, stored(account, start + HOUR, snapshot(*HELD[at("2026-02-01 00")]), interval_s=HOUR))
    lost = TickRange(start_at=start + 2 * HOUR, last_due_at=start + 4 * HOUR, interval_s=HOUR)
    writer.record_missed(account_id, lost, MissReason.OVERRUN)
    with writer.transaction() as connection:
        registry.open_ledger(connection, account_id, interval_s=None, now_s=start + 4 * HOUR + 1)


def recipe(engine: str, heading: str) -> str:
    """The query below this heading that is for the engine."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    blocks: list[str] = re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    other = {"sqlite": "-- PostgreSQL", "postgresql": "-- SQLite"}[engine]
    return [block for block in blocks if not block.startswith(other)][-1]


def answer(url: str, engine: str, heading: str) -> list[tuple[Any, ...]]:
    """Its rows, instants as text of the hour and amounts as plain text."""
    return [tuple(map(plain, row)) for row in ask(url, recipe(engine, heading))]


def plain(value: object) -> object:
    """The same value of both engines."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:.*Z", value):
        return value[:13].replace("T", " ")
    return value if isinstance(value, int | float) or value is None else str(value)


def test_comparing_text_with_100_goes_wrong_on_sqlite(url: str, engine_name: str) -> None:
    """The warning opens the page because it is true: 20.5 is not above 100, and 9.6 is not either."""
    wrong = "SELECT asset FROM latest_balance WHERE account_id = 1 AND free > 100"
    assert "AND free > 100;" in TEXT
    assert answer(url, engine_name, "First") == [("SHIB", "50300000001.44911105")]
    found = sorted(asset for (asset,) in ask(url, wrong))
    assert found == (["BTC", "ETH", "SHIB"] if engine_name == "sqlite" else ["SHIB"])


def test_the_year_ends_in_berlin_before_it_does_in_utc(url: str, engine_name: str) -> None:
    """The snapshot of 23:00 UTC belongs to the next year there."""
    rows = answer(url, engine_name, "What did I hold on 31 December")
    assert [(due_at, asset, free) for due_at, _, asset, free, *_ in rows] == [
        ("2025-12-31 22", "BTC", "1.50000000"),
        ("2025-12-31 22", "ETH", "0.000000000000000042"),
    ]


def test_peak_days_and_first_purchases(url: str, engine_name: str) -> None:
    """By numbers, not by letters."""
    assert answer(url, engine_name, "When did I hold the most") == [("2026-01-01 01", "10", "0.25", 10.25)]
    days = {"sqlite": 4, "postgresql": 4}[engine_name]
    assert answer(url, engine_name, "On how many days") == [(days,)]
    assert answer(url, engine_name, "When did I first buy") == [
        ("BTC", "2025-12-31 18"),
        ("ETH", "2025-12-31 22"),
        ("SHIB", "2026-01-02 04"),
    ]


def test_closes_of_days_and_months(url: str, engine_name: str) -> None:
    """The last exact value of each, zero on the day it was gone."""
    assert answer(url, engine_name, "The daily closes") == [
        ("2026-01-01", "2026-01-01 01", "20.5", "0"),
        ("2026-01-02", "2026-01-02 04", "0", "0"),
        ("2026-02-01", "2026-02-01 00", "20.5", "0"),
        ("2026-02-02", "2026-02-02 01", "20.5", "0"),
    ]
    assert answer(url, engine_name, "What was it all worth") == [
        ("2025-12", "2025-12-31 23", "10", 1),
        ("2026-01", "2026-01-02 04", "9.6", 1),
        ("2026-02", "2026-02-02 01", "9.60", 2),
    ]


def test_large_movements_and_failures(url: str, engine_name: str) -> None:
    """A movement of 0.4 is not above 0.5; three ticks of one gap are three."""
    assert answer(url, engine_name, "Which movements") == [("2025-12-31 22", "2025-12-31 23", "1.50000000", "10")]
    found = [tuple(map(str, row)) for row in answer(url, engine_name, "What failed")]
    assert found == [("main", "overrun", "1", "3", "0", "3"), ("main", "timeout", "1", "1", "1", "0")]


def test_there_are_eight_questions() -> None:
    """Each has one query for both engines, or one for each."""
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    questions = [heading for heading in headings if not heading.startswith(("First", "The same file"))]
    assert len(questions) == 8
    for heading in questions:
        assert recipe("sqlite", heading)
        assert recipe("postgresql", heading)
