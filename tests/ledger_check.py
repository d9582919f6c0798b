"""Says what is wrong with a ledger, from what the exchange did and from the instants that were due.

It reads the tables over the bare driver and shares no code with what is tested: neither the grid, nor the digest, nor
the amounts.
"""

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import psycopg
from sqlalchemy import make_url

from collector.sandbox.journal import Served

Ask = Callable[[str], list[tuple[Any, ...]]]
Amounts = tuple[str, ...]
Holdings = dict[str, Amounts]
"""Asset to free, locked, frozen, withdrawing, ipoable and valuation, each as text."""

LATE_MS = 150
"""The last request of a tick that fails may arrive at the exchange a little after the tick's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A row of the table tick; instants in epoch seconds (`due_at`) and milliseconds."""

    due_at: int
    outcome: str
    reason: str | None
    interval_s: int | None
    attempts: int
    requested_at_ms: int | None
    received_at_ms: int | None
    asset_count: int | None
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A row of the table missed; instants in epoch seconds, both inclusive."""

    start_at: int
    last_due_at: int
    interval_s: int
    ticks: int
    reason: str

    def instants(self) -> range:
        """Each instant that it answers for."""
        return range(self.start_at, self.last_due_at + 1, self.interval_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the tables hold of one account; `balances` by instant, also of instants that have no tick."""

    ticks: Sequence[Tick]
    missed: Sequence[Missed]
    balances: Mapping[int, Holdings]

    def answers(self) -> dict[int, list[tuple[str, str | None]]]:
        """Instant to everything that answers for it, as outcome and reason."""
        found: dict[int, list[tuple[str, str | None]]] = defaultdict(list)
        for tick in self.ticks:
            if tick.interval_s is not None:
                found[tick.due_at].append((tick.outcome, tick.reason))
        for lost in self.missed:
            for instant in lost.instants():
                found[instant].append(("missed", lost.reason))
        return found

    def stored(self) -> list[Tick]:
        """The ticks that have a snapshot, oldest first."""
        return [tick for tick in self.ticks if tick.outcome == "stored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the exchange knows of the account: its requests, what was held at an instant (ms), and each kill (ms)."""

    requests: Sequence[Served]
    truth: Callable[[int], list[dict[str, Any]]]
    kills_ms: Sequence[int] = ()


@contextmanager
def asking(url: str) -> Iterator[Ask]:
    """Questions in one transaction, which is rolled back at the end whatever was changed in it."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as file:
            file.execute("BEGIN")
            yield lambda sql: file.execute(sql).fetchall()
        return
    plain_url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain_url, options="-c timezone=UTC") as server:
        yield lambda sql: _fetched(server, sql)
        server.rollback()


def _fetched(server: psycopg.Connection[Any], sql: str) -> list[tuple[Any, ...]]:
    cursor = server.execute(sql.encode())
    return cursor.fetchall() if cursor.description else []


def seconds(cell: Any) -> int:
    """An instant as a driver gives it (a number, or aware), in epoch seconds."""
    return round(cell.timestamp()) if isinstance(cell, datetime) else int(cell)


def milliseconds(cell: Any) -> int | None:
    """An instant as a driver gives it, in epoch milliseconds."""
    return round(cell.timestamp() * 1000) if isinstance(cell, datetime) else cell


def text(amount: Any) -> str:
    """An amount as a driver gives it: the text itself, or an exact number."""
    return format(amount, "f") if isinstance(amount, Decimal) else str(amount)


def read_ledger(ask: Ask, account: str = "main") -> Ledger:
    """The rows of one account."""
    own = f"WHERE account_id = (SELECT id FROM account WHERE name = '{account}')"
    ticks = ask(
        "SELECT due_at, outcome, reason, interval_s, attempts, requested_at, received_at, asset_count, digest"
        f" FROM tick {own} ORDER BY due_at"
    )
    missed = ask(f"SELECT start_at, last_due_at, interval_s, ticks, reason FROM missed {own} ORDER BY start_at")
    balances: dict[int, Holdings] = defaultdict(dict)
    for due_at, asset, *amounts in ask(
        f"SELECT due_at, asset, free, locked, frozen, withdrawing, ipoable, btc_valuation FROM balance {own}"
    ):
        balances[seconds(due_at)][asset] = tuple(map(text, amounts))
    return Ledger(
        ticks=[_tick(*row) for row in ticks],
        missed=[
            Missed(start_at=seconds(s), last_due_at=seconds(e), interval_s=i, ticks=n, reason=r)
            for s, e, i, n, r in missed
        ],
        balances=balances,
    )


def _tick(due_at: Any, outcome: str, reason: str | None, interval_s: int | None, attempts: int, *rest: Any) -> Tick:
    requested_at, received_at, asset_count, digest = rest
    return Tick(
        due_at=seconds(due_at),
        outcome=outcome,
        reason=reason,
        interval_s=interval_s,
        attempts=attempts,
        requested_at_ms=milliseconds(requested_at),
        received_at_ms=milliseconds(received_at),
        asset_count=asset_count,
        digest=digest,
    )


def holdings(rows: Iterable[Mapping[str, Any]]) -> Holdings:
    """What a reply says: every digit, exponents written out, without the rows that are zero throughout."""
    names = ("free", "locked", "freeze", "withdrawing", "ipoable", "btcValuation")
    read = {row["asset"]: tuple(format(Decimal(row[name]), "f") for name in names) for row in rows}
    return {asset: amounts for asset, amounts in read.items() if any(Decimal(amount) for amount in amounts)}


def digest_of(held: Holdings) -> str:
    """The digest as the documentation describes it."""
    lines = ["\t".join((asset, *held[asset])) + "\n" for asset in sorted(held)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def complaints(ledger: Ledger, due: Sequence[int], exchange: Exchange) -> list[str]:
    """A sentence for each thing that is wrong; nothing when every due instant has its one right answer."""
    return [
        *_wrong_answers(ledger, due),
        *_wrong_ranges(ledger),
        *(
            f"{t}: balances without a stored tick"
            for t in ledger.balances
            if t not in {s.due_at for s in ledger.stored()}
        ),
        *(sentence for tick in ledger.ticks for sentence in _wrong_tick(tick, ledger, exchange)),
        *_hidden_requests(ledger, exchange),
    ]


def _wrong_answers(ledger: Ledger, due: Sequence[int]) -> Iterator[str]:
    answers = ledger.answers()
    for instant in sorted({*due, *answers}):
        given = [f"{outcome} ({reason})" if reason else outcome for outcome, reason in answers.get(instant, [])]
        if instant not in due:
            yield f"{instant}: was not due, but is answered: {', '.join(given)}"
        elif not given:
            yield f"{instant}: no answer"
        elif len(given) > 1:
            yield f"{instant}: {len(given)} answers: {', '.join(given)}"


def _wrong_ranges(ledger: Ledger) -> Iterator[str]:
    for lost in ledger.missed:
        if lost.ticks != len(lost.instants()) or lost.instants()[-1] != lost.last_due_at:
            yield f"{lost.start_at}: a range of {lost.ticks} ticks holds {len(lost.instants())}"
    for before, after in zip(ledger.missed, ledger.missed[1:], strict=False):
        if after.start_at <= before.last_due_at:
            yield f"{after.start_at}: a range begins before the last one ends"


def _wrong_tick(tick: Tick, ledger: Ledger, exchange: Exchange) -> Iterator[str]:
    if tick.outcome == "stored":
        kept = ledger.balances.get(tick.due_at, {})
        if tick.asset_count != len(kept):
            yield f"{tick.due_at}: a partial snapshot: {len(kept)} of {tick.asset_count} balances"
        if tick.digest != digest_of(kept):
            yield f"{tick.due_at}: the balances are not those of the digest"
        yield from _untrue(tick, kept, exchange)
    elif not _requests_of(tick, exchange):
        yield f"{tick.due_at}: failed ({tick.reason}), but no request left"


def _untrue(tick: Tick, kept: Holdings, exchange: Exchange) -> Iterator[str]:
    """A snapshot is of one whole answer, sent while it was asked for, and says what was held then."""
    asked, got = tick.requested_at_ms or 0, tick.received_at_ms or 0
    if not tick.due_at * 1000 <= asked <= got:
        yield f"{tick.due_at}: asked at {asked} and answered at {got}, which is not after it was due"
    served = [r for r in exchange.requests if asked <= r.arrived_ms <= got and r.complete and r.held_ms is not None]
    if len(served) != 1:
        yield f"{tick.due_at}: {len(served)} good answers came from the exchange between request and reply"
        return
    held = holdings(exchange.truth(served[0].held_ms or 0))
    wrong = sorted(asset for asset in {*held, *kept} if held.get(asset) != kept.get(asset))
    if wrong:
        yield f"{tick.due_at}: not what was held: {', '.join(wrong)}"


def _requests_of(tick: Tick, exchange: Exchange) -> list[Served]:
    begin, end = tick.due_at * 1000, (tick.due_at + (tick.interval_s or 0)) * 1000 + LATE_MS
    return [request for request in exchange.requests if begin <= request.arrived_ms < end]


def _hidden_requests(ledger: Ledger, exchange: Exchange) -> Iterator[str]:
    """A tick is missed only if no request left for it, or nobody lived to tell."""
    answers = sorted(ledger.answers().items())
    ends = [instant for instant, _ in answers[1:]] + [answers[-1][0] + 1] if answers else []
    before: list[str] = []
    for (instant, given), end in zip(answers, ends, strict=True):
        begin_ms = instant * 1000 + (LATE_MS if "failed" in before else 0)
        before = [outcome for outcome, _ in given]
        killed = any(instant * 1000 <= kill < end * 1000 + LATE_MS for kill in exchange.kills_ms)
        if "missed" in before and not killed and any(begin_ms <= r.arrived_ms < end * 1000 for r in exchange.requests):
            reasons = ", ".join(str(reason) for outcome, reason in given if outcome == "missed")
            yield f"{instant}: missed ({reasons}), but a request left"


def expected_history(ledger: Ledger) -> list[tuple[int, str, Amounts]]:
    """Each asset at each stored tick since it was first seen, with zeros: what the view asset_history has to say."""
    seen: set[str] = set()
    rows = []
    for tick in ledger.stored():
        kept = ledger.balances.get(tick.due_at, {})
        seen |= set(kept)
        rows += [(tick.due_at, asset, kept.get(asset, ("0",) * 6)) for asset in seen]
    return sorted(rows)


def expected_gaps(ledger: Ledger, due: Sequence[int], now_s: int, interval_s: int) -> list[tuple[Any, ...]]:
    """Runs of due instants without a snapshot: start, last, failed, missed, reasons, open.

    Those after the newest answer count as missed when they are two intervals (or two minutes) old.
    """
    answers = ledger.answers()
    newest = max(answers)
    late = range(newest + interval_s, now_s - min(2 * interval_s, 120) + 1, interval_s)
    known = {t: answers[t][0] for t in due} | dict.fromkeys(late, ("missed", "not_running"))
    runs = [list(run) for stored, run in groupby(sorted(known), lambda t: known[t][0] == "stored") if not stored]
    return [
        (
            run[0],
            run[-1],
            sum(known[t][0] == "failed" for t in run),
            sum(known[t][0] == "missed" for t in run),
            ",".join(sorted({str(known[t][1]) for t in run})),
            run[-1] == max(known),
        )
        for run in runs
    ]


def rfc3339(instant: int) -> str:
    """An instant as reports show it."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
