"""One account of the chaos: its database, and daemon after daemon that is killed, each at another moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.zygote import DIRECT, DRAINED, NEVER, SPOOLED
from collector.sandbox.accounts import Account
from collector.sandbox.server import Sandbox
from tests.daemons import Crew, asked, at_rest, now_s, until
from tests.ledger_check import Exchange, asking, complaints, read_ledger
from tests.outages import unwritable
from tests.processes import clean_environment

LIMIT_S = 12.0
FIRST_TICK = "first tick at "
GROUPS = {
    "start": "start",
    "request": "request",
    "parse.before": "parse",
    "parse.after": "parse",
    "write.tick": "write",
    "write.balances": "write",
    "write.commit": "write",
    "written": "write",
    "idle": "idle",
    **dict.fromkeys((*SPOOLED, *DRAINED), "spool"),
}


def plan(rounds: int, lots: random.Random) -> list[str]:
    """Where to kill: each moment as often as any other; one of draining comes after one of spooling."""
    points = [*DIRECT, *SPOOLED]
    drawn: list[str] = []
    while len(drawn) < rounds:
        for point in lots.sample(points, len(points)):
            drawn.append(point)
            if point == "spool.kept":
                drawn.append(lots.choice(list(DRAINED)))
    return drawn[:rounds]


@dataclass(slots=True, kw_only=True)
class Found:
    """What came of a lane: kills by moment, instants by outcome, and a sentence for each thing that is wrong."""

    engine: str
    kills: Counter[str]
    outcomes: Counter[str]
    wrong: list[str]
    requests: int


class Zygote:
    """The process that forks this lane's daemons."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            cwd=Path(__file__).parents[1],
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    def start(self, order: dict[str, Any]) -> int:
        """Start a daemon; returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._heard()["pid"])

    def ended(self) -> int:
        """Wait for the end of the daemon; returns its exit code, or the negative number of its signal."""
        return int(self._heard()["ended"])

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))


@dataclass(slots=True, kw_only=True)
class Born:
    """A daemon as the tests' helpers want it: what it says."""

    log: Path
    pid: int

    def said(self) -> str:
        """Its output so far."""
        return self.log.read_text() if self.log.exists() else ""


@dataclass(slots=True, kw_only=True)
class Lane:
    """An account with its own database on one engine; `rounds` daemons are killed."""

    folder: Path
    url: str
    exchange: Sandbox
    account: Account
    rounds: int
    seed: int
    logs: list[Path] = field(default_factory=list)

    @property
    def engine(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.partition(":")[0].partition("+")[0]

    def run(self) -> Found:
        """All rounds, a good end, and what the ledger says then."""
        lots = random.Random(self.seed)
        started_s = now_s()
        with Zygote() as zygote:
            crew = Crew(folder=self.folder, exchange=self.exchange, url=self.url)
            crew.configure([self.account])
            crew.migrate()
            first = self._live_well(zygote)
            for point in plan(self.rounds, lots):
                self._kill_at(zygote, point, lots)
            last = self._live_well(zygote)
        begin = first_due_at(self.logs[0].read_text())
        assert started_s < begin <= first
        return self._judged(range(begin, last + 1))

    def _order(self, point: str, skip: int = 0, delay_s: float = 0.0) -> dict[str, Any]:
        self.logs.append(self.folder / f"{len(self.logs):05}.log")
        return {
            "config": str(self.folder / "config.toml"),
            "log": str(self.logs[-1]),
            "report": str(self.folder / "kills"),
            "point": point,
            "skip": skip,
            "delay_s": delay_s,
            "limit_s": LIMIT_S,
        }

    def _live_well(self, zygote: Zygote) -> int:
        """A daemon that stores a few snapshots and is asked to end; returns the last instant that was due."""
        order = self._order(NEVER)
        daemon = Born(log=Path(order["log"]), pid=zygote.start(order))
        until("snapshots", lambda: daemon.said().count(" stored: ") >= 2)
        until("an empty spool", lambda: ", kept in the spool" not in daemon.said().rstrip().splitlines()[-1])
        last = at_rest(daemon, lambda instant: [f"{self.account.name} {instant} stored"])  # type: ignore[arg-type]
        os.kill(daemon.pid, signal.SIGTERM)
        code = zygote.ended()
        assert code == 0, daemon.said()
        return last

    def _kill_at(self, zygote: Zygote, point: str, lots: random.Random) -> None:
        longest_s = {"request": 0.03, "idle": 0.7, "spool.append": 0.006}.get(point, 0.03)
        skip = 0 if point == "start" or point in DRAINED else lots.randrange(2)
        order = self._order(point, skip, lots.uniform(0, longest_s))
        daemon = Born(log=Path(order["log"]), pid=zygote.start(order))
        if point in SPOOLED:
            until("first tick", lambda: FIRST_TICK in daemon.said() or not _lives(daemon.pid))
            with unwritable(self.url):
                code = zygote.ended()
        else:
            code = zygote.ended()
        assert code == -signal.SIGKILL, f"ended with {code} at {point}:\n{daemon.said()}"

    def kills(self) -> list[tuple[str, int]]:
        """Each kill: where it was, and when (epoch milliseconds)."""
        lines = (self.folder / "kills").read_text().splitlines()
        return [(point, int(at_ms)) for point, at_ms in (line.split() for line in lines)]

    def _judged(self, due: range) -> Found:
        kills, name = self.kills(), self.account.name
        served = asked(self.exchange, name)
        exchange = Exchange(
            requests=served,
            truth=lambda at_ms: self.exchange.truth(name, at_ms),
            kills_ms=[at_ms for _, at_ms in kills],
        )
        with asking(self.url) as sql:
            ledger = read_ledger(sql, name)
        wrong = complaints(ledger, due, exchange)
        stored = {tick.due_at for tick in ledger.stored()}
        wrong += [f"{at}: was told as stored, and is not" for at in sorted(self._acknowledged() - stored)]
        answers = Counter(outcome for given in ledger.answers().values() for outcome, _ in given)
        return Found(
            engine=self.engine,
            kills=Counter(point for point, _ in kills),
            outcomes=answers,
            wrong=[f"{self.engine}, {name}: {sentence}" for sentence in wrong],
            requests=len(served),
        )

    def _acknowledged(self) -> set[int]:
        """The instants whose snapshot the log has told, in the database or in the spool."""
        found = set()
        for log in self.logs:
            for line in log.read_text(errors="replace").splitlines():
                words = line.split()
                if "stored:" in words and words.index("stored:") > 0:
                    found.add(_epoch(words[words.index("stored:") - 1]))
        return found


def _epoch(instant: str) -> int:
    return int(time.mktime(time.strptime(instant, "%Y-%m-%dT%H:%M:%SZ"))) - time.timezone


def first_due_at(said: str) -> int:
    """The instant that a daemon announced as its first tick."""
    words = said.partition(FIRST_TICK)[2].partition(" UTC")[0]
    return int(time.mktime(time.strptime(words, "%Y-%m-%d %H:%M:%S"))) - time.timezone


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
