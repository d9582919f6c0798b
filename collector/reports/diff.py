"""The report on what differs between two instants, and which part of it comes from prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from collector.domain.balances import plain
from collector.domain.changes import Difference, compare, sum_of_effects
from collector.domain.records import Gap, StoredSnapshot
from collector.domain.valuation import Effects
from collector.reports.bases import about, basis_object, basis_of, basis_words, one_basis
from collector.reports.values import Cell, Column, Kind, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The snapshots of one account as of two instants (epoch seconds)."""

    before: StoredSnapshot
    after: StoredSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRow:
    """One asset that differs, of one account."""

    account: str
    difference: Difference


def diff_report(
    pairs: Sequence[Pair], gaps: Sequence[Gap], *, from_s: int, to_s: int, missing: Sequence[str] = ()
) -> Report[DiffRow]:
    """A row for each asset whose amount or value differs, the largest change of value first.

    `missing` names the accounts that have no snapshot on one of the two sides. There is one pair at least.
    """
    before = [basis_of(pair.before, now_ms=0, asked_s=from_s) for pair in pairs]
    after = [basis_of(pair.after, now_ms=0, asked_s=to_s) for pair in pairs]
    differences = [_differences(pair) for pair in pairs]
    several = len(pairs) + len(missing) > 1
    account: Column[DiffRow] = Column(name="account", kind=Kind.TEXT, cell=lambda row: row.account)
    effects = sum_of_effects(d for some in differences for d in some)
    return Report(
        basis=one_basis(after),
        bases=tuple(after) if several else (),
        labels=() if several else (account,),
        columns=(*((account,) if several else ()), *COLUMNS),
        rows=tuple(
            DiffRow(account=pair.after.account.name, difference=d)
            for pair, some in zip(pairs, differences, strict=True)
            for d in some
            if d.moved
        ),
        gaps=tuple(gaps),
        facts={"before": [basis_object(basis) for basis in before], "missing": list(missing), **_sums(effects)},
        notes=(
            *(f"against {_named(pair)}{basis_words(b)}" for pair, b in zip(pairs, before, strict=True)),
            *_words(effects),
        ),
        warnings=about(after, [pair.after.account for pair in pairs], missing=missing, gaps=gaps),
    )


def by_change_of_value(differences: Sequence[Difference]) -> list[Difference]:
    """The largest change of value first, up or down; then by name."""
    return sorted(differences, key=lambda d: (-abs(d.effects.value) if d.effects else Decimal(0), d.asset))


def _differences(pair: Pair) -> list[Difference]:
    return by_change_of_value(
        compare(
            pair.before.balances,
            pair.after.balances,
            before_valued=pair.before.btc_requested,
            after_valued=pair.after.btc_requested,
        )
    )


def _named(pair: Pair) -> str:
    return f"account {pair.before.account.name}: "


def _sums(effects: Effects | None) -> dict[str, object]:
    parts = ("value", "amount", "price")
    names = ("value_change", "amount_effect", "price_effect")
    return {
        name: None if effects is None else plain(getattr(effects, part))
        for name, part in zip(names, parts, strict=True)
    }


def _words(effects: Effects | None) -> tuple[str, ...]:
    if effects is None:
        return ("a valuation was not asked for: changes of value are unknown",)
    parts = f"{plain(effects.amount)} by amounts, {plain(effects.price)} by prices"
    unsplit = "; what has no price on both sides counts as amount" if effects.no_price else ""
    return (f"value changed by {plain(effects.value)} BTC: {parts}{unsplit}",)


def value_columns(of: Callable[[DiffRow], Difference]) -> tuple[Column[DiffRow], ...]:
    """What became of an asset's value, and why."""

    def part(name: str) -> Callable[[DiffRow], Cell]:
        def cell(row: DiffRow) -> Cell:
            effects = of(row).effects
            return None if effects is None else plain(getattr(effects, name))

        return cell

    def no_price(row: DiffRow) -> Cell:
        effects = of(row).effects
        return None if effects is None else effects.no_price

    return (
        _amount("value_before", lambda row: of(row).before.btc_valuation),
        _amount("value_after", lambda row: of(row).after.btc_valuation),
        Column(name="value_change", kind=Kind.AMOUNT, cell=part("value")),
        Column(name="amount_effect", kind=Kind.AMOUNT, cell=part("amount")),
        Column(name="price_effect", kind=Kind.AMOUNT, cell=part("price")),
        Column(name="no_price", kind=Kind.FLAG, cell=no_price),
    )


def _amount(name: str, of: Callable[[DiffRow], Decimal | None]) -> Column[DiffRow]:
    def cell(row: DiffRow) -> Cell:
        amount = of(row)
        return None if amount is None else plain(amount)

    return Column(name=name, kind=Kind.AMOUNT, cell=cell)


COLUMNS: tuple[Column[DiffRow], ...] = (
    Column(name="asset", kind=Kind.TEXT, cell=lambda row: row.difference.asset),
    Column(name="change", kind=Kind.TEXT, cell=lambda row: row.difference.change),
    _amount("total_before", lambda row: row.difference.before.total),
    _amount("total_after", lambda row: row.difference.after.total),
    _amount("total_change", lambda row: row.difference.total_change),
    *value_columns(lambda row: row.difference),
)
