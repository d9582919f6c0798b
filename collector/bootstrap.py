"""Settings to services: the only place that builds things."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from sqlalchemy import Engine

from collector.binance.budget import offsets_ms
from collector.binance.client import BinanceClient, Credentials
from collector.binance.signing import HmacSigner, load_private_key
from collector.collect import Target
from collector.config.values import AccountSettings, Settings
from collector.domain.records import Account
from collector.errors import ConfigError
from collector.storage.accounts import note_key, register
from collector.storage.engine import open_engine, reading, sqlite_file
from collector.storage.record import Recorder
from collector.storage.upkeep import back_up_before_upgrade, upgrade


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
def open_services(settings: Settings) -> Iterator[Services]:
    """Everything that collecting needs, closed again at the end. Raises ConfigError, DatabaseError."""
    engine = open_engine(settings.database, "writer")
    client = client_for(settings)
    recorder = Recorder(engine)
    try:
        yield Services(settings=settings, client=client, recorder=recorder, engine=engine)
    finally:
        recorder.close()
        client.close()
        engine.dispose()


def client_for(settings: Settings) -> BinanceClient:
    """The one client of the process, with as many connections as there are threads."""
    return BinanceClient(
        base_url=settings.binance.base_url,
        recv_window_ms=settings.binance.recv_window_ms,
        pool_size=settings.workers,
        allow_plain_http=settings.binance.allow_plain_http,
    )


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

    Raises ConfigError for a key that can't be used, an asset scope that has changed, or more accounts than fit.
    """
    settings = services.settings
    accounts = settings.require_accounts()
    places = offsets_ms(
        len(accounts),
        interval_s=settings.interval_s,
        weight_per_minute=settings.binance.weight_per_minute,
        headroom=settings.binance.headroom,
    )
    built = [(account, credentials_of(account)) for account in accounts]
    return [
        _target(services, account, credentials, instant_ms, offset)
        for (account, credentials), offset in zip(built, places, strict=True)
    ]


def _target(
    services: Services, settings: AccountSettings, credentials: Credentials, instant_ms: int, offset: int
) -> Target:
    with services.recorder.transaction() as connection:
        registered = register(connection, settings.name, asset_scope=settings.asset, now_ms=instant_ms)
        note_key(connection, registered.id, fingerprint(settings))
    return _target_of(services.settings, settings, registered, credentials, offset)


def untracked_target(settings: Settings, account: AccountSettings) -> Target:
    """An account that can be asked, but that no database knows. Raises ConfigError for a key that can't be used."""
    unknown = Account(
        id=0,
        name=account.name,
        created_at_ms=0,
        asset_scope=account.asset,
        key_fingerprint=None,
        stopped_at_ms=None,
        stop_reason=None,
        probe_at_ms=None,
    )
    return _target_of(settings, account, unknown, credentials_of(account), 0)


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
    if account.api_secret is not None:
        return Credentials(api_key=account.api_key.reveal(), signer=HmacSigner(account.api_secret.reveal()))
    if account.private_key is None:
        raise ConfigError(f"account {account.name!r} has neither an API secret nor a private key")
    passphrase = None if account.passphrase is None else account.passphrase.reveal()
    try:
        signer = load_private_key(account.private_key.reveal().encode(), passphrase)
    except ConfigError as error:
        raise ConfigError(f"account {account.name!r}: {error}") from None
    return Credentials(api_key=account.api_key.reveal(), signer=signer)


def fingerprint(account: AccountSettings) -> str:
    """Tells API keys apart without giving one away: a key is too random to be guessed from its hash."""
    return hashlib.sha256(account.api_key.reveal().encode()).hexdigest()[:16]
