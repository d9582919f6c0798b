"""`verify` is silent over every honest ledger, and notices each kind of damage."""

import itertools
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from sqlalchemy import make_url

from collector.domain.audit import Flaw, Problem
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.errors import DatabaseError
from collector.storage import accounts, registry
from collector.storage.engine import inspecting
from collector.storage.reader import Reader
from collector.storage.verify import problems_in
from tests.damage import plant
from tests.ledgers import T0, failed, held, instant, record, recorder, register, snapshot, stored
from tests.lives import Event, Life, events

numbers = itertools.count()


def problems(url: str, name: str | None = None) -> list[Problem]:
    """Everything that is found, or only what is wrong with one account."""
    with inspecting(url) as connection:
        known = [a for a in accounts.every_account(Reader.over(connection)) if name in {None, a.name}]
        return list(
            problems_in(connection, known, whole=name is None, counts=Counter(), show=lambda _what, _share: None)
        )


def found(url: str) -> list[tuple[str, str | None, int | None, int | None]]:
    """Kind, account and place of each problem."""
    return [(str(p.flaw), p.account, p.start_at, p.last_due_at) for p in problems(url)]


@pytest.fixture
def url(database_url: str) -> str:
    """`main` was due ten times from T0 on: three snapshots, two failures, three missed, two snapshots; then removed."""
    with recorder(database_url) as writer:
        account = register(writer)
        open_ledger(writer, account.id, 60, T0)
        rich = snapshot(
            held("BTC", "1.50", btc_valuation="1.50"),
            held("NEW", "7", btc_valuation="0"),
            extra={"BTC": {"new": "1"}},
        )
        for n in (0, 1, 2, 8, 9):
            record(writer, stored(account, T0 + 60 * n, rich))
        for n in (3, 4):
            record(writer, failed(account, T0 + 60 * n))
        writer.record_missed(
            account.id, TickRange(start_at=T0 + 300, last_due_at=T0 + 420, interval_s=60), MissReason.OVERRUN
        )
        record(writer, stored(account, T0 + 30, rich, interval_s=None))
        open_ledger(writer, account.id, None, T0 + 600)
    return database_url


def open_ledger(writer: object, account_id: int, interval_s: int | None, now_s: int) -> None:
    """From now on the account is due at this interval."""
    with writer.transaction() as connection:  # type: ignore[attr-defined]
        registry.open_ledger(connection, account_id, interval_s=interval_s, now_s=now_s)


@settings(max_examples=25)
@given(events)
def test_nothing_is_wrong_with_any_honest_life(database_url: str, life: list[Event]) -> None:
    """A verifier that cries wolf is switched off."""
    with recorder(database_url) as writer:
        model = Life(writer=writer, account=register(writer, f"life {next(numbers)}"), clock=T0)
        model.live(life)
    assert problems(database_url, model.account.name) == []


def test_what_was_looked_at_is_counted(url: str) -> None:
    """The one line that says that all is right says of how much."""
    counts: Counter[str] = Counter()
    seen: list[tuple[str, float]] = []
    with inspecting(url) as connection:
        known = accounts.every_account(Reader.over(connection))
        found = problems_in(connection, known, whole=True, counts=counts, show=lambda *it: seen.append(it))
        assert list(found) == []
    assert counts == {"accounts": 1, "ticks": 8, "ranges": 1, "balances": 12}
    assert all(0 <= share <= 1 for _, share in seen)


DIGITS = ["free = 1.51", "locked = 0.0", "btc_valuation = NULL", "asset = 'btc'", "free = 1.500"]


@pytest.mark.parametrize("change", DIGITS)
def test_a_changed_digit_is_noticed(url: str, change: str) -> None:
    """Also one that changes no value, as a zero more at the end."""
    column, _, value = change.partition(" = ")
    quoted = value if value == "NULL" or value.startswith("'") else f"'{value}'"
    at = instant(url, T0 + 60)
    plant(url, f"UPDATE balance SET {column} = {quoted} WHERE asset = 'BTC' AND due_at = {at}")
    assert ("digest", "main", T0 + 60, T0 + 60) in found(url)


def test_a_lost_balance_is_noticed(url: str) -> None:
    """The row that is gone would read as an asset that was sold."""
    plant(url, f"DELETE FROM balance WHERE asset = 'NEW' AND due_at = {instant(url, T0)}")
    place = ("main", T0, T0)
    assert found(url) == [("asset_count", *place), ("digest", *place), ("unpriced", *place)]


def test_a_total_that_is_not_the_sum_is_noticed(url: str) -> None:
    """Reports show it without adding up again."""
    plant(url, f"UPDATE tick SET btc_total = '1.6' WHERE due_at = {instant(url, T0)}")
    plant(url, f"UPDATE tick SET btc_total = NULL WHERE due_at = {instant(url, T0 + 60)}")
    assert found(url) == [("btc_total", "main", T0, T0), ("btc_total", "main", T0 + 60, T0 + 60)]


def test_a_total_that_is_no_number_is_noticed(url: str, engine_name: str) -> None:
    """SQLite keeps any text when its CHECKs are off; PostgreSQL keeps NaN."""
    text = {"sqlite": "1.2.3", "postgresql": "NaN"}[engine_name]
    plant(
        url,
        f"UPDATE tick SET btc_total = '{text}' WHERE due_at = {instant(url, T0)}",
        without="tick.ck_tick_btc_total_finite",
    )
    assert ("btc_total", "main", T0, T0) in found(url)


def test_unknown_fields_that_are_no_json_are_noticed(url: str) -> None:
    """They could not be read back."""
    for n, text in enumerate(("{", "[]")):
        plant(url, f"UPDATE tick SET extra = '{text}' WHERE due_at = {instant(url, T0 + 60 * n)}")
    assert found(url) == [("extra", "main", T0, T0), ("extra", "main", T0 + 60, T0 + 60)]


def test_a_lost_tick_leaves_a_hole(url: str) -> None:
    """In the middle, and before the account was removed."""
    for n in (2, 3, 9):
        at = instant(url, T0 + 60 * n)
        plant(url, f"DELETE FROM balance WHERE due_at = {at}", f"DELETE FROM tick WHERE due_at = {at}")
    assert found(url) == [
        ("hole", "main", T0 + 120, T0 + 180),
        ("hole", "main", T0 + 540, T0 + 540),
        ("identity", "main", None, None),
    ]
    assert problems(url)[-1].detail == "10 ticks were due and 7 are answered"


def test_two_ranges_over_one_another_are_noticed(url: str) -> None:
    """An overlap and a hole of the same size leave every sum as it was."""
    ends = f"{instant(url, T0 + 240)}, {instant(url, T0 + 360)}, 60, 3"
    plant(url, f"DELETE FROM tick WHERE due_at = {instant(url, T0 + 180)}")
    plant(url, f"INSERT INTO thinned (account_id, start_at, last_due_at, interval_s, ticks) VALUES (1, {ends})")
    assert found(url) == [
        ("hole", "main", T0 + 180, T0 + 180),
        ("overlap", "main", T0 + 240, T0 + 240),
        ("overlap", "main", T0 + 300, T0 + 360),
        ("identity", "main", None, None),
    ]
    assert problems(url)[2].detail == "a missed range lies inside a thinned range"


def test_a_tick_inside_a_range_is_noticed(url: str) -> None:
    """Two answers for one instant; here the sum is right because another tick is gone."""
    moved = f"UPDATE tick SET due_at = {instant(url, T0 + 360)} WHERE due_at = {instant(url, T0 + 180)}"
    plant(url, moved)
    assert found(url) == [("hole", "main", T0 + 180, T0 + 180), ("overlap", "main", T0 + 360, T0 + 360)]


def test_a_wrong_count_of_ticks_is_noticed(url: str) -> None:
    """`coverage` adds these counts up."""
    plant(url, "UPDATE missed SET ticks = 4", without="missed.ck_missed_ticks")
    counted = ("ticks", "main", T0 + 300, T0 + 420)
    checks = [("integrity", None, None, None)] if url.startswith("sqlite") else []
    assert found(url) == [*checks, counted]


def test_an_answer_off_the_grid_is_noticed(url: str) -> None:
    """Nothing was due then: at that second, at that interval, or for that account at all."""
    plant(url, f"UPDATE tick SET interval_s = 300 WHERE due_at = {instant(url, T0 + 60)}")
    assert found(url) == [("not_due", "main", T0 + 60, T0 + 60)]
    plant(url, f"UPDATE tick SET due_at = {instant(url, T0 + 241)} WHERE due_at = {instant(url, T0 + 240)}")
    assert [flaw for flaw, *_ in found(url)] == ["not_due", "hole", "not_due"]
    plant(url, "DELETE FROM schedule")
    assert [flaw for flaw, *_ in found(url)] == [*["not_due"] * 8, "identity"]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (
            "tick (account_id, due_at, interval_s, outcome, reason, attempts, recorded_at)",
            "9, {0}, 60, 'failed', 'busy', 1, {0}",
        ),
        ("schedule (account_id, from_at, interval_s)", "9, {0}, 60"),
        ("missed (account_id, start_at, last_due_at, interval_s, ticks, reason)", "9, {0}, {0}, 60, 1, 'paused'"),
        ("known_asset (account_id, asset, first_due_at)", "9, 'BTC', {0}"),
    ],
)
def test_rows_of_an_account_that_is_not_there_are_noticed(url: str, table: str, values: str) -> None:
    """They belong to nobody, and no report would show them."""
    plant(url, f"INSERT INTO {table} VALUES ({values.format(instant(url, T0))})")
    name = table.partition(" ")[0]
    expected = {f"rows of {name} belong to account 9, which is not there"}
    if url.startswith("sqlite"):
        expected.add(f"1 of {name} refer to a row of account that is not there")
    assert {p.detail for p in problems(url)} == expected
    assert problems(url, "main") == []


def test_balances_without_their_tick_are_noticed(url: str) -> None:
    """Before, between and after the ticks that are there; and those of a tick that failed."""
    for due_at in (T0 - 60, T0 + 31, T0 + 240, T0 + 660):
        columns = "due_at, account_id, asset, free, locked, frozen, withdrawing, ipoable"
        row = f"{instant(url, due_at)}, 1, 'BTC', '1', '0', '0', '0', '0'"
        plant(url, f"INSERT INTO balance ({columns}) VALUES ({row})")
    kept = [p for p in problems(url) if p.account]
    assert [(p.flaw, p.start_at, p.detail) for p in kept] == [
        (Flaw.REFERENCE, T0 - 60, "1 balances without a tick"),
        (Flaw.REFERENCE, T0 + 31, "1 balances without a tick"),
        (Flaw.REFERENCE, T0 + 240, "1 balances of a tick that is not stored"),
        (Flaw.REFERENCE, T0 + 660, "1 balances without a tick"),
        (Flaw.KNOWN_ASSET, T0 - 60, "BTC is held here and known only later"),
    ]


def test_an_asset_that_is_not_known_is_noticed(url: str) -> None:
    """`asset_history` would hide it."""
    plant(url, "DELETE FROM known_asset WHERE asset = 'NEW'")
    plant(url, f"UPDATE known_asset SET first_due_at = {instant(url, T0 + 60)}")
    assert [(p.flaw, p.start_at, p.detail) for p in problems(url)] == [
        (Flaw.KNOWN_ASSET, T0, "BTC is held here and known only later"),
        (Flaw.KNOWN_ASSET, T0, "NEW is not known"),
    ]


def test_intervals_that_no_check_would_let_in_do_no_harm(url: str) -> None:
    """A verifier must not fail at what it is there for."""
    plant(url, "UPDATE missed SET interval_s = 0", without="missed.ck_missed_ticks") if url.startswith(
        "sqlite"
    ) else None
    plant(url, "UPDATE schedule SET interval_s = 0 WHERE interval_s = 60", without="schedule.ck_schedule_interval")
    assert {"not_due", "identity"} <= {flaw for flaw, *_ in found(url)}


def test_a_torn_page_is_an_error(url: str, engine_name: str) -> None:
    """What can't even be read makes the database unusable; PostgreSQL has checksums of its own."""
    if engine_name == "postgresql":
        assert problems(url) == []
        return
    path = Path(make_url(url).database or "")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(page,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tick'")
        [(size,)] = connection.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x55" * 100)
    with pytest.raises(DatabaseError, match="malformed"):
        problems(url)


def test_a_broken_index_is_named_by_sqlite(url: str, engine_name: str) -> None:
    """Gaps are found through it: what it lacks would not be seen."""
    if engine_name == "sqlite":
        changed = "replace(sql, 'outcome <> ''stored''', 'outcome <> ''failed''')"
        plant(url, "PRAGMA writable_schema=ON", f"UPDATE sqlite_master SET sql = {changed} WHERE type = 'index'")
        assert {p.flaw for p in problems(url)} == {Flaw.INTEGRITY}
        assert "ix_tick_not_stored" in problems(url)[0].detail
    else:
        assert problems(url) == []


def test_failures_do_not_count_as_assets(url: str) -> None:
    """A failed tick has no digest to be recomputed."""
    with recorder(url) as writer:
        other = register(writer, "other")
        open_ledger(writer, other.id, 60, T0)
        record(writer, failed(other, T0, FailReason.TLS))
    assert problems(url) == []
