"""The same requests by other programs, paced alike: a bare loop, and the well-known Python clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.fleet import LATENCY_S
from bench.processes import ROOT, Exchange, exchange

CLIENTS = ("ccxt", "python-binance", "binance-connector", "binance-sdk-wallet")
THREADS = 16
UNLIMITED = 10**9
INSTALLING_S = 600


def cache() -> Path:
    """Where the clients' environments are kept from one run to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "collector-bench"


def run_rivals(*, rate: float, seconds: float, clients: tuple[str, ...] = CLIENTS) -> list[dict[str, Any]]:
    """What each one took; a client that can't be installed or run says why."""
    latency = {"kind": "latency", "seconds": LATENCY_S, "path": "/sapi/v3/asset/getUserAsset"}
    with (
        TemporaryDirectory(prefix="collector-bench-") as name,
        exchange(Path(name), THREADS, weight=UNLIMITED, faults=(latency,)) as at,
    ):
        return list(_run_each(at, rate, seconds, clients))


def _run_each(at: Exchange, rate: float, seconds: float, clients: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    told = json.dumps({"base_url": at.base_url, "accounts": list(at.accounts), "rate": rate, "seconds": seconds})
    yield _run(Path(sys.executable), "requests", told, seconds)
    for client in clients:
        try:
            python = _installed(client)
        except (subprocess.SubprocessError, OSError) as error:
            yield {"name": client, "failed": f"could not be installed: {type(error).__name__}"}
        else:
            yield _run(python, client, told, seconds)


def _run(python: Path, kind: str, told: str, seconds: float) -> dict[str, Any]:
    # -P keeps the folder of the script, which is ours, away from what a client imports.
    command = [str(python), "-P", str(ROOT / "bench/paced.py"), kind]
    done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=seconds + 120, check=False)
    if done.returncode:
        return {"name": kind, "failed": done.stderr.strip().rpartition("\n")[2][:200]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _installed(client: str) -> Path:
    """The interpreter of an environment that holds this client and nothing else."""
    folder = cache() / client
    python = folder / "bin/python"
    ready = folder / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=INSTALLING_S)
        quiet = ("install", "--quiet", "--disable-pip-version-check")
        pip = [str(python), "-m", "pip", *quiet, client]
        subprocess.run(pip, check=True, timeout=INSTALLING_S, capture_output=True)
        ready.touch()
    return python
