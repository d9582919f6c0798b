"""Which columns the values of a history have as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.domain.balances import Balance, Cells, amount_in, exact
from collector.domain.changes import Difference, Movement
from collector.domain.coverage import PeriodCoverage
from collector.domain.records import AssetClose, AssetPoint, Coverage, Gap, TotalClose, TotalPoint
from collector.reports.fields import FIELDS
from collector.reports.frames import Field, Kind


def _fields(kind: Kind, **paths: str) -> tuple[Field[Any], ...]:
    """A field for each name, whose value lies at a path of attributes; None where the path ends in nothing."""
    return tuple(Field(name=name, kind=kind, value=_at(path)) for name, path in paths.items())


def _at(path: str) -> Callable[[Any], Any]:
    steps = path.split(".")

    def value(row: Any) -> Any:
        for step in steps:
            row = None if row is None else getattr(row, step)
        return row

    return value


def _amounts() -> tuple[Field[Any], ...]:
    return _fields(Kind.AMOUNT, **{name: name for name in FIELDS})


def _amounts_of(cells: str) -> tuple[Field[Any], ...]:
    """The amounts in the Cells at a path."""
    return tuple(Field(name=name, kind=Kind.AMOUNT, value=_number(_at(cells), amount_in(name))) for name in FIELDS)


def _number(cells_of: Callable[[Any], Cells | None], amount_of: Callable[[Cells], str | None]) -> Callable[[Any], Any]:
    def value(row: Any) -> Any:
        cells = cells_of(row)
        text = None if cells is None else amount_of(cells)
        return None if text is None else exact(text)

    return value


def _moments(of: str = "") -> tuple[Field[Any], ...]:
    due = _fields(Kind.SECONDS, due_at=f"{of}due_at")
    return (*due, *_fields(Kind.MILLIS, captured_at=f"{of}received_at_ms"))


def _total(of: str = "") -> tuple[Field[Any], ...]:
    return (*_fields(Kind.AMOUNT, btc_total=f"{of}btc_total"), *_fields(Kind.COUNT, unpriced=f"{of}unpriced"))


_PERIOD = _fields(Kind.TEXT, period="period.name")
_COUNTS = ("due", "stored", "thinned", "failed", "missed")

BALANCES: tuple[Field[Balance], ...] = (*_fields(Kind.TEXT, asset="asset"), *_amounts())
POINTS: tuple[Field[AssetPoint], ...] = (*_moments(), *_amounts_of("cells"))
CLOSES: tuple[Field[AssetClose], ...] = (*_PERIOD, *_moments("point."), *_amounts_of("point.cells"))
TOTALS: tuple[Field[TotalPoint], ...] = (*_moments(), *_total())
TOTAL_CLOSES: tuple[Field[TotalClose], ...] = (*_PERIOD, *_moments("point."), *_total("point."))
DIFFERENCES: tuple[Field[Difference], ...] = (
    *_fields(Kind.TEXT, asset="asset", change="change"),
    *_fields(
        Kind.AMOUNT,
        total_before="before.total",
        total_after="after.total",
        total_change="total_change",
        value_before="before.btc_valuation",
        value_after="after.btc_valuation",
        amount_effect="effects.amount",
        price_effect="effects.price",
    ),
    *_fields(Kind.FLAG, no_price="effects.no_price"),
)
GAPS: tuple[Field[Gap], ...] = (
    *_fields(Kind.SECONDS, start_at="start_at", last_due_at="last_due_at"),
    *_fields(Kind.COUNT, ticks="ticks", failed="failed", missed="missed"),
    Field(name="reasons", kind=Kind.TEXT, value=lambda gap: ",".join(gap.reasons)),
    *_fields(Kind.FLAG, open="open"),
)
COVERAGE: tuple[Field[Coverage], ...] = _fields(Kind.COUNT, **{name: name for name in _COUNTS})
PERIOD_COVERAGE: tuple[Field[PeriodCoverage], ...] = (
    *_PERIOD,
    *_fields(Kind.COUNT, **{name: f"counts.{name}" for name in _COUNTS}),
    *_fields(Kind.SECONDS, longest_gap_at="longest_gap.start_at"),
    *_fields(Kind.COUNT, longest_gap_ticks="longest_gap.ticks"),
)


def _by(name: str) -> Field[Movement]:
    return Field(name=name, kind=Kind.AMOUNT, value=lambda movement: movement.by(name))


MOVEMENTS: tuple[Field[Movement], ...] = (
    *_fields(Kind.TEXT, asset="asset", change="change"),
    *_fields(Kind.MILLIS, earliest="earliest_ms", latest="latest_ms"),
    *(_by(name) for name in FIELDS if name != "btc_valuation"),
    Field(name="gaps", kind=Kind.COUNT, value=lambda movement: len(movement.gaps)),
)
