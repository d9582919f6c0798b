"""A real daemon whose database goes away: it goes on asking, and the ledger has no hole in the end."""

import json
import shutil
import time
from pathlib import Path

from tests.daemons import Crew, Daemon, asked, crew, end_at_rest, now_s, until
from tests.ledger_check import Exchange, asking, complaints, read_ledger, rfc3339
from tests.outages import unwritable

EXIT_DATABASE = 6
SPOOLED = ", kept in the spool"


def several(daemon: Daemon, words: str, number: int) -> None:
    """Wait until its log holds these words so often."""
    until(f"{number} times {words!r}", lambda: daemon.said().count(words) >= number)


def waiting(together: Crew) -> dict[str, object]:
    """What `status` says of the spool, while the database can only be read."""
    return dict(json.loads(together.call("status", "--json").stdout)["spool"])


def is_true(together: Crew, due: range, kills_ms: list[int]) -> set[int]:
    """Every due instant has its one true answer; returns those that are stored."""
    exchange = Exchange(
        requests=asked(together.exchange),
        truth=lambda at_ms: together.exchange.truth("main", at_ms),
        kills_ms=kills_ms,
    )
    with asking(together.url) as sql:
        ledger = read_ledger(sql)
    assert complaints(ledger, due, exchange) == []
    return {tick.due_at for tick in ledger.stored()}


def told_as_stored(*daemons: Daemon) -> set[str]:
    """The instants of which a log says that they are stored."""
    lines = [line for daemon in daemons for line in daemon.said().splitlines() if " stored: " in line]
    return {line.split(" stored: ")[0].split()[-1] for line in lines}


def test_an_outage_with_a_kill_in_the_middle_costs_no_snapshot(tmp_path: Path, database_url: str) -> None:
    """What was received while the database was away is stored by the next daemon, before it writes its own absence."""
    with crew(tmp_path, database_url, trade_every_ms=200) as together:
        daemon = together.start()
        first = daemon.first_due_at()
        several(daemon, " stored: ", 2)
        with unwritable(together.url):
            several(daemon, SPOOLED, 2)
            begun = waiting(together)
            assert isinstance(begun["waiting"], int)
            assert begun["waiting"] >= 2
            killed_ms = time.time_ns() // 1_000_000
            daemon.kill()
        last = together.start()
        last.says("answers that an earlier run had to keep in the spool are stored now")
        newest = end_at_rest(last, lambda instant: [f"main {instant} stored"])
        stored = is_true(together, range(first, newest + 1), [killed_ms])
        assert told_as_stored(daemon, last) <= {rfc3339(instant) for instant in stored}


def test_a_damaged_file_ends_the_daemon_and_is_left_as_it_is(tmp_path: Path, sqlite_template: Path) -> None:
    """It says so and ends with 6; whoever owns the history decides what to do with what is left of it."""
    file = tmp_path / "collector.db"
    shutil.copy(sqlite_template, file)
    content = bytearray(file.read_bytes())
    content[:100] = b"\xaa" * 100
    file.write_bytes(bytes(content))
    with crew(tmp_path, f"sqlite:///{file}") as together:
        started = now_s()
        daemon = together.start()
        assert daemon.ended() == EXIT_DATABASE
        assert f"database {file}: file is not a database" in daemon.said()
        assert now_s() - started < 30
    assert file.read_bytes() == bytes(content)
