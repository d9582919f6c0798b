"""A ledger that reaches into the future by the local clock: whether that is so, Binance's clock decides."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.daemon.metronome import Metronome
from collector.daemon.present import Present
from collector.storage.registry import open_ledger
from tests.collecting import World, world
from tests.ledgers import T0, ask

HOUR_S = 3600


@pytest.fixture
def one(tmp_path: Path, database_url: str) -> Iterator[World]:
    """An account that was collected from T0 on, by a clock that stands at T0."""
    with world(database_url) as made:
        account = made.add().target.account
        with made.shared.recorder.transaction() as connection:
            open_ledger(connection, account.id, interval_s=60, now_s=T0)
        yield made


def present(one: World, last_due_at: int) -> tuple[Present, Metronome]:
    """What decides, when the beat has come to this instant."""
    clocks, recorder = one.clocks, one.shared.recorder
    metronome = Metronome(interval_s=60, first_due_at=last_due_at + 60, on_beat=lambda _: None, clocks=clocks)
    runners = {runner.target.account.id: runner for runner in one.runners}
    return Present(recorder, metronome, runners, interval_s=60, clocks=clocks), metronome


def test_a_ledger_that_ends_now_needs_nothing(one: World, caplog: pytest.LogCaptureFixture) -> None:
    """The rule, every ten minutes."""
    decides, metronome = present(one, T0)
    decides.find(None, measure_now=pytest.fail)
    assert decides.measured(-HOUR_S * 1000)
    assert (metronome.last_due_at, caplog.text) == (T0, "")


def test_a_clock_behind_binances_waits(one: World, caplog: pytest.LogCaptureFixture) -> None:
    """These instants are past; what is held now must not get their label."""
    decides, metronome = present(one, T0 + HOUR_S)
    assert decides.measured(HOUR_S * 1000)
    assert metronome.last_due_at == T0 + HOUR_S
    assert "the local clock is behind: the instants until 2023-11-14 23:10:00 UTC have their answers" in caplog.text
    assert ask(one.url, "SELECT count(*) FROM missed") == [(0,)]


def test_a_clock_that_binances_confirms_goes_on(one: World, caplog: pytest.LogCaptureFixture) -> None:
    """The beat comes back; the tick under way at the wrong instant has its place."""
    decides, metronome = present(one, T0 + HOUR_S)
    assert decides.measured(HOUR_S * 1000 - 1)
    assert metronome.last_due_at == T0
    assert one.ledger() == [("main", "+60..3600", "missed", "clock_step")]
    assert "collecting goes on at 2023-11-14 22:11:00 UTC" in caplog.text
    one.clocks.run(60)
    assert one.tick() == ["main stored"]
    assert one.ledger() == [("main", "+60", "stored"), ("main", "+120..3600", "missed", "clock_step")]


def test_a_start_finds_the_present_or_asks_for_binances_clock(one: World) -> None:
    """Until that clock is known, nothing that has an answer is touched."""
    decides, metronome = present(one, T0 + HOUR_S)
    asked: list[str] = []
    decides.find(None, measure_now=lambda: asked.append("now"))
    assert (asked, metronome.last_due_at, one.ledger()) == (["now"], T0 + HOUR_S, [])
    decides.find(0, measure_now=lambda: asked.append("again"))
    assert (asked, metronome.last_due_at) == (["now"], T0)


def test_a_database_that_is_away_is_tried_again(one: World, caplog: pytest.LogCaptureFixture) -> None:
    """The beat stays where it is until the ledger can follow."""
    caplog.set_level(logging.WARNING)
    decides, metronome = present(one, T0 + HOUR_S)
    ask(one.url, "ALTER TABLE schedule RENAME TO away")
    assert not decides.measured(0)
    assert metronome.last_due_at == T0 + HOUR_S
    assert "collecting can't go on at the present: database " in caplog.text
    ask(one.url, "ALTER TABLE away RENAME TO schedule")
    assert decides.measured(0)
