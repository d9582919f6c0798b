"""Column types that keep every digit and every instant alike on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import TIMESTAMP, Dialect, Integer, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from collector.domain.balances import plain

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


def is_postgresql(dialect: Dialect) -> bool:
    """True for PostgreSQL, false for SQLite: there are no others."""
    return dialect.name == "postgresql"


class Amount(TypeDecorator[Decimal]):
    """An exact amount: NUMERIC on PostgreSQL, plain TEXT on SQLite, where Numeric would pass through a float."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric() if is_postgresql(dialect) else Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return value if value is None or is_postgresql(dialect) else plain(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return value if value is None or is_postgresql(dialect) else Decimal(value)


class _Instant(TypeDecorator[int]):
    """An int in Python and SQLite, a timestamptz on PostgreSQL; whole units, so both engines hold the same instant."""

    impl = Integer
    cache_ok = True
    unit: timedelta

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if is_postgresql(dialect) else Integer())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        return EPOCH + value * self.unit if value is not None and is_postgresql(dialect) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return (value - EPOCH) // self.unit if is_postgresql(dialect) else int(value)


class Seconds(_Instant):
    """Epoch seconds: instants of the grid."""

    cache_ok = True
    unit = SECOND


class Millis(_Instant):
    """Epoch milliseconds: instants of requests, replies and records."""

    cache_ok = True
    unit = MILLISECOND


# Byte order on both engines: a locale would sort, and after a libc upgrade even look up, differently.
Code = Text().with_variant(Text(collation="C"), "postgresql")
