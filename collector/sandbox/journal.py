"""Keeps what was asked and what was answered, the newest requests only."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request to an endpoint of Binance's and its fate; instants are epoch milliseconds of the sandbox's own clock.

    An entry is there from arrival on; `finished_ms` is None until the end. `status` is None when no answer was sent
    (yet, or for ever after a reset or a hang). `complete` tells that the client was still there when the last byte was
    handed to the network. `held_ms` is the instant whose holdings were served, `faults` the kinds of the scripted
    faults that met the request.
    """

    number: int
    account: str | None
    client_ip: str
    method: str
    path: str
    arrived_ms: int
    signature: str | None
    faults: tuple[str, ...]
    finished_ms: int | None = None
    status: int | None = None
    code: int | None = None
    complete: bool = False
    held_ms: int | None = None


class Journal:
    """The newest entries, safe to read from any thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[int, Served] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._forgotten = 0

    def next_number(self) -> int:
        """The number of the next request, from 1, in the order of arrival."""
        self._count += 1
        return self._count

    def note(self, entry: Served) -> None:
        """Keeps `entry` in place of an earlier one of its number, and forgets the oldest when there are too many."""
        with self._lock:
            if entry.number <= self._forgotten:
                return
            self._entries[entry.number] = entry
            if len(self._entries) > self._size:
                # Each number is first noted on arrival, so the dictionary's order is theirs.
                self._forgotten = next(iter(self._entries))
                del self._entries[self._forgotten]

    def entries(self, *, account: str | None = None, path: str | None = None, since: int = 0) -> list[Served]:
        """The entries with a number above `since`, by their number; of one account or path if given."""
        with self._lock:
            entries = list(self._entries.values())
        return [
            entry
            for entry in entries
            if entry.number > since and account in {None, entry.account} and path in {None, entry.path}
        ]
