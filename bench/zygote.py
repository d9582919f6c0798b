"""Daemons that kill themselves with -9 at a chosen moment, forked from a process that has loaded everything.

`python -m bench.zygote` reads one order a line from stdin, as JSON: `config` and `log` (files), `point`, `skip`,
`delay_s`, `limit_s` and `report` (a file). It answers with `{"pid": ...}` and, when that process is gone, with
`{"ended": ...}`, its exit code or the negative number of its signal. A new Python takes most of a second to start, a
fork nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.cli.main import run
from collector.storage.spool import Spool
from tests import phased_daemon
from tests.phased_daemon import Killer, watch

DIRECT = phased_daemon.POINTS
SPOOLED = {
    "spool.append": "the reply is being written to the spool",
    "spool.kept": "the spool has the reply, nobody knows yet",
}
DRAINED = {
    "drain.read": "a spooled reply is read, nothing of it is in the database",
    "drain.stored": "the database has the spooled reply, the spool still has it too",
    "drain.done": "the spool is without the reply",
}
POINTS = {**DIRECT, **SPOOLED, **DRAINED}
NEVER = "never"
IN_FLIGHT = ("request", "idle", "spool.append")
"""Where the daemon goes on while the delay runs, so that the kill falls anywhere into what it does there."""


class Moment(Killer):
    """Kills where the order says, and tells where that was; after `limit_s` wherever the daemon is then."""

    def __init__(self, order: dict[str, Any]) -> None:
        super().__init__(order["point"], order["skip"], order["delay_s"], Path(order["report"]))
        if order["point"] != NEVER:
            _later(order["limit_s"], self.strike)

    def at(self, point: str) -> None:
        """The daemon has come to this point."""
        self._is_at = point
        if point != self._point:
            return
        self._skip -= 1
        if self._skip >= 0:
            return
        if point in IN_FLIGHT:
            _later(self._delay_s, self.strike)
        else:
            time.sleep(self._delay_s)
            self.strike()

    def strike(self) -> None:
        """Say where the daemon is, and end it."""
        with self._report.open("a") as report:
            report.write(f"{self._is_at} {time.time_ns() // 1_000_000}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def _later(delay_s: float, work: Callable[[], None]) -> None:
    timer = threading.Timer(delay_s, work)
    timer.daemon = True
    timer.start()


def watch_spool(moment: Moment) -> None:
    """Make the points around the spool known."""
    append, oldest, done = Spool.append, Spool.oldest, Spool.done

    def appending(self: Spool, *arguments: Any) -> None:
        moment.at("spool.append")
        append(self, *arguments)
        moment.at("spool.kept")
        moment.at("idle")

    def reading(self: Spool, *arguments: Any) -> Any:
        entries = oldest(self, *arguments)
        if entries:
            moment.at("drain.read")
        return entries

    def removing(self: Spool, *arguments: Any) -> None:
        moment.at("drain.stored")
        done(self, *arguments)
        moment.at("drain.done")

    for name, function in (("append", appending), ("oldest", reading), ("done", removing)):
        setattr(Spool, name, function)


def main() -> None:
    """Fork a daemon for each order, one after the other."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be_the_daemon(order)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


def _be_the_daemon(order: dict[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["COLLECTOR_CONFIG"] = order["config"]
    moment = Moment(order)
    watch(moment)
    watch_spool(moment)
    code = 1
    try:
        code = run(["run"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
