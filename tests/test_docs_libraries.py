"""docs/recipes.md with DuckDB and pandas, the real ones, on a file as a daemon leaves it."""

import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pandas import read_csv

from tests.ledgers import held, record, recorder, register, snapshot, stored
from tests.processes import collector

TEXT = (Path(__file__).parent.parent / "docs/recipes.md").read_text(encoding="utf-8")
NEW_YEAR = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
HOUR = 3600
SHIB = held("SHIB", "50300000001.44911105")


@pytest.fixture
def folder(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one, with collector.db: three snapshots around the new year."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(sqlite_template, "collector.db")
    with recorder("sqlite:///collector.db") as writer:
        account = register(writer, now_s=NEW_YEAR - HOUR)
        for number, balances in enumerate([(held("BTC", "1.5"),), (held("BTC", "10", locked="0.25"), SHIB), (SHIB,)]):
            record(writer, stored(account, NEW_YEAR + (number - 1) * HOUR, snapshot(*balances), interval_s=HOUR))
    return tmp_path


def run(first_line: str) -> dict[str, Any]:
    """What the Python that begins with this comment leaves behind."""
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (recipe,) = [block for block in blocks if block.startswith(first_line)]
    found: dict[str, Any] = {}
    exec(recipe, found)  # noqa: S102 - the document's own example
    return found


def export(folder: Path, out: str) -> None:
    """Everything, by the command."""
    done = collector("export", "--out", out, env={"COLLECTOR_DATABASE": "collector.db"}, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_duckdb_reads_results_over_arrow(folder: Path) -> None:
    """Exact decimals without an export."""
    assert run("# duckdb\n")["peak"] == Decimal("10.25")


def test_duckdb_reads_a_month_of_an_export(folder: Path) -> None:
    """Exact decimals; the snapshot of 31 December lies in another file."""
    export(folder, "balances.parquet")
    assert run("# duckdb: months\n")["held"] == [(NEW_YEAR * 1000, Decimal(10))]


def test_pandas_reads_the_file(folder: Path) -> None:
    """Every digit of amounts that a double would round."""
    assert {asset: str(most) for asset, most in run("# pandas\n")["total"].items()} == {
        "BTC": "10",
        "SHIB": "50300000001.44911105",
    }


def test_pandas_reads_a_csv_export_as_text(folder: Path) -> None:
    """As the document says: with dtype=str every digit is there, without it the last ones are not."""
    export(folder, "balances.csv")
    assert 'pandas.read_csv("balances.csv", dtype=str)' in TEXT
    assert read_csv("balances.csv", dtype=str)["free"].tolist() == [
        "1.5", "10", "50300000001.44911105", "50300000001.44911105",
    ]  # fmt: skip
    assert read_csv("balances.csv")["free"].dtype.kind == "f"
