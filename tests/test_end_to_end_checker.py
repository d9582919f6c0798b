"""The check of the ledger can fail: each kind of lie that is planted into a true ledger is named."""

from collections.abc import Callable
from pathlib import Path

from tests.daemons import asked, crew, end_at_rest, now_s, until
from tests.ledger_check import Ask, Exchange, Ledger, asking, complaints, digest_of, read_ledger
from tests.ledgers import instant

At = Callable[[int], str]
MISSED = "INSERT INTO missed (account_id, start_at, last_due_at, interval_s, ticks, reason) VALUES "


def lives(tmp_path: Path, url: str) -> tuple[str, range, Exchange]:
    """A daemon that is killed and comes back: its database, what was due, and what the exchange knows."""
    with crew(tmp_path, url, trade_every_ms=200) as together:
        daemon = together.start()
        first = daemon.first_due_at()
        until("snapshots", lambda: daemon.said().count(" stored: ") >= 2)
        seen = end_at_rest(daemon, lambda said: [f"main {said} stored"], kill=True)
        until("an instant or two", lambda: now_s() > seen + 2)
        daemon = together.start()
        until("snapshots", lambda: daemon.said().count(" stored: ") >= 2)
        last = end_at_rest(daemon, lambda said: [f"main {said} stored"], kill=True)
        served = asked(together.exchange)
        truths = {r.held_ms: together.exchange.truth("main", r.held_ms) for r in served if r.held_ms is not None}
        return together.url, range(first, last + 1), Exchange(requests=served, truth=truths.__getitem__)


def plants(ledger: Ledger, at: At) -> dict[str, tuple[list[str], list[str]]]:
    """For each kind of lie the statements that tell it, and what the check has to say."""
    newest, before = ledger.stored()[-1].due_at, ledger.stored()[-2].due_at
    lost = max(ledger.missed, key=lambda m: m.ticks)
    held = ledger.balances[newest]
    changed = {**held, "BTC": ("9.870", *held["BTC"][1:])}
    old = ledger.balances[before]
    forget = [f"DELETE FROM {table} WHERE due_at = {at(newest)}" for table in ("balance", "tick")]
    wrong_btc = f"UPDATE balance SET free = '9.870' WHERE asset = 'BTC' AND due_at = {at(newest)}"
    columns = "account_id, asset, free, locked, frozen, withdrawing, ipoable, btc_valuation"
    never = ledger.stored()[0].due_at - 60
    return {
        "a hole": (forget, [f"{newest}: no answer"]),
        "a doubled answer": (
            [f"{MISSED} (1, {at(newest)}, {at(newest)}, 1, 1, 'overrun')"],
            [f"{newest}: 2 answers: stored, missed (overrun)", f"{newest}: missed (overrun), but a request left"],
        ),
        "an overlap": (
            [f"{MISSED} (1, {at(lost.last_due_at)}, {at(lost.last_due_at)}, 1, 1, 'overrun')"]
            if lost.ticks > 1
            else [],
            [
                f"{lost.last_due_at}: 2 answers: missed (not_running), missed (overrun)",
                f"{lost.last_due_at}: a range begins before the last one ends",
            ],
        ),
        "a partial snapshot": (
            [f"DELETE FROM balance WHERE asset = 'BTC' AND due_at = {at(newest)}"],
            [
                f"{newest}: a partial snapshot: {len(held) - 1} of {len(held)} balances",
                f"{newest}: the balances are not those of the digest",
                f"{newest}: not what was held: BTC",
            ],
        ),
        "a wrong amount": (
            [wrong_btc],
            [f"{newest}: the balances are not those of the digest", f"{newest}: not what was held: BTC"],
        ),
        "a wrong amount with its digest": (
            [wrong_btc, f"UPDATE tick SET digest = '{digest_of(changed)}' WHERE due_at = {at(newest)}"],
            [f"{newest}: not what was held: BTC"],
        ),
        "an old snapshot under a new label": (
            [
                f"DELETE FROM balance WHERE due_at = {at(newest)}",
                f"INSERT INTO balance SELECT {at(newest)}, {columns} FROM balance WHERE due_at = {at(before)}",
                f"UPDATE tick SET digest = '{digest_of(old)}', asset_count = {len(old)} WHERE due_at = {at(newest)}",
            ],
            [f"{newest}: not what was held: "],
        ),
        "a request that is hidden": (
            [*forget, f"{MISSED} (1, {at(newest)}, {at(newest)}, 1, 1, 'overrun')"],
            [f"{newest}: missed (overrun), but a request left"],
        ),
        "a request that never was": (
            [
                f"DELETE FROM missed WHERE start_at = {at(lost.start_at)}",
                *(
                    "INSERT INTO tick (account_id, due_at, interval_s, outcome, reason, attempts, recorded_at)"
                    f" VALUES (1, {at(t)}, 1, 'failed', 'timeout', 1, {at(t)})"
                    for t in lost.instants()
                ),
            ],
            [f"{lost.start_at}: failed (timeout), but no request left"],
        ),
        "an instant that was not due": (
            [f"{MISSED} (1, {at(never)}, {at(never)}, 1, 1, 'overrun')"],
            [f"{never}: was not due, but is answered: missed (overrun)"],
        ),
    }


def told(sql: Ask, lie: list[str]) -> Ledger:
    """The ledger after these statements."""
    assert lie
    for statement in lie:
        sql(statement)
    return read_ledger(sql)


def test_every_kind_of_lie_is_named(tmp_path: Path, database_url: str) -> None:
    """A check that never complains proves nothing; the true ledger that it starts from gives no complaint."""
    url, due, exchange = lives(tmp_path, database_url)
    with asking(url) as sql:
        ledger = read_ledger(sql)
    assert complaints(ledger, due, exchange) == []
    for kind, (lie, expected) in plants(ledger, lambda epoch_s: instant(url, epoch_s)).items():
        with asking(url) as sql:
            found = complaints(told(sql, lie), due, exchange)
        for sentence in expected:
            assert any(said.startswith(sentence) for said in found), (kind, sentence, found)
        assert len(found) >= len(expected), (kind, found)
