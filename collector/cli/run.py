"""`collector run`: collect until stopped."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from collector.cli.context import App, database_option, interval_option, pass_app

if TYPE_CHECKING:
    from collector.bootstrap import Services
    from collector.checks import CheckLine
    from collector.collect import Target
    from collector.config.values import Settings

log = logging.getLogger(__name__)

CHECKED_AT_START = 10
"""With more accounts the first tick shows which keys work: a check of each would take minutes."""
GARBAGE_AFTER = 700
"""New objects until the next look for garbage, far fewer than for a report: memory has to stay flat for years."""

LOOK_AT_THE_CLOCK_S = 0.5


@click.command()
@database_option
@interval_option
@pass_app
def run(app: App) -> None:
    """Collect every account at every tick, until SIGTERM or SIGINT.

    First everything is checked as `collector check` does. An SQLite database is made or migrated by itself, after a
    backup; PostgreSQL is migrated by `collector db upgrade` only.
    """
    from collector.cli.logs import log_to_stderr
    from collector.cli.stopping import StoppedEarlyError, stoppable

    settings = app.settings()
    settings.require_accounts()
    log_to_stderr(settings.log_level)
    try:
        with stoppable():
            _wait_for_the_clock()
            _collect(settings)
    except StoppedEarlyError:
        log.info("stopped before the first tick")


def _wait_for_the_clock() -> None:
    """A machine without a battery starts in 1970, and NTP sets its clock soon; labels of then would stay for ever."""
    from collector.bootstrap import now_ms
    from collector.domain.offsets import impossible

    said = False
    while (sentence := impossible(now_ms())) is not None:
        if not said:
            log.error("%s: waiting until it is set", sentence)
        said = True
        time.sleep(LOOK_AT_THE_CLOCK_S)


def _collect(settings: Settings) -> None:
    from collector.bootstrap import (
        now_ms,
        open_services,
        open_spool,
        patience_of,
        program_version,
        ready_database,
        targets,
    )
    from collector.daemon.service import Daemon
    from collector.storage.lock import lock_for

    lock = lock_for(settings.database)
    lock.acquire()
    try:
        done = ready_database(settings)
        if done is not None:
            log.info("%s", done)
        with open_services(settings, patience_s=patience_of(settings)) as services, open_spool(settings) as spool:
            collected = targets(services, instant_ms=now_ms())
            _check(services, collected)
            # What is there by now stays: looking for garbage in it again and again costs a tick its punctuality.
            gc.freeze()
            gc.set_threshold(GARBAGE_AFTER)
            address = os.environ.get("NOTIFY_SOCKET")
            Daemon(
                services=services,
                targets=collected,
                spool=spool,
                lock=lock,
                version=program_version(),
                notify_socket=address,
            ).run()
    finally:
        lock.release()


def _check(services: Services, collected: Sequence[Target]) -> None:
    """Log what the checks find; only when no key at all can work is there nothing to start for."""
    from collector.checks import check_binance, check_histories
    from collector.errors import EXIT_REFUSED

    for line in check_histories(collected):
        _log_check(line)
    active = [target for target in collected if not target.paused]
    refused = []
    for line in check_binance(services.client, active if len(active) <= CHECKED_AT_START else []):
        _log_check(line)
        if line.error is not None and line.error.exit_code == EXIT_REFUSED:
            refused.append(line.error)
    if refused and len(refused) == len(active):
        raise refused[0]


def _log_check(line: CheckLine) -> None:
    from collector.checks import Grade

    level = {Grade.OK: logging.INFO, Grade.WARNING: logging.WARNING, Grade.PROBLEM: logging.ERROR}[line.grade]
    log.log(level, "%s: %s", line.subject, line.text)
