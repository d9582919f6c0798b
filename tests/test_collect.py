"""Fetch, decide, record: one tick of one account, with a real exchange on loopback and a real database."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from collector.binance.client import Reply
from collector.collect import Tick, collect_once, fetch, manual_tick, record, stored, unusable
from collector.domain.ticks import FailReason, MissReason, Outcome
from collector.sandbox.faults import Fault
from tests.collecting import World, world
from tests.ledgers import T0, ask

USER_ASSET = "/sapi/v3/asset/getUserAsset"
TICK = Tick(due_at=T0, interval_s=60, deadline_ms=(T0 + 60) * 1000)


@pytest.fixture
def one(sqlite_url: str) -> Iterator[World]:
    """An exchange with one account, and an SQLite file."""
    with world(sqlite_url) as made:
        yield made


@pytest.fixture
def each(database_url: str) -> Iterator[World]:
    """An exchange with one account, and a database of each engine."""
    with world(database_url) as made:
        yield made


def test_a_good_reply_becomes_the_answer_of_its_tick(each: World) -> None:
    """The outcome tells when it was true, at which attempt, and how the exchange's clock stood."""
    target = each.add().target
    each.exchange.script(Fault(kind="latency", seconds=0.01, path=USER_ASSET))
    each.shared.client.server_offset_ms()
    fetched, kept = collect_once(each.shared.client, each.shared.recorder, target, TICK, each.clocks.now_ms)
    assert kept
    assert fetched.error is None
    told = fetched.outcome
    assert (told.account, told.due_at, told.interval_s, told.outcome, told.reason) == ("main", T0, 60, "stored", None)
    assert (told.http_status, told.attempts, told.clock_offset_ms, told.weight_used) == (200, 1, 0, 5)
    assert (told.requested_at_ms, told.received_at_ms) == (T0 * 1000, T0 * 1000)
    assert told.snapshot is not None
    assert told.snapshot.btc_requested
    assert each.ledger() == [("main", "+0", "stored")]
    again, kept = collect_once(each.shared.client, each.shared.recorder, target, TICK, each.clocks.now_ms)
    assert (again.outcome.outcome, kept) == (Outcome.STORED, False)  # once, and never merged


def test_scope_and_valuation_are_what_the_target_says(one: World) -> None:
    """One asset only, and no valuation where its owner wants none."""
    target = replace(one.add().target, asset="BTC", btc_valuation=False)
    snapshot = fetch(one.shared.client, target, TICK).outcome.snapshot
    assert snapshot is not None
    assert [(balance.asset, balance.btc_valuation) for balance in snapshot.balances] == [("BTC", None)]
    assert not snapshot.btc_requested


def test_an_error_becomes_a_failed_tick_with_everything_that_is_known(each: World) -> None:
    """Whoever asks why later finds status, code and words of the exchange."""
    target = each.add().target
    each.exchange.script(Fault(kind="error", path=USER_ASSET, code=-2015))
    fetched, kept = collect_once(each.shared.client, each.shared.recorder, target, TICK, each.clocks.now_ms)
    assert kept
    assert fetched.error is not None
    told = fetched.outcome
    assert (told.outcome, told.reason, told.http_status, told.code) == ("failed", FailReason.KEY_REJECTED, 401, -2015)
    assert (told.attempts, told.requested_at_ms, told.weight_used) == (1, T0 * 1000, 5)
    assert told.detail is not None
    assert told.detail.startswith("Binance refuses API key, IP address or permission")
    assert each.ledger() == [("main", "+0", "failed", "key_rejected")]


def test_without_a_request_a_tick_is_missed_and_not_failed(each: World) -> None:
    """Failed says that something left; a deadline that had passed says that nothing did."""
    target = each.add().target
    each.clocks.run(60)
    fetched, kept = collect_once(each.shared.client, each.shared.recorder, target, TICK, each.clocks.now_ms)
    assert (fetched.outcome.outcome, fetched.outcome.reason) == (Outcome.MISSED, MissReason.OVERRUN)
    assert kept
    each.shared.client.abort()
    later = replace(TICK, due_at=T0 + 60, deadline_ms=(T0 + 120) * 1000)
    fetched, _ = collect_once(each.shared.client, each.shared.recorder, target, later, each.clocks.now_ms)
    assert (fetched.outcome.outcome, fetched.outcome.reason) == (Outcome.MISSED, MissReason.NOT_RUNNING)
    assert each.ledger() == [
        ("main", "+0..0", "missed", "overrun"),
        ("main", "+60..60", "missed", "not_running"),
    ]
    assert each.asked() == 0


def test_a_manual_snapshot_is_due_now_in_whole_seconds(one: World) -> None:
    """Off the grid: `once` has no interval, and a minute to try."""
    one.clocks.run(17.9)
    tick = manual_tick(one.clocks.wall_ms)
    assert tick == Tick(due_at=T0 + 17, interval_s=None, deadline_ms=T0 * 1000 + 77_900)
    target = one.add().target
    _, kept = collect_once(one.shared.client, one.shared.recorder, target, tick, one.clocks.now_ms)
    assert kept
    assert ask(one.url, "SELECT outcome, interval_s FROM tick") == [("stored", None)]
    _, kept = collect_once(one.shared.client, one.shared.recorder, target, tick, one.clocks.now_ms)
    assert not kept  # the very same second again


@pytest.mark.parametrize("asked", [True, False])
def test_a_manual_snapshot_that_fails_leaves_nothing(one: World, *, asked: bool) -> None:
    """Nothing was due, so nothing is missing."""
    target = one.add().target
    one.exchange.script(Fault(kind="status", status=500, path=USER_ASSET))
    tick = manual_tick(one.clocks.wall_ms if asked else one.clocks.wall_ms - 60_000)
    fetched, kept = collect_once(one.shared.client, one.shared.recorder, target, tick, one.clocks.now_ms)
    assert not kept
    assert fetched.error is not None
    assert (one.asked() > 0) is asked
    assert one.ledger() == []


def test_a_manual_snapshot_on_an_instant_of_the_grid_answers_for_it(each: World) -> None:
    """Two rows of one account and instant can't be: the tick that comes second finds its answer there."""
    target = each.add().target
    by_hand = stored(target, manual_tick(each.clocks.wall_ms), _reply(each))
    assert record(each.shared.recorder, by_hand, T0 * 1000)
    by_clock = stored(target, TICK, _reply(each))
    assert not record(each.shared.recorder, by_clock, T0 * 1000)
    assert ask(each.url, "SELECT outcome, interval_s FROM tick") == [("stored", 60)]


def test_a_manual_snapshot_replaces_a_failed_tick_of_the_same_instant(each: World) -> None:
    """It is the better answer, and the instant stays in the grid."""
    target = each.add().target
    each.exchange.script(Fault(kind="status", status=500, path=USER_ASSET, last=2))
    collect_once(each.shared.client, each.shared.recorder, target, TICK, each.clocks.now_ms)
    by_hand = stored(target, manual_tick(T0 * 1000), _reply(each))
    assert record(each.shared.recorder, by_hand, T0 * 1000)
    assert ask(each.url, "SELECT outcome, interval_s FROM tick") == [("stored", 60)]


def test_a_reply_that_a_bug_keeps_out_is_a_failed_tick(one: World) -> None:
    """The tick has its answer, without any of the reply."""
    target = one.add().target
    assert record(one.shared.recorder, unusable(target, TICK), T0 * 1000)
    assert one.ledger() == [("main", "+0", "failed", "bad_reply")]


def _reply(one: World) -> Reply:
    target = one.runners[0].target
    return one.shared.client.fetch_user_assets(target.credentials, deadline_ms=one.clocks.wall_ms + 60_000)
