"""Buckets, zeros, blanks and movements of random wallets, against what lists and loops say."""

import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.balances import AMOUNT_FIELDS, Balance, Snapshot, exact_sum
from collector.domain.periods import Every, Period, periods
from collector.domain.records import Account
from collector.domain.renames import NO_RENAMES, Rename, Renames
from collector.storage import history, movements, series
from collector.storage.asked import asked_values
from collector.storage.reader import reading
from tests.ledgers import T0, held, record, recorder, register, snapshot, stored
from tests.wallets import ASSETS, STEP, Event, Wallet, lived, lives

numbers = itertools.count()
quickly = settings(max_examples=20)
offsets = st.integers(min_value=-2 * STEP, max_value=16 * STEP)
assets = st.sampled_from(ASSETS)
RENAMED = Renames((Rename(old="LUNA", new="LUNC", on_s=T0 + 3 * STEP),))


def wallet(url: str, life: list[Event]) -> Wallet:
    """A new account that lived like this."""
    with recorder(url) as writer:
        return lived(writer, f"wallet {next(numbers)}", life)


def appeared(one: Wallet, asset: str) -> int | None:
    """When a snapshot first named an asset."""
    return next((at for at, what in one.snapshots if any(b.asset == asset and not b.is_zero for b in what)), None)


@quickly
@given(lives, assets, offsets, offsets)
def test_points_are_the_snapshots_since_the_asset_appeared(
    database_url: str, life: list[Event], asset: str, first: int, last: int
) -> None:
    """Zero where a snapshot does not name it, nothing where there is no snapshot; start inclusive, end exclusive."""
    one = wallet(database_url, life)
    since = appeared(one, asset)
    expected = [
        (at, one.held(at, asset))
        for at, _ in one.snapshots
        if since is not None and since <= at and T0 + first <= at < T0 + last
    ]
    with reading(database_url) as connection:
        found = list(series.asset_points(connection, one.account, asset, from_s=T0 + first, to_s=T0 + last))
    assert [(p.due_at, p.balance) for p in found] == expected
    assert all(p.received_at_ms == p.due_at * 1000 + 345 for p in found)


@quickly
@given(lives, assets, offsets, offsets, st.sampled_from([STEP - 1, STEP, 2 * STEP, 5000]))
def test_a_close_is_the_last_exact_value_of_its_period(
    database_url: str, life: list[Event], asset: str, first: int, last: int, length: int
) -> None:
    """Never an average; zero where the asset is gone, blank where nothing is known."""
    one = wallet(database_url, life)
    asked = [
        Period(name="", start_s=start, end_s=min(start + length, T0 + last))
        for start in range(T0 + first, T0 + last, length)
    ]
    with reading(database_url) as connection:
        found = list(series.asset_closes(connection, one.account, asset, asked))
        totals = list(series.total_closes(connection, one.account, asked))
    assert [close.period for close in found] == [close.period for close in totals] == asked
    for period, close, total in zip(asked, found, totals, strict=True):
        within = [at for at, _ in one.snapshots if period.start_s <= at < period.end_s]
        if not within:
            assert (close.point, total.point) == (None, None)
            continue
        assert close.point is not None
        assert total.point is not None
        assert (close.point.due_at, close.point.balance) == (within[-1], one.held(within[-1], asset))
        worth = sum(b.btc_valuation or 0 for b in dict(one.snapshots)[within[-1]])
        assert (total.point.due_at, total.point.btc_total) == (within[-1], worth)


@quickly
@given(lives, offsets, offsets)
def test_totals_are_those_of_every_snapshot(database_url: str, life: list[Event], first: int, last: int) -> None:
    """Also of one that holds nothing."""
    one = wallet(database_url, life)
    with reading(database_url) as connection:
        found = list(series.total_points(connection, one.account, from_s=T0 + first, to_s=T0 + last))
        oldest = series.first_snapshot(connection, one.account)
    expected = [(at, what) for at, what in one.snapshots if T0 + first <= at < T0 + last]
    assert [p.due_at for p in found] == [at for at, _ in expected]
    assert [p.btc_total for p in found] == [sum(b.btc_valuation or 0 for b in what) for _, what in expected]
    assert oldest == (one.snapshots[0][0] if one.snapshots else None)


def naive_movements(one: Wallet, asset: str | None, first: int, last: int) -> Iterator[tuple[object, ...]]:
    """Every asset of every two snapshots that follow each other, compared one by one."""
    for (earlier, _), (later, _) in itertools.pairwise(one.snapshots):
        for name in sorted(ASSETS if asset is None else [asset]):
            before, after = one.held(earlier, name), one.held(later, name)
            if first <= later < last and any(getattr(before, f) != getattr(after, f) for f in AMOUNT_FIELDS):
                lost = sorted(at for at in one.lost if runs_between(one, at, earlier, later))
                yield (name, earlier, later, amounts_of(before), amounts_of(after), lost)


def runs_between(one: Wallet, lost: int, earlier: int, later: int) -> bool:
    """Whether the gap in which a tick was lost touches the time between two snapshots."""
    of_grid = {at for at, _ in one.snapshots if (at - T0) % STEP == 0}
    first = last = lost
    while first - STEP in one.lost and first - STEP not in of_grid:
        first -= STEP
    while last + STEP in one.lost:
        last += STEP
    return first < later and last > earlier


def amounts_of(balance: Balance) -> list[object]:
    """The five amounts."""
    return [getattr(balance, name) for name in AMOUNT_FIELDS]


@quickly
@given(lives, assets | st.none(), offsets, offsets)
def test_movements_are_all_that_differs_between_neighbours(
    database_url: str, life: list[Event], asset: str | None, first: int, last: int
) -> None:
    """None is left out, none is made up, and each names the gap that it hides in."""
    one = wallet(database_url, life)
    with reading(database_url) as connection:
        found = list(movements.movements(connection, one.account, asset=asset, from_s=T0 + first, to_s=T0 + last))
    assert [
        (
            m.asset,
            m.earlier.due_at,
            m.later.due_at,
            amounts_of(m.before),
            amounts_of(m.after),
            sorted(at for gap in m.gaps for at in range(gap.start_at, gap.last_due_at + 1, STEP)),
        )
        for m in found
    ] == list(naive_movements(one, asset, T0 + first, T0 + last))
    for m in found:
        assert m.earliest_ms == m.earlier.due_at * 1000 + 12
        assert m.latest_ms == m.later.due_at * 1000 + 345


@quickly
@given(lives, st.sampled_from(["LUNA", "LUNC"]))
def test_a_renamed_asset_is_read_as_if_it_always_had_its_new_name(
    database_url: str, life: list[Event], asset: str
) -> None:
    """Before the day the old name counts for the new one; from then on the old name is another asset."""
    one = wallet(database_url, life)

    def total(at: int) -> object:
        what = [b for b in dict(one.snapshots)[at] if RENAMED.shown(b.asset, at) == asset]
        return exact_sum(b.total for b in what)

    with reading(database_url) as connection:
        points = list(series.asset_points(connection, one.account, asset, renames=RENAMED))
        closes = list(
            series.asset_closes(
                connection, one.account, asset, periods(Every.HOUR, T0 - STEP, T0 + 20 * STEP, UTC), renames=RENAMED
            )
        )
        newest = history.latest(connection, one.account, renames=RENAMED)
        seen = list(movements.movements(connection, one.account, asset=asset, renames=RENAMED))
    assert [p.balance.total for p in points] == [total(p.due_at) for p in points]
    assert all(p.balance.asset == asset for p in points)
    skipped = {at for at, _ in one.snapshots} - {p.due_at for p in points}
    assert not any(total(at) for at in skipped)
    assert [c.point.balance.total for c in closes if c.point] == [total(c.point.due_at) for c in closes if c.point]
    for m in seen:
        assert (m.before.total, m.after.total) == (total(m.earlier.due_at), total(m.later.due_at))
    if newest is not None:
        assert exact_sum(b.total for b in newest.balances if b.asset == asset) == total(newest.due_at)


def called(what: Iterable[Balance], at: int, renames: Renames) -> dict[str, list[Decimal]]:
    """Amounts by what reports call an asset, those of one name added up."""
    found: dict[str, list[Decimal]] = {}
    for balance in what:
        so_far = found.setdefault(renames.shown(balance.asset, at), [Decimal(0)] * len(AMOUNT_FIELDS))
        for place, name in enumerate(AMOUNT_FIELDS):
            so_far[place] = exact_sum((so_far[place], getattr(balance, name)))
    return found


@quickly
@given(lives, assets | st.none(), st.integers(min_value=-1, max_value=15))
def test_movements_of_renamed_assets_are_all_that_differs_under_their_new_names(
    database_url: str, life: list[Event], asset: str | None, steps: int
) -> None:
    """Also where a name begins to mean another asset between two snapshots that say the same."""
    renames = Renames((
        Rename(old="LUNA", new="LUNC", on_s=T0 + steps * STEP),
        Rename(old="ETH", new="BTC", on_s=T0 + 3 * STEP + 1),
    ))  # fmt: skip
    one = wallet(database_url, life)
    none = [Decimal(0)] * len(AMOUNT_FIELDS)
    expected = []
    for (earlier, old), (later, new) in itertools.pairwise(one.snapshots):
        before, after = called(old, earlier, renames), called(new, later, renames)
        for name in sorted(ASSETS if asset is None else [asset]):
            was, became = before.get(name, none), after.get(name, none)
            if was != became:
                expected.append((name, earlier, later, was, became))
    with reading(database_url) as connection:
        found = list(movements.movements(connection, one.account, asset=asset, renames=renames))
    assert [
        (m.asset, m.earlier.due_at, m.later.due_at, amounts_of(m.before), amounts_of(m.after)) for m in found
    ] == expected


def told(url: str, *snapshots: Snapshot) -> Account:
    """An account that brought these, one each step."""
    with recorder(url) as writer:
        one = register(writer)
        for number, what in enumerate(snapshots):
            record(writer, stored(one, T0 + number * STEP, what, interval_s=STEP))
    return one


def test_what_reports_add_up_moves_as_a_whole_until_the_day_of_the_rename(database_url: str) -> None:
    """And on that day both names move, though the store says the same before and after."""
    luna, other = held("LUNA", "1"), held("LUNC", "6")
    one = told(
        database_url,
        snapshot(luna, held("LUNC", "5")),
        snapshot(luna, other),
        snapshot(luna, other),
        snapshot(luna, other),
    )
    with reading(database_url) as connection:
        found = list(movements.movements(connection, one, renames=RENAMED))
    assert [(m.asset, m.later.due_at - T0, str(m.before.free), str(m.after.free)) for m in found] == [
        ("LUNC", STEP, "6", "7"),
        ("LUNA", 3 * STEP, "0", "1"),
        ("LUNC", 3 * STEP, "7", "6"),
    ]


def test_a_movement_has_the_values_of_both_sides(database_url: str) -> None:
    """None where no valuation was asked for, zero where the asset is not named; a snapshot of nothing counts too."""
    one = told(
        database_url,
        snapshot(held("BTC", "1", btc_valuation=None), btc_requested=False),
        snapshot(),
        snapshot(held("BTC", "1.0", btc_valuation="1.5"), held("ETH", "3", btc_valuation="0.1")),
        snapshot(held("BTC", "1.00", btc_valuation="1.6"), held("ETH", "3", btc_valuation="0.2")),
    )
    with reading(database_url) as connection:
        found = list(movements.movements(connection, one))
    assert [(m.asset, m.later.due_at - T0, m.before.btc_valuation, m.after.btc_valuation) for m in found] == [
        ("BTC", STEP, None, 0),
        ("BTC", 2 * STEP, 0, Decimal("1.5")),
        ("ETH", 2 * STEP, 0, Decimal("0.1")),
    ]


def test_one_seek_answers_for_a_period(sqlite_template: Path) -> None:
    """A year of daily closes must not read a year of minutes."""
    asked = [Period(name="", start_s=T0 + n * STEP, end_s=T0 + (n + 1) * STEP) for n in range(3)]
    with reading(f"sqlite:///{sqlite_template}") as reader:
        question = f"EXPLAIN QUERY PLAN {series.last_due_question(reader)}"
        plan = [str(row[-1]) for row in reader.all(question, account=1, **asked_values(reader, asked))]
    (search,) = [line for line in plan if "SEARCH" in line]
    assert "PRIMARY KEY (account_id=? AND due_at>? AND due_at<?)" in search
    assert not any("TEMP B-TREE" in line for line in plan)


def test_two_more_seeks_give_what_is_held(sqlite_template: Path) -> None:
    """Begun at the other end, it would go through all periods for each tick of the history."""
    asked = [Period(name="", start_s=T0 + n * STEP, end_s=T0 + (n + 1) * STEP) for n in range(3)]
    (named,) = NO_RENAMES.stored("BTC")
    with reading(f"sqlite:///{sqlite_template}") as reader:
        question = f"EXPLAIN QUERY PLAN {series.close_question(reader, named)}"
        found = reader.all(question, account=1, name_0="BTC", **asked_values(reader, asked))
    plan = [str(row[-1]) for row in found]
    after = plan[plan.index("SCAN asked") + 1 :]
    assert [line.replace(" LEFT-JOIN", "") for line in after if "SUBQUERY" not in line] == [
        "SEARCH tick USING PRIMARY KEY (account_id=? AND due_at=?)",
        "SEARCH last USING PRIMARY KEY (account_id=? AND due_at>? AND due_at<?)",
        "SEARCH balance USING PRIMARY KEY (account_id=? AND due_at=? AND asset=?)",
    ]


def test_more_periods_than_one_statement_takes_are_asked_for(database_url: str) -> None:
    """Nothing is lost or doubled where one statement ends and the next one begins."""
    one = wallet(database_url, [])
    spans = [Period(name="", start_s=T0 + n, end_s=T0 + n + 1) for n in range(2_001)]
    with recorder(database_url) as writer:
        for second in (0, 1_999, 2_000):
            writer.record_tick(stored(one.account, T0 + second, interval_s=None), recorded_at_ms=T0 * 1000)
    with reading(database_url) as connection:
        closes = list(series.asset_closes(connection, one.account, "BTC", spans))
        totals = list(series.total_closes(connection, one.account, spans))
    assert [c.period.start_s for c in closes] == [c.period.start_s for c in totals] == [p.start_s for p in spans]
    held = [T0, T0 + 1_999, T0 + 2_000]
    assert [c.point.due_at for c in closes if c.point] == [c.point.due_at for c in totals if c.point] == held
