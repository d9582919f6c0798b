"""A real daemon whose clock is wrong, or is set while it runs."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.sandbox.faults import Fault
from tests.daemons import Crew, Daemon, asked, crew, now_s, until
from tests.ledgers import ask

TEN_MINUTES_MS = 600_000


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Crew]:
    """One account, a database file, and a clock that the file `ahead` sets."""
    (tmp_path / "ahead").write_text("0")
    with crew(tmp_path, f"sqlite:///{tmp_path / 'collector.db'}") as together:
        yield together


def start(one: Crew, *arguments: str) -> Daemon:
    """A daemon, or another command, that lives by that clock."""
    return one.start(*arguments, command=(sys.executable, "-m", "tests.stepped_daemon", str(one.folder / "ahead")))


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


def test_a_clock_that_ran_ahead_and_is_set_right_goes_on_around_what_is_answered(one: Crew) -> None:
    """Instants that have no answer yet are collected, none gets a second one, and none is lost."""
    set_clock(one, 4_000)
    daemon = start(one)
    first = daemon.first_due_at()
    before = wait_for(one, 2)
    set_clock(one, 0)
    daemon.says("the local clock was set by -4.0 s")
    after = wait_for(one, 3)
    daemon.stop()
    found = [due_at for due_at, _, _ in stored(one)]
    assert found == list(range(found[0], found[-1] + 1))
    assert found[0] <= first
    assert abs((before[-1][1] or 0) + 4_000) < 1_000
    assert abs(after[-1][1] or 0) < 1_000
    assert ask(one.url, "SELECT reason FROM missed WHERE reason <> 'not_running'") == []


YEAR_MS = 365 * 86_400_000


def books(one: Crew) -> None:
    """The whole ledger balances."""
    verified = one.call("db", "verify")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout


def test_a_year_forward_and_back_again_goes_on_at_once(one: Crew) -> None:
    """The year that was passed over is still to come: each of its instants is collected when it is due."""
    daemon = start(one)
    daemon.first_due_at()
    wait_for(one, 2)
    set_clock(one, YEAR_MS)
    daemon.says("ticks (clock_step)")
    until("a tick of the next year", lambda: stored(one)[-1][0] > now_s() + YEAR_MS // 2000)
    set_clock(one, 0)
    daemon.says("the local clock ran ahead: the ledger has answers until ")
    after = now_s()
    until("ticks of now", lambda: sum(after <= due_at < after + 60 for due_at, _, _ in stored(one)) >= 3)
    status = one.call("status")
    daemon.stop()
    # The instant that was at hand when the clock was set back may be lost by that step as well.
    longest = "SELECT max(last_due_at - start_at) FROM missed WHERE reason = 'clock_step'"
    assert ask(one.url, longest)[0][0] > YEAR_MS // 1000 - 3600
    assert (status.returncode, "has answers of the future, until 20" in status.stderr) == (0, True)
    books(one)


def test_a_first_start_a_year_ahead_is_taken_back(one: Crew) -> None:
    """Nothing was due before; from the step on it is, and a restart finds its way as well."""
    set_clock(one, YEAR_MS)
    daemon = start(one)
    daemon.first_due_at()
    wait_for(one, 2)
    set_clock(one, 0)
    daemon.says("the local clock ran ahead: ")
    after = now_s()
    until("ticks of now", lambda: sum(due_at < after + 60 for due_at, _, _ in stored(one)) >= 2)
    daemon.stop()
    daemon = start(one)
    daemon.says("the local clock ran ahead: ")
    again = now_s()
    until("ticks of now", lambda: sum(again < due_at < again + 60 for due_at, _, _ in stored(one)) >= 2)
    daemon.stop()
    books(one)


def test_an_hour_back_and_right_again_loses_that_time_by_name(one: Crew) -> None:
    """An hour ago has its answers: nothing new is asked for, it is said why, and the loss is the step's."""
    daemon = start(one)
    daemon.first_due_at()
    wait_for(one, 2)
    set_clock(one, -3_600_000)
    daemon.says("the local clock is behind: the instants until ")
    before = len(stored(one))
    time.sleep(1.5)
    assert len(stored(one)) == before
    set_clock(one, 0)
    wait_for(one, 2)
    daemon.stop()
    lost = ask(one.url, "SELECT reason, ticks FROM missed WHERE reason <> 'not_running'")
    assert [reason for reason, _ in lost] == ["clock_step"]
    books(one)


def test_a_clock_of_1970_is_waited_for(one: Crew) -> None:
    """A machine without a battery starts there: no tick of then may stand in the ledger."""
    set_clock(one, -now_s() * 1000)
    daemon = start(one)
    daemon.says("the local clock says 1970-01-01 00:00:")
    daemon.says("which can't be: waiting until it is set")
    for command in ("once", "check"):
        refused = start(one, command)
        assert refused.ended() == 1
        refused.says("which can't be: set it first")
    set_clock(one, 0)
    daemon.first_due_at()
    wait_for(one, 2)
    daemon.stop()
    assert ask(one.url, "SELECT count(*) FROM schedule WHERE from_at < 1700000000") == [(0,)]
    assert ask(one.url, "SELECT count(*) FROM missed") == [(0,)]


def test_waiting_for_the_clock_can_be_ended(one: Crew) -> None:
    """SIGTERM ends it as at any other time, and nothing was written."""
    set_clock(one, -now_s() * 1000)
    daemon = start(one)
    daemon.says("waiting until it is set")
    assert daemon.stop()[0] == 0
    assert not (one.folder / "collector.db").exists()


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
