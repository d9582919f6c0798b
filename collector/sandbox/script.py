"""Decides which of the scripted faults meet a request."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from collector.sandbox.faults import Fault


@dataclass(slots=True, kw_only=True)
class _Scripted:
    """A fault with what it has seen since it was added."""

    fault: Fault
    added_ms: int
    seen: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.fault.seed)

    def meets(self, account: str | None, path: str, now_ms: int) -> bool:
        fault = self.fault
        if fault.account not in {None, account} or fault.path not in {None, path}:
            return False
        self.seen += 1
        # Drawn for each request that is counted, so that a script's outcome hangs on their order alone.
        is_drawn = self.dice.random() < fault.probability
        after_s = (now_ms - self.added_ms) / 1_000
        is_counted = fault.first <= self.seen and (fault.last is None or self.seen <= fault.last)
        is_in_time = fault.from_s <= after_s and (fault.until_s is None or after_s < fault.until_s)
        return is_drawn and is_counted and is_in_time


class Script:
    """The faults in force, in the order in which they were added."""

    def __init__(self) -> None:
        self._scripted: list[_Scripted] = []

    @property
    def in_force(self) -> list[Fault]:
        """What was added and not cleared."""
        return [scripted.fault for scripted in self._scripted]

    def add(self, fault: Fault, *, now_ms: int) -> None:
        """Puts `fault` in force; its requests and seconds count from now."""
        self._scripted = [*self._scripted, _Scripted(fault=fault, added_ms=now_ms)]

    def clear(self) -> None:
        """Ends every fault."""
        self._scripted = []

    def meeting(self, account: str | None, path: str, *, now_ms: int) -> list[Fault]:
        """The faults for a request that arrives now."""
        return [scripted.fault for scripted in self._scripted if scripted.meets(account, path, now_ms)]
