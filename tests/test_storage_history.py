"""Reading the past back gives the values that were stored, whole, and never a guess."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from collector.domain.balances import Balance, digest
from collector.domain.records import Account, AssetPoint, Coverage, Failure, Gap, StoredSnapshot
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.storage import history, ledger, registry, series
from collector.storage.reader import Reader, reading
from collector.storage.record import Recorder
from tests.ledgers import T0, failed, held, record, recorder, register, snapshot, stored

BTC = snapshot(held("BTC", "1.50", btc_valuation="1.50"))
BOTH = snapshot(held("BTC", "2", btc_valuation="2"), held("ETH", "3.0"), extra={"ETH": {"new": '"x"'}})


@contextmanager
def told(url: str) -> Iterator[tuple[Account, Reader]]:
    """A history of some minutes: stored 0, failed 1, stored 2, by hand at 2:30, missed 3 to 5, stored 6, failed 7."""
    with recorder(url) as writer:
        account = register(writer)
        open_ledger(writer, account, 60, T0)
        record(writer, stored(account, T0, BTC))
        record(writer, failed(account, T0 + 60, FailReason.TLS))
        record(writer, stored(account, T0 + 120, BOTH))
        record(writer, stored(account, T0 + 150, snapshot(held("XRP")), interval_s=None))
        writer.record_missed(
            account.id, TickRange(start_at=T0 + 180, last_due_at=T0 + 300, interval_s=60), MissReason.PAUSED
        )
        record(writer, stored(account, T0 + 360, snapshot()))
        record(writer, failed(account, T0 + 420, FailReason.BANNED))
        open_ledger(writer, account, None, T0 + 421)
    with reading(url) as reader:
        yield account, reader


def open_ledger(writer: Recorder, account: Account, interval_s: int | None, now_s: int) -> None:
    """The account is due at this interval from now on."""
    with writer.transaction() as reader:
        registry.open_ledger(reader, account.id, interval_s=interval_s, now_s=now_s)


def test_a_snapshot_comes_back_whole(database_url: str) -> None:
    """With the times between which its amounts were true, and what was not understood."""
    with told(database_url) as (account, reader):
        assert history.as_of(reader, account, T0 + 120) == StoredSnapshot(
            account=account,
            due_at=T0 + 120,
            interval_s=60,
            requested_at_ms=(T0 + 120) * 1000 + 12,
            received_at_ms=(T0 + 120) * 1000 + 345,
            recorded_at_ms=(T0 + 122) * 1000,
            clock_offset_ms=-3,
            unpriced=1,
            btc_total=Decimal(2),
            btc_requested=True,
            digest=digest(BOTH.balances),
            extra={"ETH": {"new": '"x"'}},
            balances=(held("BTC", "2", btc_valuation="2"), held("ETH", "3.0")),
        )


@pytest.mark.parametrize(
    ("after", "expected"),
    [(-1, None), (0, 0), (119, 0), (120, 120), (149, 120), (150, 150), (359, 150), (360, 360), (10**9, 360)],
)
def test_as_of_is_the_newest_snapshot_up_to_then(database_url: str, after: int, expected: int | None) -> None:
    """Failed and missed ticks show nothing, nor is anything taken from a later one; a manual snapshot counts."""
    with told(database_url) as (account, reader):
        seen = history.as_of(reader, account, T0 + after)
    assert (None if seen is None else seen.due_at - T0) == expected


def test_the_latest_snapshot_may_hold_nothing(database_url: str) -> None:
    """Everything was sold: that is an answer, and not the one before it."""
    with told(database_url) as (account, reader):
        seen = history.latest(reader, account)
    assert seen is not None
    assert (seen.due_at, seen.balances, seen.btc_total) == (T0 + 360, (), Decimal(0))


def test_known_assets_are_all_that_were_ever_held(database_url: str) -> None:
    """What has been sold is still known."""
    with told(database_url) as (account, reader):
        assert history.known_assets(reader, account) == ["BTC", "ETH", "XRP"]


def points(
    reader: Reader, account: Account, asset: str, *, from_s: int | None = None, to_s: int | None = None
) -> list[tuple[int, str]]:
    """Seconds after T0 and the free amount at each point."""
    found = series.asset_points(reader, account, asset, from_s=from_s, to_s=to_s)
    return [(point.due_at - T0, str(point.balance.free)) for point in found]


def test_an_assets_points_hold_its_zeros(database_url: str) -> None:
    """Since it first appeared: zero where a snapshot does not name it, no point where there is no snapshot."""
    with told(database_url) as (account, reader):
        assert points(reader, account, "BTC") == [(0, "1.50"), (120, "2"), (150, "0"), (360, "0")]
        assert points(reader, account, "ETH") == [(120, "3.0"), (150, "0"), (360, "0")]
        assert points(reader, account, "XRP") == [(150, "1"), (360, "0")]
        assert points(reader, account, "btc") == []


@pytest.mark.parametrize(
    ("from_s", "to_s", "expected"),
    [
        (0, 360, [0, 120, 150]),
        (1, 361, [120, 150, 360]),
        (120, 150, [120]),
        (-(10**6), 1, [0]),
        (361, 10**6, []),
        (120, 120, []),
    ],
)
def test_a_window_includes_its_start_and_not_its_end(
    database_url: str, from_s: int, to_s: int, expected: list[int]
) -> None:
    """Two windows that meet share no point."""
    with told(database_url) as (account, reader):
        found = points(reader, account, "BTC", from_s=T0 + from_s, to_s=T0 + to_s)
        assert [at for at, _ in found] == expected


def test_a_window_may_have_one_side(database_url: str) -> None:
    """Since then, or until then; the epoch itself is an instant like any other."""
    with told(database_url) as (account, reader):
        assert [at for at, _ in points(reader, account, "BTC", from_s=T0 + 150)] == [150, 360]
        assert [at for at, _ in points(reader, account, "BTC", to_s=T0 + 150)] == [0, 120]
        assert [at for at, _ in points(reader, account, "BTC", from_s=0)] == [0, 120, 150, 360]
        assert points(reader, account, "BTC", to_s=0) == []


def test_a_point_is_a_balance_and_when_it_was_true(database_url: str) -> None:
    """A zero is a balance like any other, its valuation known only where one was asked for."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0, BTC))
        record(writer, stored(account, T0 + 60, snapshot(btc_requested=False)))
        record(writer, stored(account, T0 + 120, snapshot()))
    with reading(database_url) as reader:
        held_, unasked, zero = series.asset_points(reader, account, "BTC")
    btc = ("BTC", "1.50", "0", "0", "0", "0", "1.50")
    assert held_ == AssetPoint(due_at=T0, received_at_ms=T0 * 1000 + 345, cells=btc)
    assert held_.balance == BTC.balances[0]
    assert unasked.balance == Balance.zero("BTC", btc_requested=False)
    assert zero.balance == Balance.zero("BTC", btc_requested=True)


def gap(start: int, last: int, ticks: int, *reasons: str, failed_: int = 0, is_open: bool = False) -> Gap:
    """A gap of `main` whose ends are seconds after T0."""
    return Gap(
        account="main",
        start_at=T0 + start,
        last_due_at=T0 + last,
        ticks=ticks,
        failed=failed_,
        missed=ticks - failed_,
        reasons=reasons,
        open=is_open,
    )


NOW_MS = int(time.time() * 1000)
GAPS = [
    gap(60, 60, 1, "tls", failed_=1),
    gap(180, 300, 3, "paused"),
    gap(420, 420, 1, "banned", failed_=1, is_open=True),
]


def test_gaps_come_oldest_first(database_url: str) -> None:
    """With what was lost, and why; the last one is open since nothing followed."""
    with told(database_url) as (account, reader):
        assert ledger.gaps(reader, account) == GAPS
        assert ledger.gaps(reader) == GAPS
        assert ledger.open_gap(reader, account) == GAPS[2]


@pytest.mark.parametrize(
    ("from_s", "to_s", "expected"),
    [
        (None, None, [0, 1, 2]),
        (60, 61, [0]),
        (61, None, [1, 2]),
        (None, 60, []),
        (None, 61, [0]),
        (200, 250, [1]),
        (300, 301, [1]),
        (301, 420, []),
        (0, 181, [0, 1]),
        (420, None, [2]),
        (421, None, []),
    ],
)
def test_gaps_of_a_window_are_those_that_touch_it(
    database_url: str, from_s: int | None, to_s: int | None, expected: list[int]
) -> None:
    """A gap that began before the window is shown whole."""
    with told(database_url) as (account, reader):
        for of in (account, None):
            found = ledger.gaps(
                reader,
                of,
                from_s=None if from_s is None else T0 + from_s,
                to_s=None if to_s is None else T0 + to_s,
            )
            assert found == [GAPS[number] for number in expected]


def test_coverage_counts_what_was_due(database_url: str) -> None:
    """Snapshots by hand are none of the grid."""
    with told(database_url) as (account, reader):
        covered = Coverage(account="main", due=8, stored=3, thinned=0, failed=2, missed=3)
        assert ledger.coverage(reader, account) == [covered]
        assert ledger.coverage(reader) == [covered]


def test_an_accounts_history_is_its_own(database_url: str) -> None:
    """Nothing of the neighbour shows, in any answer."""
    with told(database_url) as (account, _):
        pass
    with recorder(database_url) as writer:
        other = register(writer, "other")
        open_ledger(writer, other, 60, T0)
        record(writer, stored(other, T0 + 60, snapshot(held("DOGE"))))
        writer.record_missed(other.id, TickRange(start_at=T0, last_due_at=T0, interval_s=60), MissReason.OVERRUN)
        open_ledger(writer, other, None, T0 + 61)
    with reading(database_url) as reader:
        assert ledger.gaps(reader, account) == GAPS
        assert [g.account for g in ledger.gaps(reader)] == ["main"] * 3 + ["other"]
        assert [c.account for c in ledger.coverage(reader)] == ["main", "other"]
        seen = history.latest(reader, other)
        assert seen is not None
        assert (seen.account, [b.asset for b in seen.balances]) == (other, ["DOGE"])
        assert history.as_of(reader, other, T0) is None
        assert history.known_assets(reader, other) == ["DOGE"]
        assert points(reader, other, "BTC") == []
        assert ledger.open_gap(reader, other) is None
        assert history.balances_at(reader, other, T0) == ()


def test_statuses_tell_how_each_account_stands(database_url: str) -> None:
    """One look at each: its interval, its newest snapshot and failure, its open gap, its coverage."""
    with told(database_url) as (_, reader):
        (status,) = ledger.statuses(reader, now_ms=NOW_MS)
        assert status.newest_snapshot == history.latest(reader, status.account)
    assert (status.account.name, status.interval_s, status.open_gap) == ("main", None, GAPS[2])
    assert status.newest_failure == Failure(
        due_at=T0 + 420, reason=FailReason.BANNED, http_status=502, code=-1001, detail="what was seen"
    )
    assert status.coverage.due == 8


def test_a_snapshot_of_the_future_does_not_hide_that_the_present_has_none(database_url: str) -> None:
    """Under a clock that ran ahead a snapshot got a label of next year; a daemon that dies now has to be seen."""
    with told(database_url) as (_, reader):
        for now_s, expected in ((T0 + 240, T0 + 360), (T0 + 239, T0 + 150)):
            (status,) = ledger.statuses(reader, now_ms=now_s * 1000)
            assert status.newest_snapshot is not None
            assert (status.newest_snapshot.due_at, status.newest_answer_at) == (expected, T0 + 420)


def test_a_new_account_has_no_history(database_url: str) -> None:
    """Nothing is known, nothing was lost, and nothing is made up."""
    with recorder(database_url) as writer:
        account = register(writer)
        open_ledger(writer, account, 86_400, int(time.time()))
    with reading(database_url) as reader:
        assert history.latest(reader, account) is None
        assert history.as_of(reader, account, T0) is None
        assert history.known_assets(reader, account) == []
        assert points(reader, account, "BTC") == []
        assert ledger.gaps(reader, account) == []
        assert ledger.open_gap(reader, account) is None
        (status,) = ledger.statuses(reader, now_ms=NOW_MS)
    assert (status.interval_s, status.newest_snapshot, status.newest_failure) == (86_400, None, None)
    assert status.coverage == Coverage(account="main", due=0, stored=0, thinned=0, failed=0, missed=0)


def test_an_empty_database_tells_of_nobody(database_url: str) -> None:
    """Before the first start."""
    with reading(database_url) as reader:
        assert ledger.statuses(reader, now_ms=NOW_MS) == []
        assert (ledger.gaps(reader), ledger.coverage(reader)) == ([], [])


def test_an_account_without_a_schedule_was_never_due(database_url: str) -> None:
    """`once` alone collects by hand and starts no ledger."""
    with recorder(database_url) as writer:
        account = register(writer)
        record(writer, stored(account, T0 + 5, BTC, interval_s=None))
    with reading(database_url) as reader:
        (status,) = ledger.statuses(reader, now_ms=NOW_MS)
    assert (status.interval_s, status.open_gap, status.coverage.due) == (None, None, 0)
    assert status.newest_snapshot is not None
    assert status.newest_snapshot.manual


def test_an_account_of_one_asset_tells_of_that_one(database_url: str) -> None:
    """Its snapshots say whose scope they have, and nothing of the rest."""
    with recorder(database_url) as writer:
        account = register(writer, asset_scope="BTC")
        record(writer, stored(account, T0, BTC))
        record(writer, stored(account, T0 + 60, snapshot()))
    with reading(database_url) as reader:
        seen = history.latest(reader, account)
        assert points(reader, account, "BTC") == [(0, "1.50"), (60, "0")]
        assert points(reader, account, "ETH") == []
    assert seen is not None
    assert (seen.account.asset_scope, seen.balances) == ("BTC", ())
