"""`collector demo`: the main job on a make-believe exchange, with an outage and a crash in the middle."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.errors import CollectorError

if TYPE_CHECKING:
    from collector.sandbox.server import Sandbox

FOLDER = Path(".demo")
ACCOUNT = "main"
PATIENCE_S = 20.0
SHOWN = "SELECT due_at, asset, free, locked FROM balance_history WHERE asset = 'BTC' ORDER BY due_epoch DESC LIMIT 3"


@click.command()
def demo() -> None:
    """Collect from a make-believe exchange for some ten seconds, with an outage and a crash, and show what was kept.

    It needs neither keys nor network, and writes to .demo/ in this folder only.
    """
    from collector.sandbox.faults import Fault
    from collector.sandbox.server import Sandbox

    database = _fresh_database()
    with Sandbox(1, seed=7) as exchange:
        environment = _environment(exchange, database)
        _say("A make-believe Binance runs on this machine. The real daemon collects from it once a second:")
        daemon = _start(environment)
        try:
            _until(daemon, "three snapshots", lambda: _count(database, "tick WHERE outcome = 'stored'") >= 3)
            _say("Now Binance answers with HTTP 503 for a moment, so a tick fails:")
            exchange.script(Fault(kind="status", status=503, path="/sapi/v3/asset/getUserAsset", until_s=2.2))
            _until(daemon, "a failed tick", lambda: _count(database, "tick WHERE outcome = 'failed'") >= 1)
            stored = _count(database, "tick WHERE outcome = 'stored'")
            _until(daemon, "snapshots again", lambda: _count(database, "tick WHERE outcome = 'stored'") >= stored + 2)
            _say("Now the daemon is killed with -9, and started again two seconds later:")
        finally:
            _end(daemon, signal.SIGKILL)
        time.sleep(2.2)
        daemon = _start(environment)
        try:
            stored = _count(database, "tick WHERE outcome = 'stored'")
            _until(daemon, "three more", lambda: _count(database, "tick WHERE outcome = 'stored'") >= stored + 3)
        finally:
            _end(daemon, signal.SIGTERM)
    _show(environment, database)


def _fresh_database() -> Path:
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        FOLDER.mkdir(mode=0o700)
    except OSError as error:
        raise CollectorError(
            f"the demo can't make the folder {FOLDER.absolute()}: {error.strerror}; run it in another folder"
        ) from error
    return FOLDER / "collector.db"


def _environment(exchange: Sandbox, database: Path) -> dict[str, str]:
    """What a user would set: nothing of the configuration of whoever runs the demo."""
    account = exchange.accounts[0]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("COLLECTOR_", "BINANCE_", "NOTIFY_SOCKET"))}
    (FOLDER / "config.toml").touch(mode=0o600)
    return inherited | {
        "COLLECTOR_CONFIG": str((FOLDER / "config.toml").resolve()),
        "COLLECTOR_DATABASE": f"sqlite:///{database.resolve()}",
        "COLLECTOR_INTERVAL": "1s",
        "COLLECTOR_BINANCE__BASE_URL": exchange.base_url,
        "BINANCE_API_KEY": account.api_key,
        "BINANCE_API_SECRET": account.api_secret,
    }


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    click.echo("$ collector run")
    return subprocess.Popen([sys.executable, "-m", "collector", "run"], env=environment)


def _end(daemon: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if daemon.poll() is not None:
        return  # whoever was waiting for it has said so
    daemon.send_signal(number)
    try:
        daemon.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        raise CollectorError(f"the demo went wrong: the daemon did not end on {number.name}") from None
    if daemon.returncode != (-number if number is signal.SIGKILL else 0):
        raise _ended_with(daemon)


def _ended_with(daemon: subprocess.Popen[bytes]) -> CollectorError:
    return CollectorError(f"the demo went wrong: the daemon ended with {daemon.returncode}; see its log above")


def _until(daemon: subprocess.Popen[bytes], what: str, seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not seen():
        if daemon.poll() is not None:
            raise _ended_with(daemon)
        if time.monotonic() > deadline:
            raise CollectorError(
                f"the demo went wrong: no {what} within {PATIENCE_S:.0f} s; see the daemon's log above"
            )
        time.sleep(0.1)


def _count(database: Path, rows: str) -> int:
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            (number,) = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()  # noqa: S608 - our own words
        except sqlite3.OperationalError:
            return 0  # the daemon is still making the tables
    return int(number)


def _show(environment: dict[str, str], database: Path) -> None:
    _say("What the account holds now, exactly as it was sent:")
    _collector(environment, "latest")
    _say("One asset over time:")
    _collector(environment, "history", "BTC")
    _say("What is not known, and why:")
    _collector(environment, "gaps")
    _say("The same in SQL, on the public views:")
    click.echo(f'$ sqlite3 {database} "{SHOWN}"')
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for row in connection.execute(SHOWN):
            click.echo("|".join(map(str, row)))
        due, stored, failed, missed = connection.execute("SELECT due, stored, failed, missed FROM coverage").fetchone()
    if due != stored + failed + missed or min(stored, failed, missed) < 1:
        raise CollectorError(f"the demo went wrong: of {due} ticks {stored} stored, {failed} failed, {missed} missed")
    _say(f"Each of {due} ticks has one answer: {stored} stored, {failed} failed, {missed} missed.")
    click.echo(
        "Next: make a Binance API key that may only read, then\n"
        "  collector config init    write a configuration to fill in\n"
        "  collector check          try key, clock and database\n"
        "  collector run            collect every 5 minutes\n"
        "  collector latest         see what it holds"
    )


def _collector(environment: dict[str, str], *arguments: str) -> None:
    click.echo(f"$ collector {shlex.join(arguments)}")
    ended = subprocess.run([sys.executable, "-m", "collector", *arguments], env=environment, check=False)  # noqa: S603
    if ended.returncode != 0:
        raise CollectorError(f"the demo went wrong: `collector {arguments[0]}` ended with {ended.returncode}")


def _say(sentence: str) -> None:
    click.echo(f"\n== {sentence}")
