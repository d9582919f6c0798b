"""Results as tables of pandas and Arrow, the real ones: every digit arrives, and no amount ever is a float."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pandas import Timestamp
from pyarrow import types

from collector import History
from collector.reports import frames
from tests.spring import NOW_MS, fill

DOCUMENT = (Path(__file__).parent.parent / "docs/python.md").read_text(encoding="utf-8")


@pytest.fixture
def history(database_url: str) -> History:
    """The last days of March 2026."""
    fill(database_url)
    return History(database_url, tz="Europe/Berlin", clock=lambda: NOW_MS / 1000)


def results(history: History) -> dict[str, frames.Rows[Any]]:
    """One of each kind."""
    return {
        "latest": history.latest(),
        "as of": history.as_of("2026-03-29"),
        "asset": history.asset("ETH"),
        "asset by day": history.asset("ETH", since="2026-03-27", every="1d"),
        "total": history.total(),
        "total by day": history.total(since="2026-03-27", every="1d"),
        "diff": history.diff(date(2026, 3, 29), "now"),
        "changes": history.changes(),
        "gaps": history.gaps(),
        "coverage": history.coverage(),
        "coverage by day": history.coverage(every="1d"),
    }


def test_every_value_arrives_unchanged(history: History) -> None:
    """In both libraries, the blanks too; pandas has none of its own for what is not a number or an instant."""
    for name, result in results(history).items():
        frame, table = result.to_pandas(), result.to_arrow()
        assert len(result) == len(frame) == len(table) > 0, name
        for field in result.fields:
            values = field.of(result)
            assert table[field.name].to_pylist() == values, (name, field.name)
            shown = frame[field.name].astype(object)
            assert list(shown.where(shown.notna(), None)) == values, (name, field.name)


def test_no_column_is_a_float(history: History) -> None:
    """The types are those that the document names."""
    for result in results(history).values():
        frame, table = result.to_pandas(), result.to_arrow()
        assert not [column for column in frame if frame[column].dtype.kind == "f"]
        assert not [field for field in table.schema if types.is_floating(field.type)]
    frame, table = history.asset("ETH").to_pandas(), history.asset("ETH").to_arrow()
    assert {type(amount) for amount in frame["total"]} == {Decimal}
    assert str(frame["due_at"].dtype) == "datetime64[ms, UTC]"
    assert frame["due_at"][0] == Timestamp("2026-03-28T00:00:00Z")
    assert str(table.schema.field("total").type) == "decimal128(38, 18)"
    assert table["due_at"][0].as_py() == datetime(2026, 3, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        ("99999999999999999999.999999999999999999", "decimal128(38, 18)"),
        ("0.0000000000000000001", "decimal256(76, 38)"),
        ("100000000000000000000", "decimal256(76, 38)"),
        (f"0.{'1' * 39}", "string"),
    ],
)
def test_arrow_gets_a_type_that_holds_every_digit(amount: str, kind: str) -> None:
    """One that is too small would round or refuse; a float would lie."""
    field: frames.Field[Decimal] = frames.Field(name="amount", kind=frames.Kind.AMOUNT, value=lambda row: row)
    table = frames.Rows(rows=(Decimal(amount), Decimal(0)), fields=(field,)).to_arrow()
    assert str(table.schema.field("amount").type) == kind
    assert [Decimal(value) for value in table["amount"].to_pylist()] == [Decimal(amount), Decimal(0)]


def test_the_example_of_the_document_runs(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands there is what comes out."""
    (example,) = re.findall(r"^```python\n(# pandas\n.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    exec(example, {"history": history})  # noqa: S102 - the document's own example
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["period", "total"]
    assert printed[1].split()[1:] == ["2026-03-28", "1.00000000"]
    assert printed[-1] == "decimal128(38, 18)"
