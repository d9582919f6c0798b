"""Processes that a benchmark starts and watches: the sandbox, the real daemon, and other programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.served import Options

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
FIRST_TICK = "first tick at "


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process had used at an instant: seconds of CPU in user and system mode, resident memory in MB."""

    at: float
    cpu_s: float
    rss_mb: float


def usage_of(pid: int) -> Usage:
    """From /proc, so on Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return Usage(at=time.time(), cpu_s=cpu_s, rss_mb=pages * PAGE_MB)


@dataclass(slots=True, kw_only=True)
class Watched:
    """A process whose use of the machine is sampled every second."""

    process: subprocess.Popen[bytes]
    log: Path
    samples: list[Usage] = field(default_factory=list)

    def watch(self) -> None:
        """Sample until it ends; for a thread."""
        while self.process.poll() is None:
            try:
                self.samples.append(usage_of(self.process.pid))
            except (OSError, IndexError):
                return  # it ended meanwhile
            time.sleep(1)

    def during(self, start: float, end: float) -> list[Usage]:
        """The samples between two instants (epoch seconds)."""
        return [sample for sample in self.samples if start <= sample.at <= end]

    def cpu_s_between(self, start: float, end: float) -> float:
        """Seconds of CPU between two instants, by the samples next to them."""
        near = self.during(start - 1, end + 1)
        return near[-1].cpu_s - near[0].cpu_s if near else 0.0

    def first_due_at(self) -> int:
        """The instant of its first tick, which a daemon announces."""
        deadline = time.monotonic() + PATIENCE_S
        while FIRST_TICK not in (said := self.log.read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the daemon did not start:\n{said[-3000:]}")
            time.sleep(0.05)
        words = said.partition(FIRST_TICK)[2].partition(" UTC")[0]
        return int(datetime.strptime(words, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A sandbox that runs: where it listens, and its accounts with their keys."""

    base_url: str
    accounts: Sequence[Mapping[str, str]]
    journal: Path
    process: subprocess.Popen[bytes]

    def requests(self) -> list[dict[str, Any]]:
        """End it, and read its journal: the requests for balances by order of arrival."""
        _end(self.process)
        entries = json.loads(self.journal.read_text())
        return [entry for entry in entries if entry["path"].endswith("getUserAsset")]


@contextmanager
def exchange(folder: Path, accounts: int, **options: Any) -> Iterator[Exchange]:
    """A sandbox in a process of its own; `options` are those of bench.served."""
    journal = folder / "journal.json"
    told = json.dumps(asdict(Options(accounts=accounts, journal=str(journal), **options)))
    process = subprocess.Popen([sys.executable, "-m", "bench.served", told], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Exchange(base_url=said["base_url"], accounts=said["accounts"], journal=journal, process=process)
    finally:
        _end(process)


@contextmanager
def daemon(folder: Path, at: Exchange, accounts: int, *, interval: str, headroom: float = 0.05) -> Iterator[Watched]:
    """`collector run` on an SQLite file in the folder, for the exchange's first accounts."""
    lines = [f'interval = "{interval}"', f'database = "{folder / "collector.db"}"']
    lines += ["[binance]", f'base_url = "{at.base_url}"', f"headroom = {headroom}"]
    for account in at.accounts[:accounts]:
        lines += [f"[accounts.{account['name']}]", f'api_key = "{account["api_key"]}"']
        lines += [f'api_secret = "{account["api_secret"]}"']
    config = folder / "config.toml"
    config.touch(mode=0o600)
    config.write_text("\n".join([*lines, ""]))
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(collector("run"), cwd=ROOT, env=environment(folder), stdout=log, stderr=log)
    watched = Watched(process=process, log=folder / "daemon.log")
    threading.Thread(target=watched.watch, daemon=True).start()
    try:
        yield watched
    finally:
        _end(process)


def collector(*arguments: str) -> list[str]:
    """The command line of `collector ARGUMENTS`."""
    return [sys.executable, "-m", "collector", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """The environment in which `collector` finds the folder's configuration, and no other."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLLECTOR_", "BINANCE_", "CREDENTIALS_"))}
    return kept | {"COLLECTOR_CONFIG": str(folder / "config.toml")}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
