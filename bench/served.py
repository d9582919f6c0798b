"""The sandbox as a process of its own for benchmarks: `python -m bench.served OPTIONS`, where OPTIONS are JSON.

Prints what a client needs to know as a line of JSON, serves until SIGTERM, and then writes its journal, with arrivals
to the nanosecond of the machine's clock, to the file that OPTIONS name.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.sandbox.faults import fault_from
from collector.sandbox.journal import Journal, Served
from collector.sandbox.limits import Limits
from collector.sandbox.server import Sandbox

ASSETS = 40
JOURNAL_SIZE = 1_000_000


class Arrivals(Journal):
    """Notes the arrival of each request to the nanosecond, too."""

    def __init__(self) -> None:
        super().__init__(JOURNAL_SIZE)
        self.at_ns: dict[int, int] = {}

    def note(self, entry: Served) -> None:
        self.at_ns.setdefault(entry.number, time.time_ns())
        super().note(entry)

    def written(self) -> list[dict[str, Any]]:
        """What a benchmark has to know of each request."""
        return [
            {
                "account": entry.account,
                "path": entry.path,
                "arrived_ms": self.at_ns[entry.number] / 1e6,
                "status": entry.status,
                "complete": entry.complete,
                "faults": entry.faults,
            }
            for entry in self.entries()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says: `journal` names the file, `faults` are as docs/sandbox.md has them."""

    accounts: int
    journal: str
    weight: int = 12_000
    rolling: bool = False
    faults: tuple[dict[str, Any], ...] = ()


def main(options: Options) -> None:
    """Serve until a signal comes."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    limits = Limits(weight=options.weight, rolling=options.rolling)
    arrivals = Arrivals()
    exchange = Sandbox(options.accounts, assets=ASSETS, limits=limits)
    exchange.journal = arrivals
    with exchange:
        exchange.script(*map(fault_from, options.faults))
        print(json.dumps(exchange.describe()), flush=True)
        ending.wait()
    Path(options.journal).write_text(json.dumps(arrivals.written()))


if __name__ == "__main__":
    main(Options(**json.loads(sys.argv[1])))
