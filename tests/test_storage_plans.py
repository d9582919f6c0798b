"""Questions are answered by key seeks: what they cost depends on the answer and not on the length of the history."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from collector.domain.records import Account
from collector.storage import accounts, history, ledger, series
from collector.storage.export import plain_snapshots
from collector.storage.movements import movements
from collector.storage.reader import Reader
from collector.storage.sqlite import connected
from tests.ledgers import T0, ask
from tests.postgres import Databases

SHORT, LONG = 2_000, 200_000

# Two accounts; the first has a tick each second, alternately stored (two assets) and failed: as many gaps as snapshots.
FILL = (
    "INSERT INTO account (id, name, created_at) VALUES (1, 'main', {zero}), (2, 'other', {zero})",
    "INSERT INTO schedule VALUES (1, {start}, 1), (1, {end}, NULL)",
    "INSERT INTO known_asset VALUES (1, 'A0', {start}), (1, 'A1', {start})",
    """INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, attempts, recorded_at, received_at,
        asset_count, unpriced, btc_requested, digest)
    SELECT {at}, 1, 1, CASE WHEN n % 2 = 0 THEN 'stored' ELSE 'failed' END,
        CASE WHEN n % 2 = 1 THEN 'tls' END, 1, {zero}, CASE WHEN n % 2 = 0 THEN {zero} END,
        CASE WHEN n % 2 = 0 THEN 2 END, 0, CASE WHEN n % 2 = 0 THEN 1 END, CASE WHEN n % 2 = 0 THEN 'd' END
    FROM {numbers}""",
    """INSERT INTO balance SELECT due_at, account_id, a.asset, '1', '0', '0', '0', '0', '0'
    FROM tick CROSS JOIN (SELECT 'A0' AS asset UNION ALL SELECT 'A1') AS a WHERE outcome = 'stored'""",
)
SQLITE_NUMBERS = (
    "(WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {last}) SELECT n FROM n) AS n"
)


def fill(url: str, ticks: int) -> None:
    """A history of so many ticks, half of them failed."""
    postgresql = url.startswith("postgresql")
    at = "to_timestamp({0})" if postgresql else "{0}"
    for statement in FILL:
        sql = statement.format(
            zero=at.format(0),
            start=at.format(T0),
            end=at.format(T0 + ticks),
            at=at.format(f"{T0} + n"),
            numbers=f"generate_series(0, {ticks - 1}) AS n" if postgresql else SQLITE_NUMBERS.format(last=ticks - 1),
        )
        ask(url, sql.replace("'1', '0', '0', '0', '0', '0'", "1, 0, 0, 0, 0, 0") if postgresql else sql)


@dataclass(frozen=True)
class Filled:
    """A filled SQLite file, and how many ticks it holds."""

    url: str
    ticks: int

    @contextmanager
    def opened(self) -> Iterator[tuple[sqlite3.Connection, Reader, Account]]:
        """A connection to it, a reader on that, and its account."""
        with closing(connected(Path(self.url.removeprefix("sqlite:///")), "reader")) as driver:
            reader = Reader(self.url, driver)
            account = accounts.find(reader, "main")
            assert account is not None
            yield driver, reader, account


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Filled]:
    """A short history and one a hundred times as long."""
    made = {}
    for ticks in (SHORT, LONG):
        file = tmp_path_factory.mktemp("filled") / "x.db"
        file.write_bytes(sqlite_template.read_bytes())
        fill(f"sqlite:///{file}", ticks)
        made[ticks] = Filled(url=f"sqlite:///{file}", ticks=ticks)
    return made


def steps(driver: sqlite3.Connection, question: Callable[[], object]) -> int:
    """How many steps SQLite's virtual machine takes to answer: the same on every machine, unlike time."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 10
        return 0

    question()  # compiled and cached: preparing counts as well
    driver.set_progress_handler(count, 10)
    question()
    driver.set_progress_handler(None, 0)
    return taken


Question = Callable[[Reader, Account, int], object]

SEEKS: dict[str, Question] = {
    "latest": lambda r, a, mid: history.latest(r, a) and mid,
    "as of then": history.as_of,
    "a hundred points": lambda r, a, mid: list(series.asset_points(r, a, "A0", from_s=mid, to_s=mid + 200)),
    "movements of all assets": lambda r, a, mid: list(movements(r, a, from_s=mid, to_s=mid + 100)),
    "an exported range": lambda r, a, mid: list(plain_snapshots(r, a, from_s=mid, to_s=mid + 100)),
    "the open gap": lambda r, a, _: ledger.open_gap(r, a),
    "newest gaps": lambda r, a, mid: ledger.gaps(r, a, from_s=2 * mid - T0 - 100),
    "gaps in the middle": lambda r, a, mid: ledger.gaps(r, a, from_s=mid, to_s=mid + 100),
    "oldest gaps": lambda r, a, _: ledger.gaps(r, a, to_s=T0 + 100),
    "where the ledger ends": lambda r, a, _: accounts.newest_answer(r, a.id),
    "view latest_balance": lambda r, *_: r.all("SELECT * FROM latest_balance"),
    "view latest_balance of a name": lambda r, *_: r.all("SELECT * FROM latest_balance WHERE account = 'main'"),
    "view snapshot as of": lambda r, _, mid: r.all(
        f"SELECT * FROM snapshot WHERE account_id = 1 AND due_epoch <= {mid} ORDER BY due_epoch DESC LIMIT 1"
    ),
    "view balance_history at": lambda r, _, mid: r.all(f"SELECT * FROM balance_history WHERE due_epoch = {mid}"),
    "view asset_history between": lambda r, _, mid: r.all(
        "SELECT * FROM asset_history WHERE account = 'main' AND asset = 'A1' "
        f"AND due_epoch BETWEEN {mid} AND {mid + 200}",
    ),
    "view total_history since": lambda r, _, mid: r.all(
        f"SELECT * FROM total_history WHERE account_id = 1 AND due_epoch BETWEEN {mid} AND {mid + 200}"
    ),
    "view gap since": lambda r, _, mid: r.all(
        f"SELECT * FROM gap WHERE account_id = 1 AND start_epoch BETWEEN {mid} AND {mid + 100}"
    ),
    "reasons of a window": lambda r, _, mid: r.all(
        "SELECT reason, count(*) FROM tick WHERE account_id = 1 AND outcome <> 'stored' "
        f"AND due_at BETWEEN {mid} AND {mid + 100} GROUP BY reason",
    ),
}


@pytest.mark.parametrize("question", SEEKS)
def test_a_longer_history_costs_nothing(filled: dict[int, Filled], question: str) -> None:
    """Two years of minutes answer as quickly as a week of them."""
    taken = {}
    for ticks, history_ in filled.items():
        with history_.opened() as (driver, reader, account):
            middle = T0 + ticks // 2
            taken[ticks] = steps(driver, partial(SEEKS[question], reader, account, middle))
    assert taken[LONG] <= taken[SHORT] * 1.2 + 500
    assert taken[LONG] < 60_000


LINEAR = (
    "SELECT * FROM gap WHERE account_id = 1",
    "SELECT * FROM coverage",
    "SELECT reason, count(*) FROM tick WHERE account_id = 1 AND outcome <> 'stored' GROUP BY reason",
)


@pytest.mark.parametrize("sql", LINEAR)
def test_a_whole_history_costs_its_length_and_not_its_square(filled: dict[int, Filled], sql: str) -> None:
    """A planner that puts one subquery into another makes minutes of what takes a second."""
    taken = {}
    for ticks, history_ in filled.items():
        with history_.opened() as (driver, reader, _):
            taken[ticks] = steps(driver, partial(reader.all, sql))
    assert taken[LONG] < 140 * taken[SHORT]


def plan(reader: Reader, sql: str) -> list[str]:
    """How SQLite would find the answer."""
    return [str(row[3]) for row in reader.all(f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT reason, count(*) FROM tick WHERE account_id = 1 AND outcome <> 'stored' GROUP BY reason",
        "SELECT * FROM gap",
        "SELECT * FROM gap WHERE account_id = 1 AND start_epoch > 5",
        "SELECT * FROM coverage",
    ],
)
def test_losses_are_found_through_their_own_index(filled: dict[int, Filled], sql: str) -> None:
    """Covering: without a look at the table, whose rows are ten times as wide."""
    with filled[SHORT].opened() as (_, reader, _):
        found = plan(reader, sql)
    assert any("COVERING INDEX ix_tick_not_stored" in step for step in found)
    assert not [step for step in found if "INDEX ix_tick_not_stored" in step and "COVERING" not in step]


@pytest.mark.parametrize("view", ["latest_balance", "balance_history", "asset_history", "snapshot", "total_history"])
@pytest.mark.parametrize("where", ["", "WHERE account_id = 1", "WHERE account = 'main'", "WHERE due_epoch = 5"])
def test_no_view_walks_over_a_whole_table(filled: dict[int, Filled], view: str, where: str) -> None:
    """From the accounts by key to their ticks, from these by key to their balances."""
    with filled[SHORT].opened() as (_, reader, _):
        found = plan(reader, f"SELECT * FROM {view} {where}")
    assert [step for step in found if step.startswith("SCAN") and not step.startswith("SCAN a")] == []


@pytest.fixture(scope="module")
def served(postgres_server: Databases, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database with enough rows for its planner to prefer keys."""
    name = postgres_server.create_database(postgres_template)
    fill(postgres_server.url(name), 40_000)
    ask(postgres_server.url(name), "VACUUM ANALYZE")
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


SERVED = {
    "SELECT * FROM latest_balance": 10,
    "SELECT * FROM latest_balance WHERE account = 'main'": 10,
    f"SELECT * FROM snapshot WHERE account_id = 1 AND due_at <= to_timestamp({T0 + 20_000}) "
    "ORDER BY due_at DESC LIMIT 1": 10,
    "SELECT * FROM asset_history WHERE account_id = 1 AND asset = 'A1' "
    f"AND due_at BETWEEN to_timestamp({T0 + 20_000}) AND to_timestamp({T0 + 20_200})": 1_000,
    "SELECT * FROM gap WHERE account_id = 1 "
    f"AND start_at BETWEEN to_timestamp({T0 + 20_000}) AND to_timestamp({T0 + 20_100})": 2_000,
    "SELECT reason, count(*) FROM tick WHERE account_id = 1 AND outcome <> 'stored' "
    f"AND due_at BETWEEN to_timestamp({T0 + 20_000}) AND to_timestamp({T0 + 20_100}) GROUP BY reason": 1_000,
}


@pytest.mark.parametrize("sql", SERVED)
def test_postgresql_reads_few_rows(served: str, sql: str) -> None:
    """Of forty thousand ticks only those that the answer is made of are touched, however the plan looks."""
    ((said,),) = ask(served, f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}")
    assert isinstance(said, list)
    assert rows_read(said[0]["Plan"]) <= SERVED[sql]


def rows_read(node: dict[str, object]) -> float:
    """Rows that the scans of a plan produced or threw away."""
    below = node.get("Plans", [])
    assert isinstance(below, list)
    own = 0.0
    if "Relation Name" in node:
        read = [
            node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        ]
        own = sum(float(str(rows)) for rows in read) * float(str(node["Actual Loops"]))
    return own + sum(rows_read(child) for child in below)
