"""What a report is: a value that every format is a reader of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Self, TypeVar

from collector.domain.records import WALLET, Gap

Row = TypeVar("Row")

Cell = str | int | bool | tuple[str, ...] | None
"""What stands in a column: amounts as plain text, instants as RFC 3339 text; None where there is nothing to say."""


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    AMOUNT = "amount"
    COUNT = "count"
    INSTANT = "instant"
    FLAG = "flag"
    WORDS = "words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column: its name, the same in every format, and what it says of a row.

    `cells` is what a column of long reports is made of instead: it says it of many rows, without a call for each.
    """

    name: str
    kind: Kind
    cell: Callable[[Row], Cell]
    cells: Callable[[Sequence[Row]], Sequence[Cell]] | None = None

    @classmethod
    def of_many(cls, *, name: str, kind: Kind, cells: Callable[[Sequence[Row]], Sequence[Cell]]) -> Self:
        """A column that is made of `cells`."""
        return cls(name=name, kind=kind, cell=lambda row: cells([row])[0], cells=cells)

    def of(self, rows: Sequence[Row]) -> Iterable[Cell]:
        """What it says of each of these rows."""
        return map(self.cell, rows) if self.cells is None else self.cells(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The snapshot that a report rests on.

    `age_s` is now, or the instant `asked_s` (epoch seconds), minus captured_at in seconds: negative when the snapshot
    is younger than that. `stale`: more than two intervals have passed since. `clock_offset_ms` is Binance's clock minus
    the collecting machine's. Everything is None where there is no snapshot, and where a report rests on those of
    several accounts.
    """

    account: str | None
    due_at: int | None = None
    captured_at_ms: int | None = None
    age_s: int | None = None
    asked_s: int | None = None
    stale: bool = False
    clock_offset_ms: int | None = None
    wallet: str = WALLET


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Generic[Row]):
    """Rows and what has to be known to read them.

    `subject` is what they are about beside the account. `labels` are columns that repeat in each row what is said of
    the whole report, for formats that have nothing but rows; `digest` replaces `columns` where a person reads them.
    `bases` are the snapshots of each account where there are several. `headless`: the rows say what they rest on.
    `rows` may be an iterator, to be read once. `gaps` are those that the rows cross, `facts` further values of the
    whole report, ready for JSON. `notes` are sentences for a person, `warnings` those without which the rows mislead.
    """

    basis: Basis
    subject: str = ""
    columns: tuple[Column[Row], ...]
    rows: Iterable[Row]
    labels: tuple[Column[Row], ...] = ()
    gaps: tuple[Gap, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: tuple[Column[Row], ...] = ()
    bases: tuple[Basis, ...] = ()
    headless: bool = False

    @property
    def standalone(self) -> tuple[Column[Row], ...]:
        """The columns of formats that have nothing but rows."""
        return self.labels + self.columns


def text(cell: Cell) -> str:
    """A cell as TSV, CSV and tables write it; nothing for None."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return ",".join(cell) if isinstance(cell, tuple) else str(cell)
