"""Statements of random wallets, against what lists and loops say, and made again by what was known."""

import itertools
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.balances import Balance, exact_sum
from collector.domain.periods import Period
from collector.domain.statement import Statement
from collector.storage.reader import reading
from collector.storage.statement import statement
from tests.ledgers import T0, recorder
from tests.wallets import ASSETS, STEP, Event, Wallet, lived, lives

numbers = itertools.count()
quickly = settings(max_examples=12)
steps = st.integers(min_value=-1, max_value=15)
LATER_MS = (T0 + 100 * STEP) * 1000


def wallet(url: str, life: list[Event]) -> Wallet:
    """A new account that lived like this."""
    with recorder(url) as writer:
        return lived(writer, f"wallet {next(numbers)}", life)


def made(url: str, one: Wallet, first: int, last: int, known_at_ms: int | None = None) -> Statement | None:
    """The statement of some steps."""
    period = Period(name="some", start_s=T0 + first * STEP, end_s=T0 + last * STEP)
    with reading(url) as connection:
        return statement(connection, one.account, period, now_ms=LATER_MS, known_at_ms=known_at_ms)


def total(what: tuple[Balance, ...], asset: str) -> Decimal:
    """How much of an asset a snapshot holds."""
    return exact_sum(b.total for b in what if b.asset == asset)


def expected_rows(one: Wallet, first: int, last: int, known_s: int) -> dict[str, tuple[Decimal | None, ...]]:
    """Opening, increase, decrease and closing of each asset that is not zero all the time."""
    known = [(at, what) for at, what in one.snapshots if at + 2 <= known_s]
    before = [(at, what) for at, what in known if at <= min(T0 + first * STEP, known_s)]
    until = [(at, what) for at, what in known if at <= min(T0 + last * STEP, known_s)]
    since = [before[-1], *until[len(before) :]] if before else until
    rows: dict[str, tuple[Decimal | None, ...]] = {}
    for asset in ASSETS:
        moves = [
            exact_sum((total(b, asset), total(a, asset).copy_negate())) for (_, a), (_, b) in itertools.pairwise(since)
        ]
        rows[asset] = (
            total(before[-1][1], asset) if before else None,
            exact_sum(m for m in moves if m > 0),
            exact_sum(m for m in moves if m < 0).copy_abs(),  # a minus sign would round to 28 digits
            total(until[-1][1], asset),
        )
    return {asset: row for asset, row in rows.items() if any(row)}


@quickly
@given(lives, steps, st.integers(min_value=1, max_value=8), st.integers(min_value=0, max_value=16 * STEP))
def test_a_statement_is_what_adding_up_by_hand_gives(
    database_url: str, life: list[Event], first: int, length: int, known: int
) -> None:
    """By what had been recorded at an instant; opening + increase - decrease = closing for each asset."""
    one = wallet(database_url, life)
    known_s = T0 + known
    found = made(database_url, one, first, first + length, known_s * 1000)
    end_s = min(T0 + (first + length) * STEP, known_s)
    if not [at for at, _ in one.snapshots if at <= end_s and at + 2 <= known_s]:
        assert found is None
        return
    assert found is not None
    seen = {
        row.asset: (row.opening.total if row.opening else None, row.flow.increase, row.flow.decrease, row.closing.total)
        for row in found.rows
    }
    assert {asset: row for asset, row in seen.items() if any(row)} == expected_rows(one, first, first + length, known_s)
    for opening, increase, decrease, closing in seen.values():
        if opening is not None:
            assert exact_sum((opening, increase, decrease.copy_negate())) == closing
    assert found.recorded_at_ms <= found.known_at_ms == known_s * 1000


@quickly
@given(lives, steps, st.integers(min_value=1, max_value=8))
def test_the_coverage_of_a_statement_counts_each_tick_once(
    database_url: str, life: list[Event], first: int, length: int
) -> None:
    """And its gaps hold exactly the lost ones; made again by its own known_at it is the same."""
    one = wallet(database_url, life)
    found = made(database_url, one, first, first + length)
    if found is None:
        return
    start_s, end_s = T0 + first * STEP, T0 + (first + length) * STEP
    of_grid = {at for at, _ in one.snapshots if (at - T0) % STEP == 0}
    assert (found.coverage.stored, found.coverage.failed + found.coverage.missed) == (
        len([at for at in of_grid if start_s <= at < end_s]),
        len([at for at in one.lost if start_s <= at < end_s]),
    )
    lost = [at for gap in found.gaps for at in range(gap.start_at, gap.last_due_at + 1, STEP)]
    assert lost == sorted(at for at in one.lost if start_s <= at < end_s)
    assert found.coverage.due == found.coverage.stored + len(lost)
    assert not any(gap.open for gap in found.gaps)
    assert made(database_url, one, first, first + length, found.known_at_ms) == found


def test_in_a_month_that_runs_the_last_gap_is_open(database_url: str) -> None:
    """What is due since then may still come."""
    with recorder(database_url) as writer:
        one = lived(writer, "main", [(), "failed", ()], step=60)
    period = Period(name="some", start_s=T0, end_s=T0 + 86_400)
    with reading(database_url) as connection:
        before = statement(connection, one.account, period, now_ms=(T0 + 65) * 1000)
        after = statement(connection, one.account, period, now_ms=(T0 + 125) * 1000)
    assert before is not None
    assert after is not None
    assert [(gap.ticks, gap.failed, gap.reasons, gap.open) for gap in before.gaps] == [(1, 1, ("tls",), True)]
    assert [(gap.ticks, gap.open) for gap in after.gaps] == [(1, False)]
    assert (before.coverage.due, after.coverage.due) == (2, 3)
