"""Thinning takes whole snapshots and nothing else, and the ledger stays whole at every moment."""

import itertools
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.records import Account
from collector.domain.thinning import FOREVER, Keep, Rule, Thinning
from collector.domain.ticks import FailReason, MissReason, TickRange
from collector.errors import DatabaseError
from collector.storage import accounts, registry
from collector.storage import prune as storage
from collector.storage.engine import inspecting
from collector.storage.reader import Reader
from collector.storage.verify import problems_in
from tests.ledgers import T0, ask, failed, held, record, recorder, register, snapshot, stored
from tests.lives import Event, Life, answers_in, events
from tests.naive_thinning import surviving

numbers = itertools.count()

HOURLY = [Rule(keep=Keep.HOURLY, span_s=FOREVER)]


def thin(url: str, rules: list[Rule], name: str = "main") -> Thinning:
    """Plan, and do it."""
    with inspecting(url) as connection:
        account = accounts.find(Reader.over(connection), name)
        assert account is not None
        planned = storage.plan(connection, account, rules)
    storage.prune(url, planned, rules, show=lambda _what, _share: None, pause=lambda _seconds: None)
    return planned


def views(url: str, account: Account) -> tuple[list[Any], list[Any]]:
    """What `gap` and `coverage` say; stored and thinned as one number."""
    of_account = f"WHERE account_id = {account.id}"
    columns = "start_epoch, last_due_epoch, ticks, failed, missed, reasons"
    gaps = ask(url, f"SELECT {columns} FROM gap {of_account} ORDER BY start_epoch")
    return gaps, ask(url, f"SELECT due, stored + thinned, failed, missed, percent FROM coverage {of_account}")


def answers(url: str, account: Account) -> list[tuple[int, str, str | None]]:
    """Each due instant with its answer."""
    with inspecting(url) as connection:
        return answers_in(connection, account.id)


def problems(url: str, account: Account) -> list[Any]:
    """What a verifier finds."""
    with inspecting(url) as connection:
        return list(problems_in(connection, [account], whole=False, counts=Counter(), show=lambda _what, _share: None))


rules = st.lists(
    st.builds(Rule, keep=st.sampled_from(list(Keep)), span_s=st.sampled_from([300, 3_600, 20_000, FOREVER])),
    min_size=1,
    max_size=3,
)


@settings(max_examples=12)
@given(events, rules, rules)
def test_no_answer_is_lost_whatever_the_life_and_the_rules(
    database_url: str, life: list[Event], first: list[Rule], second: list[Rule]
) -> None:
    """Each due instant keeps its one answer; gaps and coverage say what they said; and so after a second thinning."""
    with recorder(database_url) as writer:
        model = Life(writer=writer, account=register(writer, f"life {next(numbers)}"), clock=T0)
        model.live(life)
        model.restart(0, None)
    said = views(database_url, model.account)
    for chosen in (first, second):
        due = {t for t, (answer, _) in model.answers.items() if answer == "stored"}
        gone = due - surviving(due, chosen, max(due, default=0))
        planned = thin(database_url, chosen, model.account.name)
        assert (planned.snapshots, planned.ticks) == (len(due), len(gone))
        assert (planned.first, planned.last) == (min(gone, default=None), max(gone, default=None))
        model.answers |= dict.fromkeys(gone, ("thinned", None))
        assert answers(database_url, model.account) == sorted((t, *answer) for t, answer in model.answers.items())
        assert views(database_url, model.account) == said
        assert problems(database_url, model.account) == []


@pytest.fixture
def url(database_url: str) -> str:
    """`main` was due each minute of five hours: one failure, three missed, one snapshot by hand; then removed."""
    with recorder(database_url) as writer:
        account = register(writer)
        schedule(writer, account, 60, T0)
        both = snapshot(held("BTC", "1.50", btc_valuation="1.50"), held("ETH", "2", btc_valuation="0.1"))
        for n in range(300):
            if n == 100:
                record(writer, failed(account, T0 + 6_000, FailReason.BUSY))
            elif n == 200:
                missed = TickRange(start_at=T0 + 12_000, last_due_at=T0 + 12_120, interval_s=60)
                writer.record_missed(account.id, missed, MissReason.OVERRUN)
            elif n not in {201, 202}:
                record(writer, stored(account, T0 + 60 * n, both if n < 10 else None))
        record(writer, stored(account, T0 + 30, both, interval_s=None))
        schedule(writer, account, None, T0 + 18_000)
    return database_url


def schedule(writer: Any, account: Account, interval_s: int | None, now_s: int) -> None:
    """From now on the account is due at this interval."""
    with writer.transaction() as connection:
        registry.open_ledger(connection, account.id, interval_s=interval_s, now_s=now_s)


def counts(url: str) -> dict[str, int]:
    """Rows of the tables that thinning touches, and of those that it must not."""
    tables = ("tick", "balance", "missed", "thinned", "known_asset", "schedule")
    return {table: ask(url, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def test_hours_keep_their_first_and_last_snapshot(url: str) -> None:
    """22:10 to 03:09: six hours begun, twelve snapshots; the failure stays, and so does what was taken by hand."""
    planned = thin(url, HOURLY)
    assert (planned.snapshots, planned.ticks, planned.balances) == (296, 284, 293)
    assert counts(url) == {"tick": 14, "balance": 15, "missed": 1, "thinned": 8, "known_asset": 2, "schedule": 2}
    assert ask(url, "SELECT due_epoch FROM latest_balance")[0][0] == T0 + 299 * 60
    ranges = [ticks for (ticks,) in ask(url, "SELECT ticks FROM thinned ORDER BY start_at")]
    assert ranges == [48, 49, 8, 58, 29, 26, 58, 8]


def test_ranges_grow_in_place(url: str) -> None:
    """Ranges that meet become one, so that a history thinned each night does not fill the table."""
    thin(url, [Rule(keep=Keep.ALL, span_s=7_200), *HOURLY])
    before = counts(url)["thinned"]
    thin(url, [Rule(keep=Keep.ALL, span_s=3_600), *HOURLY])
    thin(url, [Rule(keep=Keep.ALL, span_s=60)])
    assert before >= 5
    ranges = ask(url, "SELECT ticks FROM thinned ORDER BY start_at")
    assert ranges == [(100,), (99,), (95,)]
    with inspecting(url) as connection:
        account = accounts.every_account(Reader.over(connection))[0]
    assert problems(url, account) == []


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty ticks at once, so that 295 are five transactions."""
    monkeypatch.setattr(storage, "TICKS_AT_ONCE", 50)


@pytest.mark.usefixtures("small_steps")
def test_long_ranges_are_written_step_by_step(url: str) -> None:
    """No transaction takes more ticks than a daemon can wait for; the range in the table is one all the same."""
    pauses: list[float] = []
    with inspecting(url) as connection:
        account = accounts.every_account(Reader.over(connection))[0]
        planned = storage.plan(connection, account, [Rule(keep=Keep.ALL, span_s=1)])
    seen: list[float] = []
    storage.prune(
        url,
        planned,
        [Rule(keep=Keep.ALL, span_s=1)],
        show=lambda _what, share: seen.append(share),
        pause=pauses.append,
    )
    assert len(pauses) == len(seen) == 5
    assert min(pauses) >= 0.02
    assert seen[-1] == 1
    assert [ticks for (ticks,) in ask(url, "SELECT ticks FROM thinned ORDER BY start_at")] == [100, 99, 96]


@pytest.mark.usefixtures("small_steps")
def test_an_interrupted_thinning_leaves_a_whole_ledger(url: str) -> None:
    """Ctrl-C between two transactions; the next run goes on."""
    rules = [Rule(keep=Keep.ALL, span_s=1)]
    with inspecting(url) as connection:
        account = accounts.every_account(Reader.over(connection))[0]
        planned = storage.plan(connection, account, rules)
    said = views(url, account)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        storage.prune(url, planned, rules, show=lambda _what, _share: None, pause=interrupt)
    assert 0 < counts(url)["tick"] < 299
    assert (problems(url, account), views(url, account)) == ([], said)
    thin(url, rules)
    assert counts(url)["tick"] == 3
    assert (problems(url, account), views(url, account)) == ([], said)


@pytest.mark.usefixtures("small_steps")
def test_a_snapshot_that_went_meanwhile_undoes_the_step(url: str) -> None:
    """Two prunes at once: no range may say more than what really went."""
    rules = [Rule(keep=Keep.ALL, span_s=1)]
    with inspecting(url) as connection:
        account = accounts.every_account(Reader.over(connection))[0]
        planned = storage.plan(connection, account, rules)
    once = iter([True])

    def other(_seconds: float) -> None:
        if next(once, False):
            thin(url, rules)

    with pytest.raises(DatabaseError, match="changed while they were thinned, by another prune perhaps"):
        storage.prune(url, planned, rules, show=lambda _what, _share: None, pause=other)
    assert problems(url, account) == []


@pytest.mark.usefixtures("small_steps")
def test_a_daemon_writes_beside_it(url: str) -> None:
    """What is recorded meanwhile is not touched."""
    rules = [Rule(keep=Keep.ALL, span_s=1)]
    with recorder(url) as writer:
        account = register(writer, "busy")
        schedule(writer, account, 60, T0)
        written: list[int] = []

        def write(_seconds: float) -> None:
            due_at = T0 + 60 * len(written)
            thread = threading.Thread(target=lambda: record(writer, stored(account, due_at)))
            thread.start()
            thread.join(30)
            written.append(due_at)

        with inspecting(url) as connection:
            main = accounts.every_account(Reader.over(connection))[0]
            planned = storage.plan(connection, main, rules)
        storage.prune(url, planned, rules, show=lambda _what, _share: None, pause=write)
    assert len(written) == 5
    assert answers(url, account) == [(t, "stored", None) for t in written]
    assert problems(url, account) == []


def test_space_can_be_given_back(url: str, engine_name: str) -> None:
    """SQLite only: the file is smaller afterwards, and everything is still there."""
    thin(url, [Rule(keep=Keep.ALL, span_s=1)])
    if engine_name == "sqlite":
        pages = ask(url, "PRAGMA page_count")[0][0]
        storage.vacuum(url)
        assert ask(url, "PRAGMA page_count")[0][0] < pages
        assert counts(url)["tick"] == 3
    else:
        with pytest.raises(DatabaseError):
            storage.vacuum(f"{url}_that_is_not_there")
