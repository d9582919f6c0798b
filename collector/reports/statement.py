"""The report of a statement: what an accountant files."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from collector.domain.balances import Balance, exact_sum, plain
from collector.domain.portfolio import value_of
from collector.domain.records import StoredSnapshot
from collector.domain.statement import Statement, StatementRow
from collector.reports.bases import about, basis_object, basis_of, basis_words
from collector.reports.instants import rfc3339, rfc3339_ms
from collector.reports.values import Basis, Cell, Column, Kind, Report
from collector.reports.verdict import percent


def statement_report(statement: Statement, *, tz: str) -> Report[StatementRow]:
    """A row for each asset that was there at any time, with opening + increase - decrease = closing."""
    closing = basis_of(statement.closing, now_ms=0, asked_s=statement.until_s)
    opening = _opening(statement)
    return Report(
        basis=closing,
        subject=f"statement of {statement.period.name} ({tz})",
        labels=_labels(statement),
        columns=COLUMNS,
        rows=statement.rows,
        gaps=statement.gaps,
        facts={
            "period": statement.period.name,
            "tz": tz,
            "from": rfc3339(statement.period.start_s),
            "to": rfc3339(statement.period.end_s),
            "opening": None if opening is None else basis_object(opening),
            **_values(statement),
            "coverage": _coverage(statement),
            "recorded_at": rfc3339_ms(statement.recorded_at_ms),
            "known_at": rfc3339_ms(statement.known_at_ms),
        },
        notes=_notes(statement, opening),
        warnings=(*_pruned(statement), *about([closing], [statement.account], gaps=statement.gaps)),
    )


def _opening(statement: Statement) -> Basis | None:
    opening = statement.opening
    return None if opening is None else basis_of(opening, now_ms=0, asked_s=statement.period.start_s)


def _labels(statement: Statement) -> tuple[Column[StatementRow], ...]:
    """What every line of a file has to say, so that the file alone is enough."""

    def captured(snapshot: StoredSnapshot | None) -> Cell:
        return None if snapshot is None else rfc3339_ms(snapshot.received_at_ms)

    said: dict[str, tuple[Kind, Cell]] = {
        "account": (Kind.TEXT, statement.account.name),
        "period": (Kind.TEXT, statement.period.name),
        "opening_captured_at": (Kind.INSTANT, captured(statement.opening)),
        "closing_captured_at": (Kind.INSTANT, captured(statement.closing)),
        "percent": (Kind.AMOUNT, percent(statement.coverage)),
        "recorded_at": (Kind.INSTANT, rfc3339_ms(statement.recorded_at_ms)),
        "known_at": (Kind.INSTANT, rfc3339_ms(statement.known_at_ms)),
    }
    return tuple(_always(name, kind, cell) for name, (kind, cell) in said.items())


def _always(name: str, kind: Kind, cell: Cell) -> Column[StatementRow]:
    return Column(name=name, kind=kind, cell=lambda _: cell)


def _values(statement: Statement) -> dict[str, object]:
    opening = None if statement.opening is None else value_of(statement.opening.balances)
    effects = [row.effects for row in statement.rows]
    known = None if None in effects else [e for e in effects if e is not None]
    return {
        "opening_value": _plain(opening),
        "closing_value": _plain(value_of(statement.closing.balances)),
        "amount_effect": _plain(None if known is None else exact_sum(e.amount for e in known)),
        "price_effect": _plain(None if known is None else exact_sum(e.price for e in known)),
    }


def _coverage(statement: Statement) -> dict[str, object]:
    counts = statement.coverage
    names = ("due", "stored", "thinned", "failed", "missed")
    return {**{name: getattr(counts, name) for name in names}, "percent": percent(counts)}


def _notes(statement: Statement, opening: Basis | None) -> tuple[str, ...]:
    counts, values = statement.coverage, _values(statement)
    words = "no snapshot is so old: the opening is unknown, and increases count from the first one on"
    notes = [f"opening: {basis_words(opening) if opening else words}"]
    if values["closing_value"] is not None and values["opening_value"] is not None:
        notes.append(
            f"value {values['opening_value']} to {values['closing_value']} BTC: "
            f"{values['amount_effect']} by amounts, {values['price_effect']} by prices"
        )
    lost = f"{counts.failed} failed, {counts.missed} missed"
    recorded, known = rfc3339_ms(statement.recorded_at_ms), rfc3339_ms(statement.known_at_ms)
    return (
        *notes,
        f"coverage {percent(counts) or '-'} % of {counts.due} ticks ({lost})",
        f"rests on records until {recorded}; made again by --known-at {known}",
    )


def _pruned(statement: Statement) -> tuple[str, ...]:
    pruned = statement.coverage.thinned
    if not pruned:
        return ()
    return (
        f"{pruned} snapshots of this time were pruned: what rose and fell again between those that stayed is not seen",
    )


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _amount(name: str, of: Callable[[StatementRow], Decimal | None]) -> Column[StatementRow]:
    return Column(name=name, kind=Kind.AMOUNT, cell=lambda row: _plain(of(row)))


def _opened(of: Callable[[Balance], Decimal | None]) -> Callable[[StatementRow], Decimal | None]:
    return lambda row: None if row.opening is None else of(row.opening)


COLUMNS: tuple[Column[StatementRow], ...] = (
    Column(name="asset", kind=Kind.TEXT, cell=lambda row: row.asset),
    _amount("opening", _opened(lambda balance: balance.total)),
    _amount("increase", lambda row: row.flow.increase),
    _amount("decrease", lambda row: row.flow.decrease),
    _amount("closing", lambda row: row.closing.total),
    _amount("opening_value", _opened(lambda balance: balance.btc_valuation)),
    _amount("closing_value", lambda row: row.closing.btc_valuation),
    _amount("amount_effect", lambda row: row.effects.amount if row.effects else None),
    _amount("price_effect", lambda row: row.effects.price if row.effects else None),
    Column(name="no_price", kind=Kind.FLAG, cell=lambda row: row.effects.no_price if row.effects else None),
)
