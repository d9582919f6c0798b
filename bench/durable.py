"""How many snapshots a second are stored durably: ours and a bare driver, block after block, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from bench.bare import Write, bare_psycopg, bare_sqlite
from bench.built import ACCOUNT, FIRST_DUE_AT
from bench.outcomes import INTERVAL_S, outcomes
from collector.domain.records import Account
from collector.domain.ticks import TickOutcome
from collector.storage.engine import inspecting, open_engine
from collector.storage.plain import plain_rows
from collector.storage.record import Recorder
from collector.storage.registry import open_ledger, register
from collector.storage.schema import balance, tick
from collector.storage.upkeep import upgrade


def run_durable(ours: str, bare: str, *, rounds: int, block: int) -> dict[str, Any]:
    """Write the same ticks into two new databases of one engine; rates, their ratio and whether all is the same."""
    account = new_ledger(ours)
    assert new_ledger(bare) == account
    every = list(outcomes(account, rounds * block))
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    with recording(ours) as write, _bare(bare) as barely:
        sides = [("ours", write), ("bare", barely)]
        for number in range(rounds):
            some = every[number * block : (number + 1) * block]
            for name, one in sides if number % 2 else reversed(sides):
                rates[name].append(_rate(one, some))
    ratios = [one / other for one, other in zip(rates["ours"], rates["bare"], strict=True)]
    return {
        "snapshots_a_second": round(statistics.median(rates["ours"]), 1),
        "bare_a_second": round(statistics.median(rates["bare"]), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": {"least": round(min(ratios), 3), "most": round(max(ratios), 3)},
        "rounds": rounds,
        "snapshots": len(every),
        "same": list(_content(ours)) == list(_content(bare)),
    }


def new_ledger(url: str) -> Account:
    """Make the tables, and the account that is collected each minute."""
    upgrade(url)
    with ExitStack() as stack:
        writer = stack.enter_context(_writer(url))
        connection = stack.enter_context(writer.transaction())
        account = register(connection, ACCOUNT, asset_scope=None, now_ms=FIRST_DUE_AT * 1000)
        open_ledger(connection, account.id, interval_s=INTERVAL_S, now_s=FIRST_DUE_AT)
    return account


@contextmanager
def recording(url: str) -> Iterator[Write]:
    """The program's own writer."""
    with _writer(url) as writer:
        yield lambda outcome, recorded_ms: writer.record_tick(outcome, recorded_at_ms=recorded_ms)


@contextmanager
def _writer(url: str) -> Iterator[Recorder]:
    engine = open_engine(url, "writer")
    writer = Recorder(engine)
    try:
        yield writer
    finally:
        writer.close()
        engine.dispose()


@contextmanager
def _bare(url: str) -> Iterator[Write]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with bare_sqlite(Path(parsed.database or "")) as write:
            yield write
        return
    plain_url = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    with bare_psycopg(plain_url) as write:
        yield write


def recorded_ms(outcome: TickOutcome) -> int:
    """When a tick is said to reach the database."""
    return outcome.due_at * 1000 + 211


def _rate(write: Callable[[TickOutcome, int], bool], some: Sequence[TickOutcome]) -> float:
    began = time.perf_counter()
    for outcome in some:
        assert write(outcome, recorded_ms(outcome))
    return len(some) / (time.perf_counter() - began)


def _content(url: str) -> Iterator[tuple[Any, ...]]:
    """All ticks and balances, as plain values."""
    with inspecting(url) as connection:
        for table in (tick, balance):
            yield from plain_rows(connection, table, table.c.keys())
