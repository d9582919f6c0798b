"""What a database is said to hold is what was put into it."""

import pytest

from collector.domain.ticks import MissReason, TickRange
from collector.domain.usage import AccountUsage, Usage
from collector.storage import accounts, registry
from collector.storage.engine import inspecting
from collector.storage.reader import Reader
from collector.storage.stats import usage
from tests.ledgers import T0, ask, failed, held, record, recorder, register, snapshot, stored
from tests.lives import prune


@pytest.fixture
def found(database_url: str) -> Usage:
    """`main` with every kind of answer, and `new`, which was only registered."""
    with recorder(database_url) as writer:
        account = register(writer)
        with writer.transaction() as connection:
            registry.open_ledger(connection, account.id, interval_s=60, now_s=T0)
        for n in range(4):
            record(writer, stored(account, T0 + 60 * n))
        record(writer, failed(account, T0 + 240))
        missed = TickRange(start_at=T0 + 300, last_due_at=T0 + 420, interval_s=60)
        writer.record_missed(account.id, missed, MissReason.PAUSED)
        record(writer, stored(account, T0 + 430, snapshot(held("BTC"), held("ETH")), interval_s=None))
        with writer.transaction() as connection:
            prune(connection, account.id, [T0 + 60, T0 + 120], 60)
        register(writer, "new")
    with inspecting(database_url) as connection:
        return usage(connection, accounts.every_account(Reader.over(connection)))


def test_every_kind_of_row_is_counted_for_each_account(found: Usage) -> None:
    """Oldest and newest are those of snapshots, manual ones included."""
    main, new = found.accounts
    assert main == AccountUsage(
        account=main.account,
        interval_s=60,
        snapshots=3,
        manual=1,
        balances=4,
        failed=1,
        missed=3,
        thinned=2,
        oldest=T0,
        newest=T0 + 430,
        newest_assets=2,
    )
    assert (new.account.name, new.interval_s, new.snapshots, new.oldest, new.newest) == ("new", None, 0, None, None)
    assert found.balances == 4


def test_growth_is_that_of_a_year_at_the_present_pace(found: Usage) -> None:
    """A minute's grid has 525,949 ticks in a mean year of the calendar, here with two rows each."""
    assert [one.balances_a_year for one in found.accounts] == [1_051_898, 0]
    assert found.bytes_a_year == 1_051_898 * found.bytes_a_row


def test_few_rows_say_nothing_of_the_size_of_one(found: Usage, engine_name: str) -> None:
    """A new file of 80 kB with four rows would promise terabytes."""
    assert not found.measured
    assert found.bytes_a_row == {"sqlite": 64, "postgresql": 125}[engine_name]


def test_many_rows_are_measured(database_url: str, engine_name: str) -> None:
    """The bytes are those of the tables and their indexes; pages that are free again stand apart."""
    if engine_name == "postgresql":
        ask(database_url, "VACUUM FULL tick, balance")  # the files of a database at second hand have room in them
    with recorder(database_url) as writer:
        account = register(writer)
        rich = snapshot(*(held(f"A{n}", "12345.12345678", btc_valuation="0.12345678") for n in range(1_000)))
        for n in range(11):
            record(writer, stored(account, T0 + 60 * n, rich))
    with inspecting(database_url) as connection:
        full = usage(connection, accounts.every_account(Reader.over(connection)))
    assert (full.balances, full.measured) == (11_000, True)
    assert 40 < full.bytes_a_row < 200
    assert full.bytes_a_row == round(full.bytes / 11_000)
    assert full.free_bytes == 0
    ask(database_url, "DELETE FROM balance")
    with inspecting(database_url) as connection:
        empty = usage(connection, accounts.every_account(Reader.over(connection)))
    assert (empty.free_bytes > 500_000) == (engine_name == "sqlite")
