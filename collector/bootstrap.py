"""Settings to services: the only place that builds things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from sqlalchemy import Connection, Engine

from collector.binance.budget import Budget, offsets_ms, quota_of
from collector.binance.client import BinanceClient, Credentials
from collector.binance.signing import HmacSigner, Signer, load_private_key
from collector.collect import Target
from collector.config.values import AccountSettings, Settings
from collector.domain.records import Account
from collector.errors import ConfigError
from collector.storage.engine import open_engine
from collector.storage.lock import held_file
from collector.storage.reader import reading
from collector.storage.record import Recorder
from collector.storage.registry import note_key, register
from collector.storage.spool import Spool
from collector.storage.upkeep import back_up_before_upgrade, upgrade
from collector.storage.urls import describe, sqlite_file

MINUTE_S = 60
MEGABYTE = 1_000_000
LONGEST_PATIENCE_S = 2.0
FURTHER_CONNECTIONS = 2
"""Of those that ask beside the accounts' threads."""


def now_ms() -> int:
    """The local clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def program_version() -> str:
    """The version of the installed program."""
    return version("binance-asset-collector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a command that collects works with."""

    settings: Settings
    client: BinanceClient
    recorder: Recorder
    engine: Engine


@contextmanager
def open_services(settings: Settings, *, patience_s: float | None = None) -> Iterator[Services]:
    """Everything that collecting needs, closed again at the end. Raises ConfigError, DatabaseError.

    `patience_s` bounds each wait for the database, for those who have a spool.
    """
    engine = open_engine(settings.database, "writer", patience_s=patience_s)
    client = client_for(settings)
    recorder = Recorder(engine) if patience_s is None else Recorder(engine, try_again_for_s=patience_s)
    try:
        yield Services(settings=settings, client=client, recorder=recorder, engine=engine)
    finally:
        recorder.close()
        client.close()
        engine.dispose()


@contextmanager
def open_recorder(settings: Settings) -> Iterator[Recorder]:
    """A writer on the configured database, for those who ask nobody. Raises DatabaseError."""
    engine = open_engine(settings.database, "writer")
    recorder = Recorder(engine)
    try:
        yield recorder
    finally:
        recorder.close()
        engine.dispose()


@contextmanager
def open_spool(settings: Settings) -> Iterator[Spool]:
    """The spool of the configured database, for this process alone. Raises ConfigError, LockedError, DatabaseError."""
    path, file = settings.spool, sqlite_file(settings.database)
    database = None if file is None else file.resolve()
    if path.resolve() == database:
        raise ConfigError("the spool can't be the database itself: choose another file with the key spool")
    with ExitStack() as stack:
        # Beside its own SQLite file it is covered by that one's lock.
        if database is None or path != database.with_name(f"{database.name}.spool"):
            stack.enter_context(held_file(settings.database, path.with_name(f"{path.name}.lock")))
        spool = Spool(
            path,
            database=describe(settings.database) if database is None else f"database {database.name}",
            max_bytes=settings.spool_max_mb * MEGABYTE,
            min_free_bytes=settings.spool_min_free_mb * MEGABYTE,
        )
        stack.callback(spool.close)
        yield spool


def patience_of(settings: Settings) -> float:
    """How long a tick waits for the database before what came of it is kept in the spool, in seconds."""
    return min(LONGEST_PATIENCE_S, settings.interval_s / 4)


def client_for(settings: Settings) -> BinanceClient:
    """The one client of the process, with as many connections as there are threads."""
    return BinanceClient(
        base_url=settings.binance.base_url,
        recv_window_ms=settings.binance.recv_window_ms,
        pool_size=settings.workers + FURTHER_CONNECTIONS,
        budget=budget_of(settings),
        allow_plain_http=settings.binance.allow_plain_http,
    )


def budget_of(settings: Settings) -> Budget:
    """The weight that all requests for balances share."""
    quota = quota_of(settings.binance.weight_per_minute, settings.binance.headroom)
    ticks_a_minute = max(1, -(-MINUTE_S // settings.interval_s))
    return Budget(quota, planned=min(quota.placed, len(settings.accounts) * ticks_a_minute))


def ready_database(settings: Settings) -> str | None:
    """Make sure that the tables fit: an SQLite file is migrated, after a backup; PostgreSQL is only checked.

    Returns a sentence about what was done, None when nothing was. Raises DatabaseError with the command that helps.
    """
    path = sqlite_file(settings.database)
    if path is None:
        with reading(settings.database):
            return None
    backup = back_up_before_upgrade(settings.database)
    before = upgrade(settings.database)
    if before is None:
        return f"made the database {path}"
    return None if backup is None else f"migrated {path} from revision {before}; the file as it was is kept as {backup}"


def targets(services: Services, *, instant_ms: int) -> list[Target]:
    """The configured accounts, registered in the database, each with its place in the window.

    Places go by the order in which the database came to know the accounts, so that they keep them.
    Their `key_fingerprint` is still that of the key they were read with before; the database has the present one.
    Raises ConfigError for a key that can't be used, an asset scope that has changed, or more accounts than fit.
    """
    settings = services.settings
    accounts = settings.require_accounts()
    offsets = places(settings)
    keys = [credentials_of(account) for account in accounts]
    with services.recorder.transaction() as connection:
        known = [_registered(connection, account, instant_ms) for account in accounts]
        for account, key in zip(known, keys, strict=True):
            note_key(connection, account.id, key.fingerprint)
    in_order = sorted(zip(known, accounts, keys, strict=True), key=lambda each: each[0].id)
    return [
        _target_of(settings, account, registered, key, offset)
        for (registered, account, key), offset in zip(in_order, offsets, strict=True)
    ]


def places(settings: Settings) -> tuple[int, ...]:
    """Where in the window each account is asked, in milliseconds. Raises ConfigError when they don't fit."""
    return offsets_ms(
        len(settings.accounts),
        interval_s=settings.interval_s,
        weight_per_minute=settings.binance.weight_per_minute,
        headroom=settings.binance.headroom,
    )


def _registered(connection: Connection, account: AccountSettings, instant_ms: int) -> Account:
    return register(connection, account.name, asset_scope=account.asset, now_ms=instant_ms)


def untracked_target(settings: Settings, account: AccountSettings, known: Account | None = None) -> Target:
    """An account that can be asked and is noted nowhere; `known` is how the database knows it, if it does.

    Raises ConfigError for a key that can't be used.
    """
    return _target_of(settings, account, known or _unknown(account), credentials_of(account), 0)


def _unknown(account: AccountSettings) -> Account:
    return Account(
        id=0,
        name=account.name,
        created_at_ms=0,
        asset_scope=account.asset,
        key_fingerprint=None,
        stopped_at_ms=None,
        stop_reason=None,
        probe_at_ms=None,
    )


def _target_of(
    settings: Settings, configured: AccountSettings, account: Account, credentials: Credentials, offset_ms: int
) -> Target:
    return Target(
        account=account,
        credentials=credentials,
        asset=configured.asset,
        btc_valuation=settings.binance.btc_valuation,
        paused=configured.paused,
        offset_ms=offset_ms,
    )


def credentials_of(account: AccountSettings) -> Credentials:
    """The key of an account with what signs for it. Raises ConfigError, which names the account."""
    try:
        return Credentials(api_key=account.api_key.reveal(), signer=_signer(account))
    except ConfigError as error:
        raise ConfigError(f"account {account.name!r}: {error}") from None


def _signer(account: AccountSettings) -> Signer:
    if account.api_secret is not None:
        return HmacSigner(account.api_secret.reveal())
    if account.private_key is None:
        raise ConfigError("there is neither an API secret nor a private key")
    passphrase = None if account.passphrase is None else account.passphrase.reveal()
    return load_private_key(account.private_key.reveal().encode(), passphrase)
