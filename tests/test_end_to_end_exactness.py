"""From the exchange's bytes to SQL through the real command line: every digit arrives."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from collector.sandbox.server import Sandbox
from tests.daemons import Crew
from tests.ledgers import ask

SAMPLE = Path(__file__).parent / "data" / "sample_reply.json"
ROWS = [
    ("AVAX", "1", "0", "0", "0", "0"),
    ("BCH", "0.9", "0", "0", "0", "0"),
    ("BNB", "887.47061626", "0", "10.52", "0.1", "0"),
    ("BUSD", "9999.7", "0", "0", "0", "0"),
    ("SHIB", "532.32", "0", "0", "0", "0"),
    ("USDT", "50300000001.44911105", "0", "0", "0", "0"),
    ("WRZ", "1", "0", "0", "0", "0"),
]

# As sent, and as it has to be read back: every digit stays, only exponents are written out.
AMOUNTS = [
    ("1.00000000", "1.00000000"),
    ("0.50", "0.50"),
    ("0.0000001", "0.0000001"),
    ("100", "100"),
    ("100.0", "100.0"),
    ("1E+2", "100"),
    ("12E-10", "0.0000000012"),
    ("0.000000000000000001", "0.000000000000000001"),
    ("1234567890123456789012345678901234567890", "1234567890123456789012345678901234567890"),
    ("0.123456789012345678901234567890123456789", "0.123456789012345678901234567890123456789"),
    ("99999999999999999999.99999999999999999999", "99999999999999999999.99999999999999999999"),
]
ZEROS = [("0", "0"), ("0.00000000", "0.00000000"), ("0E-8", "0.00000000"), ("0.0", "0.0")]
NAMES = ["456", "1INCH", "null", "NaN", "O'Brien; --", 'say "hi"', "wBTC", "WBTC", "币安人生", "ß ᚠ 🪙", "a,b\\c"]
FIELDS = ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation")


def collected_once(folder: Path, url: str, reply: bytes) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    """What SQL and `latest --json` show after `db upgrade` and `once`, each in a process of its own."""
    with Sandbox(1, reply=reply) as exchange, Crew(folder=folder, exchange=exchange, url=url) as crew:
        crew.migrate()
        once = crew.call("once")
        assert once.returncode == 0, once.stderr
        latest = crew.call("latest", "--json")
        assert latest.returncode == 0, latest.stderr
    found = ask(url, "SELECT asset, free, locked, frozen, withdrawing, ipoable FROM latest_balance ORDER BY asset")
    return [tuple(map(plain, row)) for row in found], dict(json.loads(latest.stdout))


def plain(cell: object) -> str:
    """A cell as the driver gives it (text from SQLite, a Decimal from PostgreSQL) in plain notation."""
    return format(cell, "f") if isinstance(cell, Decimal) else str(cell)


def rows_of(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of `latest --json` with the columns that the SQL asks for."""
    names = ("asset", "free", "locked", "frozen", "withdrawing", "ipoable")
    return [tuple(row[name] for name in names) for row in report["rows"]]


def test_the_documentations_own_reply_is_read_back_digit_for_digit(tmp_path: Path, empty_database_url: str) -> None:
    """The main promise on Binance's own example, whose 50300000001.44911105 no float can hold."""
    rows, report = collected_once(tmp_path, empty_database_url, SAMPLE.read_bytes())
    assert rows == ROWS
    assert rows_of(report) == ROWS
    assert (report["account"], report["btc_total"], report["unpriced"]) == ("main", "0", 7)


def test_awkward_digits_and_names_survive_alike_on_both_engines(tmp_path: Path, empty_database_url: str) -> None:
    """Zeros of every shape, 40 digits and names that look like SQL, CSV, numbers or nothing are data like any other."""
    sent, expected = [], []
    for number, (name, (first, first_read)) in enumerate(zip(NAMES, AMOUNTS, strict=True)):
        (zero, zero_read), (last, last_read) = ZEROS[number % len(ZEROS)], AMOUNTS[-number]
        amounts = (first, zero, last, zero, first, zero)
        sent.append({"asset": name, **dict(zip(FIELDS, amounts, strict=True))})
        expected.append((name, first_read, zero_read, last_read, zero_read, first_read))
    rows, report = collected_once(tmp_path, empty_database_url, json.dumps(sent).encode())
    assert rows == sorted(expected)
    assert rows_of(report) == sorted(expected)


def test_an_empty_account_is_a_snapshot_and_not_a_gap(tmp_path: Path, empty_database_url: str) -> None:
    """`[]` says that nothing is held, which is knowledge."""
    rows, report = collected_once(tmp_path, empty_database_url, b"[]")
    assert (rows, report["rows"], report["btc_total"], report["gaps"]) == ([], [], "0", [])
    assert ask(empty_database_url, "SELECT asset_count FROM snapshot") == [(0,)]
