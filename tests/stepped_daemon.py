"""A real collector whose local clock somebody sets: `python -m tests.stepped_daemon FILE ARGUMENTS...`.

The clock is ahead by the milliseconds that stand in FILE, which may change at any time. The production code knows
nothing of this: the clocks of the standard library are replaced from outside, in this process only.
"""

import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

from apscheduler.schedulers import base

from collector.cli.main import run


def set_clocks(ahead: Path) -> None:
    """Let everything that tells the time be ahead by what the file says."""
    true_ns = time.time_ns

    def time_ns() -> int:
        return true_ns() + int(ahead.read_text() or 0) * 1_000_000

    class Datetime(datetime):
        """What the scheduler knows as datetime."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time_ns() / 1e9, tz)

    time.time_ns = time_ns
    base.datetime = Datetime


if __name__ == "__main__":
    set_clocks(Path(sys.argv[1]))
    sys.exit(run(sys.argv[2:]))
