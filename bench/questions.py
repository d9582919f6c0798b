"""How long latest, as-of and 2,000 points of one asset take in our layout at three sizes, and elsewhere at one.

The points are once a history, 2,000 snapshots in a row, and once closes, the last snapshot of each of 2,000 periods.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import parquet, plaintable
from bench.answers import POINTS, Question, Store
from bench.built import Built
from bench.ours import Ours
from bench.rivals import cache
from bench.rows import cached
from collector.domain.periods import slices
from collector.storage.reader import reading

KINDS = ("latest", "as_of", "history", "closes")
LEAST_ROWS, MOST_RIVAL_ROWS = 4_000, 10_000_000
AGAIN = 3
"""How often a question is repeated at once, besides the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A store with these rows, and the milliseconds that its answers took: the first time, and again."""

    store: Store
    built: Built
    first: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    again: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})


def run_questions(rows: int, *, rounds: int, folder: Path | None = None) -> dict[str, Any]:
    """Ask all sides in turn, round after round; what they took, and where their answers differ."""
    sizes = [cached(size, folder=folder) for size in sizes_of(rows)]
    side_files = folder or cache()
    for built in sizes:
        _warm(built.path)
    with ExitStack() as stack:
        ours = [Side(store=Ours(stack.enter_context(reading(b.url)), b.account), built=b) for b in sizes]
        compared = next(b for b in reversed(sizes) if b.rows <= MOST_RIVAL_ROWS + len(b.assets) or b is sizes[0])
        rivals_folder = Path(stack.enter_context(TemporaryDirectory(prefix="rivals-", dir=side_files)))
        rivals = list(_rivals(compared, rivals_folder, stack))
        differing = set(_asked(ours, rivals, rounds))
        return {
            "points": POINTS,
            "ours": [_numbers(side) for side in ours],
            "rivals": [_numbers(side) for side in rivals],
            "growth": {kind: _growth(ours, kind) for kind in KINDS},
            "asked": rounds,
            "differing": sorted(differing),
        }


def sizes_of(rows: int) -> list[int]:
    """A hundredth, a tenth and all of the rows."""
    return sorted({max(rows // part, LEAST_ROWS) for part in (100, 10, 1)})


def _warm(path: Path) -> None:
    """Read it once: what is measured is not the disk."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def _rivals(built: Built, folder: Path, stack: ExitStack) -> Iterator[Side]:
    table, file = folder / "plain.db", folder / "rows.parquet"
    plaintable.fill(table, built.path)
    parquet.fill(file, built.path)
    yield Side(store=stack.enter_context(plaintable.opened(table)), built=built)
    yield Side(store=stack.enter_context(parquet.opened(file)), built=built)


def question(built: Built, lot: random.Random) -> Question:
    """An instant, an asset, a range, and periods over nearly everything; two draws of one lot ask for the same."""
    span_s = built.last_due_at - built.first_due_at
    start_s = built.first_due_at + int(span_s * lot.random() / 50)
    range_s = POINTS * built.interval_s
    from_s = built.first_due_at + int(max(span_s - range_s, 0) * lot.random())
    return Question(
        from_s=from_s,
        to_s=from_s + range_s,
        instant_s=built.first_due_at + int(span_s * lot.random()),
        asset=lot.choice(built.assets),
        periods=slices(start_s, start_s + span_s * 49 // 50, POINTS),
    )


def _asked(ours: Sequence[Side], rivals: Sequence[Side], rounds: int) -> Iterator[str]:
    """Ask everybody, and say who answers otherwise than we do."""
    for number in range(rounds):
        for kind in KINDS:
            answers = {id(side): _ask(side, kind, question(side.built, random.Random(number))) for side in ours}
            for rival in rivals:
                found = _ask(rival, kind, question(rival.built, random.Random(number)))
                same = next(id(side) for side in ours if side.built is rival.built)
                if found != answers[same]:
                    yield f"{rival.store.name} says something else than ours: {kind.replace('_', '-')}"


def _ask(side: Side, kind: str, asked: Question) -> Any:
    """The answer in plain values; how long it took is kept with the side."""
    asks: dict[str, Callable[[], Any]] = {
        "latest": side.store.latest,
        "as_of": partial(side.store.as_of, asked.instant_s),
        "history": partial(side.store.history, asked.asset, asked.from_s, asked.to_s),
        "closes": partial(side.store.closes, asked.asset, asked.periods),
    }
    took, answer = _timed(asks[kind])
    side.first[kind].append(took)
    side.again[kind].extend(_timed(asks[kind])[0] for _ in range(AGAIN))
    return side.store.said(kind, answer)


def _timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = ask()
    return (time.perf_counter() - began) * 1000, answer


def _numbers(side: Side) -> dict[str, Any]:
    found = {"name": side.store.name, "rows": side.built.rows}
    for kind in KINDS:
        found[kind] = {"first_ms": _median(side.first[kind]), "again_ms": _median(side.again[kind])}
    return found


def _growth(ours: Sequence[Side], kind: str) -> float:
    """How many times longer the largest file takes than the smallest one."""
    return round(statistics.median(ours[-1].again[kind]) / statistics.median(ours[0].again[kind]), 2)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
