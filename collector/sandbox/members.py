"""The accounts as the exchange knows them: key, its state and rights, and the wallet behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from collector.errors import UsageError
from collector.sandbox.accounts import Account
from collector.sandbox.holdings import Wallet
from collector.sandbox.signature import Verifier

KeyState = Literal["valid", "invalid"]

# What a read-only key may do, under the names of GET /sapi/v1/account/apiRestrictions.
READ_ONLY = {
    "ipRestrict": False,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enableSpotAndMarginTrading": False,
    "enablePortfolioMarginTrading": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
}


@dataclass(slots=True, kw_only=True)
class Member:
    """One account at the exchange; `rights` and `key_state` may change while it runs."""

    account: Account
    wallet: Wallet
    verify: Verifier
    key_state: KeyState = "valid"
    rights: dict[str, bool] = field(default_factory=lambda: dict(READ_ONLY))


class Members:
    """All accounts, by name and by API key."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._lock = threading.Lock()
        self._by_name = {member.account.name: member for member in members}
        self._by_key = {member.account.api_key: member for member in self._by_name.values()}

    @property
    def accounts(self) -> list[Account]:
        """The accounts as they are now, in the order in which they were given."""
        return [member.account for member in self._by_name.values()]

    def named(self, name: str) -> Member:
        """The account called `name`; UsageError without one."""
        if name not in self._by_name:
            first = next(iter(self._by_name), "")
            raise UsageError(
                f"the sandbox has no account {name!r}: it has {len(self._by_name)}, the first is {first!r}"
            )
        return self._by_name[name]

    def with_key(self, api_key: str | None) -> Member | None:
        """Whose key that is; None for an unknown one."""
        return self._by_key.get(api_key or "")

    def change_key(self, account: Account) -> None:
        """Gives the account of that name other credentials; the old key is unknown from now on."""
        member = self.named(account.name)
        with self._lock:
            self._by_key.pop(member.account.api_key, None)
            member.account, member.verify = account, account.verifier()
            self._by_key[account.api_key] = member

    def set_rights(self, name: str, rights: Mapping[str, bool]) -> None:
        """Grants and takes rights, under the names of apiRestrictions; UsageError for an unknown one."""
        unknown = sorted(set(rights) - set(READ_ONLY))
        if unknown:
            raise UsageError(f"there is no right {unknown[0]!r}: use one of {', '.join(READ_ONLY)}")
        self.named(name).rights.update(rights)
