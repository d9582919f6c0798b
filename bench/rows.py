"""Databases of our layout with any number of rows, made once and kept: `cached(100_000_000)`."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.built import Built, Lost, planned
from bench.portfolio import Held, Portfolio
from bench.rivals import cache
from collector.domain.ticks import MissReason
from collector.storage.engine import open_engine
from collector.storage.record import Recorder
from collector.storage.registry import open_ledger, register
from collector.storage.revisions import REVISIONS
from collector.storage.upkeep import upgrade

VERSION = 1
"""To be raised whenever other rows are made: no older file is used then."""

BUILDING = (
    "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA locking_mode=EXCLUSIVE", "PRAGMA cache_size=-65536",
    "PRAGMA ignore_check_constraints=ON", "PRAGMA foreign_keys=OFF",
)  # fmt: skip
TICK = """
INSERT INTO tick (due_at, account_id, interval_s, outcome, http_status, attempts, requested_at, received_at,
    recorded_at, clock_offset_ms, weight_used, asset_count, unpriced, btc_total, btc_requested, digest)
VALUES (?, 1, ?, 'stored', 200, 1, ?, ?, ?, ?, 5, ?, 1, ?, 1, ?)
"""
FAILED_TICK = """
INSERT INTO tick (due_at, account_id, interval_s, outcome, reason, attempts, requested_at, recorded_at)
VALUES (?, 1, ?, 'failed', ?, 3, ?, ?)
"""
MISSED_RANGE = "INSERT INTO missed VALUES (1, ?, ?, ?, ?, ?)"


def cached(rows: int, *, assets: int = 40, interval_s: int = 60, folder: Path | None = None) -> Built:
    """The file with these parameters, made if it is not there yet; by default in the benchmarks' cache."""
    folder = folder or cache()
    folder.mkdir(parents=True, exist_ok=True)
    kind = f"rows-{rows}-{assets}-{interval_s}s"
    path = folder / f"{kind}-v{VERSION}-{REVISIONS[-1]}.db"
    with _alone(folder / f"{kind}.lock"):
        if not path.exists():
            for outdated in folder.glob(f"{kind}-v*.db"):
                outdated.unlink()
            build(path, rows, assets=assets, interval_s=interval_s)
    return planned(path, rows, assets, interval_s)[0]


def build(path: Path, rows: int, *, assets: int = 40, interval_s: int = 60) -> Built:
    """Make the file; under its name it is there when it is complete, and then always the same."""
    built, away = planned(path, rows, assets, interval_s)
    unfinished = path.with_name(f"{path.name}.unfinished")
    _remove(unfinished)
    try:
        _open_account(f"sqlite:///{unfinished}", built)
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            _fill(connection, built, Portfolio(built.assets, built.stored, away))
        _synced(unfinished)
        unfinished.rename(path)
    finally:
        _remove(unfinished)
    return built


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _open_account(url: str, built: Built) -> None:
    upgrade(url)
    engine = open_engine(url, "writer")
    writer = Recorder(engine)
    try:
        with writer.transaction() as connection:
            now_s = built.first_due_at
            account = register(connection, built.account, asset_scope=None, now_ms=now_s * 1000)
            open_ledger(connection, account.id, interval_s=built.interval_s, now_s=now_s)
    finally:
        writer.close()
        engine.dispose()


def _fill(connection: sqlite3.Connection, built: Built, held: Portfolio) -> None:
    for pragma in BUILDING:
        connection.execute(pragma)
    connection.execute("BEGIN")
    known = [(name, built.first_due_at) for name in built.assets]
    connection.executemany("INSERT INTO known_asset VALUES (1, ?, ?)", known)
    due_at, lost = built.first_due_at, iter(built.lost)
    upcoming = next(lost, None)
    inserts: dict[tuple[int, ...], str] = {}
    for snapshot in held.snapshots():
        if upcoming is not None and upcoming.start_at == due_at:
            _lose(connection, upcoming, built.interval_s)
            due_at, upcoming = upcoming.last_due_at + built.interval_s, next(lost, None)
        if snapshot.places not in inserts:
            inserts[snapshot.places] = _balances(held, snapshot.places)
        connection.execute(TICK, _tick(snapshot, due_at, built.interval_s))
        connection.execute(inserts[snapshot.places], _amounts(snapshot, due_at))
        due_at += built.interval_s
    connection.execute("COMMIT")
    connection.execute("PRAGMA locking_mode=NORMAL")
    connection.execute("PRAGMA journal_mode=WAL")


def _tick(held: Held, due_at: int, interval_s: int) -> tuple[object, ...]:
    requested_ms, took_ms = due_at * 1000 + 3, 180 + due_at // interval_s % 47
    received_ms, offset_ms = requested_ms + took_ms, took_ms % 7 - 3
    seen = (received_ms + 4, offset_ms, len(held.places), held.btc_total, held.digest)
    return (due_at, interval_s, requested_ms, received_ms, *seen)


def _balances(held: Portfolio, places: tuple[int, ...]) -> str:
    """One statement for all rows of a snapshot, literals for what never changes: twice as fast as executemany."""
    rows = []
    for place in places:
        locked, frozen = held.bound[place]
        rows.append(f"(?, 1, '{held.assets[place]}', ?, '{locked}', '{frozen}', '0', '0', ?)")
    return f"INSERT INTO balance VALUES {', '.join(rows)}"


def _amounts(snapshot: Held, due_at: int) -> list[object]:
    """What that statement wants: due_at, free and valuation of each row."""
    found: list[object] = [due_at] * (3 * len(snapshot.places))
    found[1::3], found[2::3] = snapshot.frees, snapshot.valuations
    return found


def _lose(connection: sqlite3.Connection, lost: Lost, interval_s: int) -> None:
    if isinstance(lost.reason, MissReason):
        found = (lost.start_at, lost.last_due_at, interval_s, lost.ticks, str(lost.reason))
        connection.execute(MISSED_RANGE, found)
        return
    for due_at in range(lost.start_at, lost.last_due_at + 1, interval_s):
        row = (due_at, interval_s, str(lost.reason), due_at * 1000 + 3, due_at * 1000 + 59_000)
        connection.execute(FAILED_TICK, row)


def _synced(path: Path) -> None:
    """On the disk: the machine is not to write it while something is measured."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
