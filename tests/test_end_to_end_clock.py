"""A real daemon whose clock is wrong, or is set while it runs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.sandbox.faults import Fault
from tests.daemons import Crew, Daemon, asked, crew, until
from tests.ledgers import ask

TEN_MINUTES_MS = 600_000


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Crew]:
    """One account, a database file, and a clock that the file `ahead` sets."""
    (tmp_path / "ahead").write_text("0")
    with crew(tmp_path, f"sqlite:///{tmp_path / 'collector.db'}") as together:
        yield together


def start(one: Crew) -> Daemon:
    """A daemon that lives by that clock."""
    return one.start(command=(sys.executable, "-m", "tests.stepped_daemon", str(one.folder / "ahead")))


def set_clock(one: Crew, ahead_ms: int) -> None:
    """Somebody sets the local clock; at once, as far as a reader can tell."""
    new = one.folder / "ahead.new"
    new.write_text(str(ahead_ms))
    new.replace(one.folder / "ahead")


def stored(one: Crew) -> list[tuple[int, int | None, int]]:
    """Instant, clock offset and attempts of each stored tick, oldest first."""
    return ask(one.url, "SELECT due_at, clock_offset_ms, attempts FROM tick WHERE outcome = 'stored' ORDER BY due_at")


def wait_for(one: Crew, ticks: int) -> list[tuple[int, int | None, int]]:
    """The stored ticks, once there are so many more."""
    before = len(stored(one))
    until("stored ticks", lambda: len(stored(one)) >= before + ticks)
    return stored(one)[before:]


@pytest.mark.parametrize("skew_ms", [TEN_MINUTES_MS, -TEN_MINUTES_MS])
def test_a_clock_that_is_ten_minutes_off_collects_all_the_same(one: Crew, skew_ms: int) -> None:
    """Signing uses the difference, which each tick keeps; `check`, `status`, the reports and the log name it."""
    one.exchange.set_skew(skew_ms)
    daemon = one.start()
    daemon.first_due_at()
    until("two ticks", lambda: len(asked(one.exchange)) >= 2 and len(stored(one)) >= 2)
    daemon.stop()
    assert {attempts for _, _, attempts in stored(one)} == {1}
    assert all(offset is not None and abs(offset - skew_ms) < 1_000 for _, offset, _ in stored(one))
    side = "behind" if skew_ms > 0 else "ahead of"
    for arguments in (("latest",), ("history", "BTC"), ("gaps",), ("status",)):
        said = one.call(*arguments).stderr
        assert f"s {side} Binance's: set it right" in said, arguments
    checked = one.call("check")
    assert "set the local clock" in checked.stdout
    assert checked.returncode == 0
    assert "set the local clock" in daemon.said()


def test_an_exchange_whose_clock_jumps_costs_no_tick(one: Crew) -> None:
    """-1021 is answered by measuring again, within the tick."""
    daemon = one.start()
    daemon.first_due_at()
    wait_for(one, 1)
    one.exchange.set_skew(-TEN_MINUTES_MS)
    after = wait_for(one, 3)
    daemon.stop()
    assert [attempts for _, _, attempts in after[-2:]] == [1, 1]
    assert abs((after[-1][1] or 0) + TEN_MINUTES_MS) < 1_000
    assert ask(one.url, "SELECT reason FROM tick WHERE outcome <> 'stored'") == []
    assert ask(one.url, "SELECT reason FROM missed WHERE reason <> 'not_running'") == []


def test_a_clock_that_is_set_forward_loses_ticks_by_name(one: Crew) -> None:
    """They were never due in truth, but the grid has them: clock_step, each once, and the difference is measured."""
    daemon = start(one)
    daemon.first_due_at()
    wait_for(one, 2)
    set_clock(one, 30_000)
    daemon.says("the local clock was set by +30.0 s")
    after = wait_for(one, 4)
    daemon.stop()
    ((start_at, last_due_at, ticks),) = ask(
        one.url, "SELECT start_at, last_due_at, ticks FROM missed WHERE reason = 'clock_step'"
    )
    assert ticks == last_due_at - start_at + 1
    assert 28 <= ticks <= 30
    before = [due_at for due_at, _, _ in stored(one) if due_at < start_at]
    assert (before[-1], after[-1][0] > last_due_at) == (start_at - 1, True)
    assert abs((after[-1][1] or 0) + 30_000) < 1_000
    until("the time asked for", lambda: len(one.exchange.requests(path="/api/v3/time")) >= 2)


def test_a_clock_that_is_set_back_goes_on_where_the_answers_end(one: Crew) -> None:
    """The instants until then have their answers already: none gets a second one, none is lost."""
    set_clock(one, 4_000)
    daemon = start(one)
    first = daemon.first_due_at()
    before = wait_for(one, 2)
    set_clock(one, 0)
    daemon.says("the local clock was set by -4.0 s")
    after = wait_for(one, 3)
    daemon.stop()
    assert [due_at for due_at, _, _ in stored(one)] == list(range(first, after[-1][0] + 1))
    assert abs((before[-1][1] or 0) + 4_000) < 1_000
    assert abs(after[-1][1] or 0) < 1_000
    assert ask(one.url, "SELECT reason FROM missed WHERE reason <> 'not_running'") == []


def test_the_difference_is_measured_beside_the_ticks(one: Crew) -> None:
    """After a step, an exchange whose clock can't be asked for costs no tick while the old difference still serves."""
    daemon = start(one)
    daemon.first_due_at()
    wait_for(one, 1)
    one.exchange.script(Fault(kind="hang", seconds=30, path="/api/v3/time"))
    set_clock(one, -900)
    daemon.says("the local clock was set by -0.9 s")
    after = wait_for(one, 3)
    daemon.stop()
    assert [due_at for due_at, _, _ in after] == list(range(after[0][0], after[0][0] + len(after)))
    assert len(one.exchange.requests(path="/api/v3/time")) >= 2  # no timestamp was refused: the step alone led to it
