"""`from collector import History`: the same answers as the reports, as values, on both engines."""

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from collector import History
from collector.domain.ticks import MissReason, TickRange
from collector.errors import NoDataError, UsageError
from collector.storage import registry
from tests.ledgers import failed, held, record, recorder, register, snapshot, stored

DOCUMENT = (Path(__file__).parent.parent / "docs/python.md").read_text(encoding="utf-8")
START = int(datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp())
HOUR = 3600
ETH = held("ETH", "0.000000000000000042")


@pytest.fixture
def url(database_url: str) -> str:
    """Six hours around the day of 23 hours in Berlin: bitcoin grew, ether was sold, two hours were lost."""
    with recorder(database_url) as writer:
        account = register(writer, now_s=START)
        with writer.transaction() as connection:
            registry.open_ledger(connection, account.id, interval_s=HOUR, now_s=START)
        one = held("BTC", "1.00000000", btc_valuation="1.00000000")
        two = held("BTC", "1.5", locked="0.5", btc_valuation="2")
        record(writer, stored(account, START, snapshot(one, ETH), interval_s=HOUR))
        record(writer, stored(account, START + HOUR, snapshot(one, ETH), interval_s=HOUR))
        record(writer, failed(account, START + 2 * HOUR, interval_s=HOUR))
        lost = TickRange(start_at=START + 3 * HOUR, last_due_at=START + 3 * HOUR, interval_s=HOUR)
        writer.record_missed(account.id, lost, MissReason.OVERRUN)
        record(writer, stored(account, START + 4 * HOUR, snapshot(two), interval_s=HOUR))
        with writer.transaction() as connection:
            registry.open_ledger(connection, account.id, interval_s=None, now_s=START + 4 * HOUR + 1)
    return database_url


@pytest.fixture
def history(url: str) -> History:
    """The history of the only account, five hours after its start, in Berlin."""
    return History(url, tz="Europe/Berlin", clock=lambda: START + 5 * HOUR)


def test_latest_and_as_of_have_every_digit(history: History) -> None:
    """Amounts are the decimals that were stored, and the snapshot says when they were true."""
    newest = history.latest()
    assert [(b.asset, str(b.free), b.total) for b in newest] == [("BTC", "1.5", Decimal(2))]
    assert (newest.snapshot.due_at, newest.btc_total, newest.gaps) == (START + 4 * HOUR, Decimal(2), ())
    before = history.as_of(datetime.fromtimestamp(START + 3 * HOUR + 1, UTC))
    assert [(b.asset, format(b.free, "f")) for b in before] == [("BTC", "1.00000000"), ("ETH", "0.000000000000000042")]
    assert [gap.ticks for gap in before.gaps] == [2]
    assert history.accounts() == ("main",)


def test_results_cannot_be_changed(history: History) -> None:
    """What was true then stays so."""
    newest = history.latest()
    with pytest.raises(FrozenInstanceError):
        newest.rows = ()  # type: ignore[misc]
    assert (len(newest), newest[0], newest[:1]) == (1, newest.rows[0], newest.rows)


def test_an_asset_over_time_has_zeros_and_blanks(history: History) -> None:
    """Ether was sold: zero. In the lost hours nothing is known: no point."""
    points = history.asset("ETH")
    assert [p.balance.total for p in points] == [Decimal("4.2E-17"), Decimal("4.2E-17"), Decimal(0)]
    assert [gap.ticks for gap in points.gaps] == [2]
    hours = history.asset("BTC", since="2026-03-28T22:00:00Z", until="2026-03-29T03:00:00Z", every="1h")
    totals = [None if c.point is None else str(c.point.balance.total) for c in hours]
    assert totals == ["1.00000000", "1.00000000", None, None, "2.0"]
    days = history.asset("BTC", every="1d")
    assert [c.period.name for c in days] == ["2026-03-28", "2026-03-29"]


def test_days_begin_in_the_zone_of_the_history(history: History) -> None:
    """A date is its first moment there: 23:00 UTC is the next day in Berlin."""
    assert [p.due_at for p in history.asset("BTC", since=date(2026, 3, 29))] == [START + HOUR, START + 4 * HOUR]
    assert [p.due_at for p in history.total(until="2026-03-29")] == [START]


def test_differences_and_movements(history: History) -> None:
    """What changed, why, and which gap it hides in."""
    diff = history.diff(date(2026, 3, 29), "now")
    assert [(d.asset, str(d.change), format(d.total_change, "f")) for d in diff] == [
        ("BTC", "rose", "1.00000000"),
        ("ETH", "vanished", "-0.000000000000000042"),
    ]
    assert diff.effects is not None
    assert diff.effects.value == Decimal(1)
    moved = history.changes("BTC")
    assert [(m.by("locked"), [gap.reasons for gap in m.gaps]) for m in moved] == [
        (Decimal("0.5"), [("overrun", "timeout")])
    ]
    assert {m.asset for m in history.changes()} == {"BTC", "ETH"}


def test_total_gaps_and_coverage(history: History) -> None:
    """The value, what is not known, and how the ticks came out."""
    assert [str(p.btc_total) for p in history.total()] == ["1.00000000", "1.00000000", "2"]
    assert [c.point is not None for c in history.total(every="1d")] == [True, True]
    assert [(g.failed, g.missed, g.open) for g in history.gaps()] == [(1, 1, False)]
    (whole,) = history.coverage()
    assert (whole.due, whole.stored, whole.failed, whole.missed) == (5, 3, 1, 1)
    days = history.coverage(every="1d", until="2026-04-01")
    assert [(d.period.name, d.counts.due, d.counts.stored) for d in days][:2] == [
        ("2026-03-28", 1, 1),
        ("2026-03-29", 4, 2),
    ]


def test_impossible_questions_say_why(history: History, url: str, tmp_path: Path) -> None:
    """One sentence each, as on the command line."""
    with pytest.raises(UsageError, match="says nothing of its time zone"):
        history.as_of(datetime(2026, 3, 31))  # noqa: DTZ001 - that is what is wrong with it
    with pytest.raises(UsageError, match="must be later"):
        history.gaps(since="2026-03-31", until="2026-03-30")
    with pytest.raises(UsageError, match="neither a date"):
        history.as_of("noon")
    with pytest.raises(UsageError, match="'1y' is no period: there are 1h, 1d, 1w, 1mo"):
        history.total(every="1y")
    with pytest.raises(UsageError, match="told by its periods"):
        history.coverage(since="2026-03-28")  # type: ignore[call-overload]
    with pytest.raises(NoDataError, match="never seen to hold 'DOGE'"):
        history.asset("DOGE")
    with pytest.raises(NoDataError, match="no snapshot of 2026-03-01T00:00:00Z or before"):
        history.as_of(datetime(2026, 3, 1, tzinfo=UTC))
    with pytest.raises(NoDataError, match="'other' has never been collected: there are main"):
        History(url, account="other").latest()
    with pytest.raises(UsageError, match="no time zone 'Berlin'"):
        History(url, tz="Berlin")
    with pytest.raises(UsageError, match="the database must be a path"):
        History("'sqlite://x'")


def test_several_accounts_have_to_be_chosen_from(url: str) -> None:
    """Nobody's amounts are shown by chance; one without a snapshot says so."""
    with recorder(url) as writer:
        register(writer, "second")
    with pytest.raises(UsageError, match=r"there are 2 accounts, choose one with account=\.\.\.: main, second"):
        History(url).latest()
    assert History(url, account="main").latest().snapshot.account.name == "main"
    with pytest.raises(NoDataError, match="'second' has no snapshot yet"):
        History(url, account="second").total()


def test_an_empty_database_says_so(database_url: str) -> None:
    """Not an empty answer."""
    with pytest.raises(NoDataError, match="nothing has been collected yet"):
        History(database_url).latest()


def test_importing_the_package_loads_nothing() -> None:
    """`collector --help` must not pay for History."""
    code = "import sys, collector; print(sorted({'sqlalchemy', 'collector.api'} & set(sys.modules))); collector.History"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(ImportError, match="cannot import name 'Histroy'"):
        exec("from collector import Histroy")  # noqa: S102 - a misspelt import, as a user writes it


@pytest.mark.parametrize(("name", "command"), [("pandas", "pip install pandas"), ("pyarrow", "[parquet]")])
def test_a_missing_library_names_the_command(
    monkeypatch: pytest.MonkeyPatch, history: History, name: str, command: str
) -> None:
    """Both are optional; asking for them says what to install."""
    monkeypatch.setitem(sys.modules, name, None)
    newest = history.latest()
    with pytest.raises(UsageError, match=re.escape(command)):
        newest.to_pandas() if name == "pandas" else newest.to_arrow()


def examples() -> list[str]:
    """The Python of the document, in order."""
    return re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_document_run(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands there is what comes out."""
    first, *_ = examples()
    exec(first, {"url": url})  # noqa: S102 - the document's own example
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [f"{START + 4 * HOUR} 2", "BTC 1.5 2.0"]
    days = printed[2:33]
    assert (days[0], days[-1]) == ("2026-03-01 nothing is known", "2026-03-31 nothing is known")
    assert days[27:29] == ["2026-03-28 1.00000000", "2026-03-29 2.0"]
    assert printed[-1].startswith("BTC 1.00000000 (Gap(")


def test_every_method_is_documented() -> None:
    """The table names each of them."""
    methods = {name for name in vars(History) if not name.startswith("_")} - {"accounts"}
    assert {re.match(r"`(\w+)", row)[1] for row in re.findall(r"^\| (`\w+\(.*)$", DOCUMENT, re.MULTILINE)} == methods  # type: ignore[index]
