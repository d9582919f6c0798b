"""What a large file will hold, known before it is made: which ticks are stored, failed and missed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import portfolio
from collector.domain.ticks import FailReason, MissReason

ACCOUNT = "main"
FIRST_DUE_AT = 1_577_836_800
"""2020-01-01 00:00:00 UTC, of every grid."""
FAILED = (FailReason.TIMEOUT, FailReason.SERVER_ERROR, FailReason.CONNECTION, FailReason.RATE_LIMITED)
MISSED = (MissReason.NOT_RUNNING, MissReason.WAITING, MissReason.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Ticks without a snapshot, `start_at` and `last_due_at` both inclusive: failed each, or missed as a range."""

    start_at: int
    last_due_at: int
    ticks: int
    reason: FailReason | MissReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What lies in a file: one account (`main`), due every `interval_s` from `first_due_at` to `last_due_at`.

    `rows` balances in `stored` snapshots, at least as many as were asked for; between these `lost` ones. `often` moves
    in every tenth snapshot, `rarely` a dozen times; `vanishing` is not there from `vanished_at` until `back_at`.
    """

    path: Path
    rows: int
    stored: int
    first_due_at: int
    last_due_at: int
    interval_s: int
    assets: tuple[str, ...]
    vanished_at: int
    back_at: int
    lost: tuple[Lost, ...]
    account: str = ACCOUNT
    often: str = portfolio.OFTEN
    rarely: str = portfolio.RARELY
    vanishing: str = portfolio.VANISHING
    unpriced: str = portfolio.UNPRICED

    @property
    def url(self) -> str:
        """As the program takes it."""
        return f"sqlite:///{self.path}"

    @property
    def failed(self) -> int:
        """How many ticks failed."""
        return sum(lost.ticks for lost in self.lost if isinstance(lost.reason, FailReason))

    @property
    def missed(self) -> int:
        """How many ticks were missed."""
        return sum(lost.ticks for lost in self.lost if isinstance(lost.reason, MissReason))

    @property
    def ticks(self) -> int:
        """How many were due: stored, failed and missed."""
        return self.stored + self.failed + self.missed


def planned(path: Path, rows: int, assets: int, interval_s: int) -> tuple[Built, range]:
    """Everything about the file but its rows, and which snapshots lack the vanishing asset."""
    assert rows >= 100 * assets
    away = range(rows // assets * 2 // 5, rows // assets // 2)
    stored = -(-(rows + len(away)) // assets)
    losses = list(_losses(stored))

    def due_at(number: int) -> int:
        skipped = sum(ticks for place, ticks, _ in losses if place <= number)
        return FIRST_DUE_AT + interval_s * (number + skipped)

    built = Built(
        path=path,
        rows=stored * assets - len(away),
        stored=stored,
        first_due_at=FIRST_DUE_AT,
        last_due_at=due_at(stored - 1),
        interval_s=interval_s,
        assets=portfolio.names(assets),
        vanished_at=due_at(away.start),
        back_at=due_at(away.stop),
        lost=tuple(_lost(losses, interval_s)),
    )
    return built, away


def _losses(stored: int) -> Iterator[tuple[int, int, FailReason | MissReason]]:
    """Before which snapshots how many ticks were lost, and why: some in a thousand fail, more are missed at once."""
    lot = random.Random(stored)
    failed, missed = max(4, stored // 1000), max(3, stored // 10_000)
    places = lot.sample(range(1, stored), failed + missed)
    lots: list[tuple[int, FailReason | MissReason]]
    lots = [(lot.randint(1, 3), FAILED[n % len(FAILED)]) for n in range(failed)]
    lots += [(lot.randint(2, 90), MISSED[n % len(MISSED)]) for n in range(missed)]
    yield from sorted((place, ticks, reason) for place, (ticks, reason) in zip(places, lots, strict=True))


def _lost(losses: list[tuple[int, int, FailReason | MissReason]], interval_s: int) -> Iterator[Lost]:
    skipped = 0
    for place, ticks, reason in losses:
        start = FIRST_DUE_AT + interval_s * (place + skipped)
        yield Lost(start_at=start, last_due_at=start + interval_s * (ticks - 1), ticks=ticks, reason=reason)
        skipped += ticks
