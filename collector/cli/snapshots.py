"""The newest snapshots of the accounts that a command is about, and what lies between them and now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.cli.choices import named_accounts
from collector.errors import NoDataError
from collector.reports.instants import rfc3339

if TYPE_CHECKING:
    from collector.cli.frame import Frame
    from collector.domain.records import Account, Gap, StoredSnapshot
    from collector.storage.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One snapshot of each account that has one, the names of those that have none, and the gaps since then."""

    snapshots: tuple[StoredSnapshot, ...]
    missing: tuple[str, ...]
    gaps: tuple[Gap, ...]


def found_snapshots(reader: Reader, frame: Frame, names: Sequence[str], asked_s: int | None) -> Found:
    """The newest snapshots, or those as of an instant (epoch seconds). Raises NoDataError when there is none at all."""
    from collector.storage.ledger import gaps

    snapshots, missing = [], []
    for account in named_accounts(reader, names):
        snapshot = snapshot_of(reader, frame, account, asked_s)
        if snapshot is None:
            missing.append(account.name)
        else:
            snapshots.append(snapshot)
    if not snapshots:
        raise no_snapshot(missing, asked_s)
    until = None if asked_s is None else asked_s + 1
    crossed = [gap for one in snapshots for gap in gaps(reader, one.account, from_s=one.due_at, to_s=until)]
    return Found(snapshots=tuple(snapshots), missing=tuple(missing), gaps=tuple(crossed))


def snapshot_of(reader: Reader, frame: Frame, account: Account, asked_s: int | None) -> StoredSnapshot | None:
    """The newest snapshot of one account, or that as of an instant."""
    from collector.storage import history

    if asked_s is None:
        return history.latest(reader, account, renames=frame.renames)
    return history.as_of(reader, account, asked_s, renames=frame.renames)


def no_snapshot(names: Sequence[str], asked_s: int | None) -> NoDataError:
    """The sentence on accounts that have no snapshot."""
    who = f"account {names[0]!r} has no" if len(names) == 1 else f"none of {len(names)} accounts has a"
    when = "snapshot yet" if asked_s is None else f"snapshot of {rfc3339(asked_s)} or before"
    return NoDataError(f"{who} {when}: see `collector gaps`")
