"""Reading snapshots back: rows to the same values that were stored."""

from __future__ import annotations

from typing import Any

from collector.domain.balances import Balance, of_cells
from collector.domain.records import Account, StoredSnapshot
from collector.domain.renames import NO_RENAMES, Renames
from collector.storage.reader import Reader
from collector.storage.rows import amount_columns, snapshot_columns, snapshot_from, stored


def latest(reader: Reader, account: Account, *, renames: Renames = NO_RENAMES) -> StoredSnapshot | None:
    """The newest snapshot, whole; None when there is none."""
    return _newest(reader, account, stored(reader), renames)


def as_of(
    reader: Reader,
    account: Account,
    instant_s: int,
    *,
    known_at_ms: int | None = None,
    renames: Renames = NO_RENAMES,
) -> StoredSnapshot | None:
    """The newest snapshot with due_at <= instant_s, whole; None when there is none.

    With `known_at_ms` snapshots that were recorded later do not count: it is what could be known then.
    """
    where = f"{stored(reader, known_at_ms=known_at_ms)} AND tick.due_at <= {reader.words.at_second(':instant_s')}"
    return _newest(reader, account, where, renames, instant_s=instant_s, known_at_ms=known_at_ms)


def balances_at(reader: Reader, account: Account, due_at: int, *, renames: Renames = NO_RENAMES) -> tuple[Balance, ...]:
    """The rows of one snapshot in code-point order of their assets."""
    rows = reader.all(
        f"""
        SELECT asset, {amount_columns(reader)} FROM balance
        WHERE account_id = :account AND due_at = {reader.words.at_second(":due_at")} ORDER BY asset
        """,
        account=account.id,
        due_at=due_at,
    )
    return renames.applied([of_cells(row) for row in rows], due_at)


def known_assets(reader: Reader, account: Account, *, renames: Renames = NO_RENAMES) -> list[str]:
    """Every asset that the account was ever seen to hold, in code-point order."""
    days = [entry.on_s for entry in renames.entries]
    found: set[str] = set()
    for name, first in _first_dues(reader, account).items():
        found |= {renames.shown(name, at) for at in (first, *(day for day in days if day > first))}
    return sorted(found)


def first_due(reader: Reader, account: Account, asset: str, *, renames: Renames = NO_RENAMES) -> int | None:
    """From when on the asset may have been held: due_at of the first snapshot that names it; None: never."""
    first_dues = _first_dues(reader, account)
    found = [
        max(first_dues[name], named.from_s or 0)
        for named in renames.stored(asset)
        for name in named.names
        if name in first_dues and (named.to_s is None or first_dues[name] < named.to_s)
    ]
    return min(found, default=None)


def _first_dues(reader: Reader, account: Account) -> dict[str, int]:
    first_due_at = reader.words.seconds("first_due_at")
    return dict(
        reader.all(f"SELECT asset, {first_due_at} FROM known_asset WHERE account_id = :account", account=account.id)
    )


def _newest(reader: Reader, account: Account, where: str, renames: Renames, **values: Any) -> StoredSnapshot | None:
    question = f"SELECT {snapshot_columns(reader)} FROM tick WHERE {where} ORDER BY tick.due_at DESC LIMIT 1"
    row = reader.first(question, account=account.id, **values)
    return None if row is None else snapshot_from(account, row, balances_at(reader, account, row[0], renames=renames))
