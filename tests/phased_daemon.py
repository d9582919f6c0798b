"""A real daemon that kills itself with -9 at a chosen point of its work.

`python -m tests.phased_daemon POINT SKIP DELAY_S REPORT ARGUMENTS...` is `collector ARGUMENTS`. When it comes to POINT
after passing it SKIP times, it waits DELAY_S, appends a line to the file REPORT (the point, and the instant in epoch
milliseconds), and is gone. The production code knows nothing of this: it is wrapped from outside.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from collector.binance import client
from collector.binance.transport import Transport
from collector.cli.main import run
from collector.daemon import service
from collector.storage.record import Recorder
from collector.storage.statements import BalanceInsert, TickUpsert

POINTS = {
    "start": "the missed ticks are written, the transaction is open",
    "request": "the request is in flight",
    "parse.before": "the reply is there, nothing of it is read",
    "parse.after": "the reply is read, nothing of it is written",
    "write.tick": "the tick is written, the transaction is open",
    "write.balances": "tick and balances are written, the transaction is open",
    "write.commit": "everything is written but committed",
    "written": "the transaction is committed, nobody knows yet",
    "idle": "nothing is under way",
}
ANYWHERE = "anywhere"
"""Not a point: the delay counts from the start of the process."""


class Killer:
    """Knows where the daemon is, and kills it at its time."""

    def __init__(self, point: str, skip: int, delay_s: float, report: Path) -> None:
        self._point = point
        self._skip = skip
        self._delay_s = delay_s
        self._report = report
        self._is_at = "start"

    def at(self, point: str) -> None:
        """The daemon has come to this point."""
        self._is_at = point
        if point != self._point:
            return
        self._skip -= 1
        if self._skip >= 0:
            return
        if point in {"request", "idle"}:
            self.strike_later()  # the daemon goes on: it is the request that takes time
        else:
            time.sleep(self._delay_s)
            self.strike()

    def commits(self, _: object) -> None:
        """Some transaction is about to be committed."""
        if self._is_at in {"starting", "write.tick", "write.balances"}:
            self.at("start" if self._is_at == "starting" else "write.commit")

    def has_written(self) -> None:
        """A tick is recorded; when that is known, there is nothing to do until the next one."""
        self.at("written")
        self.at("idle")

    def strike_later(self) -> None:
        """Kill when the delay is over; if the daemon has left the point by then, when it comes there again."""

        def strike_if_there() -> None:
            if self._point in {ANYWHERE, self._is_at}:
                self.strike()

        timer = threading.Timer(self._delay_s, strike_if_there)
        timer.daemon = True
        timer.start()

    def strike(self) -> None:
        """Say where the daemon is, and end it."""
        with self._report.open("a") as report:
            report.write(f"{self._point} {time.time_ns() // 1_000_000}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(owner: object, name: str, *, before: Callable[..., object] | None, after: Callable[[], object] | None) -> None:
    """Let a function of `owner` tell when it begins (with its arguments) and when it has done its work."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(*arguments)
        result = original(*arguments, **named)
        if after is not None:
            after()
        return result

    setattr(owner, name, wrapped)


def watch(killer: Killer) -> None:
    """Make every point known to the killer."""

    def sends(_: Transport, method: str, target: str, *rest: object) -> None:
        if "getUserAsset" in target:
            killer.at("request")

    wrap(service, "note_run", before=None, after=lambda: killer.at("starting"))
    wrap(Transport, "send", before=sends, after=None)
    wrap(
        client,
        "parse_user_assets",
        before=lambda _: killer.at("parse.before"),
        after=lambda: killer.at("parse.after"),
    )
    wrap(TickUpsert, "run", before=None, after=lambda: killer.at("write.tick"))
    wrap(BalanceInsert, "run", before=None, after=lambda: killer.at("write.balances"))
    event.listen(Engine, "commit", killer.commits)
    wrap(Recorder, "record_tick", before=None, after=killer.has_written)


def main() -> int:
    """Run the collector's command line until it ends or the moment has come."""
    point, skip, delay_s, report, *arguments = sys.argv[1:]
    killer = Killer(point, int(skip), float(delay_s), Path(report))
    watch(killer)
    if point == ANYWHERE:
        killer.strike_later()
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
