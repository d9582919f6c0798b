"""What was due is a fact of its own: the ledger stays whole while accounts come and go and the interval changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.daemons import Crew, Daemon, asked, crew, end_at_rest, now_s, until
from tests.ledger_check import Exchange, asking, complaints, read_ledger, rfc3339, seconds
from tests.ledgers import ask

STAYS, LEAVES = "acct-0001", "acct-0002"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One life of the daemon: its accounts and interval, the second before it, and the tick that it announced first."""

    accounts: Sequence[str]
    interval_s: int
    before: int
    first: int

    def interval_of(self, account: str) -> int | None:
        """None when the account was not collected."""
        return self.interval_s if account in self.accounts else None


def begun(together: Crew, accounts: Sequence[str], interval_s: int) -> tuple[Daemon, Run]:
    """A daemon that has stored its first tick of every account."""
    together.configure([a for a in together.exchange.accounts if a.name in accounts], interval=f"{interval_s}s")
    before = now_s()
    daemon = together.start()
    first = daemon.first_due_at()
    for account in accounts:
        daemon.says(f"{account} {rfc3339(first)} stored")
    return daemon, Run(accounts=accounts, interval_s=interval_s, before=before, first=first)


def periods(together: Crew, account: str, runs: Sequence[Run]) -> list[tuple[int, int | None]]:
    """From when each interval held: the schedule's own facts, once they fit what the test has seen."""
    own = f"WHERE account_id = (SELECT id FROM account WHERE name = '{account}')"
    entries = [
        (seconds(at), interval_s)
        for at, interval_s in ask(together.url, f"SELECT from_at, interval_s FROM schedule {own} ORDER BY from_at")
    ]
    assert [interval_s for _, interval_s in entries] == [run.interval_of(account) for run in runs]
    for (from_at, interval_s), run in zip(entries, runs, strict=True):
        assert run.before < from_at <= run.first, (account, from_at, run)
        if interval_s is not None:
            assert run.first == next(t for t in range(from_at, from_at + interval_s) if t % interval_s == 0)
    return entries


def due_of(entries: Sequence[tuple[int, int | None]], last: int) -> list[int]:
    """Every due instant up to the last one, second by second."""
    ends = [*entries, (last + 1, None)]
    return [
        t
        for (from_at, interval_s), (to_at, _) in pairwise(ends)
        for t in range(from_at, to_at)
        if interval_s is not None and t % interval_s == 0
    ]


def test_the_ledger_is_whole_when_accounts_and_interval_change(tmp_path: Path, database_url: str) -> None:
    """A change of the configuration must neither lose a tick nor invent one."""
    with crew(tmp_path, database_url, 2) as together:
        runs: list[Run] = []
        for accounts, interval_s in (((STAYS, LEAVES), 1), ((STAYS,), 2), ((STAYS, LEAVES), 1), ((STAYS, LEAVES), 3)):
            daemon, run = begun(together, accounts, interval_s)
            runs.append(run)
            if len(runs) < 4:
                daemon.says(f"{STAYS} {rfc3339(run.first + interval_s)} stored")
                end(daemon, run, crash=len(runs) == 3)
        last = end_at_rest(daemon, lambda said: [f"{STAYS} {said} stored", f"{LEAVES} {said} stored"], interval_s=3)

        for account in (STAYS, LEAVES):
            entries = periods(together, account, runs)
            due = due_of(entries, last)
            with asking(together.url) as sql:
                answered = read_ledger(sql, account)
            assert complaints(answered, due, known(together, account)) == [], account
        assert entries[1][1] is None
        gone = {*range(entries[1][0], entries[2][0])}
        assert len(gone) >= 2
        assert not gone & {*answered.answers()}
        everything_adds_up(together)


def end(daemon: Daemon, run: Run, *, crash: bool) -> None:
    """End it while no request is in flight, and let an instant or two pass."""

    def signs(instant: str) -> list[str]:
        return [f"{name} {instant} stored" for name in run.accounts]

    end_at_rest(daemon, signs, interval_s=run.interval_s, kill=crash)
    ended = now_s()
    until("a second without a daemon", lambda: now_s() > ended + 1)


def known(together: Crew, account: str) -> Exchange:
    """What the exchange knows of an account; no daemon was killed with a request in flight."""
    return Exchange(
        requests=asked(together.exchange, account), truth=lambda at_ms: together.exchange.truth(account, at_ms)
    )


def everything_adds_up(together: Crew) -> None:
    """The ledger's identity, as its users see it."""
    rows = ask(together.url, "SELECT account, due, stored, thinned, failed, missed FROM coverage ORDER BY account")
    assert [row[0] for row in rows] == [STAYS, LEAVES]
    for _, due, stored, thinned, failed, missed in rows:
        assert due == stored + thinned + failed + missed
        assert stored >= 3
        assert missed >= 1
    assert rows[0][1] != rows[1][1]
