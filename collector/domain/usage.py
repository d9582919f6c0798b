"""How much room a history takes, and how it grows at the present pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.domain.records import Account

YEAR_S = 31_556_952
"""The mean year of the calendar."""

ENOUGH_BALANCES = 10_000
"""Below this many rows the size of a file says more of its empty pages than of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUsage:
    """What is kept of one account; `oldest` and `newest` are due instants of snapshots, in epoch seconds.

    `interval_s` is None when it is not collected now; `newest_assets` is how many rows its newest snapshot has.
    """

    account: Account
    interval_s: int | None
    snapshots: int
    manual: int
    balances: int
    failed: int
    missed: int
    thinned: int
    oldest: int | None
    newest: int | None
    newest_assets: int

    @property
    def balances_a_year(self) -> int:
        """Rows that a year brings when every tick brings as many assets as the newest snapshot has."""
        return 0 if self.interval_s is None else YEAR_S // self.interval_s * self.newest_assets


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a whole database takes; `free_bytes` lie in the file and are used again by what comes.

    `typical_row` is what a row of balances takes in a large database of this kind, in bytes.
    """

    accounts: Sequence[AccountUsage]
    bytes: int
    free_bytes: int
    typical_row: int

    @property
    def balances(self) -> int:
        """Rows of all accounts."""
        return sum(one.balances for one in self.accounts)

    @property
    def measured(self) -> bool:
        """True when there are enough rows to tell what one takes."""
        return self.balances >= ENOUGH_BALANCES

    @property
    def bytes_a_row(self) -> int:
        """What a row of balances takes, with keys and its share of everything else."""
        return round(self.bytes / self.balances) if self.measured else self.typical_row

    @property
    def bytes_a_year(self) -> int:
        """Growth at the present pace."""
        return self.bytes_a_row * sum(one.balances_a_year for one in self.accounts)
