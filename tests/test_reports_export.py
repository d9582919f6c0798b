"""Exports as Parquet, written and read by the real pyarrow."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import ArrowInvalid, parquet, string

from collector.reports import export
from tests.command_line import CommandLine, command_line
from tests.ledgers import held, record, recorder, register, snapshot, stored

NEW_YEAR = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
HOUR = 3600


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], database_url: str) -> CommandLine:
    """The command line on this database."""
    return command_line(monkeypatch, capsysbinary, database_url)


def tell(url: str, name: str) -> None:
    """Two snapshots around the new year, the second without valuations."""
    first = snapshot(held("BTC", "1.50000000", btc_valuation="1"), held("ETH", "0.000000000000000042"))
    second = snapshot(held("BTC", "2", btc_valuation=None), btc_requested=False)
    with recorder(url) as writer:
        account = register(writer, name, now_s=NEW_YEAR - HOUR)
        record(writer, stored(account, NEW_YEAR - HOUR, first, interval_s=HOUR))
        record(writer, stored(account, NEW_YEAR, second, interval_s=HOUR))


def test_there_is_a_file_for_each_account_and_month(cli: CommandLine, database_url: str, tmp_path: Path) -> None:
    """With exact decimals, null where no valuation was asked for, and private."""
    tell(database_url, "main")
    tell(database_url, "a/b")
    out = tmp_path / "all.parquet"
    assert cli("export", "--out", str(out)).code == 0
    files = sorted(out.rglob("*.parquet"))
    assert [str(path.relative_to(out)) for path in files] == [
        f"account={account}/month={month}/part-0.parquet"
        for account in ("a%2Fb", "main")
        for month in ("2025-12", "2026-01")
    ]
    december, january = (parquet.ParquetFile(path).read() for path in files[2:])
    assert [str(december.schema.field(name).type) for name in ("due_at", "asset", "free", "btc_valuation")] == [
        "timestamp[ms, tz=UTC]", "string", "decimal128(38, 18)", "decimal128(38, 18)",
    ]  # fmt: skip
    assert december.select(["asset", "free"]).to_pylist() == [
        {"asset": "BTC", "free": Decimal("1.5")},
        {"asset": "ETH", "free": Decimal("0.000000000000000042")},
    ]
    assert january["due_at"].to_pylist() == [datetime(2026, 1, 1, tzinfo=UTC)]
    assert january["btc_valuation"].to_pylist() == [None]


def test_amounts_too_long_for_a_decimal_stay_text(cli: CommandLine, database_url: str, tmp_path: Path) -> None:
    """The whole column, so that all files have one type; a sentence says it."""
    tell(database_url, "main")
    long = "0.0000000000000000000000000000000000001"
    with recorder(database_url) as writer:
        account = register(writer, "long", now_s=NEW_YEAR)
        odd = held("ODD", long, locked="100000000000000000000.1")
        record(writer, stored(account, NEW_YEAR, snapshot(odd, held("BIG", "99999999999999999999"))))
    done = cli("export", "--out", str(tmp_path / "all.parquet"))
    assert "collector: free, locked: some amounts don't fit into decimal128(38, 18), so these are text" in done.err
    (path,) = tmp_path.glob("all.parquet/account=long/*/part-0.parquet")
    assert parquet.ParquetFile(path).read().select(["free", "frozen"]).to_pylist() == [
        {"free": "99999999999999999999", "frozen": Decimal(0)},
        {"free": long, "frozen": Decimal(0)},
    ]
    kinds = {str(parquet.ParquetFile(one).schema_arrow.field("free").type) for one in tmp_path.rglob("part-0.parquet")}
    assert kinds == {"string"}


def test_a_month_is_written_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the memory would grow with the number of its rows."""
    monkeypatch.setattr(export, "GROUP", 2)
    amounts = [str(number) for number in range(5)]
    at = "2026-01-01T00:00:00Z"
    rows = [("main", at, at, "BTC", amount, "0", "0", "0", "0", None) for amount in amounts]
    export.write_parquet(tmp_path, rows, as_text=["locked"])
    file = parquet.ParquetFile(tmp_path / "account=main/month=2026-01/part-0.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [2, 2, 1]
    assert file.read()["free"].to_pylist() == [Decimal(amount) for amount in amounts]
    assert file.schema_arrow.field("locked").type == string()


def test_an_amount_that_does_not_fit_is_refused_and_never_rounded(tmp_path: Path) -> None:
    """If the columns were looked through in vain, a file that is wrong must not come of it."""
    at = "2026-01-01T00:00:00Z"
    rows = [("main", at, at, "BTC", "0.0000000000000000001", "0", "0", "0", "0", None)]
    with pytest.raises(ArrowInvalid, match="would cause data loss"):
        export.write_parquet(tmp_path, rows, as_text=[])
