"""What reports ask of rows, and the values that come of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from collector.domain.balances import AMOUNT_FIELDS, Balance
from collector.domain.records import Account, Gap, StoredSnapshot
from collector.storage.reader import Answer, Reader

BALANCE_COLUMNS = ("asset", *AMOUNT_FIELDS, "btc_valuation")
"""What `of_cells` takes of `balance`."""


def stored(reader: Reader, *, known_at_ms: int | None = None) -> str:
    """Conditions on `tick`: snapshots of `:account`, without those that were recorded after `:known_at_ms`."""
    of_account = "tick.account_id = :account AND tick.outcome = 'stored'"
    if known_at_ms is None:
        return of_account
    return f"{of_account} AND tick.recorded_at <= {reader.words.at_milli(':known_at_ms')}"


def between(reader: Reader, column: str, from_s: int | None, to_s: int | None) -> str:
    """More conditions: `:from_s` <= the column < `:to_s`, where these are known."""
    lower = "" if from_s is None else f" AND {column} >= {reader.words.at_second(':from_s')}"
    return lower if to_s is None else f"{lower} AND {column} < {reader.words.at_second(':to_s')}"


def named(column: str, names: Sequence[str]) -> str:
    """The condition that an asset has one of these names; `name_values` are its values."""
    places = [f":name_{number}" for number in range(len(names))]
    if not places:
        return "1 = 0"  # PostgreSQL knows no empty IN
    return f"{column} = {places[0]}" if len(places) == 1 else f"{column} IN ({', '.join(places)})"


def name_values(names: Sequence[str]) -> dict[str, Any]:
    """The values of `named`."""
    return {f"name_{number}": name for number, name in enumerate(names)}


def snapshot_columns(reader: Reader) -> str:
    """What `snapshot_from` takes of `tick`."""
    words = reader.words
    instants = [words.seconds("due_at"), "interval_s", *map(words.millis, ("requested_at", "received_at"))]
    rest = [words.millis("recorded_at"), "clock_offset_ms", "unpriced", words.amount("btc_total"), "btc_requested"]
    return ", ".join([*instants, *rest, "digest", "extra"])


def snapshot_from(account: Account, row: Answer, balances: tuple[Balance, ...]) -> StoredSnapshot:
    """A row of `tick` and the balances that belong to it."""
    due_at, interval_s, requested_at_ms, received_at_ms, recorded_at_ms, *rest = row
    clock_offset_ms, unpriced, btc_total, btc_requested, digest, extra = rest
    return StoredSnapshot(
        account=account,
        due_at=due_at,
        interval_s=interval_s,
        requested_at_ms=requested_at_ms,
        received_at_ms=received_at_ms,
        recorded_at_ms=recorded_at_ms,
        clock_offset_ms=clock_offset_ms,
        unpriced=unpriced,
        btc_total=None if btc_total is None else Decimal(btc_total),
        btc_requested=bool(btc_requested),
        digest=digest,
        extra=json.loads(extra) if extra else {},
        balances=balances,
    )


def amount_columns(reader: Reader) -> str:
    """Amounts and valuation of `balance` as text."""
    return ", ".join(reader.words.amount(f"balance.{name}") for name in BALANCE_COLUMNS[1:])


GAP_COLUMNS = "account, start_epoch, last_due_epoch, ticks, failed, missed, reasons, open"


def gap_from(row: Answer) -> Gap:
    """A row of the view `gap`, of which it takes GAP_COLUMNS."""
    account, start_at, last_due_at, ticks, failed, missed, reasons, still_open = row
    return Gap(
        account=account,
        start_at=start_at,
        last_due_at=last_due_at,
        ticks=ticks,
        failed=failed,
        missed=missed,
        reasons=tuple(sorted(reasons.split(","))),
        open=bool(still_open),
    )
