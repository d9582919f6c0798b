"""Every snapshot of a range as plain text, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.domain.records import Account
from collector.storage.reader import Reader
from collector.storage.rows import BALANCE_COLUMNS, between, stored
from collector.storage.stacked import stacked, unstacked_rows

AMOUNTS = BALANCE_COLUMNS[1:]
AT_ONCE = 200
"""How many snapshots are fetched at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSnapshot:
    """A snapshot with what it holds: asset, amounts and valuation as text, assets in code-point order."""

    due_at: int
    received_at_ms: int
    balances: Sequence[tuple[str | None, ...]]


def plain_snapshots(
    reader: Reader, account: Account, *, from_s: int | None = None, to_s: int | None = None
) -> Iterator[PlainSnapshot]:
    """Every snapshot of an account, from_s <= due_at < to_s (epoch seconds), oldest first."""
    words = reader.words
    rows = reader.each(
        f"""
        SELECT {words.seconds("tick.due_at")}, {words.millis("tick.received_at")}, {stacked(reader)} FROM tick
        WHERE {stored(reader)}{between(reader, "tick.due_at", from_s, to_s)} ORDER BY tick.due_at
        """,
        at_once=AT_ONCE,
        account=account.id,
        from_s=from_s,
        to_s=to_s,
    )
    for due_at, received_at_ms, columns in rows:
        yield PlainSnapshot(due_at=due_at, received_at_ms=received_at_ms, balances=sorted(unstacked_rows(columns)))


def first_and_last_snapshot(
    reader: Reader, account: Account, *, from_s: int | None = None, to_s: int | None = None
) -> tuple[int, int] | None:
    """due_at of the oldest and the newest snapshot of a range, by two key seeks; None when there is none."""
    where = f"{stored(reader)}{between(reader, 'tick.due_at', from_s, to_s)}"
    first, last = (
        reader.value(
            f"SELECT {reader.words.seconds('due_at')} FROM tick WHERE {where} ORDER BY tick.due_at {order} LIMIT 1",
            account=account.id,
            from_s=from_s,
            to_s=to_s,
        )
        for order in ("ASC", "DESC")
    )
    return None if first is None or last is None else (first, last)


def too_long(
    reader: Reader,
    accounts: Sequence[Account],
    *,
    whole: int,
    after: int,
    from_s: int | None = None,
    to_s: int | None = None,
) -> list[str]:
    """The columns with amounts of more than `whole` digits before the point, or more than `after` behind it."""
    ids = {f"account_{number}": account.id for number, account in enumerate(accounts)}
    of_accounts = f"account_id IN ({', '.join(f':{name}' for name in ids)})"
    row = reader.first(
        f"""
        SELECT {", ".join(f"max({_longer(reader, name)})" for name in AMOUNTS)} FROM balance
        WHERE {of_accounts}{between(reader, "due_at", from_s, to_s)}
        """,
        **ids,
        whole=whole,
        after=after,
        from_s=from_s,
        to_s=to_s,
    )
    return [name for name, found in zip(AMOUNTS, row or (), strict=True) if found]


def _longer(reader: Reader, column: str) -> str:
    """1 for an amount of more than `:whole` digits before the point, or more than `:after` behind it; 0 for others."""
    written = reader.words.amount(column)
    point = f"{'strpos' if reader.words.postgresql else 'instr'}({written}, '.')"
    whole = f"CASE WHEN {point} = 0 THEN length({written}) ELSE {point} - 1 END > :whole"
    return f"CASE WHEN {whole} OR ({point} > 0 AND length({written}) - {point} > :after) THEN 1 ELSE 0 END"
