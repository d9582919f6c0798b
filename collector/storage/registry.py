"""What a daemon notes beside its ticks: accounts with schedules and stops, its runs, prices, and what has to wait."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import Connection, delete, insert, select, update

from collector.domain.records import Account, Wait
from collector.domain.ticks import MissReason, ScheduleEntry, TickRange, unexplained
from collector.errors import ConfigError
from collector.storage.accounts import find, newest_answer, schedule_of
from collector.storage.prices import BASE
from collector.storage.ranges import write_missed
from collector.storage.reader import Reader
from collector.storage.schema import account, daemon_run, price, schedule, tick, wait
from collector.storage.statements import upsert_into


def register(connection: Connection, name: str, *, asset_scope: str | None, now_ms: int) -> Account:
    """Find or create an account. Raises ConfigError when its first tick fixed another asset scope."""
    reader = Reader.over(connection)
    found = find(reader, name)
    if found is None:
        connection.execute(insert(account).values(name=name, created_at=now_ms, asset_scope=asset_scope))
    elif found.asset_scope != asset_scope:
        _change_scope(connection, found, asset_scope)
    registered = find(reader, name)
    assert registered is not None  # noqa: S101 - it was found or inserted above
    return registered


def _change_scope(connection: Connection, found: Account, asset_scope: str | None) -> None:
    if connection.execute(select(tick.c.due_at).where(tick.c.account_id == found.id).limit(1)).first() is not None:
        raise ConfigError(
            f"account {found.name!r} has been collected for {found.asset_scope or 'all assets'}, "
            f"the configuration now says {asset_scope or 'all assets'}: "
            "a history is either of the whole account or of one asset, so give the account another name"
        )
    connection.execute(update(account).where(account.c.id == found.id).values(asset_scope=asset_scope))


def note_key(connection: Connection, account_id: int, fingerprint: str) -> None:
    """Keep which API key the account is read with."""
    connection.execute(update(account).where(account.c.id == account_id).values(key_fingerprint=fingerprint))


def note_stop(
    connection: Connection, account_id: int, *, stopped_at_ms: int | None, reason: str | None, probe_at_ms: int | None
) -> None:
    """Keep that an account is stopped and when it may be tried again; all None: it goes on."""
    values = {"stopped_at": stopped_at_ms, "stop_reason": reason, "probe_at": probe_at_ms}
    connection.execute(update(account).where(account.c.id == account_id).values(values))


def open_ledger(connection: Connection, account_id: int, *, interval_s: int | None, now_s: int) -> list[TickRange]:
    """Bring an account's ledger up to now: every due instant before it gets its answer, then the interval holds.

    What has no answer yet was due while nothing was running; it becomes missed. Returns those ranges.
    """
    reader = Reader.over(connection)
    entries, newest = schedule_of(reader, account_id), newest_answer(reader, account_id)
    lost = unexplained(entries, after=newest, before=now_s)
    for ticks in lost:
        write_missed(connection, account_id, ticks, MissReason.NOT_RUNNING)
    # What is answered was due by the interval of then, even in this very second or under a clock that ran ahead.
    _set_interval(connection, account_id, entries, interval_s, now_s if newest is None else max(now_s, newest + 1))
    return lost


def _set_interval(
    connection: Connection, account_id: int, entries: list[ScheduleEntry], interval_s: int | None, from_at: int
) -> None:
    of_account = schedule.c.account_id == account_id
    connection.execute(delete(schedule).where(of_account, schedule.c.from_at >= from_at))
    before = [entry.interval_s for entry in entries if entry.from_at < from_at]
    if interval_s != (before[-1] if before else None):
        connection.execute(insert(schedule).values(account_id=account_id, from_at=from_at, interval_s=interval_s))


def note_wait(connection: Connection, new: Wait) -> None:
    """Keep a wait across restarts; it replaces an older one of its scope."""
    connection.execute(delete(wait).where(wait.c.scope == new.scope))
    connection.execute(insert(wait).values(scope=new.scope, until=new.until_ms, reason=str(new.reason)))


def note_run(connection: Connection, *, host: str, pid: int, started_at_ms: int, version: str) -> None:
    """Keep that a daemon started."""
    connection.execute(insert(daemon_run).values(host=host, pid=pid, started_at=started_at_ms, version=version))


def note_run_end(connection: Connection, *, host: str, started_at_ms: int, ended_at_ms: int) -> None:
    """Keep that a daemon ended by its own will; one that was killed never gets here."""
    of_run = (daemon_run.c.host == host, daemon_run.c.started_at == started_at_ms)
    connection.execute(update(daemon_run).where(*of_run).values(ended_at=ended_at_ms, clean=1))


def note_prices(connection: Connection, due_at: int, found: Mapping[str, Decimal]) -> None:
    """Keep what BTC cost in some currencies at a tick; a price that is there already stays."""
    if found:
        rows = [{"due_at": due_at, "base": BASE, "quote": quote, "price": each} for quote, each in found.items()]
        connection.execute(upsert_into(price, connection.engine).on_conflict_do_nothing(), rows)
