"""The report on the newest snapshot of one or several accounts: what they held then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collector.domain.balances import Balance, plain
from collector.domain.portfolio import DUST_BTC, Holding, btc_total, holdings, summed, unpriced_assets
from collector.domain.records import Gap, StoredSnapshot
from collector.reports.balances import amount_columns
from collector.reports.bases import about, basis_labels, basis_of, one_basis
from collector.reports.instants import rfc3339
from collector.reports.values import Basis, Cell, Column, Kind, Report

TREND_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the report is shown to a person: without dust, and with what each asset was worth of late."""

    fold_dust: bool = False
    trends: Mapping[tuple[str, str], str] = field(default_factory=dict)


def latest_report(
    snapshots: Sequence[StoredSnapshot],
    gaps: Sequence[Gap],
    *,
    now_ms: int,
    asked_s: int | None = None,
    missing: Sequence[str] = (),
    as_sum: bool = False,
    look: Look | None = None,
) -> Report[Holding]:
    """A row for each asset, the most valuable first, of account after account or of all together.

    `gaps` are those since then. `missing` names the accounts that were asked for and have no snapshot; one has one.
    """
    look = look or Look()
    bases = {one.account.name: basis_of(one, now_ms=now_ms, asked_s=asked_s) for one in snapshots}
    rows = summed(snapshots) if as_sum else tuple(row for one in snapshots for row in holdings(one))
    shown = tuple(row for row in rows if not (look.fold_dust and row.is_dust))
    several = len(snapshots) + len(missing) > 1
    labels = _labels(bases) if as_sum or several else basis_labels(next(iter(bases.values())))
    return Report(
        basis=one_basis([*bases.values(), *(Basis(account=name) for name in missing)]),
        bases=(*bases.values(), *(Basis(account=name) for name in missing)) if several else (),
        labels=() if several and not as_sum else labels,
        columns=(*(labels if several and not as_sum else ()), *COLUMNS),
        digest=_digest(look.trends, several=several and not as_sum) if look.trends else (),
        rows=shown,
        gaps=tuple(gaps),
        facts=_facts(snapshots, missing, rows, asked_s=asked_s),
        notes=(*_notes(snapshots, rows), *_folded(len(rows) - len(shown))),
        warnings=about([*bases.values()], [s.account for s in snapshots], missing=missing, gaps=gaps),
    )


def _balance(row: Holding) -> Balance:
    return row.balance


COLUMNS: tuple[Column[Holding], ...] = (
    Column(name="asset", kind=Kind.TEXT, cell=lambda row: row.balance.asset),
    *amount_columns(_balance),
    Column(name="share", kind=Kind.AMOUNT, cell=lambda row: None if row.share is None else plain(row.share)),
)


def _labels(bases: Mapping[str, Basis]) -> tuple[Column[Holding], ...]:
    """Account and times of each row; of a sum all accounts, and the oldest times: it is as old as its oldest part."""
    oldest = min(bases.values(), key=lambda basis: basis.captured_at_ms or 0)

    def names(row: Holding) -> Cell:
        return tuple(bases) if row.snapshot is None else row.snapshot.account.name

    def of(number: int) -> Column[Holding]:
        cells: dict[str, Column[Holding]] = {name: basis_labels(basis)[number] for name, basis in bases.items()}
        first = cells[str(oldest.account)]
        return Column(
            name=first.name,
            kind=first.kind,
            cell=lambda row: (first if row.snapshot is None else cells[row.snapshot.account.name]).cell(row),
        )

    return (Column(name="account", kind=Kind.TEXT, cell=names), of(1), of(2))


def _digest(trends: Mapping[tuple[str, str], str], *, several: bool) -> tuple[Column[Holding], ...]:
    """What a terminal shows: with the last days of each value at its end."""

    def trend(row: Holding) -> Cell:
        account = "" if row.snapshot is None else row.snapshot.account.name
        return trends.get((account, row.balance.asset))

    accounts: tuple[Column[Holding], ...] = (
        Column(name="account", kind=Kind.TEXT, cell=lambda row: row.snapshot.account.name if row.snapshot else None),
    )
    return (
        *(accounts if several else ()),
        *COLUMNS,
        Column(name=f"{TREND_DAYS} days", kind=Kind.TEXT, cell=trend),
    )


def _facts(
    snapshots: Sequence[StoredSnapshot], missing: Sequence[str], rows: Sequence[Holding], *, asked_s: int | None
) -> dict[str, object]:
    total = btc_total(snapshots)
    return {
        "as_of": None if asked_s is None else rfc3339(asked_s),
        "asset_scope": snapshots[0].account.asset_scope if len(snapshots) == 1 else None,
        "btc_total": None if total is None else plain(total),
        "unpriced": unpriced_assets(row.balance for row in rows),
        "missing": list(missing),
    }


def _notes(snapshots: Sequence[StoredSnapshot], rows: Sequence[Holding]) -> tuple[str, ...]:
    manual = [one.account.name for one in snapshots if one.manual]
    if len(snapshots) == 1:
        notes = ["this snapshot was taken by hand, off the grid"] if manual else []
    else:
        notes = [f"the snapshot of account {name} was taken by hand, off the grid" for name in manual]
    total, without = btc_total(snapshots), unpriced_assets(row.balance for row in rows)
    if total is not None:
        of = f" of {len(snapshots)} accounts" if len(snapshots) > 1 else ""
        unpriced = f", {without} asset{'s' if without != 1 else ''} without a price" if without else ""
        notes.append(f"valuation{of} {plain(total)} BTC{unpriced}")
    return tuple(notes)


def _folded(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    what = f"{count} asset{'s' if count != 1 else ''} worth less than {plain(DUST_BTC)} BTC"
    return (f"{what}: --all shows {'them' if count != 1 else 'it'}",)
