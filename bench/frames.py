"""The same questions to pandas and DuckDB, as people ask them: each day's last value, and all assets at month ends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd

from bench import parquet
from bench.built import Built
from bench.rivals import cache
from collector import History
from collector.domain.balances import plain

DAY_S = 86_400
Closes = list[tuple[int, str]]
"""due_at of a day's last snapshot, and what was free."""
Ends = list[tuple[int, str, str]]
"""due_at of a month's last snapshot, and each asset with what was free, assets in code-point order."""


def run_frames(built: Built, *, rounds: int, folder: Path | None = None) -> dict[str, Any]:
    """Milliseconds of each side (fastest of the rounds), and which of them answers otherwise than ours."""
    took: dict[str, dict[str, float]] = {}
    differing: set[str] = set()
    with TemporaryDirectory(prefix="frames-", dir=folder or cache()) as made, duckdb.connect() as duck:
        file = Path(made) / "rows.parquet"
        parquet.fill(file, built.path)
        duck.execute(f"CREATE VIEW held AS SELECT * FROM read_parquet('{file}')")
        sides: dict[str, tuple[Callable[[], Closes], Callable[[], Ends]]] = {
            "ours": (lambda: our_closes(built), lambda: our_ends(built)),
            "pandas": (lambda: pandas_closes(built), lambda: pandas_ends(built)),
            "DuckDB on Parquet": (lambda: duck_closes(duck, built), lambda: duck_ends(duck)),
        }
        for _ in range(rounds):
            answers = {}
            for name, asks in sides.items():
                for kind, ask in zip(("daily closes", "month ends"), asks, strict=True):
                    began = time.perf_counter()
                    answers[name, kind] = ask()
                    ms = round((time.perf_counter() - began) * 1000, 1)
                    times = took.setdefault(kind, {})
                    times[name] = min(ms, times.get(name, ms))
                    if answers[name, kind] != answers["ours", kind]:
                        differing.add(f"{name} says something else than ours: {kind}")
    return {"rows": built.rows, "ms": took, "wrong": sorted(differing)}


def our_closes(built: Built) -> Closes:
    """By `collector.History`."""
    closes = History(built.url).asset(built.often, every="1d")
    return [(close.point.due_at, plain(close.point.balance.free)) for close in closes if close.point is not None]


def our_ends(built: Built) -> Ends:
    """Month by month, as of its last second."""
    asked = History(built.url)
    found: Ends = []
    for end in _month_ends(built):
        held = asked.as_of(datetime.fromtimestamp(end, UTC))
        found += [(held.snapshot.due_at, b.asset, plain(b.free)) for b in sorted(held, key=lambda b: b.asset)]
    return found


def _month_ends(built: Built) -> list[int]:
    seconds = range(built.first_due_at // DAY_S * DAY_S, built.last_due_at + 1, DAY_S)
    days = [datetime.fromtimestamp(second, UTC) for second in seconds]
    firsts = [int(day.timestamp()) for day in days if day.day == 1 and day.timestamp() > built.first_due_at]
    return [*(first - 1 for first in firsts), built.last_due_at]


def pandas_closes(built: Built) -> Closes:
    """All of the asset's rows, grouped by day."""
    frame = _read(built, f"SELECT due_at, free FROM balance WHERE asset = '{built.often}' ORDER BY due_at")
    last = frame.groupby(frame["due_at"] // DAY_S).last()
    return [(int(at), str(free)) for at, free in zip(last["due_at"], last["free"], strict=True)]


def pandas_ends(built: Built) -> Ends:
    """All rows, grouped by month."""
    frame = _read(built, "SELECT due_at, asset, free FROM balance")
    months = pd.to_datetime(frame["due_at"], unit="s").dt.strftime("%Y-%m")
    last = frame[frame["due_at"] == frame.groupby(months)["due_at"].transform("max")].sort_values(["due_at", "asset"])
    return [(int(at), str(a), str(f)) for at, a, f in zip(last["due_at"], last["asset"], last["free"], strict=True)]


def _read(built: Built, query: str) -> pd.DataFrame:
    with closing(sqlite3.connect(f"file:{built.path}?mode=ro", uri=True)) as connection:
        return pd.read_sql(query, connection)


def duck_closes(duck: Any, built: Built) -> Closes:
    """By one aggregate."""
    query = "SELECT max(due_at), arg_max(free, due_at) FROM held WHERE asset = ? GROUP BY due_at // 86400 ORDER BY 1"
    return [(int(at), free) for at, free in duck.execute(query, [built.often]).fetchall()]


def duck_ends(duck: Any) -> Ends:
    """By the newest instant of each month."""
    query = """
    SELECT due_at, asset, free FROM held WHERE due_at IN
        (SELECT max(due_at) FROM held GROUP BY strftime(to_timestamp(due_at) AT TIME ZONE 'UTC', '%Y-%m'))
    ORDER BY due_at, asset
    """
    return [(int(at), asset, free) for at, asset, free in duck.execute(query).fetchall()]
