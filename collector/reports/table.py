"""Reports as tables for people; importing it imports rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from collector.reports.bases import age_words, basis_words
from collector.reports.values import Basis, Column, Kind, Report, text

GUTTER = "  "


RED, PLAIN = "\x1b[31m", "\x1b[0m"


def table_text(report: Report[Any], *, width: int | None, colour: bool = False) -> str:
    """What the report rests on, its rows and its notes; nothing is ever cut or wrapped.

    With `colour` stale ages are red. Where `width` (None: endless) is too small, columns of nothing but zeros become a
    sentence; where that is not enough, each row becomes a block of lines.
    """
    columns = report.digest or report.columns
    cells = [[_printable(text(c.cell(row))) for c in columns] for row in report.rows]
    heading = [] if report.headless else list(_heading(report, colour=colour))
    parts = (heading, list(_body(columns, cells, width)), [*report.notes, *report.warnings])
    return "\n".join("".join(f"{line}\n" for line in part) for part in parts if part)


def _heading(report: Report[Any], *, colour: bool) -> Iterator[str]:
    basis = report.basis
    if basis.account is not None:
        yield ", ".join(filter(None, (f"account {basis.account}", f"wallet {basis.wallet}", report.subject)))
        yield from [_basis_line(basis, colour=colour)] if basis.due_at is not None else []
    elif report.bases:
        yield ", ".join(filter(None, (f"{len(report.bases)} accounts", f"wallet {basis.wallet}", report.subject)))
        yield from (f"account {one.account}: {_basis_line(one, colour=colour)}" for one in report.bases)


def _basis_line(basis: Basis, *, colour: bool) -> str:
    words, age = basis_words(basis), age_words(basis)
    return f"{words.removesuffix(age)}{RED}{age}{PLAIN}" if colour and basis.stale else words


def _body(columns: Sequence[Column[Any]], cells: list[list[str]], width: int | None) -> Iterator[str]:
    if not cells:
        return
    whole = _grid(columns, cells)
    if _fits(whole, width):
        yield from whole
        return
    zeros = [n for n, c in enumerate(columns) if c.kind is Kind.AMOUNT and all(_is_zero(row[n]) for row in cells)]
    kept = [n for n in range(len(columns)) if n not in zeros]
    slim = _grid([columns[n] for n in kept], [[row[n] for n in kept] for row in cells])
    if zeros and _fits(slim, width):
        yield from (*slim, f"zero in every row: {', '.join(columns[n].name for n in zeros)}")
    else:
        yield from _blocks(columns, cells)


def _fits(lines: Sequence[str], width: int | None) -> bool:
    # All lines but the names at their right end are equally long.
    return width is None or max(map(_width, lines)) <= width


def _grid(columns: Sequence[Column[Any]], cells: list[list[str]]) -> list[str]:
    """The lines of a grid: a header, a rule, the rows; decimal points stand below each other."""
    stacks = [_padded(c.kind, [c.name, *stack]) for c, stack in zip(columns, zip(*cells, strict=True), strict=True)]
    header, *rows = (GUTTER.join(row).rstrip() for row in zip(*stacks, strict=True))
    rule = GUTTER.join("-" * _width(stack[0]) for stack in stacks)
    return [header, rule, *rows]


def _padded(kind: Kind, stack: list[str]) -> list[str]:
    name, cells = stack[0], stack[1:]
    if kind is Kind.AMOUNT:
        digits = [len(cell.partition(".")[2]) for cell in cells]
        most = max(digits)
        cells = [
            f"{cell}{' ' * (most - n + (most > 0 and '.' not in cell))}" for cell, n in zip(cells, digits, strict=True)
        ]
    width = max(map(_width, (name, *cells)))
    right = kind in {Kind.AMOUNT, Kind.COUNT}
    return [_pad(cell, width, right=right) for cell in (name, *cells)]


def _pad(cell: str, width: int, *, right: bool) -> str:
    blank = " " * (width - _width(cell))
    return blank + cell if right else cell + blank


def _blocks(columns: Sequence[Column[Any]], cells: list[list[str]]) -> Iterator[str]:
    """Each row as lines of name and value; what is empty is left out."""
    width = max(len(c.name) for c in columns)
    for number, row in enumerate(cells):
        yield from [""] if number else []
        yield from (f"{c.name:{width}}{GUTTER}{cell}" for c, cell in zip(columns, row, strict=True) if cell)


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else cell_len(cell)  # which takes five times as long


def _is_zero(cell: str) -> bool:
    return bool(cell) and not cell.strip("0.")


def _printable(cell: str) -> str:
    """The cell without characters that would move or hide what stands beside them."""
    return cell if cell.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cell)
