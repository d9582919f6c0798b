"""How many bytes a row takes, on both engines, in a plain table and in Parquet: of the very same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import parquet, plaintable
from bench.durable import new_ledger, recorded_ms, recording
from bench.outcomes import ASSETS, outcomes
from collector.storage.accounts import every_account
from collector.storage.engine import inspecting
from collector.storage.reader import Reader
from collector.storage.stats import usage


def run_sizes(rows: int, *, folder: Path, postgresql: str) -> dict[str, Any]:
    """Write so many rows as the daemon does, tick after tick; what they take, with all that belongs to them."""
    ours = folder / "ours.db"
    found = {"sqlite": _recorded(f"sqlite:///{ours}", rows), "postgresql": _recorded(postgresql, rows)}
    for name, kind in (("plain_table", plaintable), ("parquet", parquet)):
        path = folder / name
        kind.fill(path, ours)
        found[name] = _size(path.stat().st_size, found["sqlite"]["rows"])
    return found


def _recorded(url: str, rows: int) -> dict[str, Any]:
    account = new_ledger(url)
    with recording(url) as write:
        for outcome in outcomes(account, rows // ASSETS):
            write(outcome, recorded_ms(outcome))
    with inspecting(url) as connection:
        found = usage(connection, every_account(Reader.over(connection)))
    return _size(found.bytes, sum(one.balances for one in found.accounts))


def _size(taken: int, rows: int) -> dict[str, Any]:
    return {"bytes_per_row": round(taken / rows, 1), "rows": rows, "bytes": taken}
