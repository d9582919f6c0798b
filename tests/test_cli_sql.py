"""`collector sql`: any query on real databases of both engines, and nothing but queries."""

import io
import json

import pytest

from collector.reports.query import cell_of
from tests.command_line import CommandLine, command_line
from tests.ledgers import T0, ask, held, record, recorder, register, snapshot, stored

LONG = (
    "SELECT count(*) FROM (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) "
    "SELECT x FROM n) AS n"
)


@pytest.fixture
def url(database_url: str) -> str:
    """One snapshot of three assets."""
    amounts = (held("BTC", "1000.50000000"), held("ETH", "20.000000000000000042"), held("USDT", "5"))
    with recorder(database_url) as writer:
        record(writer, stored(register(writer), T0, snapshot(*amounts)))
    return database_url


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], url: str) -> CommandLine:
    """The command line on this database."""
    return command_line(monkeypatch, capsysbinary, url)


def test_every_digit_comes_out(cli: CommandLine, engine_name: str) -> None:
    """TEXT on SQLite and NUMERIC on PostgreSQL are the same text; so are instants."""
    done = cli("sql", "SELECT due_at, asset, free, free_num FROM latest_balance ORDER BY free_num DESC", "--csv")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "due_at,asset,free,free_num",
        "2023-11-14T22:10:00Z,BTC,1000.50000000,1000.5",
        "2023-11-14T22:10:00Z,ETH,20.000000000000000042,20.0",
        "2023-11-14T22:10:00Z,USDT,5,5.0",
    ]


def test_sums_are_exact_on_both_engines(cli: CommandLine, engine_name: str) -> None:
    """SQLite's sum() would pass through a double."""
    total = {"sqlite": "decimal_sum", "postgresql": "sum"}[engine_name]
    done = cli("sql", f"SELECT {total}(free) AS total FROM latest_balance")
    assert done.out == "total\n1025.500000000000000042\n"
    assert cli("sql", f"SELECT {total}(free) AS total FROM latest_balance WHERE asset = 'XRP'").out == "total\n\n"
    done = cli("sql", f"SELECT {total}(CASE WHEN asset <> 'BTC' THEN free END) AS total FROM latest_balance")
    assert done.out == "total\n25.000000000000000042\n"


def test_sqlite_orders_and_compares_amounts_as_numbers(cli: CommandLine, engine_name: str) -> None:
    """With its collation; letter by letter 5 is the greatest."""
    if engine_name == "postgresql":
        assert "collation" in cli("sql", "SELECT asset FROM latest_balance ORDER BY asset COLLATE decimal").err
        return
    names = "SELECT asset FROM latest_balance"
    assert cli("sql", f"{names} ORDER BY free").out.split() == ["asset", "BTC", "ETH", "USDT"]
    assert cli("sql", f"{names} ORDER BY free COLLATE decimal").out.split() == ["asset", "USDT", "ETH", "BTC"]
    assert cli("sql", f"{names} WHERE free COLLATE decimal > '20'").out.split() == ["asset", "BTC", "ETH"]
    assert (
        cli("sql", "SELECT '1.5' = '1.50' COLLATE decimal AS x, '9' < 'a' COLLATE decimal AS y").out == "x\ty\n1\t1\n"
    )
    assert cli("sql", "SELECT max(free COLLATE decimal) AS free FROM latest_balance").out.split()[1] == "1000.50000000"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM balance",
        "INSERT INTO wait (scope, until, reason) VALUES ('ip', 1, 'timeout')",
        "UPDATE account SET name = 'other'",
        "DROP TABLE balance",
        "CREATE TABLE more (x integer)",
        "CREATE TEMP TABLE more (x integer)",
        "PRAGMA query_only = OFF",
        "ATTACH DATABASE '/tmp/never-made' AS other",
        "BEGIN",
        "COMMIT",
        "VACUUM",
        "SET default_transaction_read_only = off",
        "COPY balance TO STDOUT",
        "SELECT 1; DROP TABLE balance",
        "SELECT 1; SELECT 2",
        "WITH gone AS (DELETE FROM balance RETURNING 1) SELECT * FROM gone",
        "",
        "-- nothing",
        "SELECT nothing FROM balance",
        "SELEKT 1",
    ],
)
def test_what_is_no_query_is_refused_in_a_sentence(cli: CommandLine, url: str, statement: str) -> None:
    """By the engine: nothing here reads SQL to find out what it does."""
    done = cli("sql", "--", statement)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("collector: ")
    assert len(done.err.splitlines()) == 1
    assert ask(url, "SELECT count(*) FROM balance") == [(3,)]
    assert ask(url, "SELECT name FROM account") == [("main",)]


def test_postgresql_refuses_functions_that_write(cli: CommandLine, engine_name: str) -> None:
    """The transaction itself is read-only, and can't be made another one by then."""
    if engine_name == "sqlite":
        assert "no such function" in cli("sql", "SELECT set_config('transaction_read_only', 'off', true)").err
        return
    for query in (
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SELECT nextval(pg_get_serial_sequence('account', 'id'))",
    ):
        assert cli("sql", query).code == 2


def test_a_long_query_ends(cli: CommandLine) -> None:
    """With a sentence that says how to allow more."""
    done = cli("sql", LONG, "--timeout", "100ms")
    assert done.code == 2
    assert done.err == "collector: the query took longer than 0.1s: ask for less, or allow more with --timeout\n"
    assert cli("sql", "SELECT 1", "--timeout", "0s").code == 2


def test_a_cut_answer_says_so(cli: CommandLine) -> None:
    """Nobody takes ten thousand rows for all of them."""
    query = "SELECT asset FROM latest_balance ORDER BY asset"
    done = cli("sql", query, "--limit", "2")
    assert done.out == "asset\nBTC\nETH\n"
    assert done.err == "collector: only the first 2 rows: there are more, see --limit\n"
    assert cli("sql", query, "--limit", "3").err == ""
    assert json.loads(cli("sql", query, "--limit", "2", "--json").out)["cut"] is True


def test_every_format_has_it(cli: CommandLine) -> None:
    """Text that a spreadsheet would run is made harmless, numbers stay what they are."""
    query = "SELECT '=1+1' AS word, '-1.50' AS amount, NULL AS empty"
    assert cli("sql", query, "--csv").out == "word,amount,empty\r\n'=1+1,-1.50,\r\n"
    assert cli("sql", query, "--format", "ndjson").out == '{"word": "=1+1", "amount": "-1.50", "empty": null}\n'
    assert json.loads(cli("sql", query, "--json").out)["rows"][0]["amount"] == "-1.50"
    table = cli("sql", query, "--format", "table").out
    assert table.splitlines()[::2] == ["word  amount  empty", "=1+1   -1.50"]
    assert cli("sql", "SELECT 'a\tb\nc' AS word").out == "word\na\\tb\\nc\n"
    twins = "SELECT 1 AS one, 2 AS one"
    assert cli("sql", twins).out == "one\tone\n1\t2\n"
    assert cli("sql", twins, "--json").err == (
        "collector: two columns are called 'one', of which JSON could hold one: name them with AS\n"
    )


def test_the_query_may_come_from_stdin(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of SQL needs no quoting."""
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 7 AS seven;\n"))
    assert cli("sql", "-").out == "seven\n7\n"


NOTHING = 'there is no query: say one, as in `collector sql "SELECT * FROM latest_balance"`'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"SELECT '\xff'", "the query is not UTF-8 text"),
        (b"SELECT 1\0 AS one", "the query holds a NUL character"),
        (b" \n", NOTHING),
    ],
)
def test_what_is_no_text_is_no_query(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, given: bytes, said: str
) -> None:
    """A file of another encoding is a mistake, and neither engine may run the part of it that it understands."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
    done = cli("sql", "-")
    assert (done.code, done.out, done.err) == (2, "", f"collector: {said}\n")
    as_argument = cli("sql", given.decode("utf-8", "surrogateescape"))
    assert (as_argument.code, as_argument.err) == (2, f"collector: {said}\n")


def test_decimal_sum_takes_nothing_that_was_rounded(cli: CommandLine, engine_name: str) -> None:
    """A sum of doubles would only look exact."""
    done = cli("sql", "SELECT decimal_sum(free_num) AS total FROM latest_balance")
    assert done.code == 2
    assert ("leave out _num" if engine_name == "sqlite" else "decimal_sum(double precision) does not exist") in done.err


def test_other_values_of_postgresql_have_a_text(cli: CommandLine, engine_name: str) -> None:
    """Dates, times without a zone, bytes and what has no better form."""
    if engine_name == "postgresql":
        query = (
            "SELECT date '2026-03-31' AS d, timestamp '2026-03-31 12:00' AS t, '\\x0102'::bytea AS b, "
            "'{1}'::int[] AS a, true AS x"
        )
        assert cli("sql", query).out.splitlines()[1] == "2026-03-31\t2026-03-31T12:00:00\t0102\t[1]\ttrue"
    assert cell_of(0.1) == "0.1"


def test_a_database_that_is_not_there_says_so(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: object
) -> None:
    """As every command does."""
    done = command_line(monkeypatch, capsysbinary, f"sqlite:///{tmp_path}/none.db")("sql", "SELECT 1")
    assert done.code == 6
    assert "collector db upgrade" in done.err
