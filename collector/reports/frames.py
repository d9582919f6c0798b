"""Rows of values as a sequence, and as tables of pandas and Arrow in which no amount ever is a float."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from importlib import import_module
from typing import Any, Generic, TypeVar, overload

from collector.domain.balances import plain
from collector.domain.records import Gap
from collector.errors import UsageError

Row = TypeVar("Row")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMAL128 = (38, 18)
DECIMAL256 = (76, 38)
"""Digits in all and after the point, of the usual type and of one for amounts that are too long for it."""

INSTALL = {
    "pandas": "pip install pandas",
    "pyarrow": "pip install 'binance-asset-collector[parquet]'",
}


class Kind(Enum):
    """What the values of a field are."""

    TEXT = "text"
    AMOUNT = "amount"
    COUNT = "count"
    FLAG = "flag"
    SECONDS = "epoch seconds"
    MILLIS = "epoch milliseconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Generic[Row]):
    """A column of a table and what it says of a row."""

    name: str
    kind: Kind
    value: Callable[[Row], Any]

    def of(self, rows: Iterable[Row]) -> list[Any]:
        """The column, with instants as datetimes in UTC."""
        unit = {Kind.SECONDS: timedelta(seconds=1), Kind.MILLIS: timedelta(milliseconds=1)}.get(self.kind)
        found = [self.value(row) for row in rows]
        return found if unit is None else [None if value is None else EPOCH + value * unit for value in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Sequence[Row]):
    """Rows that can't be changed; `gaps` are those of the ledger that they cross."""

    rows: tuple[Row, ...]
    fields: tuple[Field[Row], ...] = field(repr=False)
    gaps: tuple[Gap, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, at: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[at]

    def to_pandas(self) -> Any:
        """A pandas.DataFrame: amounts are Decimal objects, instants are datetimes in UTC."""
        pandas = library("pandas")
        columns = {f.name: pandas.Series(f.of(self.rows), dtype=_pandas_type(f.kind)) for f in self.fields}
        return pandas.DataFrame(columns)

    def to_arrow(self) -> Any:
        """A pyarrow.Table: amounts are decimal128(38, 18), decimal256(76, 38) where that is too small, at last text."""
        arrow = library("pyarrow")
        arrays = {f.name: _arrow_array(arrow, f.kind, f.of(self.rows)) for f in self.fields}
        return arrow.table(arrays)


def library(name: str) -> Any:
    """An optional library, imported now. Raises UsageError with the command that installs it."""
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise UsageError(f"this needs {package}, which is not installed: {INSTALL[package]}") from None


def fits(amount: Decimal, digits: tuple[int, int]) -> bool:
    """Whether a decimal type of so many digits, in all and after the point, holds an amount exactly."""
    whole, after = digits
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= after and amount.adjusted() < whole - after


def _pandas_type(kind: Kind) -> str:
    return {
        Kind.AMOUNT: "object",
        Kind.TEXT: "object",
        Kind.COUNT: "Int64",
        Kind.FLAG: "boolean",
        Kind.SECONDS: "datetime64[ms, UTC]",
        Kind.MILLIS: "datetime64[ms, UTC]",
    }[kind]


def _arrow_array(arrow: Any, kind: Kind, values: list[Any]) -> Any:
    types = {
        Kind.TEXT: arrow.string(),
        Kind.COUNT: arrow.int64(),
        Kind.FLAG: arrow.bool_(),
        Kind.SECONDS: arrow.timestamp("s", "UTC"),
        Kind.MILLIS: arrow.timestamp("ms", "UTC"),
    }
    return _amounts(arrow, values) if kind is Kind.AMOUNT else arrow.array(values, types[kind])


def _amounts(arrow: Any, values: list[Decimal | None]) -> Any:
    known = [value for value in values if value is not None]
    if all(fits(value, DECIMAL128) for value in known):
        return arrow.array(values, arrow.decimal128(*DECIMAL128))
    if all(fits(value, DECIMAL256) for value in known):
        return arrow.array(values, arrow.decimal256(*DECIMAL256))
    return arrow.array([None if value is None else plain(value) for value in values], arrow.string())
