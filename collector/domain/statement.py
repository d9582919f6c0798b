"""A statement of account: what there was at the beginning and the end of a period, and what came between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from collector.domain.balances import EXACT, Balance
from collector.domain.changes import Movement
from collector.domain.coverage import LostTicks
from collector.domain.periods import Period
from collector.domain.records import Account, Coverage, Gap, StoredSnapshot
from collector.domain.valuation import Effects, split

MISSED = "missed"
"""What a statement says of lost ticks without a request: why they were missed may be learnt after it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What an asset's total rose and fell by, each added up: what was seen between snapshots that follow each other."""

    increase: Decimal = Decimal(0)
    decrease: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One asset: opening + increase - decrease = closing. The opening is None when there is no snapshot so old."""

    asset: str
    opening: Balance | None
    flow: Flow
    closing: Balance

    @property
    def effects(self) -> Effects | None:
        """The change of its value, split; None where a value is not known."""
        if self.opening is None:
            return None
        v1, v2 = self.opening.btc_valuation, self.closing.btc_valuation
        return None if v1 is None or v2 is None else split(v1, self.opening.total, v2, self.closing.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """All of it, by what was recorded until `known_at_ms`; `recorded_at_ms` is the newest record that it rests on.

    `until_s` is the end of the period, or known_at in a period that was not over then.
    """

    account: Account
    period: Period
    until_s: int
    opening: StoredSnapshot | None
    closing: StoredSnapshot
    rows: tuple[StatementRow, ...]
    coverage: Coverage
    gaps: tuple[Gap, ...]
    known_at_ms: int
    recorded_at_ms: int


def flows_of(movements: Iterable[Movement]) -> dict[str, Flow]:
    """What each asset's total rose and fell by."""
    flows: dict[str, Flow] = {}
    for movement in movements:
        known, by = flows.get(movement.asset, Flow()), movement.by("total")
        flows[movement.asset] = Flow(
            increase=EXACT.add(known.increase, max(by, Decimal(0))),
            decrease=EXACT.subtract(known.decrease, min(by, Decimal(0))),
        )
    return flows


def statement_rows(
    opening: StoredSnapshot | None, closing: StoredSnapshot, flows: Mapping[str, Flow]
) -> tuple[StatementRow, ...]:
    """Every asset that was there at any time, the most valuable at the end first."""
    before = {b.asset: b for b in opening.balances} if opening else {}
    after = {b.asset: b for b in closing.balances}
    rows = [
        StatementRow(
            asset=asset,
            opening=_held(before, asset, opening) if opening else None,
            flow=flows.get(asset, Flow()),
            closing=_held(after, asset, closing),
        )
        for asset in before.keys() | after.keys() | flows.keys()
    ]
    return tuple(sorted(rows, key=lambda row: (-(row.closing.btc_valuation or 0), row.asset)))


def _held(balances: Mapping[str, Balance], asset: str, snapshot: StoredSnapshot) -> Balance:
    return balances.get(asset) or Balance.zero(asset, btc_requested=snapshot.btc_requested)


def gaps_of(account: str, runs: Sequence[LostTicks], failed: Sequence[tuple[int, str]], *, open_end: bool) -> list[Gap]:
    """Runs of lost ticks as gaps; `failed` has due_at and reason of those for which a request had left, in order."""
    dues = [due_at for due_at, _ in failed]
    gaps = []
    for number, run in enumerate(runs, 1):
        seen = failed[bisect_left(dues, run.start_at) : bisect_right(dues, run.last_due_at)]
        reasons = {reason for _, reason in seen} | ({MISSED} if run.ticks > len(seen) else set())
        gap = Gap(
            account=account,
            start_at=run.start_at,
            last_due_at=run.last_due_at,
            ticks=run.ticks,
            failed=len(seen),
            missed=run.ticks - len(seen),
            reasons=tuple(sorted(reasons)),
            open=open_end and number == len(runs),
        )
        gaps.append(gap)
    return gaps
