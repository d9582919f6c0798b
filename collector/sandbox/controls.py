"""What a test or a demo may know and change while the exchange serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from collector.sandbox.accounts import Account
from collector.sandbox.faults import Fault
from collector.sandbox.holdings import Document
from collector.sandbox.journal import Journal, Served
from collector.sandbox.members import KeyState, Members
from collector.sandbox.script import Script


class Controls:
    """The state that the serving thread and its user share; instants are epoch milliseconds of `clock`.

    A name that is no account's raises UsageError.
    """

    def __init__(self, members: Members, *, clock: Callable[[], int], journal_size: int) -> None:
        self.clock = clock
        self.skew_ms = 0
        self.members = members
        self.faults = Script()
        self.journal = Journal(journal_size)

    @property
    def accounts(self) -> list[Account]:
        """The accounts with their present keys."""
        return self.members.accounts

    def script(self, *faults: Fault) -> None:
        """Puts faults in force; their requests and seconds count from now."""
        for fault in faults:
            self.faults.add(fault, now_ms=self.clock())

    def clear_faults(self) -> None:
        """Ends every fault."""
        self.faults.clear()

    def truth(self, account: str, at_ms: int) -> list[dict[str, Any]]:
        """What `account` held at `at_ms`, row by row as Binance would name it, valued."""
        return self.members.named(account).wallet.held(at_ms)

    def requests(self, *, account: str | None = None, path: str | None = None, since: int = 0) -> list[Served]:
        """What was asked and answered, by order of arrival; numbers above `since` only."""
        return self.journal.entries(account=account, path=path, since=since)

    def set_reply(self, account: str, document: bytes) -> None:
        """Serves `document` byte for byte as the account's wallet from now on."""
        self.members.named(account).wallet.become(Document(document), at_ms=self.clock())

    def set_skew(self, skew_ms: int) -> None:
        """Sets the exchange's clock ahead of the sandbox's (or behind it, below zero)."""
        self.skew_ms = skew_ms

    def set_key_state(self, account: str, state: KeyState) -> None:
        """An `invalid` key is answered with -2015 until it is `valid` again."""
        self.members.named(account).key_state = state

    def change_key(self, account: Account) -> None:
        """Gives the account of that name other credentials; the old key is unknown from now on."""
        self.members.change_key(account)

    def set_rights(self, account: str, rights: Mapping[str, bool]) -> None:
        """Grants and takes rights, under the names of apiRestrictions; UsageError for an unknown one."""
        self.members.set_rights(account, rights)
