"""Many accounts in one daemon: one that hangs delays nobody, not even itself for ever."""

from pathlib import Path

from collector.sandbox.faults import Fault
from collector.sandbox.server import Sandbox
from tests.daemons import asked, crew, end_at_rest, now_s, until
from tests.ledger_check import Exchange, Ledger, asking, complaints, read_ledger, rfc3339

ACCOUNTS = 12
INTERVAL_S = 2
HANGING = "acct-0005"


def test_an_account_that_hangs_delays_nobody(tmp_path: Path, database_url: str) -> None:
    """One stuck connection must not cost eleven others a single tick, and has to come back by itself."""
    with crew(tmp_path, database_url, ACCOUNTS) as together:
        together.configure(together.exchange.accounts, interval=f"{INTERVAL_S}s", log_level="info")
        together.exchange.script(Fault(kind="hang", seconds=60, account=HANGING))
        daemon = together.start()
        first = daemon.first_due_at()
        until("a time-out and the tick after it", lambda: now_s() > first + 3 * INTERVAL_S)
        together.exchange.clear_faults()
        cleared = len(asked(together.exchange, HANGING))
        until("the hanging account again", lambda: any(r.complete for r in asked(together.exchange, HANGING)[cleared:]))
        last = end_at_rest(daemon, lambda instant: [f"tick {instant}: "], interval_s=INTERVAL_S)

        due = range(first, last + 1, INTERVAL_S)
        ledgers: dict[str, Ledger] = {}
        with asking(together.url) as sql:
            for account in together.exchange.accounts:
                ledgers[account.name] = read_ledger(sql, account.name)
        for name, ledger in ledgers.items():
            assert complaints(ledger, due, known(together.exchange, name)) == [], name
            if name != HANGING:
                assert [tick.due_at for tick in ledger.stored()] == list(due), name
        answers = [ledgers[HANGING].answers()[t][0] for t in due]
        assert answers[0] == ("failed", "timeout")
        assert answers[1] in {("missed", "overrun"), ("failed", "timeout")}
        assert answers[-1] == ("stored", None)
        one_line_a_tick(daemon.said(), first)


def known(exchange: Sandbox, name: str) -> Exchange:
    """What the exchange knows of one account."""
    return Exchange(requests=asked(exchange, name), truth=lambda at_ms: exchange.truth(name, at_ms))


def one_line_a_tick(said: str, first: int) -> None:
    """With more than ten accounts the log sums up: its length must not grow with the fleet."""
    lines = [line.partition("tick ")[2] for line in said.splitlines() if " tick 2" in line]
    assert f"{rfc3339(first)}: 11 stored, 1 failed (timeout)" in lines
    assert any(line.endswith(": 12 stored") for line in lines)
    assert "acct-0001" not in said
